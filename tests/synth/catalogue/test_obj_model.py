"""The OBJ reader on files written by hand, tidy and sloppy."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from sem_field_ros.errors import DataError
from sem_field_synth.catalogue.obj_model import read_obj
from sem_field_synth.scene import Finish


def write(folder: Path, obj: str, mtl: str | None = None) -> Path:
    (folder / "model.obj").write_text(obj)
    if mtl is not None:
        (folder / "model.mtl").write_text(mtl)
    return folder / "model.obj"


SQUARE = "v 0 0 0\nv 2 0 0\nv 2 2 0\nv 0 2 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"


def test_a_textured_square(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "wood.png"), np.zeros((2, 2, 3), np.uint8))
    mtl = "newmtl wood\nKd 0.5 0.25 0\nd 0.75\nKs 1 1 1\nNs 225\nmap_Kd Wood.PNG\n"
    path = write(tmp_path, "mtllib model.mtl\n" + SQUARE + "g top\nusemtl wood\nf 1/1 2/2 3/3 4/4\n", mtl)
    model = read_obj(path)
    assert model.corners.tolist() == [[[0, 0, 0], [2, 0, 0], [2, 2, 0]], [[0, 0, 0], [2, 2, 0], [0, 2, 0]]]
    assert model.uv.tolist() == [[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]]
    assert (model.normals == [0, 0, 1]).all()
    assert model.groups == ("top",) and model.group.tolist() == [0, 0]
    finish = model.materials["wood"]
    assert finish == Finish((0.5, 0.25, 0), tmp_path / "wood.png", shininess=0.5, opacity=0.75)  # 900 (1 - 0.5)^2 = 225
    assert model.missing_textures == ()
    assert model.bounds.tolist() == [[0, 0, 0], [2, 2, 0]]


def test_what_is_missing_is_named_and_does_no_harm(tmp_path: Path) -> None:
    text = "mtllib model.mtl\nmtllib nowhere.mtl\n" + SQUARE + "usemtl a\nf 1 2 3\nusemtl b\nf 1 3 4\n"
    model = read_obj(write(tmp_path, text, "newmtl a\nKd 1 0 0\nmap_Kd C:\\pictures\\gone.jpg\n"))
    assert model.materials == {"a": Finish((1, 0, 0)), "b": Finish()}
    assert model.missing_textures == ("C:\\pictures\\gone.jpg",)


def test_negative_indices_count_from_the_last_vertex_so_far(tmp_path: Path) -> None:
    text = "v 9 9 9\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf -3//1 -2 -1\nv 5 5 5\nf -4 -3 -2\n"
    corners = read_obj(write(tmp_path, text)).corners
    assert corners[0].tolist() == corners[1].tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]


def test_broken_faces_are_left_out(tmp_path: Path) -> None:
    text = SQUARE + "f 1 2 3\nf 1 2 99\nf 1 2\nf 1 1 2 2\nf x y z\nl 1 2\nf 1 1 2 3 4\n"
    model = read_obj(write(tmp_path, text))
    assert model.dropped_faces == 4
    assert len(model.corners) == 1 + 2  # the doubled corner of the last face counts once


def test_a_file_without_triangles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no triangle"):
        read_obj(write(tmp_path, "v 0 0 0\nv nan 0 0\nv 1 1 1\nf 1 2 3\n"))
    with pytest.raises(DataError, match="cannot be read"):
        read_obj(tmp_path / "missing.obj")


def test_normals_are_smoothed_over_gentle_edges_only(tmp_path: Path) -> None:
    fold = "v 0 0 0\nv 0 1 0\nv 1 0 {0}\nv 1 1 {0}\nv -1 0 {0}\nv -1 1 {0}\ns {1}\nf 1 3 4 2\nf 2 6 5 1\n"
    for height, smooth, expected in ((-0.2, "1", 1.0), (-0.2, "off", 0.98), (-3, "1", 0.32)):
        folder = tmp_path / f"{height}{smooth}"
        folder.mkdir()
        model = read_obj(write(folder, fold.format(height, smooth)))
        ridge = np.abs(model.corners[..., 0]) < 1e-9
        assert model.normals[ridge][:, 2] == pytest.approx(expected, abs=0.01)


def test_given_normals_never_point_to_the_back(tmp_path: Path) -> None:
    text = SQUARE + "vn 0 0.6 0.8\nvn 0 0.6 -0.8\nf 1//1 2//2 3//1\n"
    normals = read_obj(write(tmp_path, text)).normals
    assert normals[0] == pytest.approx(np.array([[0, 0.6, 0.8], [0, -0.6, 0.8], [0, 0.6, 0.8]]))
