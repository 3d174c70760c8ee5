"""The live map, its submaps and the baselines are scenes like the fields; a surface alone renders what its map does."""

from __future__ import annotations

import numpy as np

from sem_field_ros.evaluation.baselines import MapColors, WarpedImages
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.mapper import Mapper
from sem_field_ros.mapping.semantic_map import SemanticMap
from sem_field_ros.mapping.submaps import Submaps
from sem_field_ros.scene import Online, Queryable, Renderable
from sem_field_ros.surface import PointSamples, RenderedView, SurfaceScene
from tests.mapping.scene import LABELS, wall_frame, wall_probabilities

CONFIG = MapConfig(min_weight=1.0, fusion="bayesian")


def wall_map() -> SemanticMap:
    scene = SemanticMap(CONFIG, LABELS)
    for _ in range(3):
        scene.add(frame := wall_frame(), wall_probabilities(frame))
    return scene


def test_maps_and_baselines_are_scenes() -> None:
    scene = wall_map()
    submaps = Submaps(Mapper(CONFIG, None, LABELS), 2)
    for made in (scene, submaps, MapColors(scene), WarpedImages(scene)):
        assert isinstance(made, Online) and isinstance(made, Renderable)
    assert isinstance(scene, Queryable) and isinstance(submaps, Queryable)


def test_frozen_submaps_are_rendered_and_queried_too() -> None:
    submaps = Submaps(Mapper(CONFIG, None, LABELS), 2)
    frame = wall_frame()
    for _ in range(3):
        submaps.add(frame, wall_probabilities(frame))
    alone = submaps.render(frame.camera, frame.T_world_camera)
    assert alone.depth is not None and (alone.depth > 0).mean() > 0.5
    submaps.begin_submap()
    frozen = submaps.render(frame.camera, frame.T_world_camera)
    np.testing.assert_array_equal(frozen.depth, alone.depth)
    np.testing.assert_array_equal(frozen.labels, alone.labels)


def test_a_surface_renders_as_its_map_and_an_empty_one_shows_nothing() -> None:
    scene, frame = wall_map(), wall_frame()
    a, b = (made.render(frame.camera, np.eye(4)) for made in (scene, SurfaceScene(scene.surface())))
    for name in ("depth", "rgb", "labels", "confidence", "covered"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    empty = SurfaceScene(SemanticMap(CONFIG, LABELS).surface()).render(Intrinsics(10, 10, 3.5, 2.5, 8, 6), np.eye(4))
    assert not empty.covered.any() and (empty.labels == -1).all() and empty.rgb.shape == (6, 8, 3)


def test_covered_is_depth_or_else_labels() -> None:
    depth, labels = np.array([[0, 1]], np.float32), np.array([[2, -1]], np.int16)
    assert RenderedView(depth, labels=labels).covered.tolist() == [[False, True]]
    assert RenderedView(labels=labels).covered.tolist() == [[True, False]]
    assert len(PointSamples(labels[0], depth[0])) == 2
