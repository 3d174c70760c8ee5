"""Depth images for colour cameras: predicted for keyframes from the views around them.

A window of keyframes slides with the camera. As soon as a few came after a keyframe, its depth is estimated from the
window, and the keyframe is mapped as if a sensor had measured the depth. The weights decide on the ViewEstimator.
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
PLANE_SWEEP = "plane_sweep"  # in place of weights: plane sweep alone, without learning


class DepthPredictor(Protocol):
    """Takes every frame and returns some of them, later, with a predicted depth image."""

    def add(self, frame: PosedFrame) -> PosedFrame | None:
        """Take a frame; its own depth is ignored. Returns an earlier frame (or this one) with depth, or None."""
        ...

    def finish(self) -> list[PosedFrame]:
        """At the end of a sequence: the frames that waited for later ones, with depth. Then forget all frames."""
        ...

    def reset(self) -> None:
        """Forget all frames, e.g. because the camera has jumped."""
        ...


class ViewEstimator(Protocol):
    """Estimates the depth of one of several posed views."""

    def prepare(self, frame: PosedFrame) -> Any:
        """What is computed once per frame and kept, e.g. its features."""
        ...

    def depth(self, reference: int, frames: Sequence[PosedFrame], prepared: Sequence[Any]) -> np.ndarray:
        """Depth [h, w] float32 metres along z of frame number `reference`, 0 = unknown."""
        ...


@dataclass(frozen=True)
class WindowConfig:
    """The frames that depth is estimated from.

    views                   at most, of which `later` came after the one that gets the depth
    distance_m, angle_deg   motion since the last keyframe after which a frame becomes one
    baseline_m              least distance of a view to the reference: rotation alone shows no depth
    broken_m                a jump of the camera this long starts a new window
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
        """View `reference` of the window with its depth; None if it has too few views or no baseline."""
        if reference < 0 or len(self._views) < 3:
            return None
        frames, prepared = zip(*self._views, strict=True)
        if _baseline(frames, reference) < self.window.baseline_m:
            return None
        return replace(frames[reference], depth=self.estimator.depth(reference, frames, prepared))


def _baseline(frames: Sequence[PosedFrame], reference: int) -> float:
    """The longest distance of a camera to the reference, metres."""
    centers = np.stack([frame.T_world_camera[:3, 3] for frame in frames])
    return float(np.linalg.norm(centers - centers[reference], axis=1).max())


def make_depth_predictor(weights: str = "", device: str = "cpu") -> DepthPredictor:
    """The predictor for a weights file ("" = the shipped one) or `plane_sweep`. Raises WeightsError."""
    if weights == PLANE_SWEEP:
        from sem_field_ros.depth.sweep_depth import SweepDepth

        return WindowedDepth(SweepDepth(device))
    path = weights or str(resource_path(SHIPPED_WEIGHTS))
    kind = load_card(path).kind
    if kind == "gnesf_field":
        from sem_field_ros.depth.field_depth import FieldDepth

        return WindowedDepth(FieldDepth(path, device))
    if kind == "stereo_depth":
        from sem_field_ros.depth.network_depth import NetworkDepth

        return WindowedDepth(NetworkDepth(path, device))
    raise WeightsError(f"{path} holds a '{kind}', which predicts no depth: give weights of `sem-field train depth`")
