"""Elements of a PLY file, ascii or binary: any order, any properties, lists of any length. Counts are checked first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

Property = tuple[str, ...]  # (name, type), or (name, count type, item type) for a list
_MAX_LIST = 1 << 20


@dataclass(frozen=True)
class Element:
    """The records of one element: columns of plain properties [N], lists by name as (lengths [N], items)."""

    columns: dict[str, np.ndarray]
    lists: dict[str, tuple[np.ndarray, np.ndarray]]


def read_element(file: BinaryIO, order: str, count: int, properties: Sequence[Property], left: int) -> Element:
    """Read one element; `order` is "" for ascii, else < or >; `left`: bytes of the file that are left.

    Raises ValueError if the file is too short for it.
    """
    smallest = sum(2 if order == "" else np.dtype(p[1]).itemsize for p in properties)
    if count < 0 or not properties or count * smallest > left + 1:
        raise ValueError(f"the file is cut short: {count} records of at least {smallest} bytes, {left} bytes are left")
    if order == "":
        return _read_ascii(file, count, properties)
    if all(len(p) == 2 for p in properties):
        dtype = np.dtype([(p[0], order + p[1]) for p in properties])
        records = np.frombuffer(_exactly(file, count * dtype.itemsize), dtype)
        return Element({p[0]: records[p[0]].astype(p[1]) for p in properties}, {})
    return _read_binary_lists(file, order, count, properties)


def triangles(lengths: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Polygons as lists of vertex numbers -> triangles [F, 3] int64, each polygon as a fan from its first vertex."""
    if (lengths < 3).any():
        raise ValueError(f"a face has {int(lengths.min())} corners")
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    fans = lengths - 2
    first = np.repeat(starts, fans)
    step = np.arange(int(fans.sum())) - np.repeat(np.cumsum(fans) - fans, fans)
    corners = np.stack([first, first + step + 1, first + step + 2], axis=1)
    return items.astype(np.int64)[corners].reshape(-1, 3)


def _read_ascii(file: BinaryIO, count: int, properties: Sequence[Property]) -> Element:
    columns: dict[str, list[float]] = {p[0]: [] for p in properties if len(p) == 2}
    lengths: dict[str, list[int]] = {p[0]: [] for p in properties if len(p) == 3}
    items: dict[str, list[float]] = {name: [] for name in lengths}
    for _ in range(count):
        words = file.readline().split()
        at = 0
        for p in properties:
            if len(p) == 2:
                columns[p[0]].append(float(words[at]))
                at += 1
            else:
                n = int(words[at])
                lengths[p[0]].append(n)
                items[p[0]] += map(float, words[at + 1 : at + 1 + n])
                at += 1 + n
        if at > len(words) or at < len(words):
            raise ValueError(f"a line has {len(words)} values instead of {at}")
    types = {p[0]: p[-1] for p in properties}
    return Element(
        {name: np.array(values).astype(types[name]) for name, values in columns.items()},
        {name: (np.array(n, np.int64), np.array(items[name]).astype(types[name])) for name, n in lengths.items()},
    )


def _read_binary_lists(file: BinaryIO, order: str, count: int, properties: Sequence[Property]) -> Element:
    """All records at once where their lists are as long as the first record's, as in meshes of triangles."""
    start = file.tell()
    first = _lengths_of_record(file, order, properties) if count else {}
    file.seek(start)
    fields: list[tuple] = []
    for p in properties:
        if len(p) == 2:
            fields.append((p[0], order + p[1]))
        else:
            fields += [(f"{p[0]}#", order + p[1]), (p[0], order + p[2], (first.get(p[0], 0),))]
    dtype = np.dtype(fields)
    content = file.read(count * dtype.itemsize)
    if len(content) == count * dtype.itemsize:
        records = np.frombuffer(content, dtype)
        if all((records[f"{name}#"] == n).all() for name, n in first.items()):
            lists = {
                p[0]: (records[f"{p[0]}#"].astype(np.int64), records[p[0]].reshape(-1).astype(p[2]))
                for p in properties
                if len(p) == 3
            }
            return Element({p[0]: records[p[0]].astype(p[1]) for p in properties if len(p) == 2}, lists)
    file.seek(start)
    return _read_record_by_record(file, order, count, properties)


def _read_record_by_record(file: BinaryIO, order: str, count: int, properties: Sequence[Property]) -> Element:
    columns: dict[str, list[np.ndarray]] = {p[0]: [] for p in properties}
    lengths: dict[str, list[int]] = {p[0]: [] for p in properties if len(p) == 3}
    for _ in range(count):
        for p in properties:
            n = 1 if len(p) == 2 else _list_length(file, order + p[1])
            if len(p) == 3:
                lengths[p[0]].append(n)
            columns[p[0]].append(_values(file, order + p[-1], n))
    joined = {p[0]: np.concatenate(columns[p[0]] or [np.zeros(0)]).astype(p[-1]) for p in properties}
    lists = {name: (np.array(n, np.int64), joined.pop(name)) for name, n in lengths.items()}
    return Element(joined, lists)


def _lengths_of_record(file: BinaryIO, order: str, properties: Sequence[Property]) -> dict[str, int]:
    found = {}
    for p in properties:
        if len(p) == 3:
            found[p[0]] = _list_length(file, order + p[1])
        _values(file, order + p[-1], found.get(p[0], 1))
    return found


def _list_length(file: BinaryIO, kind: str) -> int:
    n = int(_values(file, kind, 1)[0])
    if not 0 <= n <= _MAX_LIST:
        raise ValueError(f"a list says it has {n} values")
    return n


def _values(file: BinaryIO, kind: str, count: int) -> np.ndarray:
    dtype = np.dtype(kind)
    return np.frombuffer(_exactly(file, count * dtype.itemsize), dtype)


def _exactly(file: BinaryIO, size: int) -> bytes:
    content = file.read(size)
    if len(content) != size:
        raise ValueError("the file is cut short")
    return content
