"""Coloured triangle meshes as GLB (binary glTF 2.0), without semantics."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

_FLOAT, _USHORT, _UINT = 5126, 5123, 5125  # glTF component types
_ARRAY_BUFFER, _ELEMENT_BUFFER = 34962, 34963
_TYPES = {1: "SCALAR", 3: "VEC3", 4: "VEC4"}
# glTF has y up: the node rotates a z-up world, so the vertices keep the world's coordinates
_Z_UP = [-(0.5**0.5), 0.0, 0.0, 0.5**0.5]


def encode_glb(
    vertices: np.ndarray,
    colors: np.ndarray,
    faces: np.ndarray,
    *,
    normals: np.ndarray | None = None,
    attributes: Mapping[str, np.ndarray] | None = None,
    z_up: bool = False,
    double_sided: bool = True,
    extras: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the bytes of a .glb file.

    vertices [V, 3] metres; colors [V, 3] uint8 sRGB, or float linear light; faces [F, 3], none = points; normals
    [V, 3] unit, else the mesh is unlit; attributes: further [V] values by name (stored as float32 `_NAME`);
    z_up: the vertices' z is up (glTF's y is; the scene's node is rotated); double_sided: triangles are seen from
    behind too; extras: JSON-able, kept with the scene.
    """
    gltf: dict[str, Any] = {"asset": {"version": "2.0", "generator": "sem_field_ros"}, "scene": 0, "scenes": [{}]}
    if extras:
        gltf["scenes"][0]["extras"] = dict(extras)
    buffer = _Buffer()
    if len(vertices):  # glTF has no empty accessors: an empty mesh is an empty scene
        table = {"POSITION": buffer.add(vertices, bounds=True)}
        if normals is not None:
            table["NORMAL"] = buffer.add(normals)
        table["COLOR_0"] = buffer.add(linear_rgba(colors) if colors.dtype == np.uint8 else colors)
        for name, values in (attributes or {}).items():
            table[f"_{name.upper()}"] = buffer.add(values.astype(np.float32))
        primitive: dict[str, Any] = {"attributes": table, "material": 0}
        primitive |= {"indices": buffer.add_indices(faces)} if len(faces) else {"mode": 0}
        node = {"mesh": 0, **({"rotation": _Z_UP} if z_up else {})}
        gltf["scenes"][0]["nodes"] = [0]
        gltf |= {"nodes": [node], "meshes": [{"primitives": [primitive]}]}
        gltf["materials"] = [_material(normals is None, double_sided)]
        gltf |= {"buffers": [{"byteLength": buffer.size}], "bufferViews": buffer.views, "accessors": buffer.accessors}
        if normals is None:
            gltf["extensionsUsed"] = ["KHR_materials_unlit"]
    return _container(gltf, buffer)


def linear_rgba(colors: np.ndarray) -> np.ndarray:
    """sRGB [V, 3] uint8 -> linear light [V, 4] uint16, as glTF stores it (8 bits would band in dark colours)."""
    rgba = np.full((len(colors), 4), 65535, dtype="<u2")
    rgba[:, :3] = _LINEAR[colors]
    return rgba


def _material(unlit: bool, double_sided: bool) -> dict[str, Any]:
    material: dict[str, Any] = {
        "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 1.0},
        "doubleSided": double_sided,
    }
    return material | ({"extensions": {"KHR_materials_unlit": {}}} if unlit else {})


class _Buffer:
    """The binary chunk under construction: each part is a multiple of 4 bytes long, so every part is aligned."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []
        self.size = 0

    def add(self, values: np.ndarray, bounds: bool = False) -> int:
        """Add a vertex attribute ([V] or [V, n], float32 unless it is uint16) and return its accessor's index."""
        values = values if values.dtype == np.uint16 else values.astype("<f4")
        kind = _USHORT if values.dtype == np.uint16 else _FLOAT
        accessor = {"componentType": kind, "type": _TYPES[values.shape[1] if values.ndim > 1 else 1]}
        if kind == _USHORT:
            accessor["normalized"] = True
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
    """sRGB 0..255 -> linear 0..65535 (IEC 61966-2-1)."""
    s = np.arange(256) / 255.0
    linear = np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)
    return np.round(linear * 65535).astype("<u2")


_LINEAR = _linear_table()
