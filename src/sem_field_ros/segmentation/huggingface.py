"""Any Hugging Face semantic (SegFormer, UPerNet, DPT ...) or universal (Mask2Former, OneFormer) segmentation model."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sem_field_ros.errors import SegmenterError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import LabelClass, LabelSet
from sem_field_ros.segmentation.regrouping import regrouped
from sem_field_ros.segmentation.segmenter import ClassProbabilities

_INSTALL = 'pip install "sem_field_ros[hf]"'
_TENSORS = ("pixel_values", "pixel_mask", "task_inputs")  # outputs of a processor that models take


class HuggingFaceSegmenter:
    """Loads a model by local path or hub name. Its classes become the label set unless one is given.

    With a given label set, classes are matched by name (regardless of case, hyphens and plural; of the synonyms in
    "sofa, couch" the first that is known); see regrouping.regrouped for the others. Only safetensors weights are read
    and no code of the model's repository is run. Raises SegmenterError if the model cannot be used.
    """

    def __init__(self, name: str, labels: LabelSet | None = None, label_width: int = 160, device: str = "cpu") -> None:
        self._label_width, self._device = label_width, torch.device(device)
        self._processor, self._model = _load(name)
        self._model.eval().to(self._device)
        own = _own_label_set(name, {int(i): str(text) for i, text in self._model.config.id2label.items()})
        self.labels = labels or own
        self._to_labels = _assignment(own, self.labels, name)
        one_former = self._model.config.model_type == "oneformer"
        self._task = {"task_inputs": ["semantic"]} if one_former else {}

    @torch.inference_mode()
    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        """Segment one frame; the probabilities are `label_width` wide with the aspect of the image."""
        try:
            inputs = self._processor(images=frame.color, return_tensors="pt", **self._task)
            output = self._model(**{k: v.to(self._device) for k, v in inputs.items() if k in _TENSORS})
        except (RuntimeError, ValueError, TypeError) as error:
            raise SegmenterError(f"the model cannot segment a frame: {_first_line(error)}") from error
        height = max(1, round(self._label_width * frame.camera.height / frame.camera.width))
        values = _class_scores(output).float().cpu()
        if values.shape[1] != len(self._to_labels):
            raise SegmenterError(
                f"the model scores {values.shape[1]} classes but its config names {len(self._to_labels)}"
            )
        if not torch.isfinite(values).all():
            raise SegmenterError("the model gives NaN scores: its weights or the processor's scaling are wrong")
        values = interpolate(values, (height, self._label_width), mode="bilinear", antialias=True)[0].clamp(min=0)
        values = values / values.sum(dim=0, keepdim=True).clamp(min=1e-6)
        return ClassProbabilities(regrouped(values, self._to_labels))


def _class_scores(output: Any) -> Tensor:
    """Per-pixel class scores [1, C, h, w] >= 0 from the output of a semantic or a universal model."""
    if hasattr(output, "masks_queries_logits"):  # masks weighted by their classes, without "no object"
        classes = output.class_queries_logits.softmax(dim=-1)[..., :-1]
        return torch.einsum("bqc,bqhw->bchw", classes, output.masks_queries_logits.sigmoid())
    if not hasattr(output, "logits") or output.logits.ndim != 4:
        raise SegmenterError("the model gives neither class scores per pixel nor masks with classes")
    return output.logits.softmax(dim=1)


def _load(name: str) -> tuple[Any, Any]:
    """The image processor (for OneFormer the whole processor, which tokenises the task) and the model."""
    try:
        import transformers
        from transformers.models.auto.modeling_auto import MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING_NAMES as UNIVERSAL
    except ImportError as error:
        raise SegmenterError(f"segmenter 'hf:' needs Hugging Face transformers: {_INSTALL}") from error
    try:
        config = transformers.AutoConfig.from_pretrained(name)
        whole = config.model_type == "oneformer"
        processor = (transformers.AutoProcessor if whole else transformers.AutoImageProcessor).from_pretrained(name)
        kind = "Universal" if config.model_type in UNIVERSAL else "Semantic"
        model_class = getattr(transformers, f"AutoModelFor{kind}Segmentation")
        model, report = model_class.from_pretrained(name, use_safetensors=True, output_loading_info=True)
    except ImportError as error:
        raise SegmenterError(
            f"model '{name}' needs a package that is missing ({_first_line(error)}): {_INSTALL}"
        ) from error
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise SegmenterError(f"Hugging Face model '{name}' cannot be loaded: {_first_line(error)}") from error
    if missing := sorted(report["missing_keys"]):
        raise SegmenterError(
            f"Hugging Face model '{name}' has no weights for {len(missing)} of its tensors, e.g. {missing[0]}: it was "
            "not trained for segmentation, or its file is damaged"
        )
    images = getattr(processor, "image_processor", processor)
    if getattr(images, "do_center_crop", False):  # the whole image is to be labelled
        images.do_center_crop = False
    return processor, model


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _own_label_set(name: str, id2label: dict[int, str]) -> LabelSet:
    classes, used = [], set()
    for i in sorted(id2label):
        r, g, b = colorsys.hsv_to_rgb(i * 0.618034 % 1, 0.55 + 0.4 * (i % 2), 0.95 - 0.25 * (i % 3 == 2))
        text = id2label[i] if id2label[i] not in used else f"{id2label[i]} {i}"  # some configs name a class twice
        used.add(text)
        # id 255 means unlabelled
        classes.append(LabelClass(i if i < 255 else i + 1, text, (int(r * 255), int(g * 255), int(b * 255))))
    return LabelSet(Path(name).name, tuple(classes))


def _assignment(own: LabelSet, labels: LabelSet, name: str) -> Tensor:
    """Matrix [own classes, classes] of 0 and 1 that maps the classes of the model to those of the label set."""
    if labels is own:
        return torch.eye(len(own))
    known = {_plain(text): i for i, text in enumerate(labels.names)}
    matrix = torch.zeros(len(own), len(labels))
    for i, text in enumerate(own.names):
        matches = [known[_plain(part)] for part in text.split(",") if _plain(part) in known]
        if matches:
            matrix[i, matches[0]] = 1
    if not matrix.any():
        raise SegmenterError(f"label set {labels.name} shares no class name with model '{name}': leave label_set empty")
    return matrix


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", " ").replace("-", " ").removesuffix("s")
