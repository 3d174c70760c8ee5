"""Segmenters trained with `sem-field train segmenter`, among them the shipped one, `homes`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.nn.utils.fusion import fuse_conv_bn_eval

from sem_field_ros.errors import SegmenterError, SemFieldError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import LabelSet, label_set_from_dict
from sem_field_ros.resources import resource_path
from sem_field_ros.segmentation.network import KIND, SegmenterNet, channels_last, config_from_dict
from sem_field_ros.segmentation.segmenter import ClassProbabilities
from sem_field_ros.weights import WeightsCard, load_model

HOMES_MODEL = "models/segmenter_homes/segmenter_homes.safetensors"


class TrainedSegmenter:
    """Runs a SegmenterNet on the image, reduced to the width of its training images, and applies its temperature.

    With another label set than its own, classes are matched by grouping or name; pixels mostly of classes without a
    counterpart do not vote. Raises SegmenterError if the weights cannot be used.
    """

    def __init__(
        self, path: str | Path, labels: LabelSet | None = None, label_width: int = 160, device: str = "cpu"
    ) -> None:
        try:
            self.net, self.card = load_segmenter(path)
            own = label_set_from_dict(self.card.label_set or {})
            self._temperature = float(self.card.output["temperature"])
            self._width = int(self.card.output["image_width"])
        except (KeyError, TypeError, ValueError) as error:
            raise SegmenterError(f"segmenter {path}: its card is incomplete ({error!r})") from error
        except SemFieldError as error:
            raise SegmenterError(f"segmenter cannot be loaded: {error}") from error
        self.encoder = self.card.sha256[:12]
        self._label_width, self._device = label_width, torch.device(device)
        self.net = channels_last(fused(self.net).to(self._device))
        self.labels = labels or own
        self._to_labels = _assignment(own, self.labels)

    @torch.inference_mode()
    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        """Segment one frame; the probabilities are `label_width` wide with the aspect of the image.

        The features of the net come with them, at 1/4 of the size of its input.
        """
        height = max(1, round(self._label_width * frame.camera.height / frame.camera.width))
        features = self.net.features(self.image_tensor(frame.color))
        logits = self.net.classify(features)
        features = features[0].float()
        logits = interpolate(logits, (height, self._label_width), mode="bilinear", antialias=True)[0].float()
        values = torch.softmax(logits / self._temperature, dim=0).cpu()
        if self._to_labels is None:
            return ClassProbabilities(values, features, self.encoder)
        values = torch.einsum("chw,cd->dhw", values, self._to_labels)
        total = values.sum(dim=0, keepdim=True)
        return ClassProbabilities(torch.where(total > 0.5, values / total.clamp(min=1e-6), 0.0), features, self.encoder)

    def image_tensor(self, color: np.ndarray) -> Tensor:
        """RGB [H, W, 3] uint8 -> input of the net [1, 3, h, w], as wide as its training images."""
        size = (self._width, max(32, round(self._width * color.shape[0] / color.shape[1])))
        shrinks = size[0] < color.shape[1]
        if size != (color.shape[1], color.shape[0]):
            color = cv2.resize(color, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        image = torch.from_numpy(np.ascontiguousarray(color)).to(self._device).permute(2, 0, 1)[None].float() / 255
        return image.contiguous(memory_format=torch.channels_last)


def load_segmenter(path: str | Path) -> tuple[SegmenterNet, WeightsCard]:
    """The network of a weights file, in eval mode on the CPU, and its card. Raises WeightsError."""
    return load_model(path, KIND, lambda content: SegmenterNet(config_from_dict(content)))


def homes_segmenter(labels: LabelSet | None = None, label_width: int = 160, device: str = "cpu") -> TrainedSegmenter:
    """The shipped net: 20 classes of ScanNet, trained on synthetic homes."""
    return TrainedSegmenter(resource_path(HOMES_MODEL), labels, label_width, device)


def fused(net: SegmenterNet) -> SegmenterNet:
    """Fold every batch norm into the convolution before it, in place: the same result in less time, for inference."""
    for module in net.modules():
        children = list(module.named_children())
        for (name, first), (after, second) in zip(children, children[1:], strict=False):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(first, second))
                setattr(module, after, nn.Identity())
    return net


def _assignment(own: LabelSet, labels: LabelSet) -> Tensor | None:
    """Matrix [own classes, classes] of 0 and 1; None if the sets are the same. Raises SegmenterError."""
    if labels.name == own.name:
        return None
    table = own.regroup(labels)
    if (table < 0).all():
        raise SegmenterError(f"label set {labels.name} has no class of {own.name}: leave label_set empty")
    matrix = torch.zeros(len(own), len(labels))
    for i, target in enumerate(table.tolist()):
        if target >= 0:
            matrix[i, target] = 1
    return matrix
