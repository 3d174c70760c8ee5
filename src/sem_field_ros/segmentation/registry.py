"""Segmenters by name: their names and help, and the one place where a name becomes a segmenter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sem_field_ros.errors import SegmenterError, did_you_mean
from sem_field_ros.labels import LabelSet, load_label_set

if TYPE_CHECKING:  # a command checks a name before torch is imported
    from sem_field_ros.segmentation.segmenter import Segmenter

EXTERNAL, NO_SEGMENTER = "external", "none"
SEGMENTERS = {
    EXTERNAL: "the label image that comes with each frame",
    "noisy:RATE": "the same with about RATE (0 to 1) of the pixels wrong, to compare fusions",
    "homes": "the shipped net for ScanNet's 20 classes, trained on generated homes",
    "pascal": "the shipped DeepLabv3-MobileNetV2, 21 Pascal VOC classes",
    "trained:PATH": "a net trained with `sem-field train segmenter` (.safetensors)",
    "tflite:PATH": "a TFLite net; needs a label set",
    "onnx:PATH": "an ONNX net with PATH.json beside it",
    "hf:NAME_OR_PATH": "a Hugging Face semantic or universal segmentation model",
    NO_SEGMENTER: "geometry and colour only",
}
LABEL_IMAGES = (EXTERNAL, "noisy")  # kinds that take the label image of a frame
DEMO_SEGMENTER = "homes"  # labels a sequence in the demo, scored by its label images
SHIPPED = tuple(name for name in SEGMENTERS if ":" not in name and name not in (EXTERNAL, NO_SEGMENTER))
SEGMENTER_HELP = "; ".join(f"{name}: {what}" for name, what in SEGMENTERS.items())


def labels_pixels(name: str) -> bool:
    """Whether a name in SEGMENTERS stands for a segmenter, that is, for any but `none`."""
    return name != NO_SEGMENTER


def default_segmenter(labels: LabelSet | None) -> str:
    """What labels a sequence if nobody says: its own label images where it has any (`labels`), else `pascal`."""
    return "pascal" if labels is None else EXTERNAL


def check_segmenter(name: str) -> str:
    """Return `name` if it is one of SEGMENTERS, with something in place of PATH; else raise SegmenterError.

    Whether the file is there and can be used is only known to `make_segmenter`.
    """
    kind, colon, path = name.partition(":")
    forms = {form.partition(":")[0]: ":" in form for form in SEGMENTERS}
    if kind not in forms or forms[kind] != bool(path) or forms[kind] != bool(colon):
        hint = did_you_mean(kind, forms) if kind not in forms else ""
        raise SegmenterError(f"segmenter '{name}' is unknown; choose one of {', '.join(SEGMENTERS)}{hint}")
    return name


def make_segmenter(
    name: str, label_set: str | None = None, label_width: int = 160, device: str = "cpu", source: LabelSet | None = None
) -> Segmenter:
    """Make a segmenter by its name in SEGMENTERS, any but `none`.

    label_set  name or path; needed by tflite:, the map's set for external (default: source), optional for the others
    source     label set of the label images that `external` gets
    Raises SegmenterError in one line.
    """
    kind, _, path = check_segmenter(name).partition(":")
    if not labels_pixels(name):
        raise SegmenterError(f"'{name}' makes no segmenter: choose one of {', '.join(SEGMENTERS)}")
    labels = load_label_set(label_set) if label_set else None
    if kind in (EXTERNAL, "noisy"):
        return _make_external(path, labels, source, label_width)
    if kind == "homes":
        from sem_field_ros.segmentation.trained import homes_segmenter

        return homes_segmenter(labels, label_width, device)
    if kind == "pascal":
        from sem_field_ros.segmentation.tflite import pascal_segmenter

        if labels is not None and labels.name != "voc":
            raise SegmenterError(f"segmenter 'pascal' labels with set voc, not {labels.name}: leave label_set empty")
        return pascal_segmenter(label_width)
    return _make_from_path(kind, path, labels, label_width, device)


def label_source(name: str) -> str:
    """Where the labels of a map come from that this segmenter made of a recorded sequence: for captions."""
    kind, _, path = name.partition(":")
    if not labels_pixels(name):
        return "no labels"
    if kind in LABEL_IMAGES:
        return "ground-truth labels" + (f", {float(path):.0%} of them corrupted" if path else "")
    return f"labels predicted by {Path(path).name if path else kind}"


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
