"""An MCAP or sqlite3 bag without ROS: which topic is what, its messages raw and decoded."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.typesys import Stores, get_typestore

from sem_field_ros.errors import DataError

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
CAMERA_INFO, LABEL_INFO = "sensor_msgs/msg/CameraInfo", "vision_msgs/msg/LabelInfo"
TF, CLOCK = "tf2_msgs/msg/TFMessage", "rosgraph_msgs/msg/Clock"

# Words in topic names, best first; topics with a word of _OTHER carry no colour, depth or ids.
_DEPTH_WORDS = ("aligned_depth", "depth_registered", "depth_to_color", "depth_to_rgb", "depth")
_LABEL_WORDS = ("label", "semantic", "segment")
_COLOR_WORDS = ("color", "rgb", "left", "image_raw", "image_rect", "image")
_OTHER = ("overlay", "infra", "/ir", "disparity", "confidence", "debug", "theora", "instance", "colored")


@dataclass(frozen=True)
class BagTopics:
    """Topic names by what they carry; empty = the bag has none (or, given by a user, find it by type and name)."""

    color: str = ""
    camera_info: str = ""
    depth: str = ""
    labels: str = ""
    label_info: str = ""


@dataclass(frozen=True)
class RawMessage:
    """One message: its role (a field of BagTopics, tf, tf_static or clock), when it was recorded, its CDR bytes."""

    role: str
    time_ns: int
    kind: str
    data: bytes

    def header(self) -> tuple[int, str]:
        """Stamp in nanoseconds and frame_id of a message that begins with a Header, without decoding the rest."""
        order = "<" if self.data[1] & 1 else ">"
        sec, nanosec, length = struct.unpack_from(order + "iII", self.data, 4)
        return sec * 1_000_000_000 + nanosec, self.data[16 : 16 + length].rstrip(b"\0").decode("utf-8", "replace")


class BagFile:
    """A bag to read from, closed between readings. Raises DataError in one line for whatever is wrong with it."""

    def __init__(self, path: str | Path, wanted: BagTopics | None = None) -> None:
        self.path = Path(path)
        with self._open() as reader:
            self.kinds = {c.topic: c.msgtype for c in reader.connections if c.msgcount != 0}
            counts = {c.topic: c.msgcount for c in reader.connections}
            self.start_ns, self.end_ns = reader.start_time, reader.end_time
        self.topics = find_topics(self.kinds, counts, wanted or BagTopics(), str(path))

    def messages(self, *roles: str) -> Iterator[RawMessage]:
        """Yield the messages of some roles in the order of recording."""
        names = {topic: role for role, topic in vars(self.topics).items() if role in roles and topic}
        for topic, kind in self.kinds.items():
            role = {TF: "tf_static" if topic.endswith("tf_static") else "tf", CLOCK: "clock"}.get(kind)
            if role in roles:
                names[topic] = str(role)
        with self._open() as reader:
            chosen = [c for c in reader.connections if c.topic in names]
            try:
                for connection, time_ns, data in reader.messages(chosen) if chosen else ():
                    yield RawMessage(names[connection.topic], time_ns, connection.msgtype, bytes(data))
            except Exception as error:  # rosbags, sqlite3, struct, zstd: a damaged bag can raise nearly anything
                raise DataError(f"{self.path}: the bag is damaged ({_line(error)}); try `ros2 bag reindex`") from error

    @contextmanager
    def decoder(self) -> Iterator[Any]:
        """Give a function RawMessage -> message; a message that cannot be decoded raises DataError."""
        with self._open() as reader:

            def decode(raw: RawMessage) -> Any:
                try:
                    return reader.deserialize(raw.data, raw.kind)
                except (AnyReaderError, ValueError, IndexError, struct.error, AssertionError) as error:
                    raise DataError(f"{self.path}: a {raw.kind} cannot be decoded ({_line(error)})") from error

            yield decode

    @contextmanager
    def _open(self) -> Iterator[AnyReader]:
        try:
            reader = AnyReader([self.path], default_typestore=get_typestore(Stores.LATEST))
            reader.open()
        except Exception as error:  # as above
            raise DataError(f"{self.path}: cannot be read as a bag ({_line(error)})") from error
        try:
            yield reader
        finally:
            reader.close()


def find_topics(kinds: dict[str, str], counts: dict[str, int], wanted: BagTopics, where: str) -> BagTopics:
    """Choose the topics by type and name; those a user wants are checked. Raises DataError with what there is."""
    for field in fields(wanted):
        topic = getattr(wanted, field.name)
        if topic and topic not in kinds:
            raise DataError(f"{where} has no topic {topic}; it has: {', '.join(sorted(kinds)) or 'none'}")
    images = {t: k for t, k in kinds.items() if k in (IMAGE, COMPRESSED)}
    named = {wanted.color, wanted.depth, wanted.labels}
    free = [t for t in images if t not in named and not any(word in t for word in _OTHER)]
    depth = wanted.depth or _best(free, _DEPTH_WORDS, images, counts)
    free = [t for t in free if "depth" not in t]
    labels = wanted.labels or _best(free, _LABEL_WORDS, images, counts)
    free = [t for t in free if not any(word in t for word in _LABEL_WORDS)]
    color = wanted.color or _best(free, _COLOR_WORDS, images, counts) or (free[0] if len(free) == 1 else "")
    if not color:
        raise DataError(f"{where} has no colour images; its topics: {', '.join(sorted(kinds)) or 'none'}")
    infos = [t for t, k in kinds.items() if k == CAMERA_INFO]
    info = wanted.camera_info or _sibling(color, infos)
    if not info:
        raise DataError(f"{where} has no camera_info beside {color}; record it too, or name one")
    label_infos = [t for t, k in kinds.items() if k == LABEL_INFO]
    label_info = wanted.label_info or (_sibling(labels, label_infos) if labels else "")
    return BagTopics(color, info, depth, labels, label_info)


def _best(topics: list[str], words: tuple[str, ...], images: dict[str, str], counts: dict[str, int]) -> str:
    """Topic with the best word; then raw before compressed, then the one with more messages, then the shorter name."""
    ranked = [
        (
            next(i for i, word in enumerate(words) if word in topic),
            images[topic] != IMAGE,
            -counts[topic],
            len(topic),
            topic,
        )
        for topic in topics
        if any(word in topic for word in words)
    ]
    return min(ranked)[-1] if ranked else ""


def _sibling(topic: str, others: list[str]) -> str:
    """Of the other topics, the one that shares the most leading parts with a topic."""

    def shared(other: str) -> int:
        parts = zip(topic.split("/"), other.split("/"), strict=False)
        return next((i for i, (a, b) in enumerate(parts) if a != b), len(topic))

    return max(sorted(others), key=shared, default="")


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text[:200] or type(error).__name__
