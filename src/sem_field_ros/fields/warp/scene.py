"""Opens the field `warp` as a scene."""

from __future__ import annotations

from pathlib import Path

from sem_field_ros.errors import SettingError
from sem_field_ros.fields.common.posed_images import PosedImageScene, SceneOptions
from sem_field_ros.fields.warp.model import Warp
from sem_field_ros.labels import LabelSet

_VIEWS, _IMAGE_WIDTH = 8, 320


def open_field(path: str | Path, labels: LabelSet, options: SceneOptions) -> PosedImageScene:
    """A scene of source images that are warped. Raises SettingError where depth images are not to be used."""
    if not options.depth:
        raise SettingError(f"field '{path}' needs depth images, and none are to be used: choose another field")
    return PosedImageScene(Warp(), len(labels), _VIEWS, _IMAGE_WIDTH, options)
