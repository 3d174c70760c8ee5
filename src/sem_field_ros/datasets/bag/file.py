"""A bag without ROS: its messages, raw and decoded."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosbags.interfaces import MessageDefinitionFormat
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

from sem_field_ros.camera_stream.topics import CLOCK, DEPTH_INFO, TF, TF_STATIC, TF_STATIC_TOPIC
from sem_field_ros.datasets.bag.storage import Channel, find_files, one_line, open_storage
from sem_field_ros.datasets.bag.topics import (
    CAMERA_INFO_TYPE,
    CLOCK_TYPE,
    TF_TYPE,
    BagTopics,
    depth_info,
    find_topics,
    other_cameras,
)
from sem_field_ros.errors import DataError

_IDL_SEPARATOR = "=" * 80 + "\n"


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
    """A bag to read from, closed between readings. Raises DataError in one line for any problem.

    notes  what is not as it should be in the bag, a line each
    """

    def __init__(self, path: str | Path, wanted: BagTopics | None = None) -> None:
        self.path = Path(path)
        found = find_files(self.path)
        self._files, self._announced = found.files, found.announced
        with open_storage(self.path, self._files) as storage:
            channels = [c for c in storage.channels if c.count != 0]
            self.kinds = {c.topic: c.kind for c in channels}
            counts: Counter[str] = Counter()
            for channel in channels:
                counts[channel.topic] += channel.count
            self.start_ns, self.end_ns = storage.times
            self.notes = found.notes + storage.notes
            self._is_whole = not storage.notes
        try:
            self.topics = find_topics(self.kinds, counts, wanted or BagTopics(), str(path))
        except DataError as error:
            raise DataError("; ".join([str(error), *self.notes])) from error
        if others := other_cameras(self.topics, self.kinds):
            self.notes.append(f"of several cameras {self.topics.color} is taken; others: {', '.join(others)}")
        self.depth_info_topic = depth_info(self.topics.depth, self.kinds)
        self._typestore = _typestore(channels, {TF_TYPE, CLOCK_TYPE, *self._roles_of_kinds()})

    def _roles_of_kinds(self) -> set[str]:
        return {self.kinds[topic] for topic in vars(self.topics).values() if topic} | {CAMERA_INFO_TYPE}

    def messages(self, *roles: str) -> Iterator[RawMessage]:
        """Yield the messages of some roles in the order of recording.

        Raises DataError at the end if there were fewer messages than metadata.yaml announces.
        """
        names = {topic: role for role, topic in vars(self.topics).items() if role in roles and topic}
        if DEPTH_INFO in roles and self.depth_info_topic:
            names.setdefault(self.depth_info_topic, DEPTH_INFO)
        for topic, kind in self.kinds.items():
            is_static = topic.endswith(TF_STATIC_TOPIC)
            role = {TF_TYPE: TF_STATIC if is_static else TF, CLOCK_TYPE: CLOCK}.get(kind)
            if role is not None and role in roles:
                names[topic] = role
        read: Counter[str] = Counter()
        with open_storage(self.path, self._files) as storage:
            try:
                for topic, kind, time_ns, data in storage.messages(names):
                    read[topic] += 1
                    yield RawMessage(names[topic], time_ns, kind, data)
            except Exception as error:  # rosbags, sqlite3, struct, zstd: a damaged bag can raise nearly anything
                text = f"{self.path}: the bag is damaged ({one_line(error)}); try `ros2 bag reindex`"
                raise DataError(text) from error
        self._check_counts(read, names)

    def _check_counts(self, read: Counter[str], names: dict[str, str]) -> None:
        """Raise DataError where a whole bag has fewer messages of a topic than it should."""
        for topic in names:
            announced = self._announced.get(topic, 0)
            if self._is_whole and read[topic] < announced:
                raise DataError(
                    f"{self.path}: metadata.yaml announces {announced} messages of {topic}, the bag has {read[topic]}: "
                    "files are missing or damaged; run `ros2 bag reindex` to use what is there"
                )

    def decode(self, raw: RawMessage) -> Any:
        """Return the message, an object with the fields of its type. Raises DataError if it is malformed."""
        try:
            return self._typestore.deserialize_cdr(raw.data, raw.kind)
        except Exception as error:  # numpy, struct, unicode, assertions: rosbags does not document which
            raise DataError(f"{self.path}: a {raw.kind} cannot be decoded ({one_line(error)})") from error


def _typestore(channels: list[Channel], wanted: set[str]) -> Any:
    """Types of the wanted messages: as the bag defines them, else as the newest ROS does. Others are not looked at."""
    types = dict(get_typestore(Stores.LATEST).fielddefs)
    for channel in channels:
        if channel.kind in wanted and channel.definition is not None:
            with suppress(Exception):  # a damaged definition of a standard message: the standard one is used
                types.update(_defined(channel))
    store = get_typestore(Stores.EMPTY)
    store.register(types)
    return store


def _defined(channel: Channel) -> dict[str, Any]:
    definition = channel.definition
    if definition.format == MessageDefinitionFormat.MSG:
        return dict(get_types_from_msg(definition.data, channel.kind))
    if definition.format != MessageDefinitionFormat.IDL:
        return {}
    types: dict[str, Any] = {}
    if definition.data.startswith(f"{_IDL_SEPARATOR}IDL: "):
        for part in definition.data.split(_IDL_SEPARATOR)[1:]:
            types.update(get_types_from_idl(part.split("\n", 1)[1]))
        return types
    return dict(get_types_from_idl(definition.data))
