"""What the sequence player plays: a recording as moments in time, each with its messages ready to publish."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from rclpy.serialization import deserialize_message
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import LabelInfo

from sem_field_ros.camera_stream.images import color_from_msg, depth_from_msg, labels_from_msg
from sem_field_ros.camera_stream.topics import CAMERA_INFO, COLOR, DEPTH, LABEL_INFO, LABELS, TF, TF_STATIC
from sem_field_ros.datasets.bag.topics import COMPRESSED, BagTopics
from sem_field_ros.datasets.folder import FolderFrame, FolderSequence
from sem_field_ros.datasets.open_sequence import is_bag, open_sequence
from sem_field_ros.datasets.recorded_sequence import RecordedSequence
from sem_field_ros.errors import DataError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.poses import T_BODY_OPTICAL, inverse
from sem_field_ros.ros.camera_info import camera_info_to_msg
from sem_field_ros.ros.images import image_to_msg, labels_to_msg
from sem_field_ros.ros.label_info import label_info_to_msg
from sem_field_ros.ros.transforms import transform_to_msg

if TYPE_CHECKING:
    from sem_field_ros.datasets.bag.file import BagFile, RawMessage

LATCHED = (LABEL_INFO, TF_STATIC)
KINDS: dict[str, Any] = {
    COLOR: Image,
    DEPTH: Image,
    LABELS: Image,
    CAMERA_INFO: CameraInfo,
    LABEL_INFO: LabelInfo,
    TF: TFMessage,
    TF_STATIC: TFMessage,
}
_NS = 1_000_000_000
_OTHER_CLOCK_NS = 10 * _NS  # stamps this far from the recording time were taken from another clock


@dataclass(frozen=True)
class Moment:
    """Messages that go out together: (stream, message or its serialised bytes).

    is_frame        there is an image among them
    color_stamp_ns  the stamp of the colour image among them, None without one
    """

    time_ns: int
    messages: list[tuple[str, Any]]
    is_frame: bool
    color_stamp_ns: int | None


@dataclass(frozen=True)
class FrameIds:
    """The TF tree that poses become: world -> odom -> base -> camera."""

    world: str = "map"
    odom: str = "odom"
    base: str = "base_link"
    camera: str = "camera_color_optical_frame"


class Playback(Protocol):
    """A sequence to play. Iterating yields moments in time order, again and again."""

    name: str
    kinds: dict[str, Any]  # message type of each stream it has
    names: dict[str, str]  # the recording's own topic names, where it has any
    start_ns: int
    end_ns: int
    ahead: int  # moments worth preparing ahead of their time
    times_known: bool  # whether its times are those of the recording

    def latched(self) -> list[tuple[str, Any]]: ...

    def __iter__(self) -> Iterator[Moment]: ...


def open_playback(
    path: str | Path,
    start_s: float = 0.0,
    duration_s: float | None = None,
    label_set: str | None = None,
    topics: BagTopics | None = None,
    frame_ids: FrameIds | None = None,
    keep_compressed: bool = False,
) -> Playback:
    """Open what is to be played. Raises DataError in one line."""
    if is_bag(path):
        from sem_field_ros.datasets.bag.file import BagFile  # rosbags takes half a second to import

        return BagPlayback(BagFile(path, topics), start_s, duration_s, keep_compressed)
    sequence = open_sequence(path, label_set=label_set, start_s=start_s, duration_s=duration_s)
    if not isinstance(sequence, RecordedSequence):
        raise DataError(f"sequence {path} cannot be played: it is neither frames in files nor a bag")
    return SequencePlayback(sequence, frame_ids or FrameIds())


class SequencePlayback:
    """Frames in files, with the TF tree of a robot. Depth of the folder format stays 16-bit millimetres."""

    def __init__(self, sequence: RecordedSequence[Any], frame_ids: FrameIds) -> None:
        self._sequence, self._ids = sequence, frame_ids
        self.name = f"{sequence.name}: {len(sequence)} frames"
        self.names: dict[str, str] = {}
        self.start_ns, last_ns = sequence.stamps_ns[0], sequence.stamps_ns[-1]
        self.end_ns = last_ns + (last_ns - self.start_ns) // max(1, len(sequence) - 1)  # the last frame lasts, too
        self.ahead, self.times_known = 8, sequence.times_known
        streams = [COLOR, CAMERA_INFO, TF, TF_STATIC]
        streams += [DEPTH] * sequence.has_depth + [LABELS, LABEL_INFO] * sequence.has_labels
        self.kinds = {stream: KINDS[stream] for stream in streams}

    def latched(self) -> list[tuple[str, Any]]:
        """Return what is sent once: the camera's place on the robot, what the label ids mean."""
        camera = transform_to_msg(self._ids.base, self._ids.camera, self.start_ns, T_BODY_OPTICAL)
        messages: list[tuple[str, Any]] = [(TF_STATIC, TFMessage(transforms=[camera]))]
        if self._sequence.labels is not None:
            messages.append((LABEL_INFO, label_info_to_msg(self._sequence.labels, self._header(self.start_ns))))
        return messages

    def __iter__(self) -> Iterator[Moment]:
        return map(self._moment, range(len(self._sequence)))  # goes on after a frame that cannot be read

    def _moment(self, index: int) -> Moment:
        is_folder = isinstance(self._sequence, FolderSequence)
        frame: FolderFrame | PosedFrame = (
            self._sequence.read_files(index) if is_folder else self._sequence.read(index)  # type: ignore[attr-defined]
        )
        header = self._header(frame.stamp_ns)
        T_odom_base = frame.T_world_camera @ inverse(T_BODY_OPTICAL)
        transforms = [
            transform_to_msg(self._ids.world, self._ids.odom, frame.stamp_ns, np.eye(4)),
            transform_to_msg(self._ids.odom, self._ids.base, frame.stamp_ns, T_odom_base),
        ]
        messages: list[tuple[str, Any]] = [
            (TF, TFMessage(transforms=transforms)),
            (CAMERA_INFO, camera_info_to_msg(frame.camera, header)),
        ]
        if isinstance(frame, FolderFrame) and frame.depth_mm is not None:
            messages.append((DEPTH, image_to_msg(frame.depth_mm, header, "16UC1")))
        if isinstance(frame, PosedFrame) and frame.depth is not None:
            messages.append((DEPTH, image_to_msg(frame.depth, header, "32FC1")))
        if frame.labels is not None:
            messages.append((LABELS, labels_to_msg(frame.labels, header)))
        messages.append((COLOR, image_to_msg(frame.color, header, "rgb8")))
        return Moment(frame.stamp_ns, messages, is_frame=True, color_stamp_ns=frame.stamp_ns)

    def _header(self, stamp_ns: int) -> Header:
        return Header(stamp=Time(nanoseconds=stamp_ns).to_msg(), frame_id=self._ids.camera)


class BagPlayback:
    """Messages of a bag as they were recorded, bytes untouched; only compressed images are decoded (unless kept).

    Times are those of the recording; where the stamps come from another clock (simulation), shifted to theirs.
    """

    def __init__(self, bag: BagFile, start_s: float, duration_s: float | None, keep_compressed: bool) -> None:
        self._bag, self._keep_compressed = bag, keep_compressed
        self._begin_ns = bag.start_ns + round(start_s * _NS)
        self._stop_ns = bag.end_ns if duration_s is None else self._begin_ns + round(duration_s * _NS)
        self._shift_ns = self._clock_shift()
        self.start_ns, self.end_ns = self._begin_ns + self._shift_ns, self._stop_ns + self._shift_ns
        self.names = {stream: topic for stream, topic in vars(bag.topics).items() if topic}
        self.name = f"{bag.path.name}: {', '.join(self.names.values())}"
        self.ahead, self.times_known = 64, True
        compressed = {stream for stream, topic in self.names.items() if bag.kinds[topic] == COMPRESSED}
        self.kinds = {stream: KINDS[stream] for stream in [*self.names, TF, TF_STATIC]}
        if keep_compressed:
            self.kinds.update(dict.fromkeys(compressed, CompressedImage))

    def latched(self) -> list[tuple[str, Any]]:
        """Return what is sent once: all static transforms, label info, and a camera_info from before the start."""
        transforms: dict[str, Any] = {}
        last: dict[str, bytes] = {}
        for raw in self._bag.messages(TF_STATIC, LABEL_INFO, CAMERA_INFO):
            if raw.role == TF_STATIC:
                for transform in deserialize_message(raw.data, TFMessage).transforms:
                    transforms[transform.child_frame_id] = transform
            elif raw.role == LABEL_INFO or raw.time_ns < self._begin_ns:
                last[raw.role] = raw.data
        return [(TF_STATIC, TFMessage(transforms=list(transforms.values()))), *last.items()]

    def __iter__(self) -> Iterator[Moment]:
        streams = [stream for stream in self.kinds if stream not in LATCHED]
        inside = (raw for raw in self._bag.messages(*streams) if self._begin_ns <= raw.time_ns < self._stop_ns)
        return map(self._moment, inside)

    def _moment(self, raw: RawMessage) -> Moment:
        message: Any = raw.data
        if raw.kind == COMPRESSED and not self._keep_compressed:
            message = _decompressed(raw)
        is_frame = raw.role in (COLOR, DEPTH, LABELS)
        color_stamp_ns = raw.header()[0] if raw.role == COLOR else None
        return Moment(raw.time_ns + self._shift_ns, [(raw.role, message)], is_frame, color_stamp_ns)

    def _clock_shift(self) -> int:
        first = next(self._bag.messages(COLOR), None)
        shift = first.header()[0] - first.time_ns if first is not None else 0
        return shift if abs(shift) > _OTHER_CLOCK_NS else 0


def _decompressed(raw: RawMessage) -> Image:
    """CompressedImage -> the Image that the default topics carry. Raises FrameError."""
    msg = deserialize_message(raw.data, CompressedImage)
    if raw.role == LABELS:
        return labels_to_msg(labels_from_msg(msg), msg.header)
    if raw.role == DEPTH:
        return image_to_msg(depth_from_msg(msg), msg.header, "32FC1")
    return image_to_msg(color_from_msg(msg), msg.header, "rgb8")
