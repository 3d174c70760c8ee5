"""A coloured triangle mesh as GLB bytes (glTF 2.0, unlit: the shading is in the colours)."""

from __future__ import annotations

import json
import struct

import numpy as np

_FLOAT, _USHORT, _UINT = 5126, 5123, 5125  # glTF component types
_ARRAY_BUFFER, _ELEMENT_BUFFER = 34962, 34963


def encode_glb(vertices: np.ndarray, colors: np.ndarray, faces: np.ndarray) -> bytes:
    """Vertices [V, 3] float32 metres, sRGB colours [V, 3] uint8, faces [F, 3] -> the bytes of a .glb file."""
    positions = np.ascontiguousarray(vertices, dtype="<f4")
    rgba = np.full((len(vertices), 4), 65535, dtype="<u2")  # glTF wants linear light: 8 bits would band in the darks
    rgba[:, :3] = _LINEAR[colors]
    indices = np.ascontiguousarray(faces, dtype="<u4")
    parts = [positions.tobytes(), rgba.tobytes(), indices.tobytes()]  # each a multiple of 4 bytes long
    offsets = np.cumsum([0] + [len(p) for p in parts]).tolist()
    gltf = {
        "asset": {"version": "2.0"},
        "extensionsUsed": ["KHR_materials_unlit"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "COLOR_0": 1}, "indices": 2, "material": 0}]}],
        "materials": [{"extensions": {"KHR_materials_unlit": {}}, "pbrMetallicRoughness": {}}],
        "buffers": [{"byteLength": offsets[3]}],
        "bufferViews": [
            {"buffer": 0, "byteOffset": offsets[i], "byteLength": len(parts[i]), "target": target}
            for i, target in enumerate((_ARRAY_BUFFER, _ARRAY_BUFFER, _ELEMENT_BUFFER))
        ],
        "accessors": [
            {
                "bufferView": 0,
                "componentType": _FLOAT,
                "count": len(positions),
                "type": "VEC3",
                "min": positions.min(axis=0).tolist(),
                "max": positions.max(axis=0).tolist(),
            },
            {"bufferView": 1, "componentType": _USHORT, "normalized": True, "count": len(rgba), "type": "VEC4"},
            {"bufferView": 2, "componentType": _UINT, "count": indices.size, "type": "SCALAR"},
        ],
    }
    text = json.dumps(gltf, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    length = 12 + 8 + len(text) + 8 + offsets[3]
    header = struct.pack("<4sII", b"glTF", 2, length) + struct.pack("<I4s", len(text), b"JSON")
    return b"".join([header, text, struct.pack("<I4s", offsets[3], b"BIN\0"), *parts])


def _linear_table() -> np.ndarray:
    """sRGB 0..255 -> linear 0..65535 (IEC 61966-2-1)."""
    s = np.arange(256) / 255.0
    linear = np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)
    return np.round(linear * 65535).astype("<u2")


_LINEAR = _linear_table()
