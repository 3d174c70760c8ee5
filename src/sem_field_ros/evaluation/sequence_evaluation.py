"""Scores a 2-D segmenter and the maps made with it on recorded sequences, all fusions in one pass over the frames.

Everything is pooled over the scenes: counts are summed first, then scored, so every pixel, vertex and square metre has
equal weight, and mIoU is the IoU of the summed confusion matrix, not a mean over scenes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from torch.nn.functional import interpolate

from sem_field_ros.errors import DataError, SegmenterError
from sem_field_ros.evaluation.calibration import Calibration
from sem_field_ros.evaluation.geometry_metrics import SurfaceScores, sample_mesh, scores_of_distances
from sem_field_ros.evaluation.image_metrics import DepthErrors
from sem_field_ros.evaluation.map_evaluation import MapTally, true_index
from sem_field_ros.evaluation.metrics import Confusion
from sem_field_ros.evaluation.shared_maps import SharedMaps, with_depth
from sem_field_ros.evaluation.true_mesh import SeenPoints, TrueMesh, find_true_mesh
from sem_field_ros.evaluation.variants import variant_of
from sem_field_ros.frame import PosedFrame, SequenceReader
from sem_field_ros.geometry.raycast import MeshRaycaster
from sem_field_ros.labels import LabelSet
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.mapper import settled
from sem_field_ros.mapping.sequence_mapping import read_frames
from sem_field_ros.segmentation.segmenter import ClassProbabilities, Segmenter
from sem_field_ros.surface import Surface, known

_SAMPLES_PER_M2 = 1000  # of a surface, for distances to the other one: 3 cm apart
_MAX_SAMPLES = 1_000_000


@dataclass(frozen=True)
class Scope:
    """The frames of each sequence to use: every `every`-th, at most `max_frames`."""

    every: int = 1
    max_frames: int | None = None

    def frames_of(self, sequence: SequenceReader) -> int:
        """The number of such frames of a sequence."""
        return min(-(-len(sequence) // self.every), self.max_frames or len(sequence))


class SequenceEvaluation:
    """One segmenter (None: geometry only) with any number of fusions, scored over the sequences given to `add`.

    images, calibration   the segmenter's own probabilities against the label images, at the size of these
    maps                  by fusion, or FUSION[:CELL_M][+CONTEXT] (see variants): the map rendered into the same views,
                          and against the labelled mesh
    depth                 the map's rendered depth against the measured depth
    """

    def __init__(
        self, segmenter: Segmenter | None, labels: LabelSet, config: MapConfig, fusions: Sequence[str]
    ) -> None:
        self.segmenter, self.labels, self.config = segmenter, labels, settled(config, segmenter)
        self.images, self.calibration = Confusion(len(labels)), Calibration()
        self.maps = {fusion: MapTally(labels) for fusion in fusions}
        self.depth = DepthErrors()
        self.frames = self.scenes = 0
        self.problems: list[str] = []
        self.segment_ms: list[float] = []
        self._to_truth: list[np.ndarray] = []
        self._to_map: list[np.ndarray] = []

    def add(
        self, sequence: SequenceReader, scope: Scope = Scope(), on_progress: Callable[[], None] | None = None
    ) -> None:
        """Map one sequence with every fusion and score all of it. Raises DataError if no frame could be used."""
        configs = {text: variant_of(self.config, text) for text in self.maps}
        maps = SharedMaps(configs, self.labels, self.segmenter is not None)
        mapped = 0
        for frame in with_depth(self._frames(sequence, scope, on_progress or (lambda: None)), self.config):
            probabilities = self._segment(frame, sequence)
            if frame.depth is None or not frame.depth.any():
                self._note(f"frame {frame.name or frame.stamp_ns} has no valid depth")
                continue
            maps.register(frame, probabilities)
            mapped += 1
        if not mapped:
            raise DataError(
                f"sequence {sequence.name}: no frame could be mapped; {(self.problems or ['it is empty'])[-1]}"
            )
        self.frames += mapped
        self.scenes += 1
        self._score_maps(maps, sequence, scope)

    def geometry(self) -> SurfaceScores | None:
        """The maps' surface against the true one; None if no scene had a mesh with faces."""
        if not self._to_truth:
            return None
        return scores_of_distances(np.concatenate(self._to_truth), np.concatenate(self._to_map))

    def _frames(self, sequence: SequenceReader, scope: Scope, on_progress: Callable[[], None]) -> Iterator[PosedFrame]:
        for frame in read_frames(sequence, scope.every, scope.max_frames):
            if isinstance(frame, PosedFrame):
                yield frame
            else:
                self._note(str(frame))
            on_progress()

    # -- one frame --------------------------------------------------------------------------------------------------

    def _segment(self, frame: PosedFrame, sequence: SequenceReader) -> ClassProbabilities | None:
        """The segmenter's probabilities of a frame, scored if it is labelled; None if the segmenter fails."""
        if self.segmenter is None:
            return None
        start = time.perf_counter()
        try:
            probabilities = self.segmenter.segment(frame)
        except SegmenterError as error:
            self._note(str(error))
            return None
        self.segment_ms.append((time.perf_counter() - start) * 1e3)
        if frame.labels is not None and sequence.labels is not None:
            truth = true_index(frame.labels, sequence.labels, self.labels)
            size = frame.labels.shape
            values = interpolate(probabilities.values[None].cpu(), size=size, mode="bilinear", align_corners=False)[0]
            self.images.add(truth, ClassProbabilities(values).label_index().numpy())
            self.calibration.add(values.numpy(), truth)
        return probabilities

    def _note(self, problem: str) -> None:
        self.problems.append(problem)

    # -- the maps of one scene --------------------------------------------------------------------------------------

    def _score_maps(self, maps: SharedMaps, sequence: SequenceReader, scope: Scope) -> None:
        truth = find_true_mesh(sequence)
        scene = _TrueScene(truth, self.config.depth_max_m) if truth else None
        for frame in _readable(sequence, scope):
            if scene:
                scene.seen.observe(frame.camera, frame.T_world_camera)
            for fusion, found in maps.maps.items():
                if sequence.labels is not None and self.segmenter is not None:
                    self.maps[fusion].add_view(frame, sequence.labels, found)
            if frame.depth is not None:  # the geometry is the same in all maps
                measured = np.where(frame.depth <= self.config.depth_max_m, frame.depth, 0)
                shown = maps.first.render(frame.depth_camera, frame.T_world_camera)
                self.depth.add(known(shown.depth), measured)
        if truth is None or scene is None:
            return
        for fusion, found in maps.maps.items():
            if sequence.labels is not None and self.segmenter is not None:
                vertices_seen = scene.seen.seen[: len(truth.vertices)]
                self.maps[fusion].add_mesh(truth, vertices_seen, sequence.labels, found.surface())
        if len(truth.faces):
            self._compare_surfaces(scene, maps.first.surface())

    def _compare_surfaces(self, scene: _TrueScene, surface: Surface) -> None:
        """Distances both ways. Unseen parts of the true surface need not be in the map, but may be."""
        wanted = scene.samples[scene.seen.seen[len(scene.truth.vertices) :]]
        self._to_map.append(MeshRaycaster(surface.vertices, surface.faces).distance(wanted))
        self._to_truth.append(scene.raycaster.distance(_sample(surface.vertices, surface.faces)))


class _TrueScene:
    """A true mesh with points spread over it; `seen`: of its vertices followed by these points."""

    def __init__(self, truth: TrueMesh, reach_m: float) -> None:
        self.truth = truth
        self.raycaster = MeshRaycaster(truth.vertices, truth.faces)
        self.samples = _sample(truth.vertices, truth.faces)
        self.seen = SeenPoints(np.concatenate([truth.vertices, self.samples]), self.raycaster, reach_m)


def _sample(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    corners = np.asarray(vertices, np.float64)[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
    return sample_mesh(vertices, faces, int(np.clip(area * _SAMPLES_PER_M2, 1000, _MAX_SAMPLES)))


def _readable(sequence: SequenceReader, scope: Scope) -> Iterator[PosedFrame]:
    frames = read_frames(sequence, scope.every, scope.max_frames)
    return (frame for frame in frames if isinstance(frame, PosedFrame))
