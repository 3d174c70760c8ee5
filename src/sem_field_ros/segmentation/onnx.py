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
from sem_field_ros.segmentation.segmenter import ClassProbabilities

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet


class OnnxSegmenter:
    """Runs `model.onnx` (input [1, 3, h, w] float32, output [1, C, h', w'] logits or probabilities) with onnxruntime.

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
        self._mean = np.array(settings.get("mean", _MEAN), np.float32)
        self._std = np.array(settings.get("std", _STD), np.float32)
        self._probabilities = settings.get("output", "logits") == "probabilities"
        shape = self._session.get_inputs()[0].shape
        if len(shape) != 4 or shape[1] != 3:
            raise SegmenterError(f"{path}: expected an input [1, 3, h, w], found {shape}")
        fixed = isinstance(shape[2], int) and isinstance(shape[3], int)
        self._size = (shape[3], shape[2]) if fixed else tuple(settings["size"]) if "size" in settings else None

    def _read_settings(self) -> dict[str, Any]:
        sidecar = self._path.with_name(self._path.name + ".json")
        if not sidecar.is_file():
            return {}
        try:
            return dict(json.loads(sidecar.read_text(encoding="utf-8")))
        except (ValueError, OSError, TypeError) as error:
            raise SegmenterError(f"{sidecar} cannot be read ({error}): correct it or remove it") from error

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
        image = frame.color if self._size is None else cv2.resize(frame.color, self._size)
        tensor = ((image.astype(np.float32) / 255 - self._mean) / self._std).transpose(2, 0, 1)[None]
        output = self._session.run(None, {self._session.get_inputs()[0].name: np.ascontiguousarray(tensor)})[0]
        if output.ndim != 4 or output.shape[1] != len(self.labels):
            raise SegmenterError(
                f"{self._path.name} gives {output.shape}, not [1, {len(self.labels)}, h, w] for label set "
                f"{self.labels.name}: choose the label set it was trained for"
            )
        height = max(1, round(self._label_width * frame.camera.height / frame.camera.width))
        values = torch.from_numpy(output.astype(np.float32))
        if not self._probabilities:
            values = torch.softmax(values, dim=1)
        values = interpolate(values, (height, self._label_width), mode="bilinear", antialias=True)[0].clamp(min=0)
        return ClassProbabilities(values / values.sum(dim=0, keepdim=True).clamp(min=1e-6))
