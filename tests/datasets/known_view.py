"""A view known by hand, for the tests of readers: where the camera stands, and where its pixels lie in the world."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from sem_field_ros.errors import SemFieldError
from sem_field_ros.frame import PosedFrame, SequenceReader
from sem_field_ros.geometry.camera import unproject
from sem_field_ros.geometry.poses import transform_points

# looks along the world's x axis, the world's z is up: right is -y, down is -z, forward is +x
ROTATION = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])


def pose_at(x: float, y: float = 2.0, z: float = 1.5) -> np.ndarray:
    """T_world_camera of a camera at (x, y, z) that looks along the world's x axis."""
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = ROTATION, (x, y, z)
    return T


def world_point(frame: PosedFrame, row: int, column: int) -> np.ndarray:
    """Where the depth pixel (row, column) lies in the world, by the frame's own depth, camera and pose."""
    assert frame.depth is not None
    local = unproject(frame.depth, frame.depth_camera)[row, column]
    return transform_points(frame.T_world_camera, local)


def picture(number: int, height: int = 12, width: int = 16) -> np.ndarray:
    """A colour image [H, W, 3] RGB that tells red from blue and one frame from the next, and survives JPEG."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2] = (200, 20 + 30 * number, 40)
    image[:, width // 2 :] = (30, 60, 220 - 20 * number)
    return image


def write_image(path: Path, image: np.ndarray) -> None:
    """Write an image (colour as RGB); makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = np.ascontiguousarray(image[..., ::-1]) if image.ndim == 3 else image
    assert cv2.imwrite(str(path), stored)


def write_text(path: Path, text: str) -> None:
    """Write a text file; makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_matrix(path: Path, matrix: np.ndarray) -> None:
    """Write a matrix as text."""
    write_text(path, "\n".join(" ".join(f"{value:.6f}" for value in row) for row in matrix) + "\n")


def frames_and_errors(sequence: SequenceReader) -> tuple[list[PosedFrame], list[str]]:
    """Iterate to the end as the mapper does: frames that could be read, and one line for each that could not."""
    frames: list[PosedFrame] = []
    errors: list[str] = []
    iterator: Iterator[PosedFrame] = iter(sequence)
    while True:
        try:
            frames.append(next(iterator))
        except StopIteration:
            return frames, errors
        except SemFieldError as error:
            assert "\n" not in str(error)
            errors.append(str(error))
