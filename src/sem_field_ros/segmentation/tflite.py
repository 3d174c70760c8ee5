"""Any TFLite semantic segmentation net with class scores inside, as the shipped DeepLabv3-MobileNetV2 (Pascal VOC)."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from sem_field_ros.errors import SegmenterError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import LabelSet, load_label_set
from sem_field_ros.resources import resource_path
from sem_field_ros.segmentation.outputs import check_scores
from sem_field_ros.segmentation.segmenter import ClassProbabilities

PASCAL_MODEL = "models/pascal_deeplab_mnv2/deeplabv3_mnv2_pascal_quant.tflite"


class TfliteSegmenter:
    """Runs a TFLite net on the whole image, stretched to its input, and reads its class scores.

    Exported nets often end in an arg max. The scores are then the smallest inner tensor [1, h, w, C], float or
    quantised, before the upsampling of the net; they are upsampled here to `label_width`. Stretching beats letterboxing
    with the shipped net: it finds more distant chairs and screens in the same time.
    Raises SegmenterError if the file is missing, is not such a net, or has another number of classes than `labels`.
    """

    def __init__(self, path: str | Path, labels: LabelSet, label_width: int = 160, threads: int = 2) -> None:
        self.labels = labels
        self._label_width = label_width
        self._interpreter = load_interpreter(Path(path), threads)
        details = self._interpreter.get_input_details()
        shape = [int(n) for n in details[0]["shape"]]
        if len(details) != 1 or len(shape) != 4 or shape[3] != 3:
            raise SegmenterError(
                f"{path}: expected one RGB image as input [1, h, w, 3], found {len(details)} x {shape}"
            )
        if shape[0] != 1 or details[0]["dtype"] not in (np.uint8, np.int8, np.float16, np.float32):
            raise SegmenterError(
                f"{path}: takes {shape} {np.dtype(details[0]['dtype'])}; export it for one image of bytes or floats"
            )
        self._input, self._size = details[0], (shape[2], shape[1])  # width, height
        self._scores = self._find_scores(str(path))

    def _find_scores(self, path: str) -> dict[str, Any]:
        found = [
            d
            for d in self._interpreter.get_tensor_details()
            if len(d["shape"]) == 4 and d["shape"][0] == 1 and d["shape"][3] == len(self.labels)
        ]
        if not found:
            raise SegmenterError(
                f"{path}: no tensor with {len(self.labels)} channels, the classes of label set {self.labels.name}: "
                "choose the label set the net was trained for"
            )
        return min(found, key=lambda d: (int(np.prod(d["shape"])), -int(d["index"])))

    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        """Segment one frame; the probabilities are `label_width` wide with the aspect of the image."""
        image = cv2.resize(frame.color, self._size, interpolation=cv2.INTER_LINEAR)
        try:
            self._interpreter.set_tensor(self._input["index"], self._quantised(image)[None])
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise SegmenterError(f"the TFLite net cannot segment a frame: {str(error).splitlines()[0]}") from error
        raw = self._interpreter.get_tensor(self._scores["index"])[0].astype(np.float32)
        scale, zero = self._scores["quantization"]
        scores = torch.from_numpy((raw - zero) * scale if scale else raw)
        check_scores(scores.permute(2, 0, 1)[None], self.labels, "the TFLite net")
        height = max(1, round(self._label_width * frame.camera.height / frame.camera.width))
        resampled = self._resample(scores, self._label_width, height)
        if _are_probabilities(scores):
            return ClassProbabilities(resampled / resampled.sum(dim=0, keepdim=True))
        return ClassProbabilities(torch.softmax(resampled, dim=0))

    def _quantised(self, image: np.ndarray) -> np.ndarray:
        """RGB 0-255 in the input type of the net: as it is in 8 bits, else scaled to [-1, 1] as MobileNets expect."""
        dtype = self._input["dtype"]
        if dtype == np.uint8:
            return image
        if dtype == np.int8:
            return (image.astype(np.int16) - 128).astype(np.int8)
        return (image.astype(np.float32) / 127.5 - 1).astype(dtype)

    def _resample(self, scores: Tensor, width: int, height: int) -> Tensor:
        """Scores [h, w, C], corner cells on the corner pixels of the input -> [C, height, width] of the image."""
        columns = ((torch.arange(width) + 0.5) * self._size[0] / width - 0.5) / (self._size[0] - 1)
        rows = ((torch.arange(height) + 0.5) * self._size[1] / height - 0.5) / (self._size[1] - 1)
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        grid = torch.stack([x, y], dim=-1) * 2 - 1
        return grid_sample(scores.permute(2, 0, 1)[None], grid[None], align_corners=True, padding_mode="border")[0]


def _are_probabilities(scores: Tensor) -> bool:
    """Whether scores [h, w, C] are the output of a softmax."""
    return bool((scores >= 0).all() and ((scores.sum(dim=-1) - 1).abs() < 0.05).all())


def pascal_segmenter(label_width: int = 160, threads: int = 2) -> TfliteSegmenter:
    """The shipped Pascal VOC net, for photographs: chairs, tables, sofas, screens, people."""
    return TfliteSegmenter(resource_path(PASCAL_MODEL), load_label_set("voc"), label_width, threads)


def load_interpreter(path: Path, threads: int) -> Any:
    """A TFLite interpreter that keeps all inner tensors. Raises SegmenterError in one line."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise SegmenterError("TFLite segmenters need ai-edge-litert: pip install ai-edge-litert") from error
    if not path.is_file():
        raise SegmenterError(f"TFLite model {path} does not exist")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TFLite warns of the inner tensors that are kept: the scores are one
            interpreter = Interpreter(str(path), num_threads=threads, experimental_preserve_all_tensors=True)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise SegmenterError(f"{path} cannot be loaded as a TFLite model: {str(error).splitlines()[0]}") from error
    return interpreter
