"""Any ONNX semantic segmentation net (image in, class scores out), described by a small JSON file beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.nn.functional import interpolate

from sem_field_ros.errors import SegmenterError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import LabelSet, load_label_set
from sem_field_ros.segmentation.outputs import check_scores
from sem_field_ros.segmentation.segmenter import ClassProbabilities

_TYPES = {"tensor(float)": "f4", "tensor(float16)": "f2", "tensor(double)": "f8", "tensor(uint8)": "u1"}
_LARGEST = 10.0  # of mean and std; larger ones are of pixels in 0-255
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet


class OnnxSegmenter:
    """Runs `model.onnx` with onnxruntime: input [1, 3, h, w], floats or bytes; output [1, C, h', w'] class scores.

    `model.onnx.json` may have: label_set, mean [3], std [3] (of RGB in 0-1), size [w, h] if the input is dynamic,
    output "logits" (default) or "probabilities". Raises SegmenterError if the model or this file cannot be used.
    """

    def __init__(self, path: str | Path, labels: LabelSet | None = None, label_width: int = 160) -> None:
        self._path = Path(path)
        settings = self._read_settings()
        self._session = self._load()
        name = settings.get("label_set")
        if labels is None and not name:
            raise SegmenterError(
                f"segmenter 'onnx:{path}' needs label_set, as a parameter or in {self._path.name}.json"
            )
        self.labels = labels or load_label_set(str(name))
        self._label_width = label_width
        self._mean, self._std = self._three(settings, "mean", _MEAN), self._three(settings, "std", _STD)
        if (self._std <= 0).any():
            raise self._wrong_setting("std", settings["std"], "three numbers above 0")
        kind = settings.get("output", "logits")
        if kind not in ("logits", "probabilities"):
            raise self._wrong_setting("output", kind, "logits or probabilities")
        self._probabilities = kind == "probabilities"
        self._input, self._dtype = self._find_input()
        self._size = self._find_size(settings)
        self._output = self._find_output()

    def _find_input(self) -> tuple[Any, np.dtype]:
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(item.name for item in inputs)
            raise SegmenterError(f"{self._path} has {len(inputs)} inputs ({names}): export it with the image alone")
        shape, kind = inputs[0].shape, inputs[0].type
        if len(shape) != 4 or (isinstance(shape[1], int) and shape[1] != 3):
            raise SegmenterError(f"{self._path}: expected an input [1, 3, h, w], found {shape}")
        if isinstance(shape[0], int) and shape[0] != 1:
            raise SegmenterError(f"{self._path} takes {shape[0]} images at once: export it with a batch of 1")
        if kind not in _TYPES:
            raise SegmenterError(f"{self._path} takes {kind}: export it for {', '.join(_TYPES)}")
        return inputs[0], np.dtype(_TYPES[kind])

    def _find_size(self, settings: dict[str, Any]) -> tuple[int, int] | None:
        """Width and height of the input, None for a multiple of 32 near the image's."""
        height, width = self._input.shape[2:]
        if isinstance(height, int) and isinstance(width, int):
            return width, height
        size = settings.get("size")
        if size is None:
            return None
        if not isinstance(size, list) or len(size) != 2 or not all(isinstance(n, int) and n > 0 for n in size):
            raise self._wrong_setting("size", size, "[width, height] in pixels")
        return int(size[0]), int(size[1])

    def _find_output(self) -> str:
        """The output with a channel a class; of several (auxiliary heads) the first."""
        outputs = self._session.get_outputs()
        for item in outputs:
            shape = item.shape
            if shape is None or (len(shape) == 4 and (not isinstance(shape[1], int) or shape[1] == len(self.labels))):
                return str(item.name)
        found = "; ".join(f"{item.name} {item.shape}" for item in outputs)
        raise SegmenterError(
            f"{self._path} gives {found}, not [1, {len(self.labels)}, h, w] for label set {self.labels.name}: choose "
            "the label set it was trained for, and export class scores without arg max"
        )

    def _three(self, settings: dict[str, Any], name: str, default: tuple[float, ...]) -> np.ndarray:
        value = settings.get(name, default)
        try:
            numbers = np.array(value, np.float32)
        except (TypeError, ValueError):
            numbers = np.zeros(0, np.float32)
        if numbers.shape != (3,) or not np.isfinite(numbers).all() or np.abs(numbers).max() > _LARGEST:
            raise self._wrong_setting(name, value, "three numbers of RGB between 0 and 1 (divide by 255)")
        return numbers

    def _wrong_setting(self, name: str, value: Any, expected: str) -> SegmenterError:
        return SegmenterError(f"{self._path.name}.json: {name} must be {expected}, got {value!r}")

    def _read_settings(self) -> dict[str, Any]:
        sidecar = self._path.with_name(self._path.name + ".json")
        if not sidecar.is_file():
            return {}
        try:
            content = json.loads(sidecar.read_text(encoding="utf-8-sig"))
        except (ValueError, OSError, RecursionError) as error:
            raise SegmenterError(f"{sidecar} cannot be read ({error}): correct it or remove it") from error
        if not isinstance(content, dict):
            raise SegmenterError(f'{sidecar} cannot be read: it must hold an object, e.g. {{"label_set": "scannet20"}}')
        return content

    def _load(self) -> Any:
        try:
            import onnxruntime
        except ImportError as error:
            raise SegmenterError("ONNX segmenters need onnxruntime: pip install onnxruntime") from error
        if not self._path.is_file():
            raise SegmenterError(f"ONNX model {self._path} does not exist")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 2
        try:
            return onnxruntime.InferenceSession(str(self._path), options, onnxruntime.get_available_providers())
        except Exception as error:  # noqa: BLE001  onnxruntime's own exception classes have no common public base
            raise SegmenterError(
                f"{self._path} cannot be loaded as an ONNX model: {str(error).splitlines()[0]}"
            ) from error

    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        """Segment one frame; the probabilities are `label_width` wide with the aspect of the image."""
        width, height = self._size or (_multiple(frame.camera.width), _multiple(frame.camera.height))
        image = frame.color
        if image.shape[:2] != (height, width):
            image = cv2.resize(image, (width, height))
        scores = check_scores(self._run(self._tensor(image)), self.labels, self._path.name)
        height = max(1, round(self._label_width * frame.camera.height / frame.camera.width))
        values = scores if self._probabilities else torch.softmax(scores, dim=1)
        values = interpolate(values, (height, self._label_width), mode="bilinear", antialias=True)[0].clamp(min=0)
        return ClassProbabilities(values / values.sum(dim=0, keepdim=True).clamp(min=1e-6))

    def _tensor(self, image: np.ndarray) -> np.ndarray:
        """[1, 3, h, w] in the input type of the net: bytes as they are, else scaled by mean and std."""
        if self._dtype == np.uint8:
            return np.ascontiguousarray(image.transpose(2, 0, 1)[None])
        scaled = (image.astype(np.float32) / 255 - self._mean) / self._std
        return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None].astype(self._dtype))

    def _run(self, tensor: np.ndarray) -> np.ndarray:
        try:
            return np.asarray(self._session.run([self._output], {self._input.name: tensor})[0])
        except Exception as error:  # noqa: BLE001  onnxruntime's own exception classes have no common public base
            line = str(error).splitlines()[0][:200]
            raise SegmenterError(f"{self._path.name} cannot segment {list(tensor.shape)}: {line}") from error


def _multiple(side: int) -> int:
    """The side that nets with strides can halve often enough: the nearest multiple of 32."""
    return max(32, round(side / 32) * 32)
