"""A few frames of a folder sequence as a sequence of its own: files are copied, not re-encoded."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sem_field_ros.atomic import atomic_write, write_failure, write_json
from sem_field_ros.datasets.folder import FolderSequence
from sem_field_ros.errors import DataError, OutputError

ALWAYS = ("pose", "color")  # folders with one file a frame
OPTIONAL = ("depth", "label", "instance", "label_nyu40", "depth_clean")
_BESIDE = ("intrinsics.txt", "mesh_labels.ply", "ATTRIBUTION.txt")


def spread(count: int, wanted: int) -> list[int]:
    """`wanted` places spread evenly over 0..count-1, including the first and the last; all if there are fewer."""
    if wanted >= count:
        return list(range(count))
    return [int(place) for place in np.unique(np.linspace(0, count - 1, wanted).round().astype(int))]


def write_subset(
    source: FolderSequence, out: Path, places: Sequence[int], kinds: Sequence[str] = ("depth", "label"), note: str = ""
) -> int:
    """Copy the frames at `places` (in time order) with the given `kinds` of images; returns bytes written.

    Also copies intrinsics, labelled mesh, attribution, meta.json (with `note` as its "subset").
    Raises DataError, OutputError.
    """
    if (out / "color").exists():
        raise OutputError(f"{out} already holds a sequence; remove it or choose another folder")
    chosen = [source.frame_files(place) for place in places]
    if not chosen:
        raise DataError(f"{source.path}: no frame chosen")
    for stem, color in chosen:
        for kind in (*ALWAYS, *kinds):
            file = color if kind == "color" else source.path / kind / f"{stem}{'.txt' if kind == 'pose' else '.png'}"
            if file.is_file():
                _copy(file, out / kind / file.name)
            elif kind in ALWAYS:
                raise DataError(f"{file} is missing")
    for name in _BESIDE:
        if (source.path / name).is_file():
            _copy(source.path / name, out / name)
    stamps = [source.stamps_ns[place] for place in places]
    lines = [f"{stem} {stamp // 10**9}.{stamp % 10**9:09d}\n" for (stem, _), stamp in zip(chosen, stamps, strict=True)]
    with atomic_write(out / "timestamps.txt") as stamped:
        stamped.write("".join(lines).encode("utf-8"))
    write_json(out / "meta.json", {**source.meta, **({"subset": note} if note else {})})
    return sum(file.stat().st_size for file in out.rglob("*") if file.is_file())


def _copy(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    except OSError as error:
        raise OutputError(write_failure(target, error)) from error
