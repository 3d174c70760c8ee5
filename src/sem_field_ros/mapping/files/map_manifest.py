"""The manifest of a map file: description of the payload, and the map's header. JSON, with its own sha256."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import numpy as np

from sem_field_ros import __version__
from sem_field_ros.errors import MapFileError
from sem_field_ros.measurements import MB

FORMAT = "sem_field_ros map"
FORMAT_VERSION = 1
MAX_BYTES = 16 * MB  # a manifest has a few kilobytes; bigger files are refused
REMEDY = "restore it from a copy or map again"
_SEAL = "manifest_sha256"


@dataclass(frozen=True)
class Manifest:
    """The checked content of `NAME.semmap.json`. `arrays[name]` is {dtype (numpy's name), shape}."""

    name: str
    payload: str
    size: int
    sha256: str
    arrays: Mapping[str, Mapping[str, Any]]
    header: Mapping[str, Any]
    created: str = ""
    package_version: str = __version__
    format: str = FORMAT
    version: int = FORMAT_VERSION

    @classmethod
    def of(
        cls,
        name: str,
        payload: str,
        size: int,
        sha256: str,
        arrays: Mapping[str, np.ndarray],
        header: Mapping[str, Any],
    ) -> Manifest:
        """The manifest of arrays just written, created now (UTC). TypeError, ValueError: header not JSON-able."""
        table = {key: {"dtype": a.dtype.name, "shape": list(a.shape)} for key, a in arrays.items()}
        created = datetime.now(timezone.utc).isoformat(timespec="seconds")
        plain = json.loads(json.dumps(header, allow_nan=False))  # tuples and number keys as they will be read back
        return cls(name, payload, size, sha256, table, plain, created)

    def to_bytes(self) -> bytes:
        """The file's content."""
        content = dataclasses.asdict(self)
        text = json.dumps({**content, _SEAL: _seal(content)}, indent=1, sort_keys=True, allow_nan=False) + "\n"
        if len(text) > MAX_BYTES:
            raise ValueError(f"the map's header takes {len(text)} bytes; put large things into arrays")
        return text.encode("ascii")

    @classmethod
    def from_bytes(cls, name: str, data: bytes) -> Manifest:
        """Parse and check. Raises MapFileError with one line for anything but an intact manifest of map `name`."""
        damaged = f"map '{name}': its manifest {name}.semmap.json is damaged"
        if len(data) > MAX_BYTES:
            raise MapFileError(f"{damaged} (over {MAX_BYTES // MB} MB); {REMEDY}")
        try:
            content = json.loads(data.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise MapFileError(f"{damaged} (not JSON); {REMEDY}") from error
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise MapFileError(f"{damaged} or not a map of sem_field_ros; {REMEDY}")
        version = content.get("version")
        if version != FORMAT_VERSION:
            raise MapFileError(
                f"map '{name}' has format version {_short(version)}, this package reads {FORMAT_VERSION}: "
                f"use the package that wrote it ({_short(content.get('package_version'))}) or map again"
            )
        seal = content.pop(_SEAL, None)
        if seal != _seal(content) or set(content) != {f.name for f in dataclasses.fields(cls)}:
            raise MapFileError(f"{damaged} (sha256 differs); {REMEDY}")
        manifest = cls(**content)
        manifest._check(name)
        return manifest

    def _check(self, name: str) -> None:
        """The sha256 does not prevent forgery: check everything that the loader relies on."""
        pattern = rf"{re.escape(self.name)}\.[0-9a-f]{{16}}\.safetensors" if isinstance(self.name, str) else "$^"
        kinds = (self.payload, str), (self.sha256, str), (self.size, int), (self.arrays, dict), (self.header, dict)
        if not all(isinstance(value, kind) for value, kind in kinds) or not re.fullmatch(pattern, self.payload):
            raise MapFileError(f"map '{name}': its manifest names no payload of a map file; {REMEDY}")
        if self.name != name:
            raise MapFileError(
                f"map '{name}': its manifest belongs to map '{_short(self.name)}'; copy that map's payload along and "
                "keep both names"
            )

    def check_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Compare loaded arrays with the table, raises MapFileError naming the first that differs."""
        for key in sorted(set(arrays) | set(self.arrays)):
            found, wanted = arrays.get(key), self.arrays.get(key)
            if found is None or wanted is None:
                state = "missing in its payload" if found is None else "not in its manifest"
                raise MapFileError(f"map '{self.name}': array '{_short(key)}' is {state}; {REMEDY}")
            if {"dtype": found.dtype.name, "shape": list(found.shape)} != wanted:
                raise MapFileError(
                    f"map '{self.name}': array '{_short(key)}' is {found.dtype} {list(found.shape)} instead of "
                    f"{_short(wanted)}; {REMEDY}"
                )


def _seal(content: Mapping[str, Any]) -> str:
    """The sha256 of the content in canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _short(value: Any) -> str:
    """Untrusted text from a file, shortened for an error message."""
    text = "".join(c if c.isprintable() else "?" for c in str(value))
    return text if len(text) <= 80 else text[:77] + "..."
