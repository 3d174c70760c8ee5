"""Mapper: the pipeline of a frame. Integrate its geometry; if the camera has moved, segment it and vote."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np

from sem_field_ros.context.registry import AUTO, NONE
from sem_field_ros.depth.predictor import DepthPredictor, make_depth_predictor
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.poses import motion_between
from sem_field_ros.labels import LabelSet, load_label_set
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.semantic_map import SemanticMap
from sem_field_ros.segmentation.external import ExternalSegmenter
from sem_field_ros.segmentation.segmenter import ClassProbabilities, Segmenter


@dataclass(frozen=True)
class FrameResult:
    """Result for one frame. `probabilities` is set on keyframes; `timings_ms` has integrate, segment, fuse.

    mapped  the frame that was mapped; with predicted depth, an earlier one than the given frame, or none
    """

    keyframe: bool
    probabilities: ClassProbabilities | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)
    mapped: PosedFrame | None = None


class Mapper:
    """One map and one segmenter. Without a segmenter the map has geometry and colour only."""

    def __init__(
        self,
        config: MapConfig,
        segmenter: Segmenter | None,
        labels: LabelSet | None = None,
        *,
        predicts_depth: bool = True,
    ) -> None:
        """`predicts_depth` False: with `depth_source: predicted`, frames already come with predicted depth."""
        self.config = config = settled(config, segmenter)
        self.segmenter = segmenter
        self.map = SemanticMap(config, segmenter.labels if segmenter else labels or load_label_set("scannet20"))
        self.depth_predictor = depth_predictor_for(config) if predicts_depth else None
        self._last_keyframe: PosedFrame | None = None

    def reset(self) -> None:
        """Start an empty map."""
        self.use_map(self.map)
        self.map.reset()

    def use_map(self, semantic_map: SemanticMap) -> None:
        """Continue with another map (a loaded one, or a new submap); the next frame is a keyframe."""
        self.map = semantic_map
        self._last_keyframe = None
        if self.depth_predictor is not None:
            self.depth_predictor.reset()

    def register_frame(self, frame: PosedFrame) -> FrameResult:
        """Map one frame. Raises SegmenterError if the segmenter fails on it (geometry is kept).

        With `depth_source: predicted`, the frame's own depth is ignored: an earlier frame is mapped, whose depth can
        be predicted with the help of this one.
        """
        timings: dict[str, float] = {}
        if self.depth_predictor is not None:
            with _timed(timings, "predict"):
                predicted = self.depth_predictor.add(frame)
            if predicted is None:
                return FrameResult(False, None, timings)
            frame = predicted
        return self._map(frame, timings)

    def finish(self) -> list[FrameResult]:
        """At the end of a recording: map the frames that wait for later ones to predict their depth."""
        waiting = [] if self.depth_predictor is None else self.depth_predictor.finish()
        return [self._map(frame, {}) for frame in waiting]

    def _map(self, frame: PosedFrame, timings: dict[str, float]) -> FrameResult:
        with _timed(timings, "integrate"):
            self.map.integrate(frame)
        if self.segmenter is None or not self._is_keyframe(frame):
            return FrameResult(False, None, timings, frame)
        self._last_keyframe = frame
        with _timed(timings, "segment"):
            probabilities = self.segmenter.segment(frame)
        with _timed(timings, "fuse"):
            self.map.vote(frame, probabilities)
        return FrameResult(True, probabilities, timings, frame)

    def _is_keyframe(self, frame: PosedFrame) -> bool:
        last = self._last_keyframe
        if last is None:
            return True
        distance, angle = motion_between(last.T_world_camera, frame.T_world_camera)
        elapsed_s = abs(frame.stamp_ns - last.stamp_ns) * 1e-9  # also after the clock jumped back
        return (
            distance >= self.config.keyframe_distance_m
            or np.degrees(angle) >= self.config.keyframe_angle_deg
            or 0 < self.config.keyframe_interval_s <= elapsed_s
        )


def settled(config: MapConfig, segmenter: Segmenter | None) -> MapConfig:
    """`config` for maps of this segmenter: `context: auto` does not correct label images, which may be the truth."""
    given = isinstance(segmenter, ExternalSegmenter)
    return replace(config, context=NONE) if given and config.context == AUTO else config


def depth_predictor_for(config: MapConfig) -> DepthPredictor | None:
    """The depth predictor of a map's configuration; None with a depth camera."""
    return make_depth_predictor(config.depth_weights, config.device) if config.depth_source == "predicted" else None


class _timed:
    """Context manager that adds its duration in milliseconds to a dictionary."""

    def __init__(self, timings: dict[str, float], name: str) -> None:
        self._timings, self._name = timings, name

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._timings[self._name] = (time.perf_counter() - self._start) * 1e3
