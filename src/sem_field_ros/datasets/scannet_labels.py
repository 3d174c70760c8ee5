"""ScanNet's labels: raw ids to NYU-40 by scannetv2-labels.combined.tsv, and labelled meshes.

`label/` and `label-filt/` pictures of a scan are 16-bit with raw ids; those of scannet_frames_25k are 8-bit and NYU-40
already, as are the vertices of NAME_vh_clean_2.labels.ply. ScanNet-20 keeps NYU-40's ids for its classes.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from sem_field_ros.datasets.sources import SOURCES
from sem_field_ros.errors import DataError, LabelSetError
from sem_field_ros.geometry.ply import read_ply
from sem_field_ros.labels import LabelSet, load_label_set

TABLE_NAME = "scannetv2-labels.combined.tsv"
DEFAULT_LABEL_SET = "scannet20"
_FOLDERS_UP = 4  # the table lies beside scans/, the scene lies in it


def scannet_label_set(name: str | None) -> LabelSet:
    """scannet20 (the default) or nyu40. Raises LabelSetError for sets with other ids."""
    labels = load_label_set(name or DEFAULT_LABEL_SET)
    if not set(labels.ids.tolist()) <= set(load_label_set("nyu40").ids.tolist()):
        raise LabelSetError(f"ScanNet's labels have NYU-40 ids: read them as scannet20 or nyu40, not {labels.name}")
    return labels


class RawIds:
    """Table from raw ScanNet ids to NYU-40 ids. Read with the first 16-bit label image."""

    def __init__(self, near: Path) -> None:
        self._near = near
        self._table: np.ndarray | None = None

    def to_nyu40(self, labels: np.ndarray) -> np.ndarray:
        """Label image as stored -> NYU-40 ids, uint8, 0 = unlabelled. 8-bit images are NYU-40 ids already."""
        if labels.dtype == np.uint8:
            return labels
        if self._table is None:
            self._table = read_table(find_table(self._near))
        return self._table[labels]


def find_table(near: Path) -> Path:
    """scannetv2-labels.combined.tsv beside the scene or above it. Raises DataError with the address to get it from."""
    near = near.resolve()
    for folder in (near, *near.parents[:_FOLDERS_UP]):
        if (folder / TABLE_NAME).is_file():
            return folder / TABLE_NAME
    source = SOURCES["scannet"]
    raise DataError(
        f"{near} has 16-bit labels with raw ScanNet ids: put {TABLE_NAME} there or above; "
        f"it comes with {source.name} ({source.url}, {source.terms})"
    )


def read_table(path: Path) -> np.ndarray:
    """[65536] uint8: NYU-40 id by raw id, 0 = none. Raises DataError."""
    table = np.zeros(65536, np.uint8)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                table[int(row["id"])] = int(row["nyu40id"] or 0)
    except (OSError, csv.Error, KeyError, ValueError, TypeError, IndexError, OverflowError) as error:
        raise DataError(f"{path}: expected tab-separated columns 'id' and 'nyu40id' ({error!r})") from error
    return table


def read_scan_mesh(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Vertices [V, 3], faces [F, 3] and NYU-40 ids [V] of NAME_vh_clean_2.labels.ply in a folder; None without."""
    found = sorted(folder.glob("*_vh_clean_2.labels.ply"))
    if not found:
        return None
    columns, faces = read_ply(found[0])
    if "label" not in columns:
        raise DataError(f"{found[0]} has no vertex property 'label'")
    return np.stack([columns[axis] for axis in "xyz"], axis=1), faces, columns["label"]
