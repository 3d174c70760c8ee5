"""PLY and GLB exports, read back by other people's programs (Open3D, trimesh) and our reader."""

from __future__ import annotations

import errno
import io
import json
import os
import struct
from pathlib import Path

import numpy as np
import open3d as o3d
import pytest
import trimesh

from sem_field_ros.errors import OutputError
from sem_field_ros.geometry.axes import AXES, axis_vector
from sem_field_ros.geometry.glb import encode_glb, linear_rgb
from sem_field_ros.geometry.ply import read_ply
from sem_field_ros.labels import LabelClass, LabelSet
from sem_field_ros.results.export import write_glb, write_ply
from sem_field_ros.surface import Surface

LABELS = LabelSet("two", (LabelClass(3, "floor", (10, 20, 30)), LabelClass(7, "dining table", (200, 100, 50))))
LARGE_IDS = LabelSet("large", (LabelClass(3, "floor", (10, 20, 30)), LabelClass(1000, "chair", (200, 100, 50))))


def square() -> Surface:
    """Two triangles on the floor (z = 0, seen from above), corners labelled floor, table, unlabelled, table."""
    return Surface(
        np.array([[0, 0, 0], [2, 0, 0], [2, 3, 0], [0, 3, 0.5]], np.float32),
        np.tile(np.array([[0, 0, 1]], np.float32), (4, 1)),
        np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [128, 128, 128]], np.uint8),
        np.array([0, 1, -1, 1], np.int16),
        np.array([1.0, 0.75, 0.0, 0.5], np.float32),
        np.array([[0, 1, 2], [0, 2, 3]], np.int32),
        np.array([True, True, True, False]),
    )


def test_ply_read_back_by_open3d(tmp_path: Path) -> None:
    write_ply(tmp_path / "mesh.ply", square(), LABELS)
    mesh = o3d.io.read_triangle_mesh(str(tmp_path / "mesh.ply"))
    np.testing.assert_array_equal(np.asarray(mesh.vertices, np.float32), square().vertices)
    np.testing.assert_array_equal(np.asarray(mesh.triangles), square().faces)
    np.testing.assert_array_equal(np.asarray(mesh.vertex_normals, np.float32), square().normals)
    wanted = np.array([[10, 20, 30], [200, 100, 50], [64, 64, 64], [200, 100, 50]])
    np.testing.assert_allclose(np.asarray(mesh.vertex_colors) * 255, wanted, atol=1e-6)


def test_cloud_ply_read_back_by_open3d_with_label_and_confidence(tmp_path: Path) -> None:
    write_ply(tmp_path / "cloud.ply", square().cloud(), LABELS, color_by="rgb")
    cloud = o3d.t.io.read_point_cloud(str(tmp_path / "cloud.ply"))
    assert cloud.point.positions.shape[0] == 3
    np.testing.assert_array_equal(cloud.point["label"].numpy()[:, 0], [3, 7, 255])
    np.testing.assert_array_equal(cloud.point["confidence"].numpy()[:, 0], np.float32([1, 0.75, 0]))
    np.testing.assert_array_equal(cloud.point.colors.numpy(), square().colors[:3])
    assert b"element face" not in (tmp_path / "cloud.ply").read_bytes()


def test_ply_read_back_by_trimesh(tmp_path: Path) -> None:
    write_ply(tmp_path / "mesh.ply", square(), LABELS)
    mesh = trimesh.load(tmp_path / "mesh.ply", process=False)
    np.testing.assert_array_equal(mesh.vertices, square().vertices)
    np.testing.assert_array_equal(mesh.faces, square().faces)
    vertex = mesh.metadata["_ply_raw"]["vertex"]["data"]
    np.testing.assert_array_equal(np.ravel(vertex["label"]), [3, 7, 255, 7])


def test_ply_read_back_by_our_reader_and_its_comments_name_the_classes(tmp_path: Path) -> None:
    write_ply(tmp_path / "mesh.ply", square(), LABELS)
    vertex, faces = read_ply(tmp_path / "mesh.ply")
    assert list(vertex) == [
        "x", "y", "z", "nx", "ny", "nz", "red", "green", "blue", "camera_red", "camera_green", "camera_blue", "label",
        "confidence",
    ]  # fmt: skip
    assert vertex["label"].dtype == np.int32 and vertex["label"].tolist() == [3, 7, 255, 7]
    np.testing.assert_array_equal(faces, square().faces)
    head = (tmp_path / "mesh.ply").read_bytes().split(b"end_header")[0].decode("ascii")
    for line in ("comment label_set two", "comment class 7 dining table", "comment class 255 unlabelled"):
        assert line in head.splitlines()


def test_sets_with_large_ids_have_the_16_bit_unlabelled_id(tmp_path: Path) -> None:
    write_ply(tmp_path / "mesh.ply", square(), LARGE_IDS)
    assert read_ply(tmp_path / "mesh.ply")[0]["label"].tolist() == [3, 1000, 65535, 1000]
    assert b"comment class 65535 unlabelled" in (tmp_path / "mesh.ply").read_bytes()


def test_a_class_name_cannot_break_the_header(tmp_path: Path) -> None:
    labels = LabelSet("Möbel", (LabelClass(3, "a\nend_header\nb", (0, 0, 0)), LabelClass(7, "椅子", (0, 0, 0))))
    write_ply(tmp_path / "mesh.ply", square(), labels)
    assert read_ply(tmp_path / "mesh.ply")[0]["label"].tolist() == [3, 7, 255, 7]
    assert len(trimesh.load(tmp_path / "mesh.ply", process=False).faces) == 2


def test_an_empty_map_can_be_exported(tmp_path: Path) -> None:
    write_ply(tmp_path / "empty.ply", Surface.empty(), LABELS)
    write_glb(tmp_path / "empty.glb", Surface.empty(), LABELS)
    vertex, faces = read_ply(tmp_path / "empty.ply")
    assert len(vertex["x"]) == 0 and len(faces) == 0
    assert trimesh.load(tmp_path / "empty.glb", force="scene").is_empty


def test_glb_read_back_by_trimesh_is_upright_and_keeps_map_coordinates(tmp_path: Path) -> None:
    write_glb(tmp_path / "mesh.glb", square(), LABELS)
    scene = trimesh.load(tmp_path / "mesh.glb", force="scene", process=False)
    (mesh,) = scene.geometry.values()
    np.testing.assert_array_equal(mesh.vertices, square().vertices)
    np.testing.assert_array_equal(mesh.faces, square().faces)
    # in glTF's y-up world the floor's corner (2, 3, 0) lies at (2, 0, -3): x stays, up is y, depth goes along -z
    world = scene.to_mesh().vertices
    np.testing.assert_allclose(world[2], [2, 0, -3], atol=1e-6)
    np.testing.assert_allclose(world[3], [0, 0.5, -3], atol=1e-6)
    assert mesh.vertex_attributes["_LABEL"].ravel().tolist() == [3, 7, 255, 7]
    assert mesh.vertex_attributes["_CONFIDENCE"].ravel().tolist() == [1, 0.75, 0, 0.5]


def srgb(linear: np.ndarray) -> np.ndarray:
    """Linear light 0..1 -> sRGB 0..255 (IEC 61966-2-1)."""
    s = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
    return np.round(255 * s).astype(int)


def glb_mesh(path: Path) -> trimesh.Trimesh:
    """The one mesh of a GLB file, as trimesh reads it."""
    (mesh,) = trimesh.load(path, force="scene", process=False).geometry.values()
    return mesh


@pytest.mark.parametrize("color_by", ["label", "rgb"])
def test_both_colors_are_read_back_from_glb_by_trimesh(tmp_path: Path, color_by: str) -> None:
    write_glb(tmp_path / "mesh.glb", square(), LABELS, color_by)
    mesh = glb_mesh(tmp_path / "mesh.glb")
    classes, camera = LABELS.to_color(square().labels), square().colors
    shown, other = (classes, camera) if color_by == "label" else (camera, classes)
    assert mesh.visual.kind == "vertex"
    # trimesh rounds the linear light to 8 bits
    linear = linear_rgb(shown)
    np.testing.assert_array_equal(mesh.visual.vertex_colors[:, :3], np.round(255 * linear).astype(int))
    name = "_COLOR_CAMERA" if color_by == "label" else "_COLOR_LABEL"
    np.testing.assert_array_equal(srgb(mesh.vertex_attributes[name]), other)


def test_both_colors_are_read_back_from_ply(tmp_path: Path) -> None:
    write_ply(tmp_path / "label.ply", square(), LABELS)
    write_ply(tmp_path / "rgb.ply", square(), LABELS, "rgb")
    names = ("red", "green", "blue")
    classes, camera = LABELS.to_color(square().labels), square().colors
    for file, plain, prefix, more in (
        ("label.ply", classes, "camera_", camera),
        ("rgb.ply", camera, "label_", classes),
    ):
        vertex, _ = read_ply(tmp_path / file)
        np.testing.assert_array_equal(np.stack([vertex[n] for n in names], axis=1), plain)
        np.testing.assert_array_equal(np.stack([vertex[prefix + n] for n in names], axis=1), more)


def gltf_of(path: Path) -> dict:
    """The JSON chunk of a GLB file."""
    content = path.read_bytes()
    return json.loads(content[20 : 20 + struct.unpack_from("<I", content, 12)[0]])


def test_the_second_colors_are_stored_once_under_two_names(tmp_path: Path) -> None:
    write_glb(tmp_path / "mesh.glb", square(), LABELS)
    (primitive,) = gltf_of(tmp_path / "mesh.glb")["meshes"][0]["primitives"]
    attributes = primitive["attributes"]
    assert attributes["COLOR_1"] == attributes["_COLOR_CAMERA"] != attributes["COLOR_0"]
    assert "material" not in primitive, "trimesh shows no vertex colours of a mesh with a material"


@pytest.mark.parametrize("axis", AXES)
def test_glb_is_upright_whichever_way_is_up_in_the_map(tmp_path: Path, axis: str) -> None:
    up = axis_vector(axis)
    write_glb(tmp_path / "mesh.glb", square(), LABELS, up=up)
    scene = trimesh.load(tmp_path / "mesh.glb", force="scene", process=False)
    heights = square().vertices @ up  # metres along the map's up
    np.testing.assert_allclose(scene.to_mesh().vertices[:, 1], heights, atol=1e-6)
    np.testing.assert_array_equal(glb_mesh(tmp_path / "mesh.glb").vertices, square().vertices)


def test_glb_read_back_by_open3d(tmp_path: Path) -> None:
    write_glb(tmp_path / "mesh.glb", square(), LABELS, color_by="rgb")
    mesh = o3d.io.read_triangle_mesh(str(tmp_path / "mesh.glb"))
    assert (len(mesh.vertices), len(mesh.triangles)) == (4, 2)
    np.testing.assert_allclose(np.asarray(mesh.vertices)[2], [2, 0, -3], atol=1e-6)


def test_glb_lists_the_classes_and_fills_its_length(tmp_path: Path) -> None:
    write_glb(tmp_path / "mesh.glb", square(), LABELS)
    content = (tmp_path / "mesh.glb").read_bytes()
    magic, version, length = struct.unpack_from("<4sII", content)
    assert (magic, version, length) == (b"glTF", 2, len(content)) and length % 4 == 0
    size = struct.unpack_from("<I", content, 12)[0]
    extras = json.loads(content[20 : 20 + size])["scenes"][0]["extras"]
    assert extras["classes"][1] == {"id": 7, "name": "dining table", "color": [200, 100, 50]}
    assert extras["unlabelled_id"] == 255


def test_glb_colors_are_linear_light() -> None:
    # sRGB 188 is half the light of 255; 255 and 0 stay (IEC 61966-2-1)
    np.testing.assert_allclose(linear_rgb(np.array([[0, 188, 255]], np.uint8))[0], [0, 0.5, 1], atol=0.003)


def test_glb_without_faces_are_points() -> None:
    s = square()
    content = encode_glb(s.vertices, s.colors, np.zeros((0, 3), np.int32))
    scene = trimesh.load(io.BytesIO(content), file_type="glb", force="scene")
    (points,) = scene.geometry.values()
    assert isinstance(points, trimesh.PointCloud) and len(points.vertices) == 4


def test_color_by_must_be_known(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="label, rgb"):
        write_ply(tmp_path / "x.ply", square(), LABELS, color_by="height")


@pytest.mark.parametrize("write", [write_ply, write_glb])
def test_a_full_disk_leaves_the_previous_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write) -> None:  # noqa: ANN001
    path = tmp_path / "mesh"
    write(path, square(), LABELS)
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="cannot write .*mesh: No space left on device; free space"):
        write(path, square(), LABELS, color_by="rgb")
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["mesh"]
