"""An MCAP or sqlite3 bag without ROS: its messages, raw and decoded."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from sem_field_ros.camera_stream.topics import CLOCK, TF, TF_STATIC, TF_STATIC_TOPIC
from sem_field_ros.datasets.bag.topics import CLOCK_TYPE, TF_TYPE, BagTopics, find_topics
from sem_field_ros.errors import DataError


@dataclass(frozen=True)
class RawMessage:
    """One message: its stream (camera_stream/topics.py), when it was recorded, its CDR bytes."""

    role: str
    time_ns: int
    kind: str
    data: bytes

    def header(self) -> tuple[int, str]:
        """Stamp in nanoseconds and frame_id of a message that begins with a Header, without decoding the rest.

        Raises DataError if the message is too short.
        """
        try:
            order = "<" if self.data[1] & 1 else ">"
            sec, nanosec, length = struct.unpack_from(order + "iII", self.data, 4)
        except (IndexError, struct.error) as error:
            raise DataError(f"a {self.kind} of {len(self.data)} bytes has no header") from error
        return sec * 1_000_000_000 + nanosec, self.data[16 : 16 + length].rstrip(b"\0").decode("utf-8", "replace")


class BagFile:
    """A bag to read from, closed between readings. Raises DataError in one line for any problem."""

    def __init__(self, path: str | Path, wanted: BagTopics | None = None) -> None:
        self.path = Path(path)
        with self._open(AnyReader, [self.path], default_typestore=get_typestore(Stores.LATEST)) as reader:
            self._typestore = reader.typestore
            self.kinds = {c.topic: c.msgtype for c in reader.connections if c.msgcount != 0}
            counts = {c.topic: c.msgcount for c in reader.connections}
            self.start_ns, self.end_ns = reader.start_time, reader.end_time
        self.topics = find_topics(self.kinds, counts, wanted or BagTopics(), str(path))

    def messages(self, *roles: str) -> Iterator[RawMessage]:
        """Yield the messages of some roles in the order of recording."""
        names = {topic: role for role, topic in vars(self.topics).items() if role in roles and topic}
        for topic, kind in self.kinds.items():
            is_static = topic.endswith(TF_STATIC_TOPIC)
            role = {TF_TYPE: TF_STATIC if is_static else TF, CLOCK_TYPE: CLOCK}.get(kind)
            if role is not None and role in roles:
                names[topic] = role
        with self._open(Reader, self.path) as reader:
            chosen = [c for c in reader.connections if c.topic in names]
            try:
                for connection, time_ns, data in reader.messages(chosen) if chosen else ():
                    yield RawMessage(names[connection.topic], time_ns, connection.msgtype, bytes(data))
            except Exception as error:  # rosbags, sqlite3, struct, zstd: a damaged bag can raise nearly anything
                raise DataError(f"{self.path}: the bag is damaged ({_line(error)}); try `ros2 bag reindex`") from error

    def decode(self, raw: RawMessage) -> Any:
        """Return the message, an object with the fields of its type. Raises DataError if it is malformed."""
        try:
            return self._typestore.deserialize_cdr(raw.data, raw.kind)
        except Exception as error:  # numpy, struct, unicode, assertions: rosbags does not document which
            raise DataError(f"{self.path}: a {raw.kind} cannot be decoded ({_line(error)})") from error

    @contextmanager
    def _open(self, kind: Any, *arguments: Any, **options: Any) -> Iterator[Any]:
        try:
            reader = kind(*arguments, **options)
            reader.open()
        except Exception as error:  # as above
            raise DataError(f"{self.path}: cannot be read as a bag ({_line(error)})") from error
        try:
            yield reader
        finally:
            reader.close()


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text[:200] or type(error).__name__
