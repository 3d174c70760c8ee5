"""A map far from the origin of its frame is as good as one near it, and what floats cannot hold is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sem_field_ros.errors import FrameError, MapFileError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.files.map_file import load_map, save_map
from sem_field_ros.mapping.semantic_map import SemanticMap

from .scene import CAMERA, LABELS, WALL_Z, wall_frame, wall_probabilities

FAR = np.array([100_000.0, -90_000.25, 300.0])
CONFIG = MapConfig(fusion="majority", smoothing_cell_m=0.0)


def at(frame: PosedFrame, offset: np.ndarray) -> PosedFrame:
    T = frame.T_world_camera.copy()
    T[:3, 3] += offset
    return replace(frame, T_world_camera=T)


def wall_map(offset: np.ndarray, config: MapConfig = CONFIG) -> SemanticMap:
    semantic_map = SemanticMap(config, LABELS)
    for i in range(5):
        frame = wall_frame(x=0.02 * i)
        semantic_map.integrate(at(frame, offset))
        semantic_map.vote(at(frame, offset), wall_probabilities(frame))
    return semantic_map


@pytest.mark.parametrize("backend", ["open3d", "torch"])
def test_a_map_100_km_away_is_that_at_home(backend: str) -> None:
    config = replace(CONFIG, backend=backend)
    near, far = wall_map(np.zeros(3), config), wall_map(FAR, config)
    assert not near.origin.offset.any() and np.abs(far.origin.offset - FAR).max() <= 0.5
    a, b = near.surface(), far.surface()
    assert len(b) > 300 and abs(len(a) - len(b)) < 0.1 * len(a)
    step = 2 * np.spacing(np.float32(FAR[0]))  # of published coordinates
    assert np.abs(b.vertices[:, 2] - FAR[2] - WALL_Z).max() < 0.02
    left = b.vertices[:, 0].astype(np.float64) - FAR[0] < -0.1 - step
    assert set(b.labels[left]) == {0}
    points = np.array([[-0.4, 0.0, WALL_Z], [0.4, 0.0, WALL_Z - 0.1]])
    answer = far.query(points + FAR)
    np.testing.assert_allclose(answer.sdf, near.query(points).sdf, atol=0.01)
    assert answer.labels.tolist() == [0, 1]
    T = np.eye(4)
    T[:3, 3] = FAR
    np.testing.assert_allclose(np.median(far.render(CAMERA, T).depth), WALL_Z, atol=0.01)
    changed = far.update_surface().changed.values()
    assert max(np.abs(surface.vertices - FAR).max() for surface in changed) < 3
    np.testing.assert_array_equal(far.path.poses[0][:3, 3], FAR)


def test_a_saved_map_keeps_its_place(tmp_path) -> None:
    far = wall_map(FAR)
    save_map(tmp_path, "far", far.state())
    loaded = SemanticMap.from_state(load_map(tmp_path, "far"))
    np.testing.assert_array_equal(np.sort(loaded.surface().vertices, axis=0), np.sort(far.surface().vertices, axis=0))
    loaded.integrate(at(wall_frame(x=0.1), FAR))
    assert np.abs(loaded.surface().vertices - FAR).max() < 3
    state = far.state()
    state.header["origin_m"] = [float("nan"), 0, 0]
    with pytest.raises(MapFileError, match="origin_m"):
        SemanticMap.from_state(state)


def test_a_place_that_floats_cannot_hold_is_refused() -> None:
    semantic_map = SemanticMap(CONFIG, LABELS)
    with pytest.raises(FrameError, match=r"5,500,000 m from the origin .* steps of 0.5 m: .* instead of utm") as error:
        semantic_map.integrate(at(wall_frame(), np.array([5e5, 5.5e6, 300])))
    assert error.value.cause == "out_of_range" and semantic_map.frames == 0
    semantic_map.integrate(wall_frame())
    assert len(semantic_map.volume) > 0
