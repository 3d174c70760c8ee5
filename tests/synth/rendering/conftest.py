"""A box room of 4 x 5 x 2.5 m with a red cube, a glass pane and a leaf with a hole: a home scene known by hand."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from sem_field_ros.geometry.camera import Intrinsics
from sem_field_synth.scene import Finish, HomeScene, Lamp, Panel, PlacedModel

CUBE = """mtllib cube.mtl
o cube
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
v 0 0 1
v 1 0 1
v 1 1 1
v 0 1 1
usemtl paint
f 4 3 2 1
f 5 6 7 8
f 1 2 6 5
f 2 3 7 6
f 3 4 8 7
f 4 1 5 8
"""
LOOKING_ALONG_Y = np.array([[1.0, 0, 0, 2], [0, 0, 1, 1], [0, -1, 0, 1.25], [0, 0, 0, 1]])


def quad(corners: list[tuple[float, float, float]], finish: Finish, nyu40: str, instance: int) -> Panel:
    uv = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    return Panel(np.array(corners, float), np.array([[0, 1, 2], [0, 2, 3]]), uv, finish, nyu40, instance)


@pytest.fixture
def home(tmp_path: Path) -> HomeScene:
    files = tmp_path / "models"
    files.mkdir()
    (files / "cube.obj").write_text(CUBE)
    (files / "cube.mtl").write_text("newmtl paint\nKd 0.9 0.05 0.05\n")
    leaf = np.full((8, 8, 4), 255, np.uint8)
    leaf[:, 4:, 3] = 0  # its right half is a hole
    cv2.imwrite(str(files / "leaf.png"), leaf)
    white, wood = Finish((0.8, 0.8, 0.8)), Finish((0.5, 0.35, 0.2))
    panels = [
        quad([(0, 0, 0), (4, 0, 0), (4, 5, 0), (0, 5, 0)], wood, "floor", 1),
        quad([(0, 0, 2.5), (0, 5, 2.5), (4, 5, 2.5), (4, 0, 2.5)], white, "ceiling", 2),
        quad([(0, 5, 0), (4, 5, 0), (4, 5, 2.5), (0, 5, 2.5)], white, "wall", 3),
        quad([(0, 0, 0), (0, 5, 0), (0, 5, 2.5), (0, 0, 2.5)], white, "wall", 4),
        quad([(4, 0, 0), (4, 0, 2.5), (4, 5, 2.5), (4, 5, 0)], white, "wall", 5),
        quad([(0, 0, 0), (0, 0, 2.5), (4, 0, 2.5), (4, 0, 0)], white, "wall", 6),
        quad([(0.5, 4, 1.5), (1.5, 4, 1.5), (1.5, 4, 2), (0.5, 4, 2)], Finish(opacity=0.1), "window", 7),
        quad(
            [(2.5, 4, 1.5), (3.5, 4, 1.5), (3.5, 4, 2), (2.5, 4, 2)], Finish(texture=files / "leaf.png"), "curtain", 8
        ),
    ]
    T_world_cube = np.eye(4)
    T_world_cube[:3, 3] = (1.5, 3, 0)
    cube = PlacedModel(files / "cube.obj", T_world_cube, "chair", 9, "test#cube")
    poses = np.stack([LOOKING_ALONG_Y] * 4)
    poses[:, 0, 3] += np.arange(4) * 0.05
    return HomeScene(
        name="box",
        panels=panels,
        models=[cube],
        lamps=[Lamp("area", np.array([2, 2.5, 2.4]), 60.0, 0.4)],
        camera=Intrinsics(60.0, 60.0, 30.0, 25.0, 64, 48),
        T_world_camera=poses,
        stamps_ns=np.arange(4) * 100_000_000 + 1_000_000_000,
        room=np.array([[0, 0], [4, 0], [4, 5], [0, 5]], float),
        instances={9: "test#cube"},
    )
