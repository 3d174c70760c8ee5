"""Tiny labelled scenes in the folder format, with one colour per class, for the tests of training."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

WALL, FLOOR, TABLE = 1, 2, 7
COLORS = {WALL: (200, 200, 190), FLOOR: (120, 80, 40), TABLE: (30, 120, 60)}


def picture(rng: np.random.Generator, width: int = 64, height: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """RGB and ids: a wall above a floor, and a table between them."""
    label = np.full((height, width), WALL, np.uint8)
    label[height * 6 // 10 :] = FLOOR
    x, y = int(rng.integers(0, width - 24)), int(rng.integers(height // 3, height // 2))
    label[y : y + 14, x : x + 24] = TABLE
    color = np.zeros((height, width, 3), np.uint8)
    for number, value in COLORS.items():
        color[label == number] = value
    noise = rng.integers(-8, 9, color.shape)
    return np.clip(color + noise, 0, 255).astype(np.uint8), label


def write_scene(folder: Path, frames: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for name in ("color", "label", "pose"):
        (folder / name).mkdir(parents=True)
    np.savetxt(folder / "intrinsics.txt", [[60, 0, 32], [0, 60, 24], [0, 0, 1]])
    (folder / "meta.json").write_text('{"label_set": "scannet20"}')
    for i in range(frames):
        color, label = picture(rng)
        cv2.imwrite(str(folder / "color" / f"{i:06d}.png"), color[..., ::-1])
        cv2.imwrite(str(folder / "label" / f"{i:06d}.png"), label)
        np.savetxt(folder / "pose" / f"{i:06d}.txt", np.eye(4))


def write_homes(data: Path, scenes: int = 2, frames: int = 3) -> None:
    """training/home0 ... and validation/home100."""
    for i in range(scenes):
        write_scene(data / "training" / f"home{i}", frames, i)
    write_scene(data / "validation" / "home100", frames, 100)
