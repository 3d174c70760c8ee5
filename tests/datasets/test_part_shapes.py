"""PartNet clouds and PSB meshes: small files of the same format, with values known by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sem_field_ros.datasets.partnet import read_partnet
from sem_field_ros.datasets.psb import psb_names, read_off, read_psb
from sem_field_ros.errors import DataError

from . import known_view as view

TETRAHEDRON = "OFF\n4 4 6\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 2 1\n3 0 1 3\n3 0 3 2\n3 1 2 3\n"


def test_partnet_files(tmp_path: Path) -> None:
    view.write_text(tmp_path / "a.pts", "0 0 0\n0.1 0.2 0.3\n1 1 1\n-1 0 0.5\n")
    view.write_text(tmp_path / "a-sem.label", "8\n3\n8\n99\n")
    view.write_text(tmp_path / "a-ins.label", "5\n3\n4\n0\n")
    semantics = "1 chair subcomponents\n3 chair/chair_head/headrest leaf\n8 chair/chair_base/legs/leg leaf\n"
    view.write_text(tmp_path / "semantics.txt", semantics)
    for cloud in (read_partnet(tmp_path), read_partnet(tmp_path / "a.pts")):
        assert cloud.names == ("chair/chair_head/headrest", "chair/chair_base/legs/leg")
        assert cloud.labels.tolist() == [1, 0, 1, -1] and cloud.instances.tolist() == [5, 3, 4, 0]
        np.testing.assert_allclose(cloud.points[1], [0.1, 0.2, 0.3])
    coarse = cloud.at_level(1)
    assert coarse.names == ("chair/chair_head", "chair/chair_base") and coarse.labels.tolist() == [1, 0, 1, -1]
    whole = cloud.at_level(0)
    assert whole.names == ("chair",) and whole.labels.tolist() == [0, 0, 0, -1]
    view.write_text(tmp_path / "a-sem.label", "8\n3\n")
    with pytest.raises(DataError, match="4 points, 2 labels"):
        read_partnet(tmp_path)


def test_partnet_shape_folder(tmp_path: Path) -> None:
    view.write_text(tmp_path / "point_sample" / "pts-10000.txt", "0 0 0 1 0 0\n1 2 3 0 1 0\n4 5 6 0 0 1\n")
    view.write_text(tmp_path / "point_sample" / "label-10000.txt", "4\n3\n77\n")
    legs = [{"id": 3, "name": "leg"}, {"id": 4, "name": "leg"}]
    tree = [{"id": 0, "name": "chair", "children": [{"id": 1, "name": "chair_base", "children": legs}]}]
    (tmp_path / "result.json").write_text(json.dumps(tree))
    cloud = read_partnet(tmp_path)
    assert cloud.names == ("chair/chair_base/leg",)  # two instances of one part
    assert cloud.labels.tolist() == [0, 0, -1] and cloud.instances.tolist() == [4, 3, 77]
    np.testing.assert_array_equal(cloud.points, [[0, 0, 0], [1, 2, 3], [4, 5, 6]])
    (tmp_path / "result.json").write_text('[{"id": 0}]')
    with pytest.raises(DataError, match="hierarchy of id, name and children"):
        read_partnet(tmp_path)


def _psb(folder: Path) -> Path:
    view.write_text(folder / "off" / "101.off", TETRAHEDRON)
    view.write_text(folder / "labels" / "101.txt", "0\n2\n2\n1\n")
    meta = {"101": {"category": "chair", "up": [0, 2.0, 0]}}
    (folder / "labels" / "meta.json").write_text(json.dumps(meta))
    return folder


def test_psb_named_parts(tmp_path: Path) -> None:
    folder = _psb(tmp_path)
    assert psb_names(folder) == ["101"]
    mesh = read_psb(folder, "101")
    assert mesh.category == "chair" and mesh.parts == ("seat", "back", "leg")
    assert [mesh.parts[i] for i in mesh.labels] == ["seat", "leg", "leg", "back"]
    assert mesh.faces.tolist()[3] == [1, 2, 3] and mesh.vertices[3].tolist() == [0, 0, 1]
    np.testing.assert_allclose(mesh.up, [0, 1, 0])
    # y up becomes z up, as a rotation: lengths and handedness stay
    upright = mesh.upright()
    np.testing.assert_allclose(upright[2], [0, 0, 1], atol=1e-12)
    frame = upright[1:] - upright[0]
    np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(frame) == pytest.approx(1)


@pytest.mark.parametrize("up", [(0, 0, 1), (0, 0, -1), (0.6, -0.8, 0), (-0.0002, -0.003, -0.99999)])
def test_upright_whatever_the_axis(tmp_path: Path, up: tuple[float, float, float]) -> None:
    folder = _psb(tmp_path)
    (folder / "labels" / "meta.json").write_text(json.dumps({"101": {"category": "chair", "up": up}}))
    mesh = read_psb(folder, "101")
    top = mesh.upright() - mesh.upright()[0]
    length = np.linalg.norm(up)
    np.testing.assert_allclose(np.array(up) / length @ (mesh.vertices[1:] - mesh.vertices[0]).T, top[1:, 2], atol=1e-9)


def test_psb_segmentations_of_people(tmp_path: Path) -> None:
    view.write_text(tmp_path / "7.off", TETRAHEDRON.replace("OFF\n", "OFF # a comment\n"))
    with pytest.raises(DataError, match="segeval"):
        psb_names(tmp_path)
    view.write_text(tmp_path / "7_0.seg", "0\n1\n1\n3\n")
    assert psb_names(tmp_path) == ["7"]
    mesh = read_psb(tmp_path, "7")
    assert mesh.parts == ("segment 0", "segment 1", "segment 2", "segment 3") and mesh.labels.tolist() == [0, 1, 1, 3]
    with pytest.raises(DataError, match="up axis is not known"):
        mesh.upright()


def test_psb_mistakes_in_one_line(tmp_path: Path) -> None:
    folder = _psb(tmp_path)
    for labels, message in (("0\n1\n", "2 numbers for 4 faces"), ("0 1 2 3", "part 3 is not one of"), ("a", "whole")):
        view.write_text(folder / "labels" / "101.txt", labels)
        with pytest.raises(DataError, match=message):
            read_psb(folder, "101")
    for content, message in (
        ("ply\n", "does not start with OFF"),
        (TETRAHEDRON.replace("3 0 2 1", "4 0 2 1"), "fewer corners than it says"),
        (TETRAHEDRON.replace("3 1 2 3", "3 1 2 9"), "vertex that is not there"),
        (TETRAHEDRON[:30], "not an OFF"),
    ):
        view.write_text(folder / "off" / "101.off", content)
        with pytest.raises(DataError, match=message) as error:
            read_off(folder / "off" / "101.off")
        assert "\n" not in str(error.value)
    for missing in (lambda: read_psb(folder, "999"), lambda: read_partnet(folder / "nothing")):
        with pytest.raises(DataError, match="get it from"):
            missing()


@pytest.mark.parametrize(
    "text",
    [
        "OFF\n4 2 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n3 0 1 2 255 0 0\n3 0 2 3 0.5 0.5 0.5 1\n",  # colours of faces
        "COFF\n4 1 0\n0 0 0 255 0 0 255\n1 0 0 1 2 3 4\n1 1 0 1 2 3 4\n0 1 0 1 2 3 4\n4 0 1 2 3\n",  # a quad
        "\ufeffoff\n# a comment\n4 2\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n3 0 1 2\n3 0 2 3\n",
        "OFF4 2 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n3 0 1 2\n3 0 2 3\n",
    ],
)
def test_off_files_as_tools_write_them(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.off").write_text(text, encoding="utf-8")
    vertices, faces = read_off(tmp_path / "a.off")
    np.testing.assert_array_equal(vertices, [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    assert faces.tolist() == [[0, 1, 2], [0, 2, 3]]


def test_an_off_file_that_says_more_than_it_has(tmp_path: Path) -> None:
    (tmp_path / "a.off").write_text("OFF\n1000000000 2 0\n0 0 0\n")
    with pytest.raises(DataError, match="says 1000000000 vertices and 2 faces, and has 1 lines"):
        read_off(tmp_path / "a.off")
