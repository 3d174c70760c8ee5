"""Writes safetensors array by array: the library's writer copies every array first, which doubles a map's memory."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np

DTYPES = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "uint16": "U16",
    "int16": "I16",
    "uint32": "U32",
    "int32": "I32",
    "uint64": "U64",
    "int64": "I64",
    "float16": "F16",
    "float32": "F32",
    "float64": "F64",
}


def write_safetensors(file: BinaryIO, arrays: Mapping[str, np.ndarray]) -> tuple[int, str]:
    """Write `arrays` to `file` and return (bytes, sha256 hex). The format: u64 header length, JSON header, raw data.

    Raises TypeError for a dtype that safetensors does not have, OSError from the file.
    """
    # widest elements first, as the library does: keeps every array aligned in the file
    ordered = sorted(arrays.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))
    header: dict[str, dict[str, object]] = {}
    offset = 0
    for name, array in ordered:
        if array.dtype.name not in DTYPES:
            raise TypeError(f"array '{name}' is {array.dtype}; a map file holds {', '.join(DTYPES)}")
        header[name] = {
            "dtype": DTYPES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    parts: list[bytes | memoryview] = [struct.pack("<Q", len(text)), text]
    parts.extend(_raw(array) for _, array in ordered)
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
        file.write(part)
    return sum(map(len, parts)), digest.hexdigest()


def _raw(array: np.ndarray) -> memoryview:
    """An array's little-endian C-order bytes, without a copy if possible."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return little.reshape(-1).view(np.uint8).data
