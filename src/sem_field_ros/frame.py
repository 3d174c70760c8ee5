"""PosedFrame: one posed camera frame, from readers or topics. SequenceReader: a recorded sequence of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from sem_field_ros.errors import FrameError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import check_pose
from sem_field_ros.labels import LabelSet

_SAME_SHAPE = 0.02  # how much the scales of a depth image in x and y may differ


@dataclass(frozen=True)
class PosedFrame:
    """One camera frame with its pose. Depth and labels are seen from the colour camera but may differ in size.

    color           [H, W, 3] uint8 RGB
    camera          intrinsics of the colour image
    T_world_camera  4x4 float64, optical camera frame to world, metres
    depth           [h, w] float32 metres along z, 0 = invalid (NaN, negative and infinite values are set to 0)
    labels          [h, w] uint8 or uint16, ids of the source's label set (255 / 65535 = unlabelled)
    """

    stamp_ns: int
    color: np.ndarray
    camera: Intrinsics
    T_world_camera: np.ndarray
    depth: np.ndarray | None = None
    labels: np.ndarray | None = None
    name: str = ""
    extra: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.color.ndim != 3 or self.color.shape[2] != 3 or self.color.dtype != np.uint8 or self.color.size == 0:
            raise FrameError(
                f"colour image must be [H, W, 3] uint8, got {self.color.shape} {self.color.dtype}", cause="bad_image"
            )
        if self.color.shape[:2] != (self.camera.height, self.camera.width):
            raise FrameError(
                f"colour image is {self.color.shape[1]}x{self.color.shape[0]} but its camera_info says "
                f"{self.camera.width}x{self.camera.height}",
                cause="bad_intrinsics",
            )
        self.camera.check_plausible()
        object.__setattr__(self, "T_world_camera", check_pose(self.T_world_camera))
        if self.depth is not None:
            object.__setattr__(self, "depth", _clean_depth(self.depth))
            self._check_depth_shape(self.depth)
        if self.labels is not None and (self.labels.ndim != 2 or self.labels.dtype not in (np.uint8, np.uint16)):
            raise FrameError(
                f"label image must be [h, w] uint8 or uint16, got {self.labels.shape} {self.labels.dtype}",
                cause="bad_labels",
            )

    def _check_depth_shape(self, depth: np.ndarray) -> None:
        """Raise FrameError where depth cannot be of the colour camera: its sides are scaled by different factors."""
        (h, w), camera = depth.shape, self.camera
        across, down = w / camera.width, h / camera.height
        rounding = 1 / camera.width + 1 / camera.height  # of a side to whole pixels
        if abs(across - down) > _SAME_SHAPE * max(across, down) + rounding:
            raise FrameError(
                f"depth is {w}x{h} and colour {camera.width}x{camera.height}: of another shape, so of another camera; "
                "give depth that is registered to the colour camera",
                cause="depth_not_registered",
            )

    @property
    def depth_camera(self) -> Intrinsics:
        """Intrinsics scaled to the depth image's size."""
        if self.depth is None:
            return self.camera
        return self.camera.scaled(self.depth.shape[1], self.depth.shape[0])


def _clean_depth(depth: np.ndarray) -> np.ndarray:
    if depth.ndim != 2 or depth.size == 0:
        raise FrameError(f"depth image must be [h, w] metres, got {depth.shape}", cause="bad_depth")
    depth = np.ascontiguousarray(depth, dtype=np.float32)
    bad = ~((depth > 0) & (depth < np.inf))  # NaN compares false, so it is bad too
    return np.where(bad, np.float32(0), depth) if bad.any() else depth


class SequenceReader(Protocol):
    """A recorded sequence: a folder or a bag. Iterating yields frames in time order; it can be iterated again."""

    name: str
    labels: LabelSet | None  # the set that PosedFrame.labels' ids belong to, None where there are no labels

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[PosedFrame]: ...
