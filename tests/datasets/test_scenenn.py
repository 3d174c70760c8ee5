"""SceneNN: pictures, poses of trajectory.log and the labelled mesh, with values known by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sem_field_ros.datasets.open_sequence import open_sequence
from sem_field_ros.datasets.scenenn import SceneNNSequence
from sem_field_ros.errors import DataError
from sem_field_ros.geometry.ply import write_ply

from . import known_view as view

XML = """<?xml version="1.0"?>
<annotation>
  <label id="12" color="255 0 0" text="a wall" nyu_class="wall" area="1"/>
  <label id="7" text="my chair" nyu_class="Chair"/>
  <label id="8" text="rug" nyu_class="floor mat"/>
  <label id="9" text="fridge" nyu_class="fridge"/>
  <label id="10" text="thing" nyu_class="unknown"/>
</annotation>"""


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    folder = tmp_path / "scenenn_data" / "005"
    poses = []
    for i in (1, 2, 3):
        view.write_image(folder / "image" / f"image{i:05d}.png", view.picture(i, 480, 640))
        view.write_image(folder / "depth" / f"depth{i:05d}.png", np.full((480, 640), 1000 * i, np.uint16))
        rows = "\n".join(" ".join(f"{value:.8f}" for value in row) for row in view.pose_at(10.0 * i))
        poses.append(f"{i - 1} {i - 1} {i}\n{rows}")
    view.write_text(folder / "trajectory.log", "\n".join(poses) + "\n")
    view.write_text(folder / "timestamp.txt", "1 0\n2 33369\n3 66738\n")
    vertices = {axis: np.arange(6, dtype=np.float32) for axis in "xyz"}
    vertices["label"] = np.array([12, 7, 8, 9, 10, 0], np.uint16)
    write_ply(folder / "005.ply", vertices, np.array([[0, 1, 2], [3, 4, 5]]))
    view.write_text(folder / "005.xml", XML)
    return folder


def test_frames(scene: Path) -> None:
    sequence = open_sequence(scene)
    assert isinstance(sequence, SceneNNSequence) and sequence.name == "005" and not sequence.has_labels
    assert sequence.stamps_ns == [10**9, 10**9 + 33_369_000, 10**9 + 66_738_000]
    frame = list(sequence)[1]
    assert frame.name == "image00002" and frame.labels is None and frame.camera.fx == pytest.approx(544.47, abs=0.01)
    np.testing.assert_array_equal(frame.color[0, 0], view.picture(2)[0, 0])
    # the second image has the second pose
    expected = [20 + 2.0, 2 - 2.0 * (100 - 320) / 544.47329, 1.5 - 2.0 * (200 - 240) / 544.47329]
    np.testing.assert_allclose(view.world_point(frame, 200, 100), expected, atol=1e-5)


def test_the_mesh_gets_the_classes_of_its_objects(scene: Path) -> None:
    for name, expected in (
        ("nyu40", ["wall", "chair", "floor mat", "refrigerator", None, None]),
        ("scannet20", ["wall", "chair", None, "refrigerator", None, None]),
    ):
        sequence = open_sequence(scene, label_set=name)
        vertices, faces, ids = sequence.read_mesh()
        assert vertices.shape == (6, 3) and faces.tolist() == [[0, 1, 2], [3, 4, 5]]
        index = sequence.labels.to_index(ids)
        assert [sequence.labels.names[i] if i >= 0 else None for i in index] == expected
    (scene / "005.xml").unlink()
    assert open_sequence(scene).labels is None and open_sequence(scene).read_mesh() is None


def test_other_cameras_need_their_file(scene: Path) -> None:
    for i in (1, 2, 3):
        view.write_image(scene / "image" / f"image{i:05d}.png", view.picture(i, 424, 512))
        view.write_image(scene / "depth" / f"depth{i:05d}.png", np.full((424, 512), 2000, np.uint16))
    _, errors = view.frames_and_errors(open_sequence(scene))
    assert len(errors) == 3 and "512x424" in errors[0] and "kinect2.ini" in errors[0]
    ini = "depth_width 512\ndepth_height 424\nfx 360\nfy 361\n"
    view.write_text(scene.parent / "intrinsic" / "kinect2.ini", ini)
    camera = open_sequence(scene).read(0).camera
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (360, 361, 256, 212)
    view.write_text(scene.parent / "intrinsic" / "kinect2.ini", "fx 360")
    with pytest.raises(DataError, match="depth_width"):
        open_sequence(scene)


def test_what_is_missing_or_damaged(scene: Path) -> None:
    (scene / "depth" / "depth00003.png").unlink()
    sequence = open_sequence(scene)
    assert len(sequence) == 2 and sequence.drops == {"missing_files": 1}
    view.write_text(scene / "trajectory.log", "0 0 1\n1 0 0 0\n")
    with pytest.raises(DataError, match="a 4x4 matrix a frame"):
        open_sequence(scene)
