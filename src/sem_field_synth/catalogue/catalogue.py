"""The furniture catalogue, textures and example homes of Debian's sweethome3d packages, extracted once into a cache."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sem_field_ros.errors import DataError
from sem_field_synth.catalogue.class_table import role_of_model, roles, split_of
from sem_field_synth.catalogue.extraction import INSTALL, VERSION, extract

DEFAULT_SOURCE = Path("/usr/share/sweethome3d")
DEFAULT_CACHE = Path("~/.cache/sem_field_ros/sweethome3d")
JAR = "sweethome3d.jar"


@dataclass(frozen=True)
class CatalogueModel:
    """A furniture model.

    size      width (x, left to right), depth (front to back), height in metres
    rotation  [3, 3] of the file's coordinates (y up, front towards +z), applied before anything else
    lower, upper  [3] bounds of the rotated vertices, in the file's units
    elevation metres above the floor at which it usually hangs       drop_on_top  height in metres of what is put on it
    textured  has image textures                                     whole  all texture files it names exist
    """

    id: str
    name: str
    library: str
    creator: str
    license: str
    path: Path
    size: tuple[float, float, float]
    elevation: float
    drop_on_top: float | None
    rotation: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    textured: bool
    whole: bool
    door_or_window: bool

    @property
    def split(self) -> str:
        """training, validation or test."""
        return split_of(self.id)


@dataclass(frozen=True)
class CatalogueTexture:
    """A texture image of the package and the metres it covers."""

    id: str
    category: str
    path: Path
    size: tuple[float, float]


class Assets:
    """Contents of the two Debian packages, read from the cache (extracted on first use, in about a minute).

    source  folder with sweethome3d.jar and furniture/*.sh3f        cache  where the files are extracted to
    Raises DataError with the command to install them if they are missing.
    """

    def __init__(self, source: str | Path | None = None, cache: str | Path | None = None) -> None:
        self.source = Path(source) if source else DEFAULT_SOURCE
        self.cache = (Path(cache) if cache else DEFAULT_CACHE).expanduser()
        jar = self.source / JAR
        if not jar.is_file():
            raise DataError(f"Sweet Home 3D's homes and furniture not found at {jar}: {INSTALL}")
        archives = [jar, *sorted((self.source / "furniture").glob("*.sh3f"))]
        if len(archives) == 1:
            raise DataError(f"Sweet Home 3D's furniture not found at {self.source}/furniture: {INSTALL}")
        stamp = [[a.name, a.stat().st_size] for a in archives]
        index = self.cache / "index.json"
        content = json.loads(index.read_text(encoding="utf-8")) if index.is_file() else {}
        if content.get("version") != VERSION or content.get("archives") != stamp:
            content = extract(archives, self.cache, stamp)
        self._index = content

    @cached_property
    def models(self) -> dict[str, CatalogueModel]:
        """Every furniture model by catalogue id."""
        return {entry["id"]: _model(entry, self.cache) for entry in self._index["models"]}

    @cached_property
    def textures(self) -> dict[str, CatalogueTexture]:
        """Every texture of the package by id."""
        return {
            t["id"]: CatalogueTexture(t["id"], t["category"], self.cache / t["path"], (t["width"], t["height"]))
            for t in self._index["textures"]
        }

    @cached_property
    def homes(self) -> dict[str, Path]:
        """The example homes' XML files by name."""
        return {name: self.cache / path for name, path in self._index["homes"].items()}

    def of_role(self, role: str, split: str) -> list[CatalogueModel]:
        """Models of a role that may be used in a split: whole ones only, textured ones first. May be empty."""
        found = [self.models[i] for i in roles()[role].models if i in self.models]
        found = [m for m in found if m.whole and m.split == split]
        return sorted(found, key=lambda m: not m.textured)

    def role_of(self, catalogue_id: str) -> str | None:
        """The role of a model, None for those that are never used."""
        return role_of_model().get(catalogue_id)


def _model(entry: dict[str, Any], cache: Path) -> CatalogueModel:
    return CatalogueModel(
        id=entry["id"],
        name=entry["name"],
        library=entry["library"],
        creator=entry["creator"],
        license=entry["license"],
        path=cache / entry["path"],
        size=(entry["size"][0], entry["size"][1], entry["size"][2]),
        elevation=entry["elevation"],
        drop_on_top=entry["drop_on_top"],
        rotation=np.array(entry["rotation"]).reshape(3, 3),
        lower=np.array(entry["lower"]),
        upper=np.array(entry["upper"]),
        textured=entry["textured"],
        whole=entry["whole"],
        door_or_window=entry["door_or_window"],
    )
