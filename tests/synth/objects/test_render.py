"""The ray caster against projections known by hand: a box seen from the front, sheets from both sides, shadows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sem_field_ros.labels import load_label_set
from sem_field_synth.objects.cameras import DISTANCE, looking_in, object_camera
from sem_field_synth.objects.part_mesh import PartBuilder, PartMesh
from sem_field_synth.objects.render import PartRenderer
from sem_field_synth.objects.solids import box
from sem_field_synth.objects.surfaces import PATTERNS, Surface, reflectance

LABELS = load_label_set("chair_parts")
GREY = Surface((0.5, 0.5, 0.5))


def mesh_of(*parts: tuple[str, Surface, tuple[float, float, float], tuple[float, float, float]]) -> PartMesh:
    build = PartBuilder(LABELS)
    for part, surface, size, center in parts:
        build.add(part, surface, box(size, center))
    return build.build()


def front(azimuth_deg: float = 0.0, elevation_deg: float = 0.0) -> np.ndarray:
    return looking_in(np.radians([azimuth_deg]), np.sin(np.radians([elevation_deg])))[0]


def test_mask_depth_and_label_of_a_box_are_its_projection() -> None:
    mesh = mesh_of(("seat", GREY, (0.4, 0.2, 0.3), (0, 0, 0)))
    camera = object_camera(128)
    view = PartRenderer(mesh, LABELS).view(camera, front())
    near = DISTANCE - 0.1  # the front face hides everything else
    v, u = np.mgrid[:128, :128]
    inside = (np.abs(u - camera.cx) <= 0.2 * camera.fx / near) & (np.abs(v - camera.cy) <= 0.15 * camera.fy / near)
    assert np.array_equal(view.label == 1, inside)
    assert np.array_equal(view.depth > 0, inside)
    assert view.depth[inside] == pytest.approx(near, abs=1e-5)
    assert (view.label[~inside] == 0).all()
    rim = (np.abs(u - camera.cx) <= 0.2 * camera.fx / near + 1) & (np.abs(v - camera.cy) <= 0.15 * camera.fy / near + 1)
    assert (view.color[~rim] == 255).all()
    assert (view.color[inside] < 250).all()


def test_left_and_right_are_those_of_somebody_who_looks_at_the_front() -> None:
    mesh = mesh_of(("seat", GREY, (0.2, 0.2, 0.2), (-0.2, 0, 0)), ("back", GREY, (0.2, 0.2, 0.2), (0.2, 0, 0)))
    label = PartRenderer(mesh, LABELS).view(object_camera(64), front()).label
    assert label[32, 18] == 1 and label[32, 45] == 2
    behind = PartRenderer(mesh, LABELS).view(object_camera(64), front(180)).label
    assert behind[32, 18] == 2 and behind[32, 45] == 1


def test_nearer_parts_hide_farther_ones() -> None:
    mesh = mesh_of(("seat", GREY, (0.2, 0.1, 0.2), (0, -0.3, 0)), ("back", GREY, (0.5, 0.1, 0.5), (0, 0.3, 0)))
    label = PartRenderer(mesh, LABELS).view(object_camera(65), front()).label
    assert label[32, 32] == 1
    assert label[32, 23] == 2


def test_light_comes_from_above_and_under_a_roof_it_is_darker() -> None:
    table = mesh_of(("seat", GREY, (0.8, 0.8, 0.05), (0, 0, 0.2)), ("leg", GREY, (0.6, 0.6, 0.05), (0, 0, -0.2)))
    camera = object_camera(65)
    covered = PartRenderer(table, LABELS).view(camera, front(0, 25))
    open_air = PartRenderer(table.take(table.part == LABELS.index_of("leg")), LABELS).view(camera, front(0, 25))
    lower = (covered.label == 3) & (open_air.label == 3)
    upper = covered.label == 1
    assert lower.sum() > 20 and upper.sum() > 100
    assert open_air.color[lower].mean() > 1.2 * covered.color[lower].mean()
    assert covered.color[upper].mean() > 1.2 * covered.color[lower].mean()


def test_a_sheet_is_seen_and_lit_from_both_sides() -> None:
    sheet = mesh_of(("seat", GREY, (0.6, 0.6, 0.1), (0, 0, 0)))
    flat = sheet.take(sheet.normals[:, :, 2].min(1) > 0.99)
    above = PartRenderer(flat, LABELS).view(object_camera(33), front(0, 60))
    below = PartRenderer(flat, LABELS).view(object_camera(33), front(0, -60))
    assert above.label[16, 16] == below.label[16, 16] == 1
    assert above.color[16, 16].mean() > below.color[16, 16].mean() + 20
    assert below.color[16, 16].mean() > 20


def test_views_are_repeatable_and_unlabelled_triangles_stay_so() -> None:
    mesh = mesh_of(("seat", Surface((0.7, 0.5, 0.3), "wood", (0.4, 0.3, 0.2)), (0.4, 0.4, 0.3), (0, 0, 0)))
    camera, T = object_camera(48), front(30, 20)
    first, second = PartRenderer(mesh, LABELS).view(camera, T), PartRenderer(mesh, LABELS).view(camera, T)
    assert np.array_equal(first.color, second.color) and np.array_equal(first.depth, second.depth)
    bare = PartRenderer(replace(mesh, part=np.full(len(mesh), -1, np.int16)), LABELS).view(camera, T)
    assert set(np.unique(bare.label)) == {0, 255}


@pytest.mark.parametrize("pattern", [p for p in PATTERNS if p != "image"])
def test_patterns_mix_their_two_colours(pattern: str) -> None:
    at = np.random.default_rng(0).uniform(0, 1, (500, 3))
    color = reflectance(Surface((1.0, 1.0, 1.0), pattern, (0.0, 0.0, 0.0), 0.1), at)
    assert color.shape == (500, 3) and color.min() >= 0 and color.max() <= 1
    assert (np.ptp(color) > 0.5) == (pattern != "plain")


def test_metal_takes_its_colour_from_what_it_mirrors() -> None:
    chrome = Surface((0.8, 0.8, 0.8), shininess=1.0, metal=True)
    camera, T = object_camera(33), front(0, 45)
    size, center = (0.5, 0.5, 0.5), (0.0, 0.0, 0.0)
    dull = PartRenderer(mesh_of(("seat", replace(chrome, metal=False, shininess=0.0), size, center)), LABELS)
    shiny = PartRenderer(mesh_of(("seat", chrome, size, center)), LABELS)
    inside = dull.view(camera, T).label == 1
    assert np.abs(dull.view(camera, T).color[inside].astype(int) - shiny.view(camera, T).color[inside]).mean() > 5
