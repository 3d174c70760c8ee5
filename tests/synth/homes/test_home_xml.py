"""Home.xml: plan centimetres with y down become world metres with y up; walls, arcs, levels and groups."""

from __future__ import annotations

import numpy as np
import pytest
from shapely.geometry import Polygon

from sem_field_ros.errors import DataError
from sem_field_synth.homes.home_xml import read_home
from sem_field_synth.homes.original_roles import role_of_piece, room_kind


def home(tmp_path, body):
    path = tmp_path / "Some.xml"
    path.write_text(f"<?xml version='1.0'?><home wallHeight='240'>{body}</home>", encoding="utf-8")
    return path


def test_rooms_and_pieces_in_world_metres(tiny_assets):
    (level,) = read_home(tiny_assets.homes["Tiny"])
    assert [r.name for r in level.rooms] == ["Living room", "Bedroom"]
    np.testing.assert_allclose(level.rooms[0].polygon[2], [3.95, -3.95])
    sofa = next(p for p in level.pieces if p.name == "Sofa")
    np.testing.assert_allclose(sofa.center, [1.0, -0.5])
    assert sofa.size == (1.47, 0.87, 0.87) and sofa.kind == "piece"
    door = next(p for p in level.pieces if p.name == "Door")
    assert door.kind == "opening" and door.yaw == pytest.approx(-np.pi / 2)


def test_a_joined_wall_closes_its_corner(tiny_assets):
    (level,) = read_home(tiny_assets.homes["Tiny"])
    low, high = level.walls[0].footprint.min(axis=0), level.walls[0].footprint.max(axis=0)
    np.testing.assert_allclose([low, high], [[-0.05, -0.05], [8.05, 0.05]])  # half a thickness longer at both ends


def test_a_round_wall_is_as_long_as_its_arc(tmp_path):
    """Half a circle of diameter 2 m and thickness 0.2 m: pi * (1.1^2 - 0.9^2) / 2 square metres."""
    wall = f"<wall id='a' xStart='0' yStart='0' xEnd='200' yEnd='0' thickness='20' arcExtent='{np.pi}'/>"
    (level,) = read_home(home(tmp_path, wall))
    shape = Polygon(level.walls[0].footprint)
    assert shape.area == pytest.approx(np.pi * 0.2, rel=0.01)
    assert abs(shape.bounds[1] + 1.1) < 0.02 or abs(shape.bounds[3] - 1.1) < 0.02


def test_levels_are_apart_and_group_members_count_once(tmp_path):
    piece = "<pieceOfFurniture catalogId='eTeks#chair' name='Chair' x='10' y='10' width='4' depth='4' height='9'/>"
    body = (
        "<level id='l1' name='Up' elevation='260' height='250'/><level id='l0' name='Down' elevation='0' height='250'/>"
        f"<furnitureGroup level='l1' name='g'>{piece}{piece}</furnitureGroup>"
        "<room level='l0' name='Hall'><point x='0' y='0'/><point x='9' y='0'/><point x='9' y='9'/></room>"
    )
    down, up = read_home(home(tmp_path, body))
    assert (down.name, len(down.rooms), len(down.pieces)) == ("Down", 1, 0)
    assert (up.name, len(up.rooms), len(up.pieces)) == ("Up", 0, 2)


def test_hidden_pieces_are_left_out(tmp_path):
    body = "<pieceOfFurniture catalogId='a' name='b' visible='false' x='1' y='1' width='4' depth='4' height='9'/>"
    assert read_home(home(tmp_path, body))[0].pieces == []


def test_a_file_that_is_no_home_is_one_line(tmp_path):
    path = tmp_path / "bad.xml"
    path.write_text("<home", encoding="utf-8")
    with pytest.raises(DataError, match="is not a Sweet Home 3D home") as error:
        read_home(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "roles", "kind"),
    [("Bedrom #3", [], "bedroom"), ("", ["toilet"], "bath"), ("", ["sofa"], "living"), ("", [], "corridor")],
)
def test_kind_of_room(name, roles, kind):
    assert room_kind(name, roles) == kind


def test_names_and_sizes_tell_roles(tmp_path):
    text = "<pieceOfFurniture catalogId='eTeks#{}' name='{}' x='0' y='0' width='{}' depth='{}' height='{}'/>"
    body = text.format("squareTable", "Table", 110, 60, 40) + text.format("texturableBox", "Beam", 10, 10, 250)
    body += text.format("roundTable", "Table", 126, 126, 74) + text.format("wardrobe", "Wardrobe", 100, 54, 165)
    low, beam, round_table, wardrobe = read_home(home(tmp_path, body))[0].pieces
    assert role_of_piece(low, "living") == "coffee table"
    assert role_of_piece(beam, "living") is None
    assert role_of_piece(round_table, "kitchen") == "dining table"
    assert role_of_piece(wardrobe, "bedroom") == "wardrobe" and role_of_piece(wardrobe, "bath") is None
