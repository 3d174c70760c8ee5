"""Collected votes on disk: one safetensors file a scene, so that many trainings share one collection."""

from __future__ import annotations

from pathlib import Path

import safetensors
import safetensors.torch

from sem_field_ros.atomic import atomic_write
from sem_field_ros.errors import DataError
from sem_field_ros.training.samples.votes import SceneVotes
from sem_field_ros.weights import tensor_bytes

_TENSORS = ("probabilities", "features", "cues", "scores", "keyframe_id", "label")


def save_votes(path: Path, votes: SceneVotes, origin: dict[str, str]) -> None:
    """Write one scene's votes; `origin` says what they were made from, see load_votes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        file.write(tensor_bytes({name: getattr(votes, name) for name in _TENSORS}, origin))


def load_votes(path: Path, origin: dict[str, str]) -> SceneVotes | None:
    """Votes of a file; None where there is none, or one that was made from something else."""
    if not path.is_file():
        return None
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            if file.metadata() != origin:
                return None
            return SceneVotes(path.stem, *(file.get_tensor(name) for name in _TENSORS))
    except (safetensors.SafetensorError, OSError) as error:
        raise DataError(f"votes in {path} cannot be read ({error}): remove the file") from error
