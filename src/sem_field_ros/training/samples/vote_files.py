"""Collected votes on disk: one safetensors file per scene, so that many trainings share one collection."""

from __future__ import annotations

import hashlib
from pathlib import Path

import safetensors
import safetensors.torch

from sem_field_ros.atomic import atomic_write
from sem_field_ros.errors import DataError
from sem_field_ros.training.samples.votes import SceneVotes
from sem_field_ros.weights import tensor_bytes

_TENSORS = ("probabilities", "features", "cues", "scores", "keyframe_id", "label")
_MEMBERS = "members"  # in the metadata; files of the first version have none and are collected anew


def votes_path(folder: Path, sequence: Path, name: str) -> Path:
    """The file for the votes called `name` (a variant of the sequence's name) of the sequence at a resolved path.

    Part of the file's name is a hash of the path: sequences of one name in different places have files of their own.
    """
    place = hashlib.sha256(str(sequence).encode()).hexdigest()[:8]
    return folder / f"{name}.{place}.safetensors"


def content_of(sequence: Path) -> str:
    """Number, total size and latest change of the files of a sequence: differs once it is generated anew."""
    files = [f.stat() for f in (sequence.rglob("*") if sequence.is_dir() else [sequence]) if f.is_file()]
    latest = max((f.st_mtime_ns for f in files), default=0)
    return f"{len(files)} files, {sum(f.st_size for f in files)} bytes, {latest} ns"


def save_votes(path: Path, votes: SceneVotes, origin: dict[str, str]) -> None:
    """Write the votes of one scene; `origin` describes what they were made from, see load_votes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        about = origin | {_MEMBERS: str(votes.members)}
        file.write(tensor_bytes({name: getattr(votes, name) for name in _TENSORS}, about))


def load_votes(path: Path, origin: dict[str, str]) -> SceneVotes | None:
    """The votes in a file; None if there is no file, or one that was made from something else. Raises DataError."""
    if not path.is_file():
        return None
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            about = dict(file.metadata() or {})
            members = about.pop(_MEMBERS, "")
            if about != origin or not members.isdecimal():
                return None
            votes = {name: file.get_tensor(name) for name in _TENSORS}
            return SceneVotes(path.stem, **votes, members=int(members))
    except (safetensors.SafetensorError, OSError) as error:
        raise DataError(f"votes in {path} cannot be read ({error}): remove the file") from error
