"""Serialised MarkerArray -> changed and removed block meshes: the counterpart of markers.update_to_marker_bytes.

rclpy makes a Python object of every vertex and colour (measured: seconds for 100k triangles); subscribe with
`raw=True` and the same bytes become numpy views in milliseconds.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np
from rclpy.serialization import deserialize_message
from visualization_msgs.msg import Marker, MarkerArray

from sem_field_ros.errors import FrameError
from sem_field_ros.ros.markers import KNOWN_LAYOUT, marker_triangles

_LITTLE_ENDIAN = b"\x00\x01"  # how plain little-endian CDR starts
_FIXED = 10 * 8 + 4 * 4 + 2 * 4  # pose and scale, colour, lifetime: skipped


Key = tuple[str, int]  # a marker's namespace and id
Triangles = tuple[np.ndarray, np.ndarray]


@dataclass
class MeshUpdate:
    """What a message changes: `clear` first, then `changed` replaces and `removed` takes away blocks.

    changed  key -> corners [3T, 3] float32 metres, three after three, and their RGB [3T, 3] uint8
    """

    changed: dict[Key, Triangles] = field(default_factory=dict)
    removed: list[Key] = field(default_factory=list)
    clear: bool = False

    def _apply(self, key: Key, action: int, triangles: Triangles) -> None:
        """Take in one marker; later ones of a message override earlier ones."""
        if action == Marker.DELETEALL:
            self.changed, self.removed, self.clear = {}, [], True
        elif action == Marker.ADD and len(triangles[0]):
            self.changed[key] = triangles
            self.removed = [k for k in self.removed if k != key]
        else:
            self.changed.pop(key, None)
            self.removed.append(key)


def mesh_update_from_bytes(data: bytes) -> MeshUpdate:
    """Read a serialised MarkerArray; a marker that is not a triangle list counts as empty, that is, as removed.

    Raises FrameError (cause `bad_mesh`) where the bytes are cut short.
    """
    update = MeshUpdate()
    if data[:2] != _LITTLE_ENDIAN or Marker.get_fields_and_field_types() != KNOWN_LAYOUT:
        for marker in deserialize_message(data, MarkerArray).markers:
            update._apply((marker.ns, marker.id), marker.action, _triangles_of(marker))
        return update
    try:
        reader = _CdrReader(data)
        for _ in range(reader.uint32()):
            update._apply(*_read_marker(reader))
    except (struct.error, ValueError) as error:
        raise FrameError(f"mesh message of {len(data)} bytes cannot be read ({error})", cause="bad_mesh") from error
    return update


def _triangles_of(marker: Marker) -> Triangles:
    """The slow twin of _read_marker."""
    if marker.type != Marker.TRIANGLE_LIST:
        return _checked(np.zeros((0, 3)), np.zeros((0, 3)))
    points, colors = marker_triangles(marker)
    return _checked(points.reshape(-1, 3), colors.reshape(-1, 3))


def _checked(points: np.ndarray, colors: np.ndarray) -> Triangles:
    if len(colors) != len(points):  # colours are optional in a marker
        colors = np.ones(points.shape, np.float32)
    return points.astype(np.float32), np.clip(colors * 255 + 0.5, 0, 255).astype(np.uint8)


class _CdrReader:
    """Walks little-endian CDR; each value is aligned to its own size, counted from the end of the encapsulation."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)[4:]
        self._at = 0

    def _take(self, size: int, alignment: int) -> memoryview:
        start = self._at + -self._at % alignment
        self._at = start + size
        if self._at > len(self._data):
            raise ValueError("it is cut short")
        return self._data[start : self._at]

    def uint32(self) -> int:
        return int(struct.unpack("<I", self._take(4, 4))[0])

    def int32(self) -> int:
        return int(struct.unpack("<i", self._take(4, 4))[0])

    def string(self) -> str:
        return bytes(self._take(self.uint32(), 1)).rstrip(b"\x00").decode("utf-8", "replace")

    def skip(self, size: int, alignment: int) -> None:
        self._take(size, alignment)

    def sequence(self, dtype: str, width: int) -> np.ndarray:
        """[N, width] of structs that hold `width` numbers."""
        count = self.uint32()
        size = np.dtype(dtype).itemsize
        if count == 0:  # no items, no padding
            return np.zeros((0, width), dtype)
        return np.frombuffer(self._take(count * width * size, size), dtype).reshape(count, width)


def _read_marker(reader: _CdrReader) -> tuple[Key, int, Triangles]:
    reader.skip(8, 4)  # header.stamp
    reader.string()  # header.frame_id
    namespace = reader.string()
    block_id, kind, action = reader.int32(), reader.int32(), reader.int32()
    reader.skip(_FIXED, 8)
    reader.skip(1, 1)  # frame_locked
    points = reader.sequence("<f8", 3)
    colors = reader.sequence("<f4", 4)[:, :3]
    _skip_rest(reader)
    if kind != Marker.TRIANGLE_LIST or len(points) % 3:
        points = points[:0]
    return (namespace, block_id), action, _checked(points, colors)


def _skip_rest(reader: _CdrReader) -> None:
    """Skip texture, text and mesh resource."""
    reader.string()  # texture_resource
    reader.skip(8, 4)  # texture.header.stamp
    reader.string()  # texture.header.frame_id
    reader.string()  # texture.format
    reader.skip(reader.uint32(), 1)  # texture.data
    reader.sequence("<f4", 2)  # uv_coordinates
    reader.string()  # text
    reader.string()  # mesh_resource
    reader.string()  # mesh_file.filename
    reader.skip(reader.uint32(), 1)  # mesh_file.data
    reader.skip(1, 1)  # mesh_use_embedded_materials
