"""Map files: after an interrupted save, either the complete new map or the complete previous one is loaded.

`NAME.<16 hex digits of its sha256>.safetensors` holds the arrays, `NAME.semmap.json` (the manifest) names the
payload of the map. The manifest's rename is the commit point; the previous payload is removed only after it.
See docs/map_files.md for the format.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from sem_field_ros.atomic import pending_file
from sem_field_ros.errors import MapFileError
from sem_field_ros.mapping.files import map_manifest
from sem_field_ros.mapping.files.map_folder import MapFolder
from sem_field_ros.mapping.files.map_manifest import Manifest
from sem_field_ros.mapping.files.safetensors_stream import write_safetensors

LOAD_ATTEMPTS = 20  # reading is repeated if a save commits meanwhile
_CHUNK = 1 << 22


@dataclass(frozen=True)
class MapState:
    """A map as plain arrays (of numpy's plain types) and a JSON-able header (label set, config, frame id ...)."""

    arrays: Mapping[str, np.ndarray]
    header: Mapping[str, Any] = field(default_factory=dict)

    def array(self, name: str, dtype: Any, shape: Sequence[int | None]) -> np.ndarray:
        """Return one array if it has this dtype and shape (None = any length); raises MapFileError in one line."""
        if name not in self.arrays:
            raise MapFileError(f"the map has no array '{name}': it was not written by this package; map again")
        found = self.arrays[name]
        fits = len(found.shape) == len(shape) and all(w in (None, n) for n, w in zip(found.shape, shape, strict=True))
        if found.dtype != np.dtype(dtype) or not fits:
            wanted = "x".join("any" if n is None else str(n) for n in shape)
            raise MapFileError(
                f"the map's array '{name}' is {found.dtype} {found.shape}, not {np.dtype(dtype)} {wanted}: map again"
            )
        return found


def list_maps(directory: str | Path) -> list[str]:
    """Names of the maps in a folder, sorted; empty if there is no such folder. Damaged ones are listed too."""
    return MapFolder(directory).names()


def save_map(directory: str | Path, name: str, state: MapState) -> Path:
    """Save a map as `name` in `directory` (created if missing) and return the manifest's path.

    Atomic: if the process is killed or the disk is full or read-only, the previous map of this name stays loadable.
    Concurrent saves take turns. Raises MapFileError with one line and leaves the folder unchanged.
    """
    folder = MapFolder(directory)
    folder.check_name(name)
    with folder.failures_as_errors("save", name), folder.lock():
        with _written_payload(folder, name, state) as (payload, size, digest):
            manifest = Manifest.of(name, payload.name, size, digest, state.arrays, state.header)
            with pending_file(folder.path, folder.manifest(name).name) as pending:
                pending.file.write(manifest.to_bytes())
                pending.commit(folder.manifest(name))  # from here on the new map is the map
        folder.sweep(name, keep=payload.name)
    return folder.manifest(name)


@contextmanager
def _written_payload(folder: MapFolder, name: str, state: MapState) -> Iterator[tuple[Path, int, str]]:
    """Write the arrays under their final name; removed again if the block fails, unless a map uses them."""
    with pending_file(folder.path, f"{name}.payload") as pending:
        size, digest = write_safetensors(pending.file, state.arrays)
        payload = folder.payload(name, digest)
        was_there = payload.is_file()
        try:
            pending.commit(payload)
            yield payload, size, digest
        except BaseException:
            if not was_there and not _in_use(folder, name, payload):
                payload.unlink(missing_ok=True)
            raise


def _in_use(folder: MapFolder, name: str, payload: Path) -> bool:
    """Whether the manifest names this payload: a commit can fail or be interrupted after its rename. In doubt, yes."""
    try:
        return payload.name.encode() in folder.manifest(name).read_bytes()
    except FileNotFoundError:
        return False
    except OSError:
        return True


def load_map(directory: str | Path, name: str) -> MapState:
    """Load the map `name` from `directory`, checked in full: version, size, sha256, every array's dtype and shape.

    A concurrent save is never loaded halfway. Raises MapFileError with one line that says what to do.
    """
    folder = MapFolder(directory)
    folder.check_name(name)
    with folder.failures_as_errors("load", name):
        manifest = _read_manifest(folder, name)
        for _ in range(LOAD_ATTEMPTS):
            try:
                return MapState(_read_payload(folder, manifest), manifest.header)
            except FileNotFoundError:  # a save has replaced the payload between our two reads, or it is lost
                newest = _read_manifest(folder, name)
                if newest == manifest:
                    break
                manifest = newest
    raise MapFileError(
        f"map '{name}': its payload {manifest.payload} is missing in {folder.path}; {map_manifest.REMEDY}"
    )


def _read_manifest(folder: MapFolder, name: str) -> Manifest:
    path = folder.manifest(name)
    if not path.is_file() or path.is_symlink():
        there = ", ".join(folder.names()) or "none"
        raise MapFileError(f"no map '{name}' in {folder.path}; maps there: {there}")
    with folder.open_for_reading(path) as file:
        return Manifest.from_bytes(name, file.read(map_manifest.MAX_BYTES + 1))


def _read_payload(folder: MapFolder, manifest: Manifest) -> dict[str, np.ndarray]:
    """Read the arrays a manifest names. Raises FileNotFoundError, else MapFileError for anything that differs."""
    path = folder.path / manifest.payload
    label = f"map '{manifest.name}': payload {manifest.payload}"
    with folder.open_for_reading(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size != manifest.size:
            raise MapFileError(f"{label} has {size} bytes instead of {manifest.size}; {map_manifest.REMEDY}")
        digest = hashlib.sha256()
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
        if digest.hexdigest() != manifest.sha256:
            raise MapFileError(f"{label} is damaged (sha256 differs); {map_manifest.REMEDY}")
        try:
            # through the open file, so that the checked bytes are read; array by array, without a second copy in memory
            with safe_open(f"/proc/self/fd/{file.fileno()}", framework="numpy") as tensors:
                arrays = {key: tensors.get_tensor(key) for key in tensors.keys()}  # noqa: SIM118 (not a mapping)
        except (SafetensorError, TypeError, ValueError) as error:
            raise MapFileError(f"{label} is not a safetensors file ({error}); {map_manifest.REMEDY}") from error
    manifest.check_arrays(arrays)
    return arrays
