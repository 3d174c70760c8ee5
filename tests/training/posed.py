"""Tiny posed RGB-D scenes for the trainings that need geometry: ray cast rooms in the folder format."""

from __future__ import annotations

from pathlib import Path

from sem_field_ros.datasets.folder_writer import write_sequence
from sem_field_synth.rooms.room import RoomConfig, SyntheticRoom


def write_rooms(data: Path, frames: int = 6) -> None:
    """DATA/train/room0 and DATA/val/room1, 64x48."""
    for split, seed in (("train", 0), ("val", 1)):
        room = SyntheticRoom(RoomConfig(seed=seed, frames=frames, width=64, height=48, noise=False))
        write_sequence(data / split / f"room{seed}", room, {"label_set": "scannet20"})
