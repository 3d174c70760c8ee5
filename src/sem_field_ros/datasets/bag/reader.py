"""Reader of MCAP and sqlite3 bags: images, camera_info and TF -> PosedFrames, paired as the live node pairs them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sem_field_ros.camera_stream.frames import frame_from_bundle
from sem_field_ros.camera_stream.label_info import label_set_from_names, names_from_msg
from sem_field_ros.camera_stream.pairing import FrameBundle, FramePairer, stamp_ns_of
from sem_field_ros.camera_stream.topics import CAMERA_INFO, COLOR, DEPTH, LABEL_INFO, LABELS, TF, TF_STATIC
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
    ) -> None:
        self.path = Path(path)
        self.name = self.path.stem
        self.drops: Counter[str] = Counter()
        self._bag = BagFile(path, topics)
        self.topics = self._bag.topics
        self.has_labels = bool(self.topics.labels)
        self.labels: LabelSet | None = self._label_set(label_set) if self.has_labels else None
        index = _Index(self._bag, slop_s)
        self.drops.update(index.drops)
        if not index.bundles:
            raise DataError(f"{path}: no frame has all of {', '.join(filter(None, vars(self.topics).values()))}")
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
        return frame_from_bundle(bundle, planned.T_world_camera, name=f"{planned.parts[COLOR][1]:06d}")

    def _pose(self, index: _Index, bundle: FrameBundle) -> _Planned | None:
        try:
            T = index.tree.lookup(self.world_frame, index.camera_frame(bundle), bundle.stamp_ns)
        except TransformError as error:
            self.drops[error.cause] += 1
            return None
        parts = {COLOR: bundle.color, DEPTH: bundle.depth, CAMERA_INFO: bundle.camera_info}
        parts[LABELS] = index.labels_of.get(bundle.color)
        return _Planned(bundle.stamp_ns, T, {role: key for role, key in parts.items() if key is not None})

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
        self._frame_ids: dict[_Key, str] = {}
        frames = FramePairer(slop_s, _PATIENCE, want_depth=bool(bag.topics.depth))
        labelled = FramePairer(slop_s, _PATIENCE, want_depth=False, want_labels=True)
        numbers: Counter[str] = Counter()
        bad = 0
        for raw in bag.messages(COLOR, DEPTH, LABELS, CAMERA_INFO, TF, TF_STATIC):
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
    return tree.root_of(camera)
