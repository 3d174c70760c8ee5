"""Reader of labelled photographs without poses: a folder of NAME.png or NAME.jpg, each with NAME_mask.png."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sem_field_ros.datasets.image_files import read_color, read_labels
from sem_field_ros.errors import DataError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import UNLABELLED_ID, UNLABELLED_ID_16, LabelSet

_IMAGES = (".jpg", ".jpeg", ".png")
_MASK = "_mask"


class LabelledPhotos:
    """The photographs of a folder in the order of their names. Those without a mask are left out.

    `id_offset` is added to the ids of the masks: 1 where they count from 0 what the label set counts from 1.
    The frames all have the same pose and an invented camera; only segmenters should be shown them.
    Raises DataError in one line.
    """

    def __init__(self, path: str | Path, labels: LabelSet, id_offset: int = 0) -> None:
        self.path, self.labels, self._offset = Path(path), labels, id_offset
        self.name = self.path.resolve().name
        files = sorted(self.path.glob("*")) if self.path.is_dir() else []
        photos = [file for file in files if file.suffix.lower() in _IMAGES and not file.stem.endswith(_MASK)]
        self._photos = [file for file in photos if _mask_of(file).is_file()]
        if not self._photos:
            raise DataError(
                f"{path} holds no labelled photographs: NAME.png or NAME.jpg with NAME{_MASK}.png beside it"
            )

    def __len__(self) -> int:
        return len(self._photos)

    def __iter__(self) -> Iterator[PosedFrame]:
        for stamp, path in enumerate(self._photos):
            color, ids = read_color(path), read_labels(_mask_of(path))
            if ids.shape != color.shape[:2]:
                raise DataError(f"{_mask_of(path)} is {ids.shape[1]}x{ids.shape[0]}, its photograph another size")
            height, width = ids.shape
            camera = Intrinsics(width, width, width / 2, height / 2, width, height)
            yield PosedFrame(stamp, color, camera, np.eye(4), labels=self._shifted(ids), name=path.stem)

    def _shifted(self, ids: np.ndarray) -> np.ndarray:
        unlabelled = UNLABELLED_ID if ids.dtype == np.uint8 else UNLABELLED_ID_16
        shifted = ids.astype(np.int64) + self._offset
        return np.where((ids == unlabelled) | (shifted < 0), UNLABELLED_ID_16, shifted).astype(np.uint16)


def _mask_of(photo: Path) -> Path:
    return photo.with_name(f"{photo.stem}{_MASK}.png")
