"""The files of a bag, opened leniently: MCAP, sqlite3 and ROS 1; compressed, cut short, with odd metadata.yaml.

rosbags reads the storages; what it refuses for reasons that do not concern the wanted topics is not asked of it:
metadata.yaml only tells which files belong to the bag and how many messages were recorded.
"""

from __future__ import annotations

import heapq
import shutil
import struct
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from rosbags.rosbag1 import Reader as Ros1Reader
from rosbags.rosbag2 import reader as bag_reader
from rosbags.rosbag2.storage_mcap import McapReader
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Reader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from sem_field_ros.datasets.files.names import PACKED, counting_order, is_storage
from sem_field_ros.datasets.files.text import read_text
from sem_field_ros.errors import DataError

zstd: Any = bag_reader.zstd  # type: ignore[attr-defined]  # Python's own or its backport, as rosbags has it

_ZSTD = b"\x28\xb5\x2f\xfd"
_MAX_MESSAGE = 1 << 28  # bytes; a larger one is no camera message
_MCAP_CHUNK, _MCAP_END = 6, (2, 15)
_ROS1_NAMES = {"tf/msg/tfMessage": "tf2_msgs/msg/TFMessage"}


@dataclass(frozen=True)
class Channel:
    """A topic of a bag. `count` is the number of its messages; `definition` is (format, text), if the bag has one."""

    topic: str
    kind: str
    count: int
    definition: Any = None


@dataclass
class BagFiles:
    """What belongs to a bag. `announced`: messages by topic in metadata.yaml; `notes`: what is not as it should be."""

    files: list[Path]
    announced: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def find_files(path: Path) -> BagFiles:
    """The storage files of a bag file or folder, in order. Raises DataError in one line."""
    if path.is_file():
        return BagFiles([path])
    present = sorted((f for f in path.iterdir() if is_storage(f)), key=lambda f: counting_order(f.name))
    described = path / "metadata.yaml"
    content = _metadata(described) if described.is_file() else None
    if content is None:
        if len(present) != 1:
            raise DataError(
                f"{path} has {len(present)} bag files and no metadata.yaml: name one, or run `ros2 bag reindex`"
            )
        notes = [f"{described} is damaged; it is not used"] if described.is_file() else []
        return BagFiles(present, notes=notes)
    files = [path / PurePath(str(name)).name for name in content.get("relative_file_paths") or []]
    files = [_packed(file) if not file.exists() else file for file in files]
    notes = []
    missing = [file.name for file in files if not file.exists()]
    if missing and len(present) == len(files) == 1:
        notes, files = [f"{described} names {missing[0]}, the folder has {present[0].name}: that is read"], present
    elif missing or not files:
        what = f"{', '.join(missing)} of metadata.yaml is not there" if missing else "metadata.yaml names no files"
        raise DataError(f"{path}: {what}; it has {', '.join(f.name for f in present) or 'no bag file'}")
    topics = content.get("topics_with_message_count") or []
    announced = Counter[str]()
    for topic in topics:
        try:
            announced[str(topic["topic_metadata"]["name"])] += int(topic["message_count"])
        except (KeyError, TypeError, ValueError):
            continue  # what it says about other topics does not matter
    return BagFiles(files, dict(announced), notes)


class Storage:
    """Open storage files of one bag; messages come in the order of recording. Use as a context manager."""

    def __init__(self, files: Collection[Path]) -> None:
        self.notes: list[str] = []
        self.channels: list[Channel] = []
        self._files = files
        self._stack = ExitStack()
        self._readers: list[Any] = []
        self._ros1: Any = None

    def __enter__(self) -> Storage:
        try:
            for file in self._files:
                self._readers.append(self._opened(file))
        except BaseException:
            self._stack.close()
            raise
        for reader in self._readers:
            for c in reader.connections:
                if getattr(c.ext, "serialization_format", "cdr") == "cdr":
                    kind = _ROS1_NAMES.get(c.msgtype, c.msgtype)
                    definition = None if isinstance(reader, Ros1Reader) else c.msgdef
                    self.channels.append(Channel(c.topic, kind, c.msgcount, definition))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def times(self) -> tuple[int, int]:
        """Nanoseconds of the first message and after the last."""
        spans = [getattr(reader, "metadata", reader) for reader in self._readers]
        return min(s.start_time for s in spans), max(s.end_time for s in spans)

    def messages(self, topics: Collection[str]) -> Iterator[tuple[str, str, int, bytes]]:
        """Topic, kind, time in nanoseconds and CDR bytes of the messages of some topics."""
        sources = [self._of_reader(reader, topics) for reader in self._readers]
        yield from heapq.merge(*sources, key=lambda message: message[2])

    def _of_reader(self, reader: Any, topics: Collection[str]) -> Iterator[tuple[str, str, int, bytes]]:
        chosen = [c for c in reader.connections if c.topic in topics]
        for connection, time_ns, data in reader.messages(chosen) if chosen else ():
            kind = _ROS1_NAMES.get(connection.msgtype, connection.msgtype)
            if isinstance(reader, Ros1Reader):
                data = self._as_cdr(reader, connection, data)
            elif data[:4] == _ZSTD:  # compression_mode: message; CDR begins with a zero byte
                data = zstd.ZstdDecompressor().decompress(data, _MAX_MESSAGE)
            yield connection.topic, kind, time_ns, bytes(data)

    def _as_cdr(self, reader: Any, connection: Any, data: bytes) -> bytes:
        if self._ros1 is None:
            self._ros1 = get_typestore(Stores.LATEST)  # its Header has no seq: ros1_to_cdr leaves that out
        if connection.msgtype not in self._ros1.fielddefs:
            self._ros1.register(get_types_from_msg(connection.msgdef.data, connection.msgtype))
        return bytes(self._ros1.ros1_to_cdr(data, connection.msgtype))

    def _opened(self, file: Path) -> Any:
        if file.name.lower().endswith(PACKED):
            file = self._unpacked(file)
        suffix = file.suffix.lower()
        if suffix == ".bag":
            reader: Any = Ros1Reader(file)
        else:
            reader = McapReader(file) if suffix == ".mcap" else Sqlite3Reader(file)
        try:
            reader.open()
        except Exception:
            if suffix != ".mcap" or not _looks_like_mcap(file):
                raise
            reader = CutMcap(file)
            reader.open()
            self.notes.append(
                f"{file.name} is cut short or damaged: read up to byte {reader.data_end} of {file.stat().st_size}; "
                "`mcap recover` repairs it"
            )
        self._stack.callback(reader.close)
        return reader

    def _unpacked(self, file: Path) -> Path:
        folder = self._stack.enter_context(TemporaryDirectory())
        unpacked = Path(folder, file.name[: -len(PACKED)])
        with file.open("rb") as packed, zstd.open(packed, "rb") as source, unpacked.open("wb") as target:
            shutil.copyfileobj(source, target)
        return unpacked


class CutMcap(McapReader):
    """An MCAP file without its end: read record by record up to the damage, as far as records are whole."""

    def open(self) -> None:
        """Open the file and scan it; `data_end` is where the whole records end."""
        self.bio = self.path.open("rb")
        self.bio.seek(9)
        self.data_start = 17 + struct.unpack("<Q", self.bio.read(8))[0]
        self.data_end = self._end_of_whole_records()
        self.meta_scan()
        assert self.statistics is not None
        counts = self.statistics.channel_message_counts
        self.connections = [c._replace(msgcount=counts.get(c.id, 0)) for c in self.connections]
        start, end = self.statistics.start_time, self.statistics.end_time
        self.metadata = self.metadata._replace(start_time=start, end_time=end + 1)

    def _end_of_whole_records(self) -> int:
        assert self.bio is not None
        size, at = Path(str(self.path)).stat().st_size, self.data_start
        while at + 9 <= size:
            self.bio.seek(at)
            kind, length = struct.unpack("<BQ", self.bio.read(9))
            if kind == 0 or kind in _MCAP_END or at + 9 + length > size:
                break
            if kind == _MCAP_CHUNK and not self._chunk_is_whole(at, length):
                break
            at += 9 + length
        return at

    def _chunk_is_whole(self, at: int, length: int) -> bool:
        """Whether a chunk can be decompressed: in a damaged file its bytes may be others."""
        assert self.bio is not None
        from rosbags.rosbag2.storage_mcap import decompress

        try:
            record = self.bio.read(length)
            size, crc, name = struct.unpack("<QII", record[16:32])
            kind = record[32 : 32 + name].decode()
            (packed,) = struct.unpack("<Q", record[32 + name : 40 + name])
            decompress(record[40 + name : 40 + name + packed], kind, size, crc)
        except Exception:  # noqa: BLE001 (struct, unicode, lz4, zstd, ReaderError: damaged bytes raise anything)
            return False
        return True


@contextmanager
def open_storage(path: Path, files: Collection[Path]) -> Iterator[Storage]:
    """Open the files of a bag. Raises DataError in one line if they are not those of a bag."""
    storage = Storage(files)
    try:
        storage.__enter__()
    except DataError:
        raise
    except Exception as error:  # rosbags, sqlite3, struct, zstd: a damaged bag can raise nearly anything
        raise DataError(f"{path}: cannot be read as a bag ({one_line(error)}); {_advice(files)}") from error
    try:
        yield storage
    finally:
        storage.__exit__()


def one_line(error: BaseException) -> str:
    """An error's text in one line, cut."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _advice(files: Collection[Path]) -> str:
    suffixes = {file.name.lower().removesuffix(PACKED).rpartition(".")[2] for file in files}
    if "db3" in suffixes:
        return "`sqlite3 BAG.db3 .recover` may save what is whole"
    return "`rosbag reindex` may repair it" if "bag" in suffixes else "`mcap recover` may repair it"


def _looks_like_mcap(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8) == b"\x89MCAP0\r\n"


def _metadata(path: Path) -> dict[str, Any] | None:
    """The part of metadata.yaml that matters; None if it is damaged."""
    try:
        content = yaml.safe_load(read_text(path))["rosbag2_bagfile_information"]
    except (yaml.YAMLError, KeyError, TypeError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _packed(file: Path) -> Path:
    """The compressed form of a file that metadata.yaml names without the suffix."""
    packed = file.with_name(file.name + PACKED)
    return packed if packed.exists() else file
