"""Segmenters with networks in torch: those of `sem-field train segmenter`, and the shipped `homes` and `ade20k`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.nn.utils.fusion import fuse_conv_bn_eval

from sem_field_ros.errors import LabelSetError, SegmenterError, SemFieldError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import LabelSet, label_set_from_dict
from sem_field_ros.segmentation.architectures import load_segmenter
from sem_field_ros.segmentation.mobile_backbone import tiled
from sem_field_ros.segmentation.network import Net, channels_last
from sem_field_ros.segmentation.regrouping import assignment, regrouped
from sem_field_ros.segmentation.segmenter import ClassProbabilities

SHIPPED_MODELS = {
    "homes": "models/segmenter_homes/segmenter_homes.safetensors",
    "ade20k": "models/segmenter_ade20k/segmenter_ade20k.safetensors",
    "ade20k_deeplab": "models/segmenter_ade20k/segmenter_ade20k_deeplab.safetensors",
}


class TrainedSegmenter:
    """Runs a network on the image, scaled to the width that its card names, and applies its temperature.

    With another label set than its own, classes are matched by grouping or name; see regrouping.regrouped for those
    without a counterpart. Raises SegmenterError if the weights cannot be used.
    """

    def __init__(
        self, path: str | Path, labels: LabelSet | None = None, label_width: int = 160, device: str = "cpu"
    ) -> None:
        try:
            self.net, self.card = load_segmenter(path)
            own = label_set_from_dict(self.card.label_set or {})
            self._temperature = float(self.card.output["temperature"])
            self._width = int(self.card.output["image_width"])
        except (KeyError, TypeError, ValueError, LabelSetError) as error:
            raise SegmenterError(f"segmenter {path}: its card is incomplete ({error!r})") from error
        except SemFieldError as error:
            raise SegmenterError(f"segmenter cannot be loaded: {error}") from error
        self.encoder = self.card.sha256[:12]
        self._label_width, self._device = label_width, torch.device(device)
        self.net = channels_last(fused(self.net).to(self._device))
        self.labels = labels or own
        self._to_labels = assignment(own, self.labels)

    @torch.inference_mode()
    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        """Segment one frame; the probabilities are `label_width` wide with the aspect of the image.

        The features of the net come with them, at 1/4 or 1/8 of the size of its input.
        """
        height = max(1, round(self._label_width * frame.camera.height / frame.camera.width))
        scores, features = self._scores_and_features(self.image_tensor(frame.color), (height, self._label_width))
        values = torch.softmax(scores.float() / self._temperature, dim=0).cpu()
        return ClassProbabilities(regrouped(values, self._to_labels), features.float(), self.encoder)

    def _scores_and_features(self, image: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Of [1, 3, h, w]: scores [C, *size] and features [D, h', w'], both with cells that tile the image."""
        scores, features = self.net.scores_and_features(image)
        if self.net.corner_strides is None:
            return interpolate(scores, size, mode="bilinear", antialias=True)[0], features[0]
        whole = (image.shape[-2], image.shape[-1])
        of_scores, of_features = self.net.corner_strides
        cells = (features.shape[-2], features.shape[-1])
        return tiled(scores, of_scores, whole, size)[0], tiled(features, of_features, whole, cells)[0]

    def image_tensor(self, color: np.ndarray) -> Tensor:
        """RGB [H, W, 3] uint8 -> input of the net [1, 3, h, w], as wide as its training images."""
        size = (self._width, max(32, round(self._width * color.shape[0] / color.shape[1])))
        shrinks = size[0] < color.shape[1]
        if size != (color.shape[1], color.shape[0]):
            color = cv2.resize(color, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        image = torch.from_numpy(np.ascontiguousarray(color)).to(self._device).permute(2, 0, 1)[None].float() / 255
        return image.contiguous(memory_format=torch.channels_last)


def fused(net: Net) -> Net:
    """Fold every batch norm into the convolution before it, in place: the same result in less time, for inference."""
    for module in net.modules():
        children = list(module.named_children())
        for (name, first), (after, second) in zip(children, children[1:], strict=False):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(first, second))
                setattr(module, after, nn.Identity())
    return net
