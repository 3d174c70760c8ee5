"""Recipe of a second head on the published net for photographs, taught by labelled renderings without forgetting them.

Learning without forgetting (Li & Hoiem 2016, arXiv:1606.09282): on every image the first head is held to what the
published net says of it; on photographs without labels, the second head as well, class group by class group.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sem_field_ros.resources import resource_path
from sem_field_ros.settings import setting
from sem_field_ros.training.loop.recipe import ParameterGroup, decayed
from sem_field_ros.training.recipes.segmenter import CropTraining

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

    from sem_field_ros.labels import LabelSet
    from sem_field_ros.segmentation.rooms import RoomsNet
    from sem_field_ros.training.samples.crops import AugmentedCrops
    from sem_field_ros.training.samples.labelled_frames import LabelledFrame

IMAGE_WIDTH = 384  # pixels, as the published net was trained
_FIRST = "models/segmenter_ade20k/segmenter_ade20k.safetensors"
_CELL = 4  # pixels between the cells of the scores; cell (i, j) lies on pixel (4 i, 4 j)


@dataclass(frozen=True)
class RoomsTraining(CropTraining):
    """Settings; without `--init` the training begins with the shipped `ade20k`."""

    crop_width: int = setting(320, "width of the training crops, pixels", minimum=32)
    crop_height: int = setting(256, "height of the training crops, pixels", minimum=32)
    backbone_lr: float = setting(0.1, "learning rate of the published net, relative to --lr; 0 = keep it", minimum=0.0)
    freeze_blocks: int = setting(6, "first blocks of the published net that are kept (6: down to 1/8)", minimum=0)
    remember: float = setting(1.0, "weight of holding the heads to the published net", minimum=0.0)
    photo_share: float = setting(0.25, "share of photographs without labels in a batch", minimum=0.0, maximum=0.9)


class RoomsRecipe:
    """A Recipe over frames in memory. `photos` are images without labels, see labelled_frames.photographs."""

    def __init__(
        self,
        config: RoomsTraining,
        labels: LabelSet,
        training: Sequence[LabelledFrame],
        validation: Sequence[LabelledFrame],
        data: dict[str, Any],
        init: Path | None = None,
        photos: Sequence[LabelledFrame] = (),
    ) -> None:
        from sem_field_ros.segmentation.network import KIND
        from sem_field_ros.training.samples.labelled_frames import class_shares, evenly, loss_weights

        self.name = KIND
        self.config, self.labels, self.data, self.init = config, labels, data, init
        self.training, self.photos = training, photos
        self.validation = [_at_width(frame) for frame in evenly(validation, config.validation_frames)]
        self._shares = class_shares(training, len(labels))
        self._class_weights = loss_weights(self._shares, config.rare_power)
        self._load_teacher()

    def _load_teacher(self) -> None:
        from sem_field_ros.labels import label_set_from_dict
        from sem_field_ros.segmentation.architectures import load_segmenter
        from sem_field_ros.segmentation.mosaic import MosaicNet
        from sem_field_ros.segmentation.network import channels_last
        from sem_field_ros.segmentation.regrouping import assignment
        from sem_field_ros.segmentation.rooms import common_groups

        teacher, card = load_segmenter(resource_path(_FIRST))
        assert isinstance(teacher, MosaicNet)
        self._teacher = channels_last(teacher.requires_grad_(False))
        own = label_set_from_dict(card.label_set or {})
        to_second = assignment(own, self.labels)
        assert to_second is not None, "the second head has classes of its own"
        self._assignment = to_second
        self._first_groups, self._second_groups = common_groups(to_second, self.labels.regroup(own))

    def settings(self) -> dict[str, Any]:
        return {
            **dataclasses.asdict(self.config),
            "label_set": self.labels.name,
            "init": str(self.init or ""),
            "training_frames": [frame.name for frame in self.training],
            "validation_frames": [frame.name for frame in self.validation],
            "photos": [frame.name for frame in self.photos],
        }

    def build_model(self) -> RoomsNet:
        from sem_field_ros.segmentation.network import channels_last
        from sem_field_ros.segmentation.rooms import RoomsConfig, RoomsNet, shares_of
        from sem_field_ros.weights import load_into, load_weights

        model = RoomsNet(RoomsConfig(self._teacher.config, len(self.labels)))
        if self.init:
            load_into(model, load_weights(self.init, self.name)[0], str(self.init))
        else:
            model.first.load_state_dict(self._teacher.state_dict())
            model.get_buffer("shares").copy_(shares_of(self._assignment))
        model.first.requires_grad_(self.config.backbone_lr > 0)
        encoder = model.first.backbone
        for module in (encoder.stem, *encoder.blocks)[: self.config.freeze_blocks and self.config.freeze_blocks + 1]:
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
        from sem_field_ros.training.samples.labelled_frames import common_width, repeat_factors

        c = self.config
        zoom = IMAGE_WIDTH / common_width(self.training)  # the net sees images of IMAGE_WIDTH
        augmentation = AugmentationConfig(c.crop_width, c.crop_height, (0.75 * zoom, 1.7 * zoom), strength=c.strength)
        factors = repeat_factors(self._shares)
        if self.photos and c.photo_share:
            each = c.photo_share / (1 - c.photo_share) * factors.sum() / len(self.photos)
            factors = np.append(factors, np.full(len(self.photos), each))
            return AugmentedCrops([*self.training, *self.photos], factors, augmentation, c.seed)
        return AugmentedCrops(self.training, factors, augmentation, c.seed)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross entropy at the cells of the scores, and the divergences from the published net."""
        import torch
        from torch.nn.functional import cross_entropy

        from sem_field_ros.segmentation.rooms import divergence

        images, index = batch
        images = images.contiguous(memory_format=torch.channels_last).float() / 255
        target = index[:, ::_CELL, ::_CELL].long()
        teacher = self._teacher.to(images.device)
        with torch.no_grad():  # what is frozen is the teacher's, and computed once
            begun = teacher.begin(images, self.config.freeze_blocks) if self.config.freeze_blocks else None
            taught = teacher.maps(images, begun).scores.softmax(dim=1)
        first, second = model(images, both=True, begun=begun)
        weights = torch.from_numpy(self._class_weights).to(second)
        losses = cross_entropy(
            second, target, weights, ignore_index=-1, label_smoothing=self.config.smoothing, reduction="none"
        )
        labelled = target >= 0
        forgotten = divergence(first.softmax(dim=1), taught).mean()
        differs = divergence(second.softmax(dim=1), taught, self._second_groups, self._first_groups)
        photos = ~labelled.flatten(1).any(dim=1)
        differs = (differs.mean(dim=(1, 2)) * photos).mean()
        loss = losses.sum() / labelled.sum().clamp(min=1) + self.config.remember * (forgotten + differs)
        accuracy = (second.detach().argmax(dim=1) == target)[labelled].float().mean()
        return loss, {
            "accuracy": accuracy.nan_to_num(),
            "forgotten": forgotten.detach(),
            "photos": differs.detach() / photos.float().mean().clamp(min=1e-6),
        }

    def validate(self, model: nn.Module) -> dict[str, float]:
        """See validation.segmentation.segmentation_scores."""
        from sem_field_ros.training.validation.segmentation import segmentation_scores

        return segmentation_scores(self._outputs(model), self.labels)

    def _outputs(self, model: nn.Module) -> Iterator[tuple[Tensor, Tensor]]:
        """Class scores [C, h, w] of each validation frame at the size of its labels, and these [h, w], on the CPU."""
        import torch

        from sem_field_ros.segmentation.mobile_backbone import tiled

        device = next(model.parameters()).device
        for frame in self.validation:
            image = torch.from_numpy(frame.color).to(device).permute(2, 0, 1)[None].float() / 255
            logits = model(image.contiguous(memory_format=torch.channels_last)).float().cpu()
            size = (frame.index.shape[0], frame.index.shape[1])
            yield tiled(logits, _CELL, size, size)[0], torch.from_numpy(frame.index).long()

    def save(self, model: nn.Module, path: Path, facts: dict[str, Any]) -> None:
        """Write the weights with the temperature found in validation and the width of the images."""
        from sem_field_ros.training.model_card import save_trained

        scores = dict(facts["validation"])
        output = {"temperature": scores.pop("temperature"), "image_width": IMAGE_WIDTH}
        save_trained(path, model, self, facts | {"validation": scores}, output, self.labels)


def _at_width(frame: LabelledFrame) -> LabelledFrame:
    import cv2
    import numpy as np

    size = (IMAGE_WIDTH, round(IMAGE_WIDTH * frame.color.shape[0] / frame.color.shape[1]))
    index = cv2.resize(frame.index.astype(np.int16), size, interpolation=cv2.INTER_NEAREST).astype(np.int8)
    return dataclasses.replace(frame, color=cv2.resize(frame.color, size), index=index)
