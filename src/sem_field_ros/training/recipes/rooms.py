"""Recipe of `rooms`: a second head on MOSAIC, taught by labelled renderings without forgetting photographs.

Learning without forgetting (Li & Hoiem 2016, arXiv:1606.09282): on every image the first head is held to what the
published net says of it; on photographs without labels, the second head as well, class group by class group.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sem_field_ros.resources import resource_path
from sem_field_ros.settings import setting
from sem_field_ros.training.loop.recipe import ParameterGroup, decayed
from sem_field_ros.training.recipes.segmenter import SegmenterRecipe, SegmenterTraining

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from torch import Tensor, nn

    from sem_field_ros.labels import LabelSet
    from sem_field_ros.training.samples.crops import AugmentedCrops
    from sem_field_ros.training.samples.labelled_frames import LabelledFrame

IMAGE_WIDTH = 384  # pixels, as the published net was trained
_FIRST = "models/segmenter_ade20k/segmenter_ade20k.safetensors"


@dataclass(frozen=True)
class RoomsTraining(SegmenterTraining):
    """Settings of the training of `rooms`; without `--init` it begins with the shipped `ade20k`."""

    backbone_lr: float = setting(0.1, "learning rate of the published net, relative to --lr; 0 = keep it", minimum=0.0)
    freeze_blocks: int = setting(6, "first blocks of the published net that are kept (6: down to 1/8)", minimum=0)
    crop_width: int = setting(320, "width of the training crops, pixels", minimum=32)
    crop_height: int = setting(256, "height of the training crops, pixels", minimum=32)
    remember: float = setting(1.0, "weight of holding the first head to the published net", minimum=0.0)
    photo_share: float = setting(0.25, "share of photographs without labels in a batch", minimum=0.0, maximum=0.9)


class RoomsRecipe(SegmenterRecipe):
    """A SegmenterRecipe with a teacher. `photos` are images without labels, see labelled_frames.photographs."""

    def __init__(
        self,
        config: RoomsTraining,
        labels: LabelSet,
        training: list[LabelledFrame],
        validation: list[LabelledFrame],
        data: dict[str, Any],
        init: Path | None = None,
        photos: tuple[LabelledFrame, ...] = (),
    ) -> None:
        super().__init__(config, labels, training, [_at_width(frame) for frame in validation], data, init)
        self.config: RoomsTraining = config
        self.photos = photos
        self._load_teacher()

    def _load_teacher(self) -> None:
        from sem_field_ros.labels import label_set_from_dict
        from sem_field_ros.segmentation.architectures import load_segmenter
        from sem_field_ros.segmentation.mosaic import MosaicNet
        from sem_field_ros.segmentation.network import channels_last
        from sem_field_ros.segmentation.regrouping import assignment

        teacher, card = load_segmenter(resource_path(_FIRST))
        assert isinstance(teacher, MosaicNet)
        self._teacher = channels_last(teacher.requires_grad_(False))
        to_second = assignment(label_set_from_dict(card.label_set or {}), self.labels)
        assert to_second is not None
        self._assignment = to_second

    def settings(self) -> dict[str, Any]:
        return super().settings() | {"photos": [frame.name for frame in self.photos]}

    def build_model(self) -> nn.Module:
        from sem_field_ros.segmentation.network import channels_last
        from sem_field_ros.segmentation.rooms import RoomsConfig, RoomsNet, shares_of
        from sem_field_ros.weights import load_into, load_weights

        model = RoomsNet(RoomsConfig(self._teacher.config, len(self.labels)))
        if self.init:
            load_into(model, load_weights(self.init, self.name)[0], str(self.init))
        else:
            model.first.load_state_dict(self._teacher.state_dict())
            model.get_buffer("shares").copy_(shares_of(self._assignment))
        if not self.config.backbone_lr:
            model.first.requires_grad_(False)
        if self.config.freeze_blocks:
            for module in (model.first.backbone.stem, *model.first.backbone.blocks[: self.config.freeze_blocks]):
                module.requires_grad_(False)
        return channels_last(model)

    def parameter_groups(self, model: nn.Module) -> list[ParameterGroup]:
        from sem_field_ros.segmentation.rooms import RoomsNet

        assert isinstance(model, RoomsNet)
        return decayed(model.first.parameters(), self.config.backbone_lr) + decayed(model.correction.parameters())

    def samples(self) -> AugmentedCrops:
        import numpy as np

        from sem_field_ros.training.samples.augmentation import AugmentationConfig
        from sem_field_ros.training.samples.crops import AugmentedCrops
        from sem_field_ros.training.samples.labelled_frames import repeat_factors

        c = self.config
        zoom = IMAGE_WIDTH / 320  # of the renderings; the net sees images of IMAGE_WIDTH
        augmentation = AugmentationConfig(c.crop_width, c.crop_height, (0.75 * zoom, 1.7 * zoom), strength=c.strength)
        factors = repeat_factors(self._shares)
        if self.photos:
            each = c.photo_share / (1 - c.photo_share) * factors.sum() / len(self.photos)
            factors = np.append(factors, np.full(len(self.photos), each))
        return AugmentedCrops([*self.training, *self.photos], factors, augmentation, c.seed)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross entropy at the cells of the scores, and the divergences from the published net."""
        import torch
        from torch.nn.functional import cross_entropy, kl_div

        images, index = batch
        images = images.contiguous(memory_format=torch.channels_last).float() / 255
        target = index[:, ::4, ::4].long()  # cell (i, j) lies on pixel (4 i, 4 j)
        teacher = self._teacher.to(images.device)
        with torch.no_grad():  # what is frozen is the teacher's, and computed once
            begun = teacher.begin(images, self.config.freeze_blocks) if self.config.freeze_blocks else None
            taught = teacher.maps(images, begun).scores.log_softmax(dim=1)
        first, second = model(images, both=True, begun=begun)
        weights = self._class_weights.to(second.device)
        losses = cross_entropy(
            second, target, weights, ignore_index=-1, label_smoothing=self.config.smoothing, reduction="none"
        )
        labelled = target >= 0
        forgotten = kl_div(first.log_softmax(dim=1), taught, reduction="none", log_target=True).sum(dim=1).mean()
        loss = losses.sum() / labelled.sum().clamp(min=1) + self.config.remember * forgotten
        logs = {"forgotten": forgotten.detach()}
        photo = ~labelled.flatten(1).any(dim=1)
        if bool(photo.any()):
            differs = self._differs_in_groups(second[photo], taught[photo])
            loss = loss + self.config.remember * differs * photo.float().mean()
            logs["photos"] = differs.detach()
        accuracy = (second.detach().argmax(dim=1) == target)[labelled].float().mean()
        return loss, {"accuracy": accuracy.nan_to_num(), **logs}

    def _differs_in_groups(self, second: Tensor, taught: Tensor) -> Tensor:
        """Divergence of the second head [B, D, h, w] from the teacher's log probabilities [B, C, h, w], per pixel.

        Compared over the classes both know and the rest as one: which of its own classes a table is, a desk or a
        counter, is left to the second head.
        """
        import torch
        from torch.nn.functional import kl_div

        groups = self._groups().to(second.device)
        known = torch.cat([self._assignment, 1 - self._assignment.sum(dim=1, keepdim=True).clamp(max=1)], dim=1)
        wanted = torch.einsum("bchw,cd->bdhw", taught.exp(), known.to(second.device))
        wanted = torch.einsum("bdhw,dg->bghw", wanted, groups)
        found = torch.einsum("bdhw,dg->bghw", second.softmax(dim=1), groups[:-1])
        return kl_div((found + 1e-4).log(), wanted + 1e-4, reduction="none").sum(dim=1).mean()

    def _groups(self) -> Tensor:
        """[D + 1, G] of 0 and 1: the group of each class of the second head, and of "none of them" (the last group)."""
        import torch

        from sem_field_ros.labels import load_label_set

        back = self.labels.regroup(load_label_set("ade20k31")) if self.labels.name != "ade20k31" else None
        known = self._assignment.sum(dim=0) > 0
        groups = torch.full((len(self.labels) + 1,), len(self.labels), dtype=torch.long)
        for d in range(len(self.labels)):
            if known[d]:
                groups[d] = d
            elif back is not None and back[d] >= 0:  # desk: the class of the second head that tables go to
                targets = self._assignment[int(back[d])].nonzero()
                groups[d] = int(targets[0]) if len(targets) else len(self.labels)
        return torch.nn.functional.one_hot(groups, len(self.labels) + 1).float()

    def _outputs(self, model: nn.Module) -> Iterator[tuple[Tensor, Tensor]]:
        import torch

        from sem_field_ros.segmentation.mobile_backbone import tiled
        from sem_field_ros.segmentation.rooms import RoomsNet

        device = next(model.parameters()).device
        for frame in self.validation:
            image = torch.from_numpy(frame.color).to(device).permute(2, 0, 1)[None].float() / 255
            logits = model(image.contiguous(memory_format=torch.channels_last)).float().cpu()
            size = (frame.index.shape[0], frame.index.shape[1])
            yield (
                tiled(logits, RoomsNet.corner_strides[0], size, size)[0],
                torch.from_numpy(frame.index).long(),
            )

    def save(self, model: nn.Module, path: Path, facts: dict[str, Any]) -> None:
        """Write the weights with the temperature found in validation and the width of the images."""
        from sem_field_ros.training.model_card import save_trained

        scores = dict(facts["validation"])
        output = {"temperature": scores.pop("temperature"), "image_width": IMAGE_WIDTH}
        save_trained(path, model, self, facts | {"validation": scores}, output, self.labels)


def _at_width(frame: LabelledFrame) -> LabelledFrame:
    import cv2

    size = (IMAGE_WIDTH, round(IMAGE_WIDTH * frame.color.shape[0] / frame.color.shape[1]))
    index: np.ndarray = cv2.resize(frame.index.astype("int16"), size, interpolation=cv2.INTER_NEAREST).astype("int8")
    return replace(frame, color=cv2.resize(frame.color, size, interpolation=cv2.INTER_LINEAR), index=index)
