"""A room of `sem-field generate room`, small enough for tests of commands."""

from __future__ import annotations

from pathlib import Path

from sem_field_ros import cli


def tiny_room(folder: Path, frames: int, width: int, seed: int = 5) -> Path:
    """Generate a sequence of `frames` images, `width` pixels wide, in FOLDER/tiny; returns its path."""
    path = folder / "tiny"
    size = ["--frames", str(frames), "--width", str(width), "--seed", str(seed)]
    assert cli.main(["generate", "room", "--out", str(path), "--fast", *size]) == 0
    return path
