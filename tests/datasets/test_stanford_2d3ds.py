"""2D-3D-S: pictures of an area with poses from world to camera and labels by index, with values known by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sem_field_ros.datasets.open_sequence import open_sequence
from sem_field_ros.datasets.stanford_2d3ds import Stanford2D3DSequence
from sem_field_ros.errors import DataError
from sem_field_ros.labels import load_label_set

from . import known_view as view

# index 300 needs two colour channels
LABELS = ["<UNK>_0_<UNK>_0_0", "chair_1_office_1_3", "wall_2_office_1_3"] + ["clutter_1_hallway_2_3"] * 297
LABELS += ["bookcase_1_office_1_3"]


def _write(area: Path, stem: str, x: float) -> None:
    T_camera_world = np.linalg.inv(view.pose_at(x))
    pose = {
        "camera_k_matrix": [[40.0, 0, 19.5], [0, 40.0, 19.5], [0, 0, 1]],
        "camera_rt_matrix": T_camera_world[:3].tolist(),
        "camera_location": [x, 2.0, 1.5],
        "room": "office_1",
    }
    view.write_text(area / "data" / "pose" / f"{stem}_pose.json", json.dumps(pose))
    view.write_image(area / "data" / "rgb" / f"{stem}_rgb.png", view.picture(int(x), 40, 40))
    depth = np.full((40, 40), 1024, np.uint16)  # 2 m
    depth[0, 0] = 65535
    view.write_image(area / "data" / "depth" / f"{stem}_depth.png", depth)
    semantic = np.zeros((40, 40, 3), np.uint8)
    semantic[:] = (0, 0, 2)  # wall
    semantic[0, :4] = ((0, 0, 1), (0, 1, 44), (13, 13, 13), (0, 0, 0))  # chair, 300, missing, <UNK>
    view.write_image(area / "data" / "semantic" / f"{stem}_semantic.png", semantic)


@pytest.fixture
def area(tmp_path: Path) -> Path:
    area = tmp_path / "area_3"
    for i, room in enumerate(("office_1", "office_10", "office_1")):
        _write(area, f"camera_0a{i}_{room}_frame_{i}_domain", float(i))
    view.write_text(tmp_path / "assets" / "semantic_labels.json", json.dumps(LABELS))
    return area


def test_pictures(area: Path) -> None:
    for sequence in (open_sequence(area), open_sequence(area / "data")):
        assert isinstance(sequence, Stanford2D3DSequence) and len(sequence) == 3 and sequence.has_labels
    frame = list(sequence)[2]
    assert frame.name == "camera_0a2_office_1_frame_2" and frame.camera.fx == 40
    np.testing.assert_array_equal(frame.color[0, 0], view.picture(2)[0, 0])
    assert frame.depth is not None and frame.depth[0, 0] == 0 and frame.depth[9, 9] == 2.0  # / 512
    np.testing.assert_allclose(frame.T_world_camera, view.pose_at(2.0), atol=1e-12)  # the file has its inverse
    expected = [2 + 2.0, 2 - 2.0 * (30 - 19.5) / 40, 1.5 - 2.0 * (10 - 19.5) / 40]
    np.testing.assert_allclose(view.world_point(frame, 10, 30), expected, atol=1e-6)
    index = sequence.labels.to_index(frame.labels)[0, :5]
    names = [sequence.labels.names[i] if i >= 0 else None for i in index]
    assert sequence.labels.name == "stanford13" and names == ["chair", "bookcase", None, None, "wall"]


def test_one_room(area: Path) -> None:
    assert len(Stanford2D3DSequence(area, room="office_1")) == 2
    assert len(Stanford2D3DSequence(area, room="office_10")) == 1
    with pytest.raises(DataError, match="no picture of room hallway_1"):
        Stanford2D3DSequence(area, room="hallway_1")


def test_labels_in_other_sets(area: Path) -> None:
    sequence = open_sequence(area)
    scannet = load_label_set("scannet20")
    table = np.append(sequence.labels.regroup(scannet), -1)
    index = table[sequence.labels.to_index(sequence.read(0).labels)][0, :5]
    names = [scannet.names[i] if i >= 0 else None for i in index]
    assert names == ["chair", "bookshelf", None, None, "wall"]


def test_what_is_missing_or_wrong(area: Path) -> None:
    (area / "data" / "depth" / "camera_0a1_office_10_frame_1_domain_depth.png").unlink()
    pose = area / "data" / "pose" / "camera_0a0_office_1_frame_0_domain_pose.json"
    content = json.loads(pose.read_text())
    content["camera_location"] = [5, 5, 5]
    pose.write_text(json.dumps(content))
    sequence = open_sequence(area)
    assert sequence.drops == {"missing_files": 1}
    frames, errors = view.frames_and_errors(sequence)
    assert len(frames) == 1 and "does not lead to camera_location" in errors[0]
    pose.write_text("{}")
    assert "expected camera_k_matrix" in view.frames_and_errors(open_sequence(area))[1][0]
    (area.parent / "assets" / "semantic_labels.json").unlink()
    sequence = open_sequence(area)
    frames, _ = view.frames_and_errors(sequence)
    assert "assets/semantic_labels.json" in sequence.label_problems[frames[0].name]
