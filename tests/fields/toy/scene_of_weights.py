"""A toy field: one colour and one class everywhere, two metres before the camera. A new field is a folder like this."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sem_field_ros.fields.common.posed_images import SceneOptions
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import LabelSet
from sem_field_ros.segmentation.segmenter import ClassProbabilities
from sem_field_ros.surface import PointSamples, RenderedView
from sem_field_ros.weights import load_weights

KIND = "toy_field"


class ToyScene:
    """Whatever is added, the answer is the colour and the class of the weights."""

    def __init__(self, rgb: np.ndarray, index: int, classes: int) -> None:
        self.rgb, self.index, self.classes = rgb, index, classes
        self.frames = 0

    def add(self, frame: PosedFrame, probabilities: ClassProbabilities | None = None) -> None:
        self.frames += 1

    def reset(self) -> None:
        self.frames = 0

    def query(self, points: np.ndarray) -> PointSamples:
        n = len(points)
        probabilities = np.zeros((n, self.classes), np.float32)
        probabilities[:, self.index] = 1
        return PointSamples(np.full(n, self.index, np.int16), np.ones(n, np.float32), probabilities)

    def render(self, camera: Intrinsics, T_world_camera: np.ndarray) -> RenderedView:
        size = camera.height, camera.width
        rgb = np.broadcast_to(self.rgb, (*size, 3)).copy()
        return RenderedView(np.full(size, 2, np.float32), rgb, np.full(size, self.index, np.int16))


def open_field(path: str | Path, labels: LabelSet, options: SceneOptions) -> ToyScene:
    state, card = load_weights(path, KIND)
    return ToyScene(state["rgb"].numpy().astype(np.uint8), labels.index_of(card.architecture["class"]), len(labels))
