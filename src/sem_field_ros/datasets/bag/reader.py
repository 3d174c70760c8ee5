"""Reader of MCAP and sqlite3 bags: images, camera_info and TF -> PosedFrames, paired as the live node pairs them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sem_field_ros.camera_stream.depth_registration import DepthSource
from sem_field_ros.camera_stream.frames import StreamSetup, frame_from_bundle
from sem_field_ros.camera_stream.images import MILLIMETRES
from sem_field_ros.camera_stream.label_info import label_set_from_names, names_from_msg
from sem_field_ros.camera_stream.pairing import FrameBundle, FramePairer, stamp_ns_of
from sem_field_ros.camera_stream.topics import CAMERA_INFO, COLOR, DEPTH, DEPTH_INFO, LABEL_INFO, LABELS, TF, TF_STATIC
from sem_field_ros.datasets.bag.file import BagFile, RawMessage
from sem_field_ros.datasets.bag.topics import BagTopics
from sem_field_ros.datasets.folder import DEFAULT_LABEL_SET
from sem_field_ros.datasets.recorded_sequence import cut
from sem_field_ros.errors import DataError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.transform_tree import LATEST, TransformError, TransformTree
from sem_field_ros.labels import LabelSet, load_label_set

WORLD_FRAMES = ("map", "odom", "world")  # tried in this order by default
_PATIENCE = 300  # messages of a stream that wait for their partners: many, because only numbers are kept
_FOREVER_S = 1e9

# A message of the bag: its role and its running number within the role
_Key = tuple[str, int]


@dataclass(frozen=True)
class _Planned:
    """A planned frame: its pose and its messages."""

    stamp_ns: int
    T_world_camera: np.ndarray
    parts: dict[str, _Key]
    T_color_depth: np.ndarray | TransformError | None = None  # None where both have one frame


class BagSequence:
    """A SequenceReader over a bag. Opening reads it once for stamps and TF; images are decoded when iterated.

    Topics that `topics` leaves empty are found by type and name. `world_frame`: default the first of map, odom,
    world that the TF tree has, else its root. `drops` counts what is left out, by cause (unpaired_color, tf_missing,
    ...). `start_s` and `duration_s` cut [start, start + duration). Raises DataError in one line.
    """

    def __init__(
        self,
        path: str | Path,
        label_set: str | None = None,
        start_s: float = 0.0,
        duration_s: float | None = None,
        topics: BagTopics | None = None,
        world_frame: str | None = None,
        slop_s: float = 0.02,
        color_images: str = "auto",
    ) -> None:
        self.path = Path(path)
        self.name = self.path.stem
        self.drops: Counter[str] = Counter()
        self._bag = BagFile(path, topics)
        self.topics, self.notes = self._bag.topics, list(self._bag.notes)
        self.units_per_m, self._color_images = MILLIMETRES, color_images
        self.has_labels = bool(self.topics.labels)
        self.labels: LabelSet | None = self._label_set(label_set) if self.has_labels else None
        index = _Index(self._bag, slop_s)
        self.drops.update(index.drops)
        if not index.bundles:
            raise DataError(f"{path}: no frame has all of {', '.join(filter(None, vars(self.topics).values()))}")
        self._depth_infos = index.depth_infos
        self.world_frame = world_frame or _world_frame(index.tree, index.camera_frame(index.bundles[0]), str(path))
        posed = [(bundle.stamp_ns, planned) for bundle in index.bundles if (planned := self._pose(index, bundle))]
        self.skipped = index.colors - len(posed)  # colour images left out
        if not posed:
            causes = ", ".join(f"{count} {cause}" for cause, count in sorted(self.drops.items()))
            raise DataError(f"{path}: no frame has a pose of its camera in '{self.world_frame}' ({causes})")
        self._plan: list[_Planned] = [planned for _, planned in cut(posed, start_s, duration_s)]
        if not self._plan:
            raise DataError(f"{path}: no frame between start_s={start_s} and the end of duration_s={duration_s}")

    @property
    def stamps_ns(self) -> list[int]:
        """Time stamps of the frames, nanoseconds."""
        return [planned.stamp_ns for planned in self._plan]

    def __len__(self) -> int:
        return len(self._plan)

    def __iter__(self) -> Iterator[PosedFrame]:
        return map(self._decoded, self._collected())  # continues after a frame that cannot be decoded

    def _collected(self) -> Iterator[tuple[_Planned, dict[str, RawMessage]]]:
        """Second pass: the raw parts of each planned frame, in order; a part is kept until its last use."""
        uses = Counter(key for planned in self._plan for key in planned.parts.values())
        messages = self._bag.messages(*{role for planned in self._plan for role in planned.parts})
        numbers: Counter[str] = Counter()
        kept: dict[_Key, RawMessage] = {}
        for planned in self._plan:
            while not all(key in kept for key in planned.parts.values()):
                raw = next(messages, None)
                if raw is None:
                    raise DataError(f"{self.path} changed while it was read")
                key = (raw.role, numbers[raw.role])
                numbers[raw.role] += 1
                if uses[key]:
                    kept[key] = raw
            parts = {role: kept[key] for role, key in planned.parts.items()}
            uses.subtract(planned.parts.values())
            for key in planned.parts.values():
                if not uses[key]:
                    del kept[key]
            yield planned, parts

    def _decoded(self, collected: tuple[_Planned, dict[str, RawMessage]]) -> PosedFrame:
        planned, raw = collected
        parts = {role: self._bag.decode(message) for role, message in raw.items()}
        bundle = FrameBundle(planned.stamp_ns, parts[COLOR], parts[CAMERA_INFO], parts.get(DEPTH), parts.get(LABELS))
        setup = StreamSetup(self.topics.color, self.topics.depth, self._color_images, self.units_per_m)
        depth_info = None if not self._depth_infos else self._bag.decode(self._depth_infos[0])
        source = DepthSource(self.topics.depth, depth_info, lambda target, source: _known(planned.T_color_depth))
        name = f"{planned.parts[COLOR][1]:06d}"
        return frame_from_bundle(bundle, planned.T_world_camera, name, setup, source)

    def _pose(self, index: _Index, bundle: FrameBundle) -> _Planned | None:
        try:
            T = index.tree.lookup(self.world_frame, index.camera_frame(bundle), bundle.stamp_ns)
        except TransformError as error:
            self.drops[error.cause] += 1
            return None
        parts = {COLOR: bundle.color, DEPTH: bundle.depth, CAMERA_INFO: bundle.camera_info}
        parts[LABELS] = index.labels_of.get(bundle.color)
        T_color_depth = index.depth_pose(bundle)
        return _Planned(
            bundle.stamp_ns, T, {role: key for role, key in parts.items() if key is not None}, T_color_depth
        )

    def _label_set(self, name: str | None) -> LabelSet:
        if name:
            return load_label_set(name)
        for raw in self._bag.messages(LABEL_INFO):
            return label_set_from_names(names_from_msg(self._bag.decode(raw)), "bag")
        return load_label_set(DEFAULT_LABEL_SET)


class _Index:
    """One pass over a bag without decoding images: which messages make a frame, and the TF tree."""

    def __init__(self, bag: BagFile, slop_s: float) -> None:
        self.tree = TransformTree(_FOREVER_S)
        self.bundles: list[FrameBundle] = []  # of keys in place of messages
        self.labels_of: dict[_Key, _Key] = {}
        self.depth_infos: list[RawMessage] = []  # the first of the depth camera
        self._frame_ids: dict[_Key, str] = {}
        frames = FramePairer(slop_s, _PATIENCE, want_depth=bool(bag.topics.depth))
        labelled = FramePairer(slop_s, _PATIENCE, want_depth=False, want_labels=True)
        numbers: Counter[str] = Counter()
        bad = 0
        for raw in bag.messages(COLOR, DEPTH, LABELS, CAMERA_INFO, DEPTH_INFO, TF, TF_STATIC):
            if raw.role == DEPTH_INFO:
                self.depth_infos = self.depth_infos or [raw]
                continue
            if raw.role in (TF, TF_STATIC):
                self._add_transforms(bag.decode(raw), raw.role == TF_STATIC)
                continue
            key = (raw.role, numbers[raw.role])
            numbers[raw.role] += 1
            try:
                stamp_ns, self._frame_ids[key] = raw.header()
            except DataError:
                bad += 1
                continue
            frames.add(raw.role, stamp_ns, key)
            labelled.add(raw.role, stamp_ns, key)
            while (bundle := frames.pop()) is not None:
                self.bundles.append(bundle)
            while (bundle := labelled.pop()) is not None and bundle.labels is not None:
                self.labels_of[bundle.color] = bundle.labels
        frames.finish()
        self.drops = frames.drops + self.tree.refused + Counter(bad_message=bad)
        self.colors = numbers[COLOR]

    def camera_frame(self, bundle: FrameBundle) -> str:
        return self._frame_ids[bundle.color]

    def depth_pose(self, bundle: FrameBundle) -> np.ndarray | TransformError | None:
        """T_color_depth at a frame's time, or why it is not known; None where depth and colour have one frame."""
        color = self.camera_frame(bundle)
        depth = color if bundle.depth is None else self._frame_ids[bundle.depth]
        if not depth or depth == color:
            return None
        try:
            return self.tree.lookup(color, depth, bundle.stamp_ns)
        except TransformError as error:
            return error

    def _add_transforms(self, msg: Any, static: bool) -> None:
        for transform in msg.transforms:
            t, q = transform.transform.translation, transform.transform.rotation
            self.tree.set_transform(
                transform.header.frame_id,
                transform.child_frame_id,
                stamp_ns_of(transform),
                np.array([t.x, t.y, t.z]),
                np.array([q.x, q.y, q.z, q.w]),
                static,
            )


def _world_frame(tree: TransformTree, camera: str, where: str) -> str:
    frames = tree.frames()
    if not frames:
        raise DataError(f"{where} has no TF: record /tf and /tf_static too, poses are needed")
    for frame in WORLD_FRAMES:
        if frame in frames and tree.can_transform(frame, camera, LATEST):
            return frame
    if not tree.moves(camera):  # its root would make every pose the same
        known = ", ".join(sorted(frames)[:12])
        raise DataError(
            f"{where}: the camera frame '{camera}' is not connected to {', '.join(WORLD_FRAMES)} or any moving frame; "
            f"frames known: {known}: is /tf_static missing? Record it, or name the world frame"
        )
    return tree.root_of(camera)


def _known(T: np.ndarray | TransformError | None) -> np.ndarray:
    if isinstance(T, TransformError):
        raise T
    return np.eye(4) if T is None else T
