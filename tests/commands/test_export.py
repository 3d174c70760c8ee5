"""`sem-field export` of a small saved map: its files, their colours and which way is up, and mistakes in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from sem_field_ros import cli
from sem_field_ros.geometry.ply import read_ply
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.files.map_file import MapState, save_map
from sem_field_ros.mapping.semantic_map import SemanticMap
from tests.mapping.scene import LABELS, WALL_Z, wall_frame, wall_probabilities

NAMES = {"wall_mesh.ply", "wall_cloud.ply", "wall_mesh.glb", "wall_cloud.glb"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DIR/wall: a wall seen by upright cameras in a world whose -y is up."""
    semantic_map = SemanticMap(MapConfig(fusion="bayesian", min_weight=1.0), LABELS)
    for x in (0.0, 0.1, -0.1):
        semantic_map.integrate(frame := wall_frame(x))
        semantic_map.vote(frame, wall_probabilities(frame))
    folder = tmp_path_factory.mktemp("maps")
    state = semantic_map.state()
    header = {**state.header, "config": {**state.header["config"], "device": "cuda:7"}}  # made on another machine
    save_map(folder, "wall", MapState(state.arrays, header))
    return folder / "wall"


def exported(folder: Path) -> set[str]:
    """Names of the exported files."""
    return {path.name for path in folder.iterdir() if path.suffix in (".ply", ".glb")}


def world_of(path: Path) -> np.ndarray:
    """Vertices of a GLB file in glTF's world, y up."""
    return trimesh.load(path, force="scene", process=False).to_mesh().vertices


def test_mesh_and_cloud_in_both_formats_with_both_colors(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["export", str(saved), "--out", str(tmp_path / "new")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert exported(tmp_path / "new") == NAMES and len(lines) == 4
    vertex, faces = read_ply(tmp_path / "new" / "wall_mesh.ply")
    assert f"{len(vertex['x'])} vertices, {len(faces)} triangles" in lines[0] and len(faces) > 100
    labelled = vertex["label"] != 255
    left = labelled & (vertex["x"] < -0.1)
    assert set(vertex["label"][left]) == {1} and set(vertex["red"][left]) == {255}
    assert (vertex["camera_red"][left] > 200).all() and (vertex["camera_blue"][left] < 50).all()
    cloud, no_faces = read_ply(tmp_path / "new" / "wall_cloud.ply")
    assert 0 < len(cloud["x"]) < len(vertex["x"]) and len(no_faces) == 0
    (mesh,) = trimesh.load(tmp_path / "new" / "wall_mesh.glb", force="scene", process=False).geometry.values()
    assert mesh.visual.kind == "vertex"
    np.testing.assert_array_equal(mesh.visual.vertex_colors[left][:, :3], np.tile([255, 0, 0], (left.sum(), 1)))
    assert "_COLOR_CAMERA" in mesh.vertex_attributes


def test_the_files_are_beside_the_map_unless_told_otherwise_and_the_manifest_names_it(saved: Path) -> None:
    try:
        assert cli.main(["export", f"{saved}.semmap.json", "--format", "ply", "--color", "rgb"]) == 0
        assert exported(saved.parent) == {"wall_mesh.ply", "wall_cloud.ply"}
        vertex, _ = read_ply(saved.parent / "wall_mesh.ply")
        assert "label_red" in vertex and (vertex["red"][vertex["x"] < -0.1] > 200).all()
    finally:
        for name in NAMES:
            (saved.parent / name).unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("flags", "height"),
    [
        ([], lambda x, y, z: -y),  # as the cameras were held
        (["--up-axis", "-y"], lambda x, y, z: -y),
        (["--up-axis=-z"], lambda x, y, z: -z),
        (["--up-axis", "z"], lambda x, y, z: z),
        (["--up-axis", "+x"], lambda x, y, z: x),
    ],
)
def test_glb_is_upright(saved: Path, tmp_path: Path, flags: list[str], height) -> None:  # noqa: ANN001
    assert cli.main(["export", str(saved), "--out", str(tmp_path), "--format", "glb", *flags]) == 0
    path = tmp_path / "wall_mesh.glb"
    (mesh,) = trimesh.load(path, force="scene", process=False).geometry.values()
    assert np.median(mesh.vertices[:, 2]) == pytest.approx(WALL_Z, abs=0.05), "vertices keep the map's coordinates"
    np.testing.assert_allclose(world_of(path)[:, 1], height(*mesh.vertices.T), atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{folder}/hall"], "no map 'hall' in"),
        (["{folder}/wall", "--up-axis", "up"], "--up-axis"),
        (["{folder}/wall", "--format", "obj"], "'obj' is none of all, ply, glb"),
        ([], "required: DIR/NAME"),
    ],
)
def test_mistakes_are_one_line(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    words = [word.format(folder=saved.parent) for word in arguments]
    assert cli.main(["export", *words, "--out", str(tmp_path / "new")]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not (tmp_path / "new").exists()
