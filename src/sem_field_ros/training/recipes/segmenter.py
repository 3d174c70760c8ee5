"""Training recipe of the 2-D segmenter: augmented homes in, calibrated weights for segmentation/trained.py out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, cross_entropy, interpolate

from sem_field_ros.evaluation.metrics import Confusion
from sem_field_ros.labels import LabelSet, label_set_to_dict
from sem_field_ros.segmentation.backbone import Backbone, imagenet_state
from sem_field_ros.segmentation.network import KIND, SegmenterConfig, SegmenterNet, channels_last, compact, tiny
from sem_field_ros.training.calibration import calibration_error, fitted_temperature, sampled_pixels
from sem_field_ros.training.loop.recipe import ParameterGroup, decayed, random_for
from sem_field_ros.training.model_card import trained
from sem_field_ros.training.recipes.segmenter_settings import SegmenterTraining
from sem_field_ros.training.samples.augmentation import AugmentationConfig, augment
from sem_field_ros.training.samples.labelled_frames import (
    DrawOrder,
    LabelledFrame,
    class_shares,
    loss_weights,
    repeat_factors,
)
from sem_field_ros.weights import WeightsCard, load_into, load_weights, save_weights

NETWORKS: dict[str, Callable[[int], SegmenterConfig]] = {"compact": compact, "tiny": tiny}
_PIXELS_PER_IMAGE = 2000  # that the temperature is fitted on


class SegmenterRecipe:
    """A Recipe over frames in memory. `data` describes them for the card; `init` is a weights file to start from."""

    name = KIND

    def __init__(
        self,
        config: SegmenterTraining,
        labels: LabelSet,
        training: list[LabelledFrame],
        validation: list[LabelledFrame],
        data: dict[str, Any],
        init: Path | None = None,
    ) -> None:
        self.config, self.labels, self.data, self.init = config, labels, data, init
        self.training = training
        step = max(len(validation) / config.validation_frames, 1.0)
        self.validation = [validation[int(i * step)] for i in range(int(len(validation) / step))]
        shares = class_shares(training, len(labels))
        self._order = DrawOrder(repeat_factors(shares), config.seed)
        self._weights = torch.from_numpy(loss_weights(shares, config.rare_power)).float()
        self._augmentation = AugmentationConfig(config.crop_width, config.crop_height, strength=config.strength)

    def settings(self) -> dict[str, Any]:
        return {
            **dataclasses.asdict(self.config),
            "label_set": self.labels.name,
            "init": str(self.init or ""),
            "training_frames": [frame.name for frame in self.training],
            "validation_frames": [frame.name for frame in self.validation],
        }

    def build_model(self) -> SegmenterNet:
        model = SegmenterNet(NETWORKS[self.config.network](len(self.labels)))
        if self.init:
            load_into(model, load_weights(self.init, KIND)[0], str(self.init))
        elif self.config.backbone == "imagenet":
            model.backbone.load_state_dict(imagenet_state(model.backbone))
        if self.config.freeze_norm:
            freeze_norm(model.backbone)
        if self.init or self.config.backbone == "imagenet":
            freeze_first(model.backbone, self.config.freeze_blocks)
        return channels_last(model)

    def parameter_groups(self, model: nn.Module) -> list[ParameterGroup]:
        assert isinstance(model, SegmenterNet)
        own = set(model.backbone.parameters())
        rest = [p for p in model.parameters() if p not in own]
        return decayed(model.backbone.parameters(), self.config.backbone_lr) + decayed(rest)

    def samples(self) -> SegmenterRecipe:
        return self

    def __getitem__(self, n: int) -> tuple[Tensor, Tensor]:
        """Sample n: image [3, h, w] uint8, class index [h, w] int8."""
        frame = self.training[self._order.frame_of(n)]
        color, index = augment(frame.color, frame.index, self._augmentation, random_for(self.config.seed, 0, n))
        return torch.from_numpy(color).permute(2, 0, 1), torch.from_numpy(index)

    def collate(self, samples: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        return torch.stack([color for color, _ in samples]), torch.stack([index for _, index in samples])

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross entropy at half the image's size: class scores twice as fine as the net's, every second label."""
        images, index = batch
        target = index[:, ::2, ::2].long()
        logits = model(images.contiguous(memory_format=torch.channels_last).float() / 255)
        logits = interpolate(logits.float(), target.shape[-2:], mode="bilinear", align_corners=False)
        weights = self._weights.to(logits.device)
        losses = cross_entropy(
            logits, target, weights, ignore_index=-1, label_smoothing=self.config.smoothing, reduction="none"
        )
        labelled = target >= 0
        loss = losses.sum() / labelled.sum().clamp(min=1)
        right = (logits.detach().argmax(dim=1) == target)[labelled].float().mean()
        return loss, {"accuracy": right.nan_to_num()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        """On whole images without augmentation: mIoU, which is the `score`, IoU of each class, temperature and ECE."""
        confusion = Confusion(len(self.labels))
        pixels: list[tuple[Tensor, Tensor]] = []
        for i, (logits, index) in enumerate(self._outputs(model)):
            confusion.add(index.numpy(), logits.argmax(dim=0).numpy())
            pixels.append(sampled_pixels(logits, index, _PIXELS_PER_IMAGE, i))
        scores = confusion.scores()
        logits, index = (torch.cat(part) for part in zip(*pixels, strict=True))
        temperature = fitted_temperature(logits, index)
        return {
            "score": scores.miou,
            "miou": scores.miou,
            "accuracy": scores.accuracy,
            "classes": len(scores.iou),
            "temperature": temperature,
            "ece_before": calibration_error(logits, index),
            "ece": calibration_error(logits / temperature, index),
            **{f"iou/{self.labels.names[c]}": value for c, value in scores.iou.items()},
        }

    def _outputs(self, model: nn.Module) -> Iterator[tuple[Tensor, Tensor]]:
        """Class scores [C, h, w] of each validation frame at the size of its labels, and these [h, w], on the CPU."""
        device = next(model.parameters()).device
        for frame in self.validation:
            image = torch.from_numpy(frame.color).to(device).permute(2, 0, 1)[None].float() / 255
            logits = model(image.contiguous(memory_format=torch.channels_last)).float().cpu()
            yield interpolate(logits, frame.index.shape, mode="bilinear")[0], torch.from_numpy(frame.index).long()

    def save(self, model: nn.Module, path: Path, facts: dict[str, Any]) -> None:
        """Write the weights with the temperature that the validation found."""
        assert isinstance(model, SegmenterNet)
        scores = dict(facts["validation"])
        output = {"temperature": scores.pop("temperature"), "image_width": _common_width(self.training)}
        card = WeightsCard(KIND, model.config.as_dict(), label_set_to_dict(self.labels), output, self.data)
        save_weights(path, model.state_dict(), trained(card, self.config, facts | {"validation": scores}))


class FrozenNorm(nn.Module):
    """A BatchNorm2d that keeps its running statistics; scale and shift are still learned, under the same names."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps
        for name, value in norm.named_buffers():
            self.register_buffer(name, value)

    def forward(self, x: Tensor) -> Tensor:  # [B, C, h, w] -> the same
        mean, variance = self.get_buffer("running_mean"), self.get_buffer("running_var")
        return batch_norm(x, mean, variance, self.weight, self.bias, False, 0.0, self.eps)


def freeze_norm(module: nn.Module) -> None:
    """Turn every BatchNorm2d below `module` into a FrozenNorm, in place."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, FrozenNorm(child))
        else:
            freeze_norm(child)


def freeze_first(backbone: Backbone, blocks: int) -> None:
    """Do not train the stem and the first `blocks` blocks; 0 trains everything."""
    if blocks:
        for module in (backbone.conv_stem, backbone.bn0, *backbone.blocks[:blocks]):
            module.requires_grad_(False)


def _common_width(frames: list[LabelledFrame]) -> int:
    widths, counts = np.unique([frame.color.shape[1] for frame in frames], return_counts=True)
    return int(widths[counts.argmax()])
