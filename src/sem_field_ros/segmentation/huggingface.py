"""Any Hugging Face semantic (SegFormer, UPerNet, DPT ...) or universal (Mask2Former, OneFormer) segmentation model."""

from __future__ import annotations

import colorsys
from typing import Any

import torch
from torch.nn.functional import interpolate

from sem_field_ros.errors import SegmenterError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import LabelClass, LabelSet
from sem_field_ros.segmentation.segmenter import ClassProbabilities


class HuggingFaceSegmenter:
    """Loads a model by local path or hub name. Its classes become the label set unless one is given.

    With a given label set, a class of the model counts for the class of the same name (case and plural-insensitive by
    the part before the first comma); classes without a counterpart do not vote. Raises SegmenterError in one line.
    """

    def __init__(
        self, name: str, labels: LabelSet | None = None, label_width: int = 160, device: str = "cpu"
    ) -> None:
        self._label_width, self._device = label_width, torch.device(device)
        self._processor, self._model = _load(name)
        self._model.eval().to(self._device)
        id2label = {int(i): str(text) for i, text in self._model.config.id2label.items()}
        own = _own_label_set(name, id2label)
        self.labels = labels or own
        self._to_labels = self._assignment(own)

    def _assignment(self, own: LabelSet) -> torch.Tensor:
        """Matrix [own classes, classes] of 0 and 1 that sums the model's classes into the label set's."""
        known = {_plain(name): i for i, name in enumerate(self.labels.names)}
        matrix = torch.zeros(len(own), len(self.labels))
        for i, name in enumerate(own.names):
            j = i if self.labels is own else known.get(_plain(name), -1)
            if j >= 0:
                matrix[i, j] = 1
        if not matrix.any():
            raise SegmenterError(f"label set {self.labels.name} shares no class name with the model's: leave it empty")
        return matrix

    @torch.inference_mode()
    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        """Segment one frame; the probabilities are `label_width` wide with the image's aspect."""
        inputs = self._processor(images=frame.color, return_tensors="pt")
        kept = {k: v.to(self._device) for k, v in inputs.items() if k in ("pixel_values", "pixel_mask", "task_inputs")}
        output = self._model(**kept)
        if hasattr(output, "masks_queries_logits"):  # universal: masks times their classes, without "no object"
            classes = output.class_queries_logits.softmax(dim=-1)[..., :-1]
            scores = torch.einsum("bqc,bqhw->bchw", classes, output.masks_queries_logits.sigmoid())
            values = scores / scores.sum(dim=1, keepdim=True).clamp(min=1e-6)
        else:
            values = output.logits.softmax(dim=1)
        height = max(1, round(self._label_width * frame.camera.height / frame.camera.width))
        values = interpolate(values.float().cpu(), (height, self._label_width), mode="bilinear", antialias=True)[0]
        values = torch.einsum("chw,cd->dhw", values.clamp(min=0), self._to_labels)
        total = values.sum(dim=0, keepdim=True)
        return ClassProbabilities(torch.where(total > 0.5, values / total.clamp(min=1e-6), 0.0))


def _load(name: str) -> tuple[Any, Any]:
    try:
        import transformers
    except ImportError as error:
        raise SegmenterError("Hugging Face segmenters need transformers: pip install transformers") from error
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(name)
        config = transformers.AutoConfig.from_pretrained(name)
        universal = type(config) in transformers.models.auto.modeling_auto.MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING
        kind = (
            transformers.AutoModelForUniversalSegmentation
            if universal
            else transformers.AutoModelForSemanticSegmentation
        )
        return processor, kind.from_pretrained(name, use_safetensors=True)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise SegmenterError(f"Hugging Face model '{name}' cannot be loaded: {str(error).splitlines()[0]}") from error


def _own_label_set(name: str, id2label: dict[int, str]) -> LabelSet:
    classes = []
    for i in sorted(id2label):
        r, g, b = colorsys.hsv_to_rgb(i * 0.618034 % 1, 0.55 + 0.4 * (i % 2), 0.95 - 0.25 * (i % 3 == 2))
        # id 255 means unlabelled, so nobody may have it
        classes.append(LabelClass(i if i < 255 else i + 1, id2label[i], (int(r * 255), int(g * 255), int(b * 255))))
    return LabelSet(name.rstrip("/").split("/")[-1], tuple(classes))


def _plain(name: str) -> str:
    return name.split(",")[0].strip().lower().replace("_", " ").rstrip("s")
