"""Walls, floors and ceilings as panels: areas known by hand, normals outwards, holes where doors and windows are."""

from __future__ import annotations

import numpy as np
import pytest
from shapely.geometry import Polygon

from sem_field_synth.homes.home_building import Building, RoomFinish
from sem_field_synth.homes.home_xml import Level, Room, Wall, read_home
from sem_field_synth.homes.made.panels import Surface, rectangle
from sem_field_synth.scene import Finish

PLAIN = RoomFinish(Finish(), (1, 1), Finish(), (1, 1), Finish())


def panels_of(building):
    names = {}
    panels = building.panels(lambda room: PLAIN, lambda name: names.setdefault(name, len(names) + 1))
    return panels, names


def area(panel):
    corners = panel.vertices[panel.faces]
    return np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2


@pytest.fixture
def building(tiny_assets):
    return Building(read_home(tiny_assets.homes["Tiny"])[0])


def test_a_box_has_outward_normals_and_its_surface():
    surface = Surface()
    surface.box(np.array([0, 0, 0]), np.array([1, 2, 3]))
    panel = surface.panel(Finish(), "wall", 1)
    assert area(panel) == pytest.approx(2 * (2 + 3 + 6))
    corners = panel.vertices[panel.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (np.einsum("fk,fk->f", normals, corners.mean(axis=1) - [0.5, 1, 1.5]) > 0).all()


def test_a_floor_with_a_hole_keeps_the_hole():
    surface = Surface()
    ring = Polygon([(0, 0), (4, 0), (4, 4), (0, 4)], [[(1, 1), (3, 1), (3, 3), (1, 3)]])
    surface.flat(ring, 0.0)
    panel = surface.panel(Finish(), "floor", 1)
    assert area(panel) == pytest.approx(12)


def test_openings_lie_in_their_walls(building):
    door, window = building.openings
    assert (door.kind, door.outside, window.kind, window.outside) == ("door", False, "window", True)
    assert door.thickness == pytest.approx(0.1, abs=1e-3) and door.bottom == 0 and door.top == pytest.approx(2.08)
    np.testing.assert_allclose(door.center, [4.0, -2.0], atol=1e-6)
    np.testing.assert_allclose(window.center, [0.0, -2.0], atol=1e-6)
    assert (window.bottom, window.top) == (pytest.approx(0.9), pytest.approx(2.1))


def test_wall_area_of_a_room_is_its_sides_less_its_openings(building):
    """Four sides of 3.9 x 2.5 m less a door of 0.9 x 2.08 m and a window of 1.2 x 1.2 m."""
    panels, names = panels_of(building)
    wall = next(p for p in panels if p.instance == names["wall of room 0"])
    upright = wall.vertices[wall.faces]
    normals = np.cross(upright[:, 1] - upright[:, 0], upright[:, 2] - upright[:, 0])
    inner = np.abs(normals[:, 2]) < 1e-9
    x, y = upright[..., 0].mean(axis=1), upright[..., 1].mean(axis=1)
    faces_room = inner & ((np.abs(x - 0.05) < 1e-3) | (np.abs(x - 3.95) < 1e-3) | (np.abs(y + 0.05) < 1e-3))
    faces_room |= inner & (np.abs(y + 3.95) < 1e-3)
    sides = np.linalg.norm(normals[faces_room], axis=1).sum() / 2
    assert sides == pytest.approx(4 * 3.9 * 2.5 - 0.9 * 2.08 - 1.2 * 1.2, abs=0.02)
    middle = np.array([2.0, -2.0, 1.25])
    towards = np.einsum("fk,fk->f", normals[faces_room], middle - upright[faces_room].mean(axis=1))
    assert (towards > 0).all(), "wall faces look into the room"


def test_floor_and_ceiling_cover_the_home(building):
    panels, _ = panels_of(building)
    floor = sum(area(p) for p in panels if p.nyu40 == "floor")
    ceiling = sum(area(p) for p in panels if p.nyu40 == "ceiling")
    assert floor == pytest.approx(8.12 * 4.12, rel=0.01)  # walls' middles 8 x 4 m, 5 cm of wall around, 1 cm over
    assert ceiling == pytest.approx(8.12 * 4.12, rel=0.01)
    assert all((p.vertices[:, 2] == 0).all() for p in panels if p.nyu40 == "floor")


def test_a_terrace_has_no_ceiling():
    square = np.array([[0, 0], [2, 0], [2, 2], [0, 2.0]])
    wall = Wall(np.array(rectangle(np.array([5.0, 0]), 0, 1, 0.1).exterior.coords)[:4], 0.1, 2.5)
    level = Level("h", "", 2.5, [wall], [Room("Terrace", square, True, True)], [])
    panels, names = panels_of(Building(level))
    assert not any(p.nyu40 == "ceiling" and p.vertices[:, 0].min() < 1.9 for p in panels)
    assert "floor of room 0" in names


def test_low_walls_stay_low():
    square = np.array([[0, 0], [2, 0], [2, 2], [0, 2.0]])
    low = Wall(np.array([[0.5, 0.9], [1.5, 0.9], [1.5, 1.1], [0.5, 1.1]]), 0.2, 1.0)
    panels, _ = panels_of(Building(Level("h", "", 2.5, [low], [Room("Hall", square, True, True)], [])))
    wall = [p for p in panels if p.nyu40 == "wall"]
    assert max(p.vertices[:, 2].max() for p in wall) == pytest.approx(1.0)
    assert sum(area(p) for p in wall) == pytest.approx(2 * (1 + 0.2) * 1.0 + 0.2)  # four sides and the top
