"""Segmenters by name: the one place where a parameter or a flag becomes a segmenter."""

from __future__ import annotations

from pathlib import Path

from sem_field_ros.errors import SegmenterError
from sem_field_ros.labels import LabelSet, load_label_set
from sem_field_ros.segmentation.segmenter import Segmenter

SEGMENTERS = {
    "external": "the label image that comes with each frame",
    "noisy:RATE": "the same with about RATE (0 to 1) of the pixels wrong, to try fusions",
    "homes": "the shipped net of our own, ScanNet's 20 classes",
    "trained:PATH": "a net trained with `sem-field train segmenter` (.safetensors)",
    "pascal": "the shipped DeepLabv3-MobileNetV2, 21 Pascal VOC classes",
    "tflite:PATH": "a TFLite net; needs label_set",
    "onnx:PATH": "an ONNX net with PATH.json beside it",
    "hf:NAME_OR_PATH": "a Hugging Face semantic or universal segmentation model",
    "none": "geometry and colour only",
}

LABEL_IMAGES = ("external", "noisy")  # kinds that take the label image of a frame
DEMO_SEGMENTER = "homes"  # what labels a sequence in the demo, to be scored by its label images


def make_segmenter(
    name: str, label_set: str | None = None, label_width: int = 160, device: str = "cpu", source: LabelSet | None = None
) -> Segmenter:
    """Make a segmenter by its name in SEGMENTERS (but `none`, which is no segmenter).

    label_set  name or path; needed by tflite:, the map's set for external (default: source), optional for the others
    source     label set of the label images that `external` gets
    Raises SegmenterError in one line.
    """
    kind, _, path = name.partition(":")
    labels = load_label_set(label_set) if label_set else None
    if kind == "external" or (kind == "noisy" and path):
        return _make_external(path, labels, source, label_width)
    if kind == "homes":
        from sem_field_ros.segmentation.trained import homes_segmenter

        return homes_segmenter(labels, label_width, device)
    if kind == "pascal":
        from sem_field_ros.segmentation.tflite import pascal_segmenter

        if labels is not None and labels.name != "voc":
            raise SegmenterError(f"segmenter 'pascal' labels with set voc, not {labels.name}: leave label_set empty")
        return pascal_segmenter(label_width)
    if kind in ("tflite", "onnx", "hf", "trained") and path:
        return _make_from_path(kind, path, labels, label_width, device)
    known = "; ".join(f"{key} ({what})" for key, what in SEGMENTERS.items())
    raise SegmenterError(f"segmenter '{name}' is unknown; choose {known}")


def label_source(name: str) -> str:
    """Where the labels of a map come from that this segmenter made of a recorded sequence: for captions."""
    kind, _, path = name.partition(":")
    if kind == "none":
        return "no labels"
    if kind in LABEL_IMAGES:
        return "ground-truth labels" + (f", {float(path):.0%} of them corrupted" if path else "")
    return f"labels predicted by {Path(path).name if path else kind}"


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
