"""Scores of a segmenter in training: mIoU, IoU of each class, and the temperature that calibrates it."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from sem_field_ros.evaluation.metrics import Confusion
from sem_field_ros.labels import LabelSet
from sem_field_ros.training.validation.calibration import calibration_error, fitted_temperature, sampled_pixels

_PIXELS_PER_IMAGE = 2000  # that the temperature is fitted on


def segmentation_scores(outputs: Iterable[tuple[Tensor, Tensor]], labels: LabelSet) -> dict[str, float]:
    """Over whole images: mIoU (`score`), IoU of each class, temperature, calibration error before and after.

    outputs: per image its class scores [C, h, w] and its labels [h, w], class indices or -1.
    """
    confusion = Confusion(len(labels))
    pixels: list[tuple[Tensor, Tensor]] = []
    for i, (logits, index) in enumerate(outputs):
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
        **{f"iou/{labels.names[c]}": value for c, value in scores.iou.items()},
    }
