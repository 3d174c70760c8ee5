"""Writes little-endian CDR (XCDR1), the bytes rclpy's serialize_message gives: for messages too large for Python."""

from __future__ import annotations

import struct

import numpy as np

_ENCAPSULATION = b"\x00\x01\x00\x00"  # plain CDR, little-endian


class CdrWriter:
    """Values in a message's field order -> its serialised bytes. Each value is aligned to its own size."""

    def __init__(self) -> None:
        self._parts: list[bytes | memoryview] = [_ENCAPSULATION]
        self._size = 0  # without the encapsulation, from whose end alignment counts

    def uint32(self, value: int) -> None:
        """Write a uint32, e.g. a sequence's length."""
        self._put(struct.pack("<I", value), 4)

    def int32(self, value: int) -> None:
        """Write an int32; raises struct.error where it does not fit."""
        self._put(struct.pack("<i", value), 4)

    def boolean(self, value: bool) -> None:
        """Write a bool, one byte."""
        self._put(b"\x01" if value else b"\x00", 1)

    def string(self, text: str) -> None:
        """Write a string: length with the closing zero, then the bytes."""
        data = text.encode("utf-8") + b"\x00"
        self.uint32(len(data))
        self._put(data, 1)

    def array(self, values: np.ndarray) -> None:
        """Write little-endian numbers without a length: a struct's fields, or the items of a non-empty sequence.

        The array is not copied before getvalue: leave it as it is until then.
        """
        self._put(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data, values.dtype.itemsize)

    def getvalue(self) -> bytes:
        """Return the serialised message."""
        return b"".join(self._parts)

    def _put(self, data: bytes | memoryview, alignment: int) -> None:
        padding = -self._size % alignment
        if padding:
            self._parts.append(bytes(padding))
        self._parts.append(data)
        self._size += padding + len(data)
