"""Segmenters by name: their names and help, and the one place where a name becomes a segmenter."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from sem_field_ros.errors import SegmenterError, did_you_mean
from sem_field_ros.labels import LabelSet, load_label_set
from sem_field_ros.resources import resource_path

if TYPE_CHECKING:  # a command checks a name before torch is imported
    from sem_field_ros.segmentation.segmenter import Segmenter

EXTERNAL, NO_SEGMENTER, COMBINED = "external", "none", "A+B"
SEGMENTERS = {
    EXTERNAL: "the label image that comes with each frame",
    "noisy:RATE": "the same with about RATE (0 to 1) of the pixels wrong, to compare fusions",
    "ade20k": "the shipped MOSAIC, trained on photographs, 31 classes of ADE20K",
    "ade20k_deeplab": "the shipped DeepLabv3+ for the same classes; slower",
    "homes": "the shipped net for ScanNet's 20 classes, trained on generated homes",
    "pascal": "the shipped DeepLabv3-MobileNetV2, 21 Pascal VOC classes",
    "trained:PATH": "a net trained with `sem-field train segmenter` (.safetensors)",
    "tflite:PATH": "a TFLite net; needs a label set",
    "onnx:PATH": "an ONNX net with PATH.json beside it",
    "hf:NAME_OR_PATH": "a Hugging Face semantic or universal segmentation model",
    COMBINED: "several of these, e.g. homes+ade20k: each votes on its own, in the label set of A unless one is given",
    NO_SEGMENTER: "geometry and colour only",
}
LABEL_IMAGES = (EXTERNAL, "noisy")  # kinds that take the label image of a frame
DEFAULT_SEGMENTER = "homes+ade20k"  # of nodes, demo and commands: one net of rendered rooms, one of photographs
SHIPPED = tuple(name for name in SEGMENTERS if ":" not in name and name not in (EXTERNAL, COMBINED, NO_SEGMENTER))
SEGMENTER_HELP = "; ".join(f"{name}: {what}" for name, what in SEGMENTERS.items())
_PREDICTED = "labels predicted by "
_TAKES_PATH = {form.partition(":")[0]: ":" in form for form in SEGMENTERS if form != COMBINED}
_PLUS = re.compile(rf"\+(?=(?:{'|'.join(_TAKES_PATH)})(?:[:+]|$))")  # a + within a path separates nothing


def labels_pixels(name: str) -> bool:
    """Whether a name in SEGMENTERS stands for a segmenter, that is, for any but `none`."""
    return name != NO_SEGMENTER


def default_segmenter(labels: LabelSet | None) -> str:
    """What labels a sequence by default: its own label images where it has any (`labels`), else the shipped nets."""
    return DEFAULT_SEGMENTER if labels is None else EXTERNAL


def takes_label_images(name: str) -> bool:
    """Whether a segmenter, or a part of A+B, takes the label image of a frame."""
    return any(part.partition(":")[0] in LABEL_IMAGES for part in _PLUS.split(name))


def check_segmenter(name: str) -> str:
    """Return `name` if it is one of SEGMENTERS, with something in place of PATH, A and B; else raise SegmenterError.

    Whether the file is there and can be used is only known to `make_segmenter`.
    """
    for part in _PLUS.split(name):
        kind, colon, path = part.partition(":")
        takes_path = _TAKES_PATH.get(kind)
        if takes_path is None or takes_path != bool(path) or takes_path != bool(colon):
            hint = did_you_mean(kind, _TAKES_PATH) if takes_path is None else ""
            raise SegmenterError(f"segmenter '{part}' is unknown; choose one of {', '.join(SEGMENTERS)}{hint}")
    return name


def make_segmenter(
    name: str, label_set: str | None = None, label_width: int = 160, device: str = "cpu", source: LabelSet | None = None
) -> Segmenter:
    """Make a segmenter by its name in SEGMENTERS, any but `none`.

    label_set  name or path; needed by tflite:, the map's set for external (default: source), optional for the others
    source     label set of the label images that `external` gets
    In A+B every part is made with a label set of its own, then grouped into the common one.
    Raises SegmenterError in one line.
    """
    kind, _, path = check_segmenter(name).partition(":")
    if not labels_pixels(name):
        raise SegmenterError(f"'{name}' makes no segmenter: choose one of {', '.join(SEGMENTERS)}")
    labels = load_label_set(label_set) if label_set else None
    parts = _PLUS.split(name)
    if len(parts) > 1:
        from sem_field_ros.segmentation.combined import CombinedSegmenter

        return CombinedSegmenter([make_segmenter(p, None, label_width, device, source) for p in parts], labels)
    if kind in (EXTERNAL, "noisy"):
        return _make_external(path, labels, source, label_width)
    if kind in ("homes", "ade20k", "ade20k_deeplab"):
        from sem_field_ros.segmentation.trained import SHIPPED_MODELS, TrainedSegmenter

        return TrainedSegmenter(resource_path(SHIPPED_MODELS[kind]), labels, label_width, device)
    if kind == "pascal":
        from sem_field_ros.segmentation.tflite import pascal_segmenter

        if labels is not None and not labels.has_classes_of(load_label_set("voc")):
            raise SegmenterError(f"segmenter 'pascal' labels with set voc, not {labels.name}: leave label_set empty")
        return pascal_segmenter(label_width)
    return _make_from_path(kind, path, labels, label_width, device)


def label_source(name: str) -> str:
    """Where the labels of a map come from that this segmenter made of a recorded sequence: for captions."""
    first, *others = (_label_source(part) for part in _PLUS.split(name))
    return first + "".join(f" and {source.removeprefix(_PREDICTED)}" for source in others)


def _label_source(name: str) -> str:
    kind, _, path = name.partition(":")
    if not labels_pixels(name):
        return "no labels"
    if kind in LABEL_IMAGES:
        return "ground-truth labels" + (f", {float(path):.0%} of them corrupted" if path else "")
    return _PREDICTED + (Path(path).name if path else kind)


def _make_external(rate: str, labels: LabelSet | None, source: LabelSet | None, label_width: int) -> Segmenter:
    from sem_field_ros.segmentation.external import ExternalSegmenter

    try:
        noise_rate = float(rate or 0)
    except ValueError:
        raise SegmenterError(f"segmenter 'noisy:{rate}': '{rate}' must be a number between 0 and 1") from None
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
