"""Bags: what is written is read, foreign bags are understood, and one clear line for everything that is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer

from sem_field_ros.cli import main
from sem_field_ros.datasets.bag.file import BagFile, RawMessage
from sem_field_ros.datasets.bag.reader import BagSequence
from sem_field_ros.datasets.bag.topics import COMPRESSED, IMAGE, BagTopics, find_topics
from sem_field_ros.datasets.bag.writer import write_bag
from sem_field_ros.datasets.open_sequence import open_sequence
from sem_field_ros.errors import DataError, FrameError, OutputError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import pose_from_quaternion
from sem_field_ros.labels import load_label_set

S = 1_000_000_000
CAMERA = Intrinsics(50.0, 51.0, 15.5, 11.5, 32, 24)


class Frames:
    """A small recorded sequence: frame i at x = i metres, turned a little."""

    name = "frames"

    def __init__(self, count: int = 6, labels: bool = True, depth: bool = True) -> None:
        self.labels = load_label_set("voc") if labels else None
        rng = np.random.default_rng(1)
        half = [0.05 * i for i in range(count)]
        self.frames = [
            PosedFrame(
                stamp_ns=10 * S + i * S // 10,
                color=np.full((24, 32, 3), (200, 20 * i, 10), np.uint8),
                camera=CAMERA,
                T_world_camera=pose_from_quaternion([i, 0.5, -1], [0, np.sin(half[i]), 0, np.cos(half[i])]),
                depth=rng.integers(0, 5000, (12, 16)).astype(np.float32) / 1000 if depth else None,
                labels=np.full((24, 32), i, np.uint8) if labels else None,
            )
            for i in range(count)
        ]

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self):
        return iter(self.frames)


def edited(source: Path, target: Path, edit, sqlite: bool = False) -> Path:
    """Copy a bag; `edit(topic, time_ns, message, number)` returns such tuples (without the number) to write instead."""
    plugin = StoragePlugin.SQLITE3 if sqlite else StoragePlugin.MCAP
    with AnyReader([source]) as reader, Writer(target, version=9, storage_plugin=plugin) as writer:
        connections, numbers = {}, {}
        for connection, time_ns, data in reader.messages():
            number = numbers[connection.topic] = numbers.get(connection.topic, -1) + 1
            message = reader.deserialize(data, connection.msgtype)
            for topic, at, changed in edit(connection.topic, time_ns, message, number):
                if topic not in connections:
                    kind = changed.__msgtype__
                    connections[topic] = writer.add_connection(topic, kind, typestore=reader.typestore)
                raw = reader.typestore.serialize_cdr(changed, changed.__msgtype__)
                writer.write(connections[topic], at, raw)
    return target


@pytest.fixture(scope="module")
def bag(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("bag") / "room.mcap"
    assert write_bag(path, Frames()) == 6
    return path


def assert_same(sequence, frames) -> None:
    assert len(sequence) == len(frames)
    read = list(sequence)
    assert len(read) == len(frames)
    for a, b in zip(read, frames, strict=True):
        assert a.stamp_ns == b.stamp_ns and a.camera == b.camera
        np.testing.assert_array_equal(a.color, b.color)
        np.testing.assert_allclose(a.T_world_camera, b.T_world_camera, atol=1e-9)
        np.testing.assert_allclose(a.depth, b.depth, atol=1e-6)
        np.testing.assert_array_equal(a.labels, b.labels)


@pytest.mark.parametrize("name", ["a.mcap", "a.db3", "folder"])
def test_round_trip(tmp_path, name):
    source = Frames()
    write_bag(tmp_path / name, source)
    sequence = open_sequence(tmp_path / name)
    assert_same(sequence, source.frames)
    assert_same(sequence, source.frames)  # it can be iterated again
    assert sequence.labels.name == "voc" and not sequence.drops and sequence.skipped == 0
    assert sequence.world_frame == "map"
    assert [p.name for p in tmp_path.iterdir()] == [name]  # nothing is left beside it


def test_jpeg_colour_and_no_labels_no_depth(tmp_path):
    write_bag(tmp_path / "a.mcap", Frames(labels=False, depth=False), jpeg=True)
    sequence = BagSequence(tmp_path / "a.mcap")
    assert sequence.labels is None and sequence.topics.color.endswith("/compressed")
    frames = list(sequence)
    assert len(frames) == 6 and frames[0].depth is None and frames[0].labels is None
    assert np.abs(frames[3].color.astype(int) - Frames().frames[3].color).max() < 6


def test_start_and_duration(bag):
    assert BagSequence(bag, start_s=0.1, duration_s=0.2).stamps_ns == [10 * S + S // 10, 10 * S + S // 5]
    with pytest.raises(DataError, match="no frame between"):
        BagSequence(bag, start_s=60)


def test_existing_files_are_not_overwritten_and_failures_leave_nothing(tmp_path, bag):
    with pytest.raises(OutputError, match="exists already"):
        write_bag(bag, Frames())

    class Breaks(Frames):
        def __iter__(self):
            yield self.frames[0]
            raise DataError("frame 1 is broken")

    with pytest.raises(DataError, match="frame 1"):
        write_bag(tmp_path / "a.mcap", Breaks())
    assert not list(tmp_path.iterdir())
    skipped = []
    assert write_bag(tmp_path / "a.mcap", Breaks(), skip=skipped.append) == 1 and len(skipped) == 1


def test_parts_that_never_come_and_late_ones(tmp_path, bag):
    """Frame 1 has no depth, 2 no labels, 3 no transform; all depth is recorded late, all TF at the very end."""

    def edit(topic, at, message, number):
        if (topic.endswith("depth/image_raw") and number == 1) or (topic.startswith("/camera/label/i") and number == 2):
            return []
        if topic == "/tf":
            return [] if number in (3, 4, 5) else [(topic, at + 60 * S, message)]
        if topic.endswith("depth/image_raw"):
            return [(topic, at + S // 4, message)]
        return [(topic, at, message)]

    sequence = BagSequence(edited(bag, tmp_path / "edited", edit, sqlite=True))
    names = [(f.name, f.labels is not None) for f in sequence]
    assert names == [("000000", True), ("000002", False)]
    assert sequence.drops == {"unpaired_color": 1, "tf_extrapolation": 3} and sequence.skipped == 4


def test_poses_are_interpolated_between_transforms(tmp_path, bag):
    def edit(topic, at, message, number):
        return [] if topic == "/tf" and number == 1 else [(topic, at, message)]

    T = list(BagSequence(edited(bag, tmp_path / "edited", edit)))[1].T_world_camera
    np.testing.assert_allclose(T, Frames().frames[1].T_world_camera, atol=1e-6)  # constant motion


def test_other_topic_names_frames_and_one_latched_camera_info(tmp_path, bag):
    names = {
        "/camera/color/image_raw": "/head/rgb/image_rect_color",
        "/camera/color/camera_info": "/head/rgb/camera_info",
        "/camera/depth/image_raw": "/head/depth_registered/image_rect",
        "/camera/label/image_raw": "/segmentation/labels",
    }

    def edit(topic, at, message, number):
        out = [(names.get(topic, topic), at, message)]
        if topic.endswith("camera_info"):
            ir = [("/head/ir/camera_info", at, replace(message, k=np.eye(3).reshape(-1)))]
            return (out if number == 0 else []) + ir
        if topic == "/tf":
            odom = message.transforms[1]
            out = [(topic, at, replace(message, transforms=[odom]))]  # odometry alone
        if topic == "/camera/color/image_raw":
            out += [("/head/ir/image_raw", at, message), ("/segmentation/overlay", at, message)]
        return out if topic != "/camera/label/label_info" else []

    sequence = BagSequence(edited(bag, tmp_path / "edited", edit), label_set="voc")
    assert sequence.topics == BagTopics(
        "/head/rgb/image_rect_color",
        "/head/rgb/camera_info",
        "/head/depth_registered/image_rect",
        "/segmentation/labels",
    )
    assert sequence.world_frame == "odom"
    assert_same(sequence, Frames().frames)


def test_topics_can_be_named(bag):
    sequence = BagSequence(bag, topics=BagTopics(color="/camera/label/image_raw"), world_frame="base_link")
    assert next(iter(sequence)).color[0, 0].tolist() == [0, 0, 0]
    with pytest.raises(DataError, match="no topic /nope; it has: /camera/color/camera_info, "):
        BagSequence(bag, topics=BagTopics(color="/nope"))
    with pytest.raises(DataError, match=r"no frame has a pose of its camera in 'mars' \(6 tf_missing\)"):
        BagSequence(bag, world_frame="mars")


@pytest.mark.parametrize(
    ("drop", "message"),
    [
        (("color/image_raw", "label/image_raw"), "has no colour images"),
        (("camera_info",), "has no camera_info"),
        (("/tf", "/tf_static"), "has no TF"),
    ],
)
def test_missing_topics_are_named(tmp_path, bag, drop, message):
    def edit(topic, at, content, number):
        return [] if topic.endswith(drop) else [(topic, at, content)]

    with pytest.raises(DataError, match=message) as error:
        BagSequence(edited(bag, tmp_path / "edited", edit))
    assert "\n" not in str(error.value)


def test_realsense_style_names_prefer_aligned_raw_depth():
    kinds = {
        "/camera/color/image_raw": IMAGE,
        "/camera/color/image_raw/compressed": COMPRESSED,
        "/camera/depth/image_rect_raw": IMAGE,
        "/camera/aligned_depth_to_color/image_raw": IMAGE,
        "/camera/aligned_depth_to_color/image_raw/compressedDepth": COMPRESSED,
        "/camera/infra1/image_rect_raw": IMAGE,
        "/camera/color/camera_info": "sensor_msgs/msg/CameraInfo",
        "/camera/aligned_depth_to_color/camera_info": "sensor_msgs/msg/CameraInfo",
    }
    topics = find_topics(kinds, dict.fromkeys(kinds, 10), BagTopics(), "bag")
    assert topics.color == "/camera/color/image_raw" and topics.camera_info == "/camera/color/camera_info"
    assert topics.depth == "/camera/aligned_depth_to_color/image_raw" and topics.labels == ""


def test_damaged_bags_are_one_clear_line(tmp_path, bag):
    content = bag.read_bytes()
    for name, damaged in {
        "empty.mcap": b"",
        "text.mcap": b"this is no bag",
        "start.mcap": content[:100],
        "text.db3": b"this is no bag",
    }.items():
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(DataError) as error:
            list(BagSequence(tmp_path / name))
        assert "\n" not in str(error.value) and name in str(error.value)


def test_an_image_that_cannot_be_decoded_costs_one_frame(tmp_path, bag):
    def edit(topic, at, message, number):
        if topic == "/camera/color/image_raw" and number == 2:
            message = replace(message, encoding="nonsense")
        return [(topic, at, message)]

    frames, errors = [], []
    source = iter(BagSequence(edited(bag, tmp_path / "edited", edit)))
    while True:
        try:
            frame = next(source, None)
        except FrameError as error:
            errors.append(error.cause)
            continue
        if frame is None:
            break
        frames.append(frame.name)
    assert frames == ["000000", "000001", "000003", "000004", "000005"] and errors == ["unknown_encoding"]


def test_header_of_raw_messages(bag):
    file = BagFile(bag)
    headers = [raw.header() for raw in file.messages("color")]
    assert headers[1] == (10 * S + S // 10, "camera_color_optical_frame") and len(headers) == 6


def test_command(tmp_path, capsys, bag):
    assert main(["bag", str(bag), "--out", str(tmp_path / "b.db3"), "--duration-s", "0.3"]) == 0
    assert "3 frames" in capsys.readouterr().out
    assert len(BagSequence(tmp_path / "b.db3")) == 3
    assert main(["bag", str(bag), "--out", str(tmp_path / "b.db3")]) == 2
    assert "exists already" in capsys.readouterr().err


def test_what_open_sequence_takes_for_a_bag(tmp_path, bag):
    loose = tmp_path / "loose"
    loose.mkdir()
    (loose / "a.mcap").write_bytes(bag.read_bytes())
    assert len(open_sequence(loose)) == 6  # a bag folder whose metadata.yaml got lost
    (loose / "b.mcap").write_bytes(bag.read_bytes())
    with pytest.raises(DataError, match="2 bag files and no metadata.yaml"):
        open_sequence(loose)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match="neither a sequence folder nor a bag"):
        open_sequence(tmp_path / "notes.txt")


def test_a_message_too_short_for_a_header():
    with pytest.raises(DataError, match="has no header"):
        RawMessage("color", 0, IMAGE, b"\0\1\0\0").header()
