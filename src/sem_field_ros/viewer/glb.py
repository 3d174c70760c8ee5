"""A coloured triangle mesh as GLB bytes (glTF 2.0, unlit: the shading is in the colours).

The viewer's renderer maps tones (three.js' ACESFilmicToneMapping, its default), which would turn label colours into
others than those of the legend; the colours written are those that it maps to the wanted ones.
"""

from __future__ import annotations

import json
import struct

import numpy as np

_FLOAT, _UINT = 5126, 5125  # glTF component types
_ARRAY_BUFFER, _ELEMENT_BUFFER = 34962, 34963


def encode_glb(vertices: np.ndarray, colors: np.ndarray, faces: np.ndarray) -> bytes:
    """Vertices [V, 3] float32 metres, sRGB colours [V, 3] uint8, faces [F, 3] -> the bytes of a .glb file."""
    positions = np.ascontiguousarray(vertices, dtype="<f4")
    rgb = before_tone_mapping(_LINEAR[colors]).astype("<f4")  # above 1 for bright colours, so not 8 or 16 bits
    indices = np.ascontiguousarray(faces, dtype="<u4")
    parts = [positions.tobytes(), rgb.tobytes(), indices.tobytes()]  # each a multiple of 4 bytes long
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
            {"bufferView": 1, "componentType": _FLOAT, "count": len(rgb), "type": "VEC3"},
            {"bufferView": 2, "componentType": _UINT, "count": indices.size, "type": "SCALAR"},
        ],
    }
    text = json.dumps(gltf, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    length = 12 + 8 + len(text) + 8 + offsets[3]
    header = struct.pack("<4sII", b"glTF", 2, length) + struct.pack("<I4s", len(text), b"JSON")
    return b"".join([header, text, struct.pack("<I4s", offsets[3], b"BIN\0"), *parts])


def before_tone_mapping(color: np.ndarray) -> np.ndarray:
    """Linear colours [N, 3] in [0, 1] on the screen -> those that three.js' ACES curve (exposure 1) makes them of.

    The curve is Stephen Hill's fit of RRT and ODT, y = (v^2 + a v - b) / (c v^2 + d v + e), between two matrices.
    """
    y = np.clip(color @ np.linalg.inv(_ACES_OUTPUT).T, 0.0, 1.0)
    quadratic, linear, constant = 1 - _C * y, _A - _D * y, -_B - _E * y
    v = (-linear + np.sqrt(np.maximum(linear**2 - 4 * quadratic * constant, 0))) / (2 * quadratic)
    return np.maximum(v @ np.linalg.inv(_ACES_INPUT).T * 0.6, 0.0)


def tone_mapped(color: np.ndarray) -> np.ndarray:
    """Linear colours [N, 3] -> linear colours on the screen: what three.js does."""
    v = color / 0.6 @ _ACES_INPUT.T
    return np.clip((v * (v + _A) - _B) / (v * (_C * v + _D) + _E) @ _ACES_OUTPUT.T, 0.0, 1.0)


def _linear_table() -> np.ndarray:
    """sRGB 0..255 -> linear [0, 1] (IEC 61966-2-1)."""
    s = np.arange(256) / 255.0
    return np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)


_LINEAR = _linear_table()
_A, _B, _C, _D, _E = 0.0245786, 0.000090537, 0.983729, 0.4329510, 0.238081
_ACES_INPUT = np.array([[0.59719, 0.35458, 0.04823], [0.07600, 0.90834, 0.01566], [0.02840, 0.13383, 0.83777]])
_ACES_OUTPUT = np.array([[1.60475, -0.53108, -0.07367], [-0.10208, 1.10813, -0.00605], [-0.00327, -0.07276, 1.07602]])
