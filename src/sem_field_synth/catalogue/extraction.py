"""Unpacks the archives of Debian's sweethome3d packages into a cache, with an index of their contents."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sem_field_ros.errors import DataError

INSTALL = "apt install sweethome3d sweethome3d-furniture"
RESOURCES = "com/eteks/sweethome3d/io/resources"
CATALOGUES = (
    "com/eteks/sweethome3d/io/DefaultFurnitureCatalog.properties",
    "PluginFurnitureCatalog.properties",
)
TEXTURES = "com/eteks/sweethome3d/io/DefaultTexturesCatalog.properties"
LOADER_CLASS = "com/eteks/sweethome3d/j3d/OBJLoader.class"  # its text constants hold the default materials
DEFAULT_MATERIALS = "default_materials.mtl"
VERSION = 1  # version of the index; another version is extracted again


def extract(archives: list[Path], cache: Path, stamp: list[list[Any]]) -> dict[str, Any]:
    """Unpack everything beside `cache`, write the index, and move it into place in one step."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{cache.name}.", dir=cache.parent))
    try:
        content: dict[str, Any] = {"version": VERSION, "archives": stamp, "models": [], "textures": [], "homes": {}}
        for archive in archives:
            _extract_archive(archive, work, content)
        (work / "index.json").write_text(json.dumps(content), encoding="utf-8")
        if cache.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{cache.name}.old.", dir=cache.parent))
            os.replace(cache, old / "x")
            shutil.rmtree(old, ignore_errors=True)
        try:
            os.replace(work, cache)
        except OSError:  # another process was faster: its files are the same
            if not (cache / "index.json").is_file():
                raise
        return content
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise DataError(f"cannot extract Sweet Home 3D's furniture into {cache}: {error}; {INSTALL}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _extract_archive(archive: Path, work: Path, content: dict[str, Any]) -> None:
    with zipfile.ZipFile(archive) as zipped:
        folder = work / archive.stem
        names = set(zipped.namelist())
        catalogue = next(name for name in CATALOGUES if name in names)
        if LOADER_CLASS in names:
            _default_materials(zipped.read(LOADER_CLASS), folder / RESOURCES / DEFAULT_MATERIALS)
        for name in names:
            if name.endswith("/") or not _wanted(name):
                continue
            target = (folder / name).resolve()
            if folder.resolve() not in target.parents:  # a name that climbs out of the folder
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(zipped.read(name))
            if "/examples/" in name and name.endswith(".xml"):
                content["homes"][Path(name).stem] = str(target.relative_to(work.resolve()))
        head, entries = read_catalogue(zipped.read(catalogue).decode("iso-8859-1"))
        for entry in entries:
            path = folder / entry["model"].lstrip("/")
            if path.is_file():
                content["models"].append(_index_model(entry, head, path, work, archive.stem))
        if TEXTURES in names:
            for entry in read_catalogue(zipped.read(TEXTURES).decode("iso-8859-1"))[1]:
                path = Path(archive.stem) / entry["image"].lstrip("/")
                size = {k: float(entry[k]) / 100 for k in ("width", "height")}
                content["textures"].append(
                    {"id": entry["id"], "category": entry["category"], "path": str(path), **size}
                )


def _wanted(name: str) -> bool:
    if name.startswith(("com/", "META-INF/")) and not name.startswith(RESOURCES):
        return False
    return name.lower().endswith((".obj", ".mtl", ".jpg", ".jpeg", ".png", ".gif", ".bmp", ".xml", ".txt"))


def read_catalogue(text: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Parse a `*Catalog.properties`: the library's properties, and a dict for each numbered entry, in order."""
    head: dict[str, str] = {}
    entries: dict[int, dict[str, str]] = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if not equals or key.startswith(("#", "!")):
            continue
        value = re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m.group(1), 16)), value.strip())
        name, numbered, number = key.strip().partition("#")
        if numbered and number.isdigit():
            entries.setdefault(int(number), {})[name] = value
        elif not numbered:
            head[name] = value
    return head, [entries[i] for i in sorted(entries) if "id" in entries[i]]


def _index_model(entry: dict[str, str], head: dict[str, str], path: Path, work: Path, library: str) -> dict[str, Any]:
    rotation = np.array([float(v) for v in entry.get("modelRotation", "1 0 0 0 1 0 0 0 1").split()]).reshape(3, 3)
    data = path.read_bytes()
    if b"mtllib" not in data:  # Sweet Home 3D falls back to its own materials
        default = next((p for p in (path.parent, *path.parents) if (p / DEFAULT_MATERIALS).is_file()), None)
        if default is not None:
            data = f"mtllib {os.path.relpath(default / DEFAULT_MATERIALS, path.parent)}\n".encode() + data
            path.write_bytes(data)
    vertices = np.array([[float(x) for x in line.split()[1:4]] for line in data.splitlines() if line[:2] == b"v "])
    vertices = _of_faces(data, vertices) @ rotation.T
    textured, whole = _textures_of(data, path.parent)
    drop = entry.get("dropOnTopElevation")
    cm = {k: float(entry[k]) / 100 for k in ("width", "depth", "height")}
    return {
        "id": entry["id"],
        "name": entry["name"],
        "library": library,
        "creator": entry.get("creator", head.get("provider", "")),
        "license": entry.get("license", head.get("license", "")),
        "path": str(path.relative_to(work)),
        "size": [cm["width"], cm["depth"], cm["height"]],
        "elevation": float(entry.get("elevation", 0)) / 100,
        "drop_on_top": float(drop) / 100 if drop else None,
        "rotation": rotation.ravel().tolist(),
        "lower": vertices.min(axis=0).tolist(),
        "upper": vertices.max(axis=0).tolist(),
        "textured": textured,
        "whole": whole,
        "door_or_window": entry.get("doorOrWindow") == "true",
    }


def _of_faces(obj: bytes, vertices: np.ndarray) -> np.ndarray:
    """The vertices [V, 3] that faces use. Stray vertices of some files are left out, as Sweet Home 3D does."""
    used: set[int] = set()
    for line in obj.splitlines():
        if line[:2] == b"f ":
            used.update(int(word.partition(b"/")[0]) for word in line.split()[1:])
    if not used or min(used) < 0:  # indices from the end occur only in files without stray vertices
        return vertices
    return vertices[np.array(sorted(used)) - 1]


def _textures_of(obj: bytes, folder: Path) -> tuple[bool, bool]:
    """Whether an .obj names image textures, and whether all material files and images it names exist."""
    used = {m.strip() for m in re.findall(rb"^usemtl\s+(.+)$", obj, re.M)}
    images: list[Path] = []
    whole = True
    for library in re.findall(rb"^mtllib\s+(.+)$", obj, re.M):
        path = folder / library.decode("latin-1").strip()
        if not path.is_file():
            whole = False
            continue
        for material, image in _maps(path.read_bytes()):
            if material in used:
                images.append(path.parent / image)
    return bool(images), whole and all(image.is_file() for image in images)


def _maps(mtl: bytes) -> Iterator[tuple[bytes, str]]:
    material = b""
    for line in mtl.splitlines():
        words = line.strip().split(None, 1)
        if len(words) == 2 and words[0] == b"newmtl":
            material = words[1].strip()
        elif len(words) == 2 and words[0] == b"map_Kd":
            yield material, words[1].decode("latin-1").strip().split()[-1].replace("\\", "/")


def _default_materials(class_file: bytes, path: Path) -> None:
    """Write the default materials out of the text constant of Sweet Home 3D's loader class."""
    text = class_file.decode("latin-1")
    found = re.search(r"newmtl amber[\n\r][\x09-\x7e]*", text)
    if found:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found.group(0), encoding="ascii")
