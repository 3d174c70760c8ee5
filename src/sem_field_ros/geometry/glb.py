"""Coloured triangle meshes as GLB (binary glTF 2.0), without semantics."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from sem_field_ros.geometry.axes import axis_vector, rotation_between
from sem_field_ros.geometry.poses import quaternion_from_pose

_FLOAT, _UINT = 5126, 5125  # glTF component types
_ARRAY_BUFFER, _ELEMENT_BUFFER = 34962, 34963
_TYPES = {1: "SCALAR", 3: "VEC3"}


def encode_glb(
    vertices: np.ndarray,
    colors: np.ndarray,
    faces: np.ndarray,
    *,
    normals: np.ndarray | None = None,
    more_colors: Mapping[str, np.ndarray] | None = None,
    attributes: Mapping[str, np.ndarray] | None = None,
    up: np.ndarray | None = None,
    double_sided: bool = True,
    extras: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the bytes of a .glb file.

    vertices      [V, 3] metres                            faces   [F, 3], none = points
    colors        [V, 3] uint8 sRGB, or float linear light: COLOR_0, what is shown
    normals       [V, 3] unit. Without them the mesh is unlit. With them it has no material: trimesh and others ignore
                  the colours of vertices that have one, and Blender and web viewers show them with their default
    more_colors   further colours by name, like `colors`: COLOR_1 ... (Blender) and `_COLOR_NAME` (trimesh), stored once
    attributes    further [V] values by name, stored as float32 `_NAME`
    up            unit vector [3] that is up among the vertices; None = y, as in glTF. The scene's node carries the
                  rotation, the vertices keep their coordinates
    double_sided  without normals: triangles are seen from behind too
    extras        JSON-able, kept with the scene
    """
    gltf: dict[str, Any] = {"asset": {"version": "2.0", "generator": "sem_field_ros"}, "scene": 0, "scenes": [{}]}
    if extras:
        gltf["scenes"][0]["extras"] = dict(extras)
    buffer = _Buffer()
    if len(vertices):  # glTF has no empty accessors: an empty mesh is an empty scene
        table = {"POSITION": buffer.add(vertices, bounds=True)}
        if normals is not None:
            table["NORMAL"] = buffer.add(normals)
        table["COLOR_0"] = buffer.add(linear_rgb(colors))
        for number, (name, values) in enumerate((more_colors or {}).items(), start=1):
            table[f"COLOR_{number}"] = table[f"_COLOR_{name.upper()}"] = buffer.add(linear_rgb(values))
        for name, values in (attributes or {}).items():
            table[f"_{name.upper()}"] = buffer.add(values.astype(np.float32))
        primitive: dict[str, Any] = {"attributes": table}
        primitive |= {"indices": buffer.add_indices(faces)} if len(faces) else {"mode": 0}
        node = {"mesh": 0, **({} if up is None else {"rotation": _to_y_up(up)})}
        gltf["scenes"][0]["nodes"] = [0]
        gltf |= {"nodes": [node], "meshes": [{"primitives": [primitive]}]}
        gltf |= {"buffers": [{"byteLength": buffer.size}], "bufferViews": buffer.views, "accessors": buffer.accessors}
        if normals is None:
            primitive["material"] = 0
            gltf |= {"materials": [_unlit(double_sided)], "extensionsUsed": ["KHR_materials_unlit"]}
    return _container(gltf, buffer)


def linear_rgb(colors: np.ndarray) -> np.ndarray:
    """sRGB [V, 3] uint8 -> linear light [V, 3] float32, as glTF stores it; floats are linear already.

    Floats, because 8 bits would band in dark colours and trimesh misreads 16.
    """
    return _LINEAR[colors] if colors.dtype == np.uint8 else colors


def _unlit(double_sided: bool) -> dict[str, Any]:
    return {
        "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 1.0},
        "doubleSided": double_sided,
        "extensions": {"KHR_materials_unlit": {}},
    }


def _to_y_up(up: np.ndarray) -> list[float]:
    """Quaternion (x, y, z, w) of the rotation that turns `up` [3] to glTF's +y."""
    T = np.eye(4)
    T[:3, :3] = rotation_between(np.asarray(up, np.float64), axis_vector("y"))
    return [float(value) for value in quaternion_from_pose(T)]


class _Buffer:
    """The binary chunk under construction: each part is a multiple of 4 bytes long, so every part is aligned."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []
        self.size = 0

    def add(self, values: np.ndarray, bounds: bool = False) -> int:
        """Add a vertex attribute ([V] or [V, 3], as float32) and return its accessor's index."""
        values = values.astype("<f4")
        accessor: dict[str, Any] = {"componentType": _FLOAT, "type": _TYPES[values.shape[1] if values.ndim > 1 else 1]}
        if bounds:
            accessor |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        return self._append(values, len(values), accessor, _ARRAY_BUFFER)

    def add_indices(self, faces: np.ndarray) -> int:
        """Add triangles [F, 3] and return the accessor's index."""
        accessor = {"componentType": _UINT, "type": "SCALAR"}
        return self._append(faces.astype("<u4"), faces.size, accessor, _ELEMENT_BUFFER)

    def _append(self, values: np.ndarray, count: int, accessor: dict[str, Any], target: int) -> int:
        data = values.tobytes()
        self.views.append({"buffer": 0, "byteOffset": self.size, "byteLength": len(data), "target": target})
        self.accessors.append({"bufferView": len(self.views) - 1, "count": count, **accessor})
        self.parts.append(data)
        self.size += len(data)
        return len(self.accessors) - 1


def _container(gltf: dict[str, Any], buffer: _Buffer) -> bytes:
    text = json.dumps(gltf, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = [struct.pack("<I4s", len(text), b"JSON"), text]
    if buffer.size:
        chunks += [struct.pack("<I4s", buffer.size, b"BIN\0"), *buffer.parts]
    return b"".join([struct.pack("<4sII", b"glTF", 2, 12 + sum(map(len, chunks))), *chunks])


def _linear_table() -> np.ndarray:
    """sRGB 0..255 -> linear 0..1 (IEC 61966-2-1)."""
    s = np.arange(256) / 255.0
    return np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4).astype("<f4")


_LINEAR = _linear_table()
