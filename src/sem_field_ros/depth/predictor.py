"""Depth images for cameras that have none: predicted for keyframes from the views around them.

A window of keyframes slides with the camera. As soon as some came after a keyframe, its depth is estimated from all of
them and the keyframe goes on as if a sensor had measured it. Who estimates is a ViewEstimator, found by the weights.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from sem_field_ros.errors import WeightsError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.poses import motion_between
from sem_field_ros.resources import resource_path
from sem_field_ros.weights import load_card

SHIPPED_WEIGHTS = "models/depth_homes/depth_homes.safetensors"
PLANE_SWEEP = "plane_sweep"  # in place of weights: nothing learned


class DepthPredictor(Protocol):
    """Takes every frame; gives back those (not always the one just added) for which it has predicted a depth image."""

    def add(self, frame: PosedFrame) -> PosedFrame | None:
        """Take a frame, whose own depth is not looked at. Returns an earlier frame or this one with depth, or None."""
        ...

    def finish(self) -> list[PosedFrame]:
        """No frame will come any more: those that waited for later ones, with depth. Then as after `reset`."""
        ...

    def reset(self) -> None:
        """Forget all frames: what comes next is somewhere else."""
        ...


class ViewEstimator(Protocol):
    """Estimates the depth of one of several posed views."""

    def prepare(self, frame: PosedFrame) -> Any:
        """What is kept of a frame (its features, for instance), computed once."""
        ...

    def depth(self, reference: int, frames: Sequence[PosedFrame], prepared: Sequence[Any]) -> np.ndarray:
        """Depth [h, w] float32 metres along z of frame `reference`, 0 where it is not known."""
        ...


@dataclass(frozen=True)
class WindowConfig:
    """Which frames a depth is estimated from.

    views           at most this many, of which `later` came after the one whose depth is estimated
    distance_m, angle_deg   a frame becomes a view after so much motion since the last one
    baseline_m      no depth where no two views are this far apart: rotation alone shows no depth
    broken_m        a jump of the camera this long starts anew
    """

    views: int = 9
    later: int = 3
    distance_m: float = 0.05
    angle_deg: float = 5.0
    baseline_m: float = 0.05
    broken_m: float = 1.0


class WindowedDepth:
    """A DepthPredictor over a sliding window of keyframes."""

    def __init__(self, estimator: ViewEstimator, window: WindowConfig = WindowConfig()) -> None:
        self.estimator, self.window = estimator, window
        self._views: deque[tuple[PosedFrame, Any]] = deque(maxlen=window.views)

    def reset(self) -> None:
        """Forget all frames."""
        self._views.clear()

    def add(self, frame: PosedFrame) -> PosedFrame | None:
        """See DepthPredictor."""
        if self._views:
            distance, angle = motion_between(self._views[-1][0].T_world_camera, frame.T_world_camera)
            if distance > self.window.broken_m:
                self.reset()
            elif distance < self.window.distance_m and np.degrees(angle) < self.window.angle_deg:
                return None
        self._views.append((frame, self.estimator.prepare(frame)))
        return self._predicted(len(self._views) - 1 - self.window.later)

    def finish(self) -> list[PosedFrame]:
        """See DepthPredictor."""
        waiting = range(max(len(self._views) - self.window.later, 0), len(self._views))
        found = [frame for i in waiting if (frame := self._predicted(i)) is not None]
        self.reset()
        return found

    def _predicted(self, reference: int) -> PosedFrame | None:
        """View `reference` of the window with its depth; None where the window does not show it."""
        if reference < 0 or len(self._views) < 3:
            return None
        frames, prepared = zip(*self._views, strict=True)
        if _baseline(frames, reference) < self.window.baseline_m:
            return None
        return replace(frames[reference], depth=self.estimator.depth(reference, frames, prepared))


def _baseline(frames: Sequence[PosedFrame], reference: int) -> float:
    """The longest distance of a camera to the reference."""
    centers = np.stack([frame.T_world_camera[:3, 3] for frame in frames])
    return float(np.linalg.norm(centers - centers[reference], axis=1).max())


def make_depth_predictor(weights: str = "", device: str = "cpu") -> DepthPredictor:
    """The predictor of a weights file (empty = the shipped one), or of `plane_sweep`. Raises WeightsError."""
    if weights == PLANE_SWEEP:
        from sem_field_ros.depth.sweep_depth import SweepDepth

        return WindowedDepth(SweepDepth(device))
    path = weights or str(resource_path(SHIPPED_WEIGHTS))
    kind = load_card(path).kind
    if kind == "gnesf_field":
        from sem_field_ros.depth.field_depth import FieldDepth

        return WindowedDepth(FieldDepth(path, device))
    if kind == "stereo_depth":
        from sem_field_ros.depth.network_depth import StereoDepth

        return WindowedDepth(StereoDepth(path, device))
    raise WeightsError(f"{path} holds a '{kind}', which predicts no depth")
