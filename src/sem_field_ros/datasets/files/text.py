"""Text files of recordings as people's tools write them: matrices, lists, stamps, JSON. The one place that reads them.

Byte order marks, UTF-16, any line ends, comments (#, %, //), separators (blank, comma, semicolon), decimal commas and
scientific numbers are understood.
"""

from __future__ import annotations

import codecs
import json
import re
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np

from sem_field_ros.errors import DataError

NS = 1_000_000_000
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_COMMENT = re.compile(r"\s*(#|%|//).*")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(e[+-]?\d+)?", re.IGNORECASE)
_SEPARATORS = re.compile(r"[\s,;]+")
# numbers of seconds since 1970 are below the first limit until the year 5138; larger ones count smaller units
_UNITS = ((Decimal("1e17"), 1), (Decimal("1e14"), 1_000), (Decimal("1e11"), 1_000_000))


def read_text(path: Path) -> str:
    """A text file's content, whatever its encoding. Raises DataError if it cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from error
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    return content.decode(encoding, errors="replace")


def read_rows(path: Path, maxsplit: int = 0) -> list[list[str]]:
    """The words of each line, without comments and empty lines; at most `maxsplit` + 1 words if that is not 0."""
    lines = (_COMMENT.sub("", line).strip() for line in read_text(path).splitlines())
    return [_words(line, maxsplit) for line in lines if line]


def read_numbers(path: Path) -> np.ndarray:
    """All numbers of a text file, [N] float64. Raises DataError that names the first word that is none."""
    return np.array([number(word, path) for row in read_rows(path) for word in row], dtype=np.float64)


def read_matrix(path: Path, *shapes: tuple[int, int]) -> np.ndarray:
    """The matrix that a text file holds, of the first of `shapes` that fits. Raises DataError in one line."""
    values = read_numbers(path)
    for shape in shapes:
        if values.size == shape[0] * shape[1]:
            return values.reshape(shape)
    wanted = " or ".join(f"{rows}x{columns}" for rows, columns in shapes)
    raise DataError(f"{path} has {values.size} numbers: expected a {wanted} matrix as text")


def read_pose(path: Path) -> np.ndarray:
    """A 4x4 matrix, also of a file that leaves its last row out. Raises DataError."""
    matrix = read_matrix(path, (4, 4), (3, 4))
    return matrix if len(matrix) == 4 else np.vstack([matrix, (0.0, 0, 0, 1)])


def read_intrinsics(path: Path) -> np.ndarray:
    """The 3x3 camera matrix of a file with a 3x3, 3x4 or 4x4 matrix or the numbers fx fy cx cy. Raises DataError."""
    values = read_numbers(path)
    if values.size == 4:
        fx, fy, cx, cy = values
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    return read_matrix(path, (3, 3), (3, 4), (4, 4))[:3, :3]


def read_json(path: Path) -> dict[str, Any]:
    """The object of a JSON file. Raises DataError."""
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as JSON ({error})") from error
    if not isinstance(content, dict):
        raise DataError(f'{path} must hold an object, e.g. {{"label_set": "scannet20"}}')
    return content


def number(word: str, path: Path) -> float:
    """A word as a number. Raises DataError that names it."""
    try:
        return float(_point(word))
    except ValueError as error:
        raise DataError(f"{path}: expected a number, got '{word[:60]}'") from error


def is_number(word: str) -> bool:
    """Whether a word is a number; the first row of a table that has none is its heading."""
    try:
        float(_point(word))
    except ValueError:
        return False
    return True


def stamp_ns(word: str, path: Path) -> int:
    """A time as text -> integer nanoseconds, which a float cannot hold.

    Seconds, in any notation; numbers too large for seconds are milli-, micro- or nanoseconds. Raises DataError.
    """
    try:
        value = Decimal(_point(word))
    except InvalidOperation as error:
        raise DataError(f"{path}: expected a time in seconds, got '{word[:60]}'") from error
    if not value.is_finite():
        raise DataError(f"{path}: expected a time in seconds, got '{word[:60]}'")
    unit = next((unit for limit, unit in _UNITS if abs(value) >= limit), NS)
    return int((value * unit).to_integral_value())


def _words(line: str, maxsplit: int) -> list[str]:
    words = line.split(None, maxsplit) if maxsplit else line.split()
    decimal_commas = len(words) > 1 and any(_DECIMAL_COMMA.fullmatch(word) for word in words)
    if "," not in line and ";" not in line or decimal_commas:
        return [word for word in words if word not in (",", ";")]
    return [word for word in _SEPARATORS.split(line, maxsplit) if word]


def _point(word: str) -> str:
    return word.replace(",", ".") if _DECIMAL_COMMA.fullmatch(word) else word
