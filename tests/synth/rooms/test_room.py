"""The synthetic room: depth, labels, mesh and poses agree with each other; the same seed gives the same bits."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from sem_field_ros.datasets.folder_writer import FolderWriter, write_sequence
from sem_field_ros.errors import OutputError
from sem_field_ros.geometry.camera import unproject
from sem_field_ros.geometry.ply import read_ply
from sem_field_ros.geometry.poses import check_pose, transform_points
from sem_field_synth.rendering.depth_noise import noisy_depth
from sem_field_synth.rooms.layout import build_room
from sem_field_synth.rooms.mesh import labelled_mesh, write_labelled_mesh
from sem_field_synth.rooms.room import RoomConfig, SyntheticRoom, look_along
from sem_field_synth.rooms.shapes import Material, blob, box, cylinder

PAINT = Material((0.5, 0.5, 0.5))


@pytest.fixture(scope="module")
def clean_room() -> SyntheticRoom:
    return SyntheticRoom(RoomConfig(seed=3, noise=False))


def test_same_seed_same_frames_and_other_seed_other_frames() -> None:
    one, again, other = (SyntheticRoom(RoomConfig(seed=s, frames=4)).frame(2) for s in (5, 5, 6))
    assert np.array_equal(one.color, again.color)
    assert np.array_equal(one.depth, again.depth)
    assert np.array_equal(one.labels, again.labels)
    assert not np.array_equal(one.labels, other.labels)


def test_frames_are_what_a_reader_promises(clean_room: SyntheticRoom) -> None:
    frames = list(clean_room)
    assert len(frames) == len(clean_room) == 8
    assert [f.stamp_ns for f in frames] == [100_000_000_000 + i * 100_000_000 for i in range(8)]
    for frame in frames:
        assert frame.color.shape == (60, 80, 3) and frame.depth is not None and frame.labels is not None
        assert frame.depth.shape == frame.labels.shape == frame.extra["instance"].shape == (60, 80)
        assert (frame.depth > 0).all()  # the room is closed
        assert frame.color.std() > 10


def test_depth_back_projects_into_the_room_and_floor_pixels_onto_the_floor(clean_room: SyntheticRoom) -> None:
    floor = clean_room.labels.ids[clean_room.labels.index_of("floor")]
    for frame in clean_room:
        assert frame.depth is not None
        points = transform_points(frame.T_world_camera, unproject(frame.depth, frame.camera))
        assert (points > -0.15).all() and (points < clean_room.room.size + 0.15).all()
        height = points[frame.labels == floor][:, 2]
        assert len(height) > 20 and np.abs(height).max() < 0.02  # 1.2 cm of rug counts as floor


def test_every_seed_holds_the_furniture_a_room_needs() -> None:
    for seed in range(6):
        names = {thing.label for thing in build_room(seed).objects}
        needed = {"wall", "floor", "door", "window", "table", "chair", "cabinet", "bookshelf", "picture", "desk"}
        assert needed <= names and names & {"sofa", "bed"}


def test_labels_and_instances_agree(clean_room: SyntheticRoom) -> None:
    frame = clean_room.frame(0)
    assert frame.labels is not None
    for instance in np.unique(frame.extra["instance"]):
        assert len(np.unique(frame.labels[frame.extra["instance"] == instance])) == 1


def test_poses_are_rigid_upright_and_move_like_a_hand(clean_room: SyntheticRoom) -> None:
    room = SyntheticRoom(dataclasses.replace(clean_room.config, frames=40))
    poses = np.stack([check_pose(room.pose(i)) for i in range(40)])
    assert (poses[:, 2, 1] < -0.8).all()  # the image's down axis points down
    steps = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1)
    assert 0.02 < np.median(steps) < 0.3


def test_look_along_by_hand() -> None:
    T = look_along(np.array([1.0, 2.0, 3.0]), yaw=0.0, pitch=0.0)
    assert np.allclose(T[:3, :3], [[0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # forward +x, right -y, down -z
    assert np.allclose(T[:3, 3], [1, 2, 3])


@pytest.mark.parametrize(
    ("part", "volume", "tolerance"),
    [
        (box((1, 2, 3), (1, 2, 0.5), PAINT), 1.0, 1e-9),
        (box((0, 0, 0), (1, 1, 1), PAINT, radius=0.1), 0.97, 0.02),
        (cylinder((0, 0, 0), 0.5, 2.0, PAINT, sides=64), np.pi / 2, 0.02),
        (blob((0, 0, 1), (2, 2, 2), PAINT), 4 / 3 * np.pi, 0.15),
    ],
)
def test_shapes_are_closed_and_wound_outwards(part, volume: float, tolerance: float) -> None:
    a, b, c = np.moveaxis(part.vertices[part.faces], 1, 0)
    assert (np.cross(a, b) * c).sum() / 6 == pytest.approx(volume, abs=tolerance)  # signed: positive = outwards
    facing = np.cross(b - a, c - a)
    size = np.linalg.norm(facing, axis=1)
    mean_normal = part.normals[part.faces].mean(1)
    assert ((facing * mean_normal).sum(1)[size > 1e-9] > 0).all()


def test_mesh_lies_on_the_seen_surface_and_carries_its_labels(clean_room: SyntheticRoom) -> None:
    vertices, faces, label = labelled_mesh(clean_room)
    assert faces.max() < len(vertices) == len(label)
    edges = vertices[faces] - np.roll(vertices[faces], 1, axis=1)
    assert np.linalg.norm(edges, axis=2).max() <= 0.2 + 1e-3
    low = vertices[label == 2]
    assert len(low) > 50 and np.abs(low[:, 2]).max() < 0.02
    assert set(np.unique(label)) <= {*clean_room.labels.ids.tolist(), 255}


def test_noise_grows_with_the_square_of_depth_and_edges_drop_out() -> None:
    rng = np.random.default_rng(0)
    near, far = (noisy_depth(np.full((120, 160), z, np.float32), rng) for z in (1.0, 3.0))
    ratio = (far[far > 0] - 3.0).std() / (near[near > 0] - 1.0).std()
    assert 6 < ratio < 12  # 9 by z^2
    step = np.full((60, 80), 1.0, np.float32)
    step[:, 40:] = 2.0
    lost = noisy_depth(step, rng) == 0
    assert lost[:, 39:41].mean() > 0.5 and lost[:, 5:35].mean() < 0.02
    assert (noisy_depth(np.full((4, 4), 9.0, np.float32), rng) == 0).all()  # out of range


def test_folder_holds_every_file_and_refuses_to_mix(tmp_path, clean_room: SyntheticRoom) -> None:
    target = tmp_path / "seq"
    assert write_sequence(target, clean_room, {"label_set": "scannet20"}) == 8
    frame = clean_room.frame(3)
    assert frame.depth is not None
    depth = cv2.imread(str(target / "depth/000003.png"), cv2.IMREAD_UNCHANGED)
    assert depth.dtype == np.uint16 and np.abs(depth / 1000 - frame.depth).max() <= 0.00051
    assert np.array_equal(cv2.imread(str(target / "label/000003.png"), cv2.IMREAD_UNCHANGED), frame.labels)
    assert np.allclose(np.loadtxt(target / "pose/000003.txt"), frame.T_world_camera, atol=1e-7)
    assert np.allclose(np.loadtxt(target / "intrinsics.txt"), frame.camera.matrix)
    assert (target / "timestamps.txt").read_text().splitlines()[3] == "000003 100.300000000"
    color = cv2.imread(str(target / "color/000003.jpg"))[..., ::-1].astype(float)
    assert np.abs(color - frame.color).mean() < 6
    with pytest.raises(OutputError, match="already holds a sequence"):
        FolderWriter(target)


def test_mesh_file_reads_back(tmp_path, clean_room: SyntheticRoom) -> None:
    write_labelled_mesh(tmp_path / "mesh_labels.ply", clean_room)
    columns, faces = read_ply(tmp_path / "mesh_labels.ply")
    vertices, expected, label = labelled_mesh(clean_room)
    assert np.array_equal(faces, expected) and np.array_equal(columns["label"], label)
    assert np.array_equal(np.stack([columns[c] for c in "xyz"], 1), vertices)
