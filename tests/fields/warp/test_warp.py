"""The warp field: what a source shows it shows from elsewhere; holes stay holes; sources can be forgotten."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sem_field_ros.errors import SettingError, WeightsError
from sem_field_ros.evaluation.image_metrics import psnr
from sem_field_ros.fields.common.posed_images import PosedImageScene, SceneOptions
from sem_field_ros.fields.registry import open_named
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import load_label_set
from sem_field_ros.scene import Bounded
from sem_field_ros.segmentation.segmenter import ClassProbabilities

SCANNET = load_label_set("scannet20")
CAMERA = Intrinsics(160, 160, 159.5, 119.5, 320, 240)
WALL_M, BOX_M = 3.0, 1.5  # a wall, and a box before it that hides its middle


def render_truth(x: float, camera: Intrinsics = CAMERA) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colour, depth and class of a camera at (x, 0, 0) looking along z: a smooth wall and a white box."""
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    a, b = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
    wall_x, wall_y = x + a * WALL_M, b * WALL_M
    color = np.stack([127 + 100 * np.sin(2 * wall_x), 127 + 100 * np.cos(2 * wall_y), 0 * a + 80], axis=-1)
    box = (np.abs(x + a * BOX_M) < 0.3) & (np.abs(b * BOX_M) < 0.3)
    color[box] = 255
    return color.astype(np.uint8), np.where(box, BOX_M, WALL_M).astype(np.float32), np.where(box, 5, 7)


def frame(x: float) -> tuple[PosedFrame, ClassProbabilities]:
    color, depth, index = render_truth(x)
    T = np.eye(4)
    T[0, 3] = x
    values = torch.nn.functional.one_hot(torch.from_numpy(index), len(SCANNET)).permute(2, 0, 1).float()
    return PosedFrame(1, color, CAMERA, T, depth), ClassProbabilities(values[:, ::2, ::2].contiguous())


@pytest.fixture
def scene() -> PosedImageScene:
    scene = open_named("warp", SCANNET, SceneOptions(width=0, depth=True))
    assert isinstance(scene, PosedImageScene) and isinstance(scene, Bounded)
    return scene


def test_a_source_is_reproduced_at_its_own_pose(scene: PosedImageScene) -> None:
    source, probabilities = frame(0.0)
    scene.add(source, probabilities)
    view = scene.render(CAMERA, source.T_world_camera)
    color, depth, index = render_truth(0.0)
    assert view.covered.mean() > 0.95, "all but the edge of the image and the cut around the box"
    assert psnr(view.rgb, color, view.covered) > 30
    assert np.abs(view.depth - depth)[view.covered].max() < 0.02
    assert (view.labels == index)[view.covered].mean() > 0.99


def test_between_two_sources_the_truth_and_behind_the_box_nothing(scene: PosedImageScene) -> None:
    source, probabilities = frame(0.0)
    scene.add(source, probabilities)
    T = np.eye(4)
    T[0, 3] = 0.6
    color, depth, index = render_truth(0.6)
    alone = scene.render(CAMERA, T)
    behind = (index == 7) & (np.abs(alone.depth - depth) > 0.05)
    assert not alone.covered[behind].any(), "what the box hides from the source is a hole, not a wrong depth"
    assert 0.5 < alone.covered.mean() < 0.9
    scene.add(*frame(1.2))
    both = scene.render(CAMERA, T)
    assert both.covered.mean() > alone.covered.mean() + 0.05
    assert psnr(both.rgb, color, both.covered) > 28
    assert (both.labels == index)[both.covered].mean() > 0.98


def test_the_size_is_the_cameras_and_a_forgotten_source_is_forgotten(scene: PosedImageScene) -> None:
    for x in (0.0, 5.0, 10.0):
        scene.add(*frame(x))
    memory = scene.memory_bytes
    small = CAMERA.scaled(40, 30)
    places = [np.eye(4) for _ in range(3)]
    for T, x in zip(places, (0.0, 5.0, 10.0), strict=True):
        T[0, 3] = x
    shown = [scene.render(small, T) for T in places]
    assert shown[0].rgb.shape == (30, 40, 3)
    scene.remove(1)
    assert scene.memory_bytes == pytest.approx(memory * 2 / 3)
    again = [scene.render(small, T) for T in places]
    assert np.array_equal(again[0].rgb, shown[0].rgb) and np.array_equal(again[2].rgb, shown[2].rgb)
    assert again[1].covered.mean() < 0.6 * shown[1].covered.mean()
    fresh = open_named("warp", SCANNET, SceneOptions(width=0, depth=True))
    for x in (0.0, 10.0):
        fresh.add(*frame(x))
    assert np.array_equal(fresh.render(small, places[2]).rgb, again[2].rgb)


def test_points_on_a_surface_have_its_class_and_hidden_ones_none(scene: PosedImageScene) -> None:
    scene.add(*frame(0.0))
    answer = scene.query(np.array([[0, 0, BOX_M], [1.5, 0, WALL_M], [0, 0, WALL_M], [0, 0, -1.0]]))
    assert answer.labels.tolist() == [5, 7, -1, -1]


def test_names_are_checked_in_one_line() -> None:
    with pytest.raises(SettingError, match="field 'warp' needs depth images"):
        open_named("warp", SCANNET)
    with pytest.raises(WeightsError, match="field 'gnesf_view_home' is unknown: choose warp, .*did you mean"):
        open_named("gnesf_view_home", SCANNET)
    with pytest.raises(WeightsError, match="unknown: choose warp, .*gnesf_view_homes"):
        open_named("segmenter_homes", SCANNET)
    assert isinstance(open_named("gnesf_view_homes", SCANNET), PosedImageScene)


def test_sources_are_chosen_by_what_they_show_of_the_view(scene: PosedImageScene) -> None:
    """Many sources near the camera see one end of its view; a single one farther away sees the other end."""
    for i in range(15):
        scene.add(*frame(-1.0 - 0.01 * i))
    scene.add(*frame(3.0))
    T = np.eye(4)
    T[:3, 3] = 1.0, 0.0, -3.0  # from farther back: sees the wall from -5 to 7 m
    view = scene.render(CAMERA.scaled(160, 120), T)
    columns = view.covered[40:80].mean(axis=0)
    assert columns[20:60].max() > 0.9 and columns[100:140].max() > 0.9
