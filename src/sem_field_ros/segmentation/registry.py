"""Segmenters by name: the one place where a parameter or a flag becomes a segmenter."""

from __future__ import annotations

import re

from sem_field_ros.errors import SegmenterError
from sem_field_ros.labels import LabelSet, load_label_set
from sem_field_ros.resources import resource_path
from sem_field_ros.segmentation.segmenter import Segmenter

SEGMENTERS = {
    "external": "the label image that comes with each frame",
    "noisy:RATE": "the same with about RATE (0 to 1) of the pixels wrong, to try fusions",
    "ade20k": "the shipped MOSAIC, trained on photographs, ADE20K's 31 most frequent classes",
    "ade20k_deeplab": "the same classes by the shipped DeepLabv3+-MobileNetV2, half as fast",
    "homes": "the shipped net of our own, ScanNet's 20 classes, trained on generated homes",
    "trained:PATH": "a net trained with `sem-field train segmenter` (.safetensors)",
    "pascal": "the shipped DeepLabv3-MobileNetV2, 21 Pascal VOC classes",
    "tflite:PATH": "a TFLite net; needs label_set",
    "onnx:PATH": "an ONNX net with PATH.json beside it",
    "hf:NAME_OR_PATH": "a Hugging Face semantic or universal segmentation model",
    "A+B": "several of these: each votes of its own, in one label set (default: that of A)",
    "none": "geometry and colour only",
}
_NAMES = "|".join(dict.fromkeys(key.partition(":")[0] for key in SEGMENTERS if key not in ("A+B", "none")))
_PLUS = re.compile(rf"\+(?=(?:{_NAMES})(?:[:+]|$))")  # a path may have a + in it


def make_segmenter(
    name: str, label_set: str | None = None, label_width: int = 160, device: str = "cpu", source: LabelSet | None = None
) -> Segmenter:
    """Make a segmenter by its name in SEGMENTERS (but `none`, which is no segmenter).

    label_set  name or path; needed by tflite:, the map's set for external (default: source), optional for the others
    source     label set of the label images that `external` gets
    In A+B every part is made with its own label set, then brought into `label_set`.
    Raises SegmenterError in one line.
    """
    labels = load_label_set(label_set) if label_set else None
    parts = _PLUS.split(name)
    if len(parts) > 1:
        from sem_field_ros.segmentation.combined import CombinedSegmenter

        members = [make_segmenter(part, None, label_width, device, source) for part in parts]
        return CombinedSegmenter(members, labels)
    kind, _, path = name.partition(":")
    if kind == "external" or (kind == "noisy" and path):
        return _make_external(path, labels, source, label_width)
    if name in ("homes", "ade20k", "ade20k_deeplab"):
        from sem_field_ros.segmentation.trained import SHIPPED_MODELS, TrainedSegmenter

        return TrainedSegmenter(resource_path(SHIPPED_MODELS[name]), labels, label_width, device)
    if name == "pascal":
        from sem_field_ros.segmentation.tflite import pascal_segmenter

        if labels is not None and labels.name != "voc":
            raise SegmenterError(f"segmenter 'pascal' labels with set voc, not {labels.name}: leave label_set empty")
        return pascal_segmenter(label_width)
    if kind in ("tflite", "onnx", "hf", "trained") and path:
        return _make_from_path(kind, path, labels, label_width, device)
    known = "; ".join(f"{key} ({what})" for key, what in SEGMENTERS.items())
    raise SegmenterError(f"segmenter '{name}' is unknown; choose {known}")


def _make_external(rate: str, labels: LabelSet | None, source: LabelSet | None, label_width: int) -> Segmenter:
    from sem_field_ros.segmentation.external import ExternalSegmenter

    try:
        noise_rate = float(rate or 0)
    except ValueError:
        raise SegmenterError(f"segmenter 'noisy:{rate}': '{rate}' is no number between 0 and 1") from None
    target = labels or source or load_label_set("scannet20")
    return ExternalSegmenter(target, source or labels, label_width, noise_rate=noise_rate)


def _make_from_path(kind: str, path: str, labels: LabelSet | None, label_width: int, device: str) -> Segmenter:
    if kind == "tflite":
        from sem_field_ros.segmentation.tflite import TfliteSegmenter

        if labels is None:
            raise SegmenterError(f"segmenter 'tflite:{path}' needs label_set: the classes the net was trained for")
        return TfliteSegmenter(path, labels, label_width)
    if kind == "onnx":
        from sem_field_ros.segmentation.onnx import OnnxSegmenter

        return OnnxSegmenter(path, labels, label_width)
    if kind == "trained":
        from sem_field_ros.segmentation.trained import TrainedSegmenter

        return TrainedSegmenter(path, labels, label_width, device)
    from sem_field_ros.segmentation.huggingface import HuggingFaceSegmenter

    return HuggingFaceSegmenter(path, labels, label_width, device)
