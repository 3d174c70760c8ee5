"""Maps a recorded sequence as fast as possible, without ROS, for `sem-field map`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Any

import numpy as np

from sem_field_ros.errors import DataError, FrameError, SegmenterError
from sem_field_ros.frame import PosedFrame, SequenceReader
from sem_field_ros.mapping.depth_use import DepthRecord, depth_use
from sem_field_ros.mapping.mapper import FrameResult, Mapper
from sem_field_ros.measurements import peak_rss_mb, percentiles
from sem_field_ros.results.report import MapReport, surface_counts
from sem_field_ros.surface import Surface

Tick = Callable[[], None]
_JUDGED_POSES = 10  # after so many frames the unit of the poses is judged
_FAR_STEP_M, _FAR_EXTENT_M = 5.0, 200.0  # no walk with a camera has frames this far apart over such a distance


@dataclass
class SequenceRun:
    """The record of mapping a sequence, filled while it runs. `poses`: cameras of the mapped frames, 4x4 each."""

    frames_in: int = 0
    frames_mapped: int = 0
    keyframes: int = 0
    interrupted: bool = False
    duration_s: float = 0.0
    drops: Counter[str] = field(default_factory=Counter)
    unlabelled_keyframes: int = 0
    waited: int = 0  # frames used to predict depth that got none themselves
    last_problem: str = ""
    frame_ms: list[float] = field(default_factory=list)
    stage_ms: dict[str, list[float]] = field(default_factory=dict)
    poses: list[np.ndarray] = field(default_factory=list)
    depth: DepthRecord = field(default_factory=DepthRecord)

    def drop(self, cause: str, problem: str) -> None:
        """Count a frame that was not mapped."""
        self.drops[cause] += 1
        self.last_problem = problem

    def count(self, result: FrameResult) -> None:
        """Count a mapped frame, its kind and the time of its stages."""
        self.keyframes += result.keyframe
        for stage, milliseconds in result.timings_ms.items():
            self.stage_ms.setdefault(stage, []).append(milliseconds)

    def report(self, mapper: Mapper, sequence: str, segmenter: str, surface: Surface) -> MapReport:
        """The numbers of this run, for report.json; scores are added by the caller."""
        fps = self.frames_mapped / self.duration_s if self.duration_s > 0 else 0.0
        counts = {"unlabelled_keyframes": self.unlabelled_keyframes, "frames_without_predicted_depth": self.waited}
        extra: dict[str, Any] = {name: count for name, count in counts.items() if count}
        return MapReport(
            sequence=sequence,
            segmenter=segmenter,
            label_set=mapper.map.labels.name,
            frames_in=self.frames_in,
            frames_mapped=self.frames_mapped,
            keyframes=self.keyframes,
            drops=dict(self.drops),
            fps=round(fps, 2),
            latency_ms=percentiles(self.frame_ms),
            **surface_counts(surface, mapper.map.labels),
            peak_rss_mb=peak_rss_mb(),
            duration_s=round(self.duration_s, 3),
            stage_ms={stage: percentiles(times) for stage, times in self.stage_ms.items()},
            map_stats=mapper.map.stats(),
            config=asdict(mapper.config),
            extra=extra | ({"interrupted": True} if self.interrupted else {}),
        )


def map_sequence(
    mapper: Mapper,
    sequence: SequenceReader,
    *,
    every: int = 1,
    max_frames: int | None = None,
    on_progress: Tick | None = None,
) -> SequenceRun:
    """Map every `every`-th frame of a sequence, at most `max_frames`; `on_progress` is called after each.

    Frames that cannot be used are counted by cause and left out. Once one is mapped, Ctrl-C ends it early with
    `interrupted` set. Raises DataError if no frame could be mapped, SegmenterError if the segmenter failed on
    every keyframe.
    """
    run = SequenceRun()
    start = time.perf_counter()
    try:
        for frame in read_frames(sequence, every, max_frames):
            run.frames_in += 1
            if isinstance(frame, PosedFrame):
                _register(mapper, frame, run)
            else:
                run.drop(getattr(frame, "cause", "unreadable"), str(frame))
            if on_progress:
                on_progress()
        _finish(mapper, run)
    except KeyboardInterrupt:
        if not run.frames_mapped:
            raise  # there is nothing to keep
        run.interrupted = True
    run.duration_s = time.perf_counter() - start
    check_units(run.poses)
    if run.frames_mapped == 0:
        raise DataError(f"sequence {sequence.name}: no frame could be mapped; {run.last_problem or 'it is empty'}")
    if run.keyframes and run.unlabelled_keyframes == run.keyframes:
        problems = getattr(sequence, "label_problems", {})
        raise SegmenterError(next(iter(problems.values()), run.last_problem))
    return run


def read_frames(
    sequence: SequenceReader, every: int = 1, max_frames: int | None = None
) -> Iterator[PosedFrame | FrameError | DataError]:
    """Every `every`-th frame of a sequence, at most `max_frames`; for an unreadable one, its error."""
    frames = iter(sequence)
    taken = 0
    for position in count():
        frame: PosedFrame | FrameError | DataError
        try:
            frame = next(frames)
        except StopIteration:
            return
        except (FrameError, DataError) as error:
            frame = error
        if position % every == 0:
            yield frame
            taken += 1
            if taken == max_frames:
                return


class MappedFrames:
    """The readable frames that `map_sequence` used, as a sequence to evaluate the map on."""

    def __init__(self, sequence: SequenceReader, every: int, run: SequenceRun) -> None:
        self.name, self.labels = sequence.name, sequence.labels
        self.path = getattr(sequence, "path", "")  # the place of a labelled mesh
        self.read_mesh = getattr(sequence, "read_mesh", None)
        self._sequence, self._every, self._frames_in = sequence, every, run.frames_in

    def __len__(self) -> int:
        return self._frames_in

    def __iter__(self) -> Iterator[PosedFrame]:
        frames = read_frames(self._sequence, self._every, self._frames_in)
        return (frame for frame in frames if isinstance(frame, PosedFrame))


def _register(mapper: Mapper, frame: PosedFrame, run: SequenceRun) -> None:
    if mapper.depth_predictor is None and (frame.depth is None or not frame.depth.any()):
        name = frame.name or frame.stamp_ns
        run.drop("no_depth", f"frame {name} has no valid depth (depth_source: predicted needs none)")
        return
    start = time.perf_counter()
    try:
        result = mapper.register_frame(frame)
    except SegmenterError as error:  # its geometry is in the map; only its labels are missing
        run.keyframes += 1
        run.unlabelled_keyframes += 1
        run.last_problem = str(error)
    except FrameError as error:
        run.drop(error.cause, str(error))
        return
    else:
        run.count(result)
        if result.mapped is None:  # nothing was mapped yet: the camera must move first
            run.waited += 1
            run.last_problem = run.last_problem or "no depth can be predicted from a camera that does not move sideways"
            return
        frame = result.mapped
    run.frames_mapped += 1
    run.frame_ms.append((time.perf_counter() - start) * 1e3)
    run.poses.append(frame.T_world_camera)
    if frame.depth is not None:
        run.depth.add(depth_use(frame.depth, mapper.config))
    if len(run.poses) == _JUDGED_POSES:
        check_units(run.poses)


def check_units(poses: list[np.ndarray]) -> None:
    """Raise DataError where cameras [4, 4] in the order of time are too far apart to be in metres."""
    if len(poses) < 2:
        return
    positions = np.stack([T[:3, 3] for T in poses])
    step = float(np.median(np.linalg.norm(np.diff(positions, axis=0), axis=1)))
    extent = float(np.ptp(positions, axis=0).max())
    if step > _FAR_STEP_M and extent > _FAR_EXTENT_M:
        raise DataError(
            f"the camera moves {step:.3g} m from frame to frame (median), {extent:.3g} m in all: poses must be in "
            "metres; are these millimetres?"
        )


def _finish(mapper: Mapper, run: SequenceRun) -> None:
    """Map the frames that waited for later ones to predict their depth; each was counted as waiting."""
    try:
        for result in mapper.finish():
            run.count(result)
            if result.mapped is not None:
                run.waited -= 1
                run.frames_mapped += 1
                run.poses.append(result.mapped.T_world_camera)
    except SegmenterError as error:
        run.last_problem = str(error)
