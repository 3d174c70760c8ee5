"""Files of a recording by name: what belongs to it, which is which frame, in which order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

IMAGES = (".jpg", ".jpeg", ".png")
BAG_SUFFIXES = (".mcap", ".db3", ".bag")
PACKED = ".zstd"  # a bag's file that is compressed as a whole
_DIGITS = re.compile(r"(\d+)")


def own_files(folder: Path, suffixes: Iterable[str]) -> Iterator[Path]:
    """Files of a folder with one of the suffixes, in small or capital letters; hidden ones (`._a.png`) are not."""
    wanted = tuple(suffixes)
    if folder.is_dir():
        for path in folder.iterdir():
            if path.suffix.lower() in wanted and not path.name.startswith("."):
                yield path


def has_images(folder: Path) -> bool:
    """Whether a folder has images."""
    return next(own_files(folder, IMAGES), None) is not None


def counting_order(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sorting key by which frame_2 comes before frame_10."""
    parts = _DIGITS.split(name)
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part)


def files_by_stem(folder: Path, suffixes: Iterable[str]) -> tuple[dict[str, Path], int]:
    """Files by their name without the suffix, in counting order, and how many have a name that is taken already."""
    found: dict[str, Path] = {}
    files = sorted(own_files(folder, suffixes), key=lambda path: (counting_order(path.stem), path.name))
    for path in files:
        found.setdefault(path.stem, path)
    return found, len(files) - len(found)


def numbered_files(folder: Path, prefix: str, suffixes: Iterable[str], part: str = ".") -> dict[int, Path]:
    """Files by the number in names like PREFIX12.png or PREFIX12.color.png, in order; others are not of the frames.

    `part` is what the names have beside, as `.color.`.
    """
    found = {}
    for path in own_files(folder, suffixes):
        if part not in path.name:
            continue
        digits = path.name.removeprefix(prefix).partition(".")[0]
        if path.name.startswith(prefix) and digits.isdecimal():
            found[int(digits)] = path
    return dict(sorted(found.items()))


def is_storage(path: Path) -> bool:
    """Whether a file is one of a bag's, by its name."""
    name = path.name.lower()
    return name.removesuffix(PACKED).endswith(BAG_SUFFIXES) and not name.startswith(".")
