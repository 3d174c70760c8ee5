"""Bags as people have them: odd metadata, damage, other topics, compression, ROS 1, depth of another camera, no TF."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from rosbags.highlevel import AnyReader
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from sem_field_ros.datasets.bag.reader import BagSequence
from sem_field_ros.datasets.bag.topics import CAMERA_INFO_TYPE, IMAGE, BagTopics, find_topics, other_cameras
from sem_field_ros.datasets.bag.writer import write_bag
from sem_field_ros.datasets.open_sequence import open_sequence
from sem_field_ros.errors import DataError, FrameError
from tests.datasets.test_bag import Frames, S, assert_same, edited

BIG = {"sec": 9223372036, "nsec": 854775807}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bag") / "room"
    write_bag(path, Frames())
    return path


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "room"))


def edit_metadata(path: Path, edit) -> None:
    content = yaml.safe_load((path / "metadata.yaml").read_text())
    edit(content["rosbag2_bagfile_information"])
    (path / "metadata.yaml").write_text(yaml.safe_dump(content))


# -- metadata.yaml ----------------------------------------------------------------------------------------------------


def _unknown_qos(info) -> None:  # as Jazzy's recorder writes them
    for topic in info["topics_with_message_count"]:
        profile = {"history": "unknown", "depth": 0, "reliability": "reliable", "durability": "volatile"}
        profile |= {"deadline": BIG, "lifespan": BIG, "liveliness": "automatic", "liveliness_lease_duration": BIG}
        topic["topic_metadata"]["offered_qos_profiles"] = [profile | {"avoid_ros_namespace_conventions": False}]


def _other_hashes(info) -> None:
    for topic in info["topics_with_message_count"]:
        topic["topic_metadata"]["type_description_hash"] = "RIHS01_" + "1" * 64


def _newer_version(info) -> None:
    info["version"] = 11


@pytest.mark.parametrize("edit", [_unknown_qos, _other_hashes, _newer_version])
def test_metadata_that_disagrees_with_the_storage_costs_nothing(copy: Path, edit) -> None:
    edit_metadata(copy, edit)
    assert_same(open_sequence(copy), Frames().frames)


def test_metadata_that_is_damaged_or_names_another_file_is_noted(copy: Path) -> None:
    storage = next(copy.glob("*.mcap"))
    storage.rename(copy / "RENAMED_0.MCAP")
    sequence = open_sequence(copy)
    assert_same(sequence, Frames().frames)
    assert f"names {storage.name}, the folder has RENAMED_0.MCAP" in sequence.notes[0]
    (copy / "metadata.yaml").write_text("")
    sequence = open_sequence(copy)
    assert len(sequence) == 6 and "is damaged" in sequence.notes[0]
    (copy / "RENAMED_0.MCAP").unlink()
    with pytest.raises(DataError, match="0 bag files"):
        open_sequence(copy)


def test_fewer_messages_than_announced_is_an_error(copy: Path) -> None:
    def more(info) -> None:
        for topic in info["topics_with_message_count"]:
            topic["message_count"] += topic["topic_metadata"]["name"] == "/camera/depth/image_raw"

    edit_metadata(copy, more)
    with pytest.raises(DataError, match=r"announces 7 messages of /camera/depth/image_raw, the bag has 6"):
        open_sequence(copy)


# -- what else is in the bag ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "definition", "given"),
    [
        ("example_interfaces/srv/AddTwoInts_Event", "int64 a\n---\nint64 sum\n", {}),
        ("my_msgs/msg/Thing", "other_msgs/Part part\n", {}),
        ("my_msgs/msg/Event", "string a\n", {"serialization_format": "json"}),
    ],
)
def test_an_unrelated_topic_never_blocks_a_bag(folder: Path, tmp_path: Path, kind: str, definition: str, given) -> None:
    target = tmp_path / "more"
    with AnyReader([folder]) as reader, Writer(target, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        writer.add_connection("/other", kind, msgdef=definition, rihs01="RIHS01_" + "0" * 64, **given)
        connections = {
            c.topic: writer.add_connection(c.topic, c.msgtype, typestore=reader.typestore) for c in reader.connections
        }
        for connection, at, data in reader.messages():
            writer.write(connections[connection.topic], at, data)
    assert_same(open_sequence(target), Frames().frames)


def test_video_packets_are_named() -> None:
    kinds = {"/camera/image/ffmpeg": "ffmpeg_image_transport_msgs/msg/FFMPEGPacket"}
    with pytest.raises(DataError, match=r"video packets \(/camera/image/ffmpeg\) are not read: republish"):
        find_topics(kinds, dict.fromkeys(kinds, 1), BagTopics(), "bag")


def test_colour_and_depth_are_of_one_camera() -> None:
    kinds = {}
    for camera in ("front", "rear"):
        kinds[f"/{camera}/color/image_raw"] = kinds[f"/{camera}/aligned_depth_to_color/image_raw"] = IMAGE
        kinds[f"/{camera}/color/camera_info"] = CAMERA_INFO_TYPE
    counts = dict.fromkeys(kinds, 10) | {"/front/aligned_depth_to_color/image_raw": 9, "/rear/color/image_raw": 9}
    topics = find_topics(kinds, counts, BagTopics(), "bag")
    assert {topic.split("/")[1] for topic in (topics.color, topics.depth, topics.camera_info)} == {"rear"}
    assert other_cameras(topics, kinds) == ["/front/color/image_raw"]
    topics = find_topics(kinds, counts, BagTopics(color="/front/color/image_raw"), "bag")
    assert topics.depth == "/front/aligned_depth_to_color/image_raw"


# -- damage and compression -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_metadata", [True, False])
def test_a_cut_mcap_is_read_up_to_the_damage(folder: Path, tmp_path: Path, with_metadata: bool) -> None:
    def padded(topic: str, at: int, message, number: int):  # rows of 40 kB, so that each frame has a chunk of its own
        if topic == "/camera/color/image_raw":
            rows = np.random.default_rng(number).integers(0, 255, (24, 40_000), np.uint8)
            rows[:, :96] = message.data.reshape(24, 96)
            message = replace(message, step=40_000, data=rows.reshape(-1))
        return [(topic, at, message)]

    source = edited(folder, tmp_path / "padded", padded)
    storage = next(source.glob("*.mcap"))
    storage.write_bytes(storage.read_bytes()[: storage.stat().st_size * 6 // 10])
    if not with_metadata:
        (source / "metadata.yaml").unlink()
    sequence = open_sequence(source)
    assert 1 <= len(sequence) < 6 and "cut short" in sequence.notes[0] and "`mcap recover`" in sequence.notes[0]
    assert_same(sequence, Frames().frames[: len(sequence)])


def test_a_cut_sqlite_bag_is_one_line(folder: Path, tmp_path: Path) -> None:
    edited(folder, tmp_path / "b", lambda topic, at, message, number: [(topic, at, message)], sqlite=True)
    storage = next((tmp_path / "b").glob("*.db3"))
    storage.write_bytes(storage.read_bytes()[: storage.stat().st_size // 2])
    with pytest.raises(DataError, match=r"cannot be read as a bag .* \.recover") as error:
        list(open_sequence(tmp_path / "b"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("mode", [CompressionMode.MESSAGE, CompressionMode.FILE, CompressionMode.STORAGE])
@pytest.mark.parametrize("alone", [False, True])
def test_compressed_bags(folder: Path, tmp_path: Path, mode: CompressionMode, alone: bool) -> None:
    target = tmp_path / "packed"
    with AnyReader([folder]) as reader:
        writer = Writer(target, version=9, storage_plugin=StoragePlugin.MCAP)
        writer.set_compression(mode, CompressionFormat.ZSTD)
        with writer:
            connections = {
                c.topic: writer.add_connection(c.topic, c.msgtype, typestore=reader.typestore)
                for c in reader.connections
            }
            for connection, at, data in reader.messages():
                writer.write(connections[connection.topic], at, data)
    files = [file for file in target.iterdir() if file.name != "metadata.yaml"]
    assert_same(open_sequence(files[0] if alone else target), Frames().frames)


def test_ros1_bags(folder: Path, tmp_path: Path) -> None:
    ros1, path = get_typestore(Stores.ROS1_NOETIC), tmp_path / "a.bag"
    ros1.register(get_types_from_msg("geometry_msgs/TransformStamped[] transforms", "tf2_msgs/msg/TFMessage"))

    def as_ros1(kind: str, message):
        if kind == "tf2_msgs/msg/TFMessage":
            stamped = [ros1.types["geometry_msgs/msg/TransformStamped"](**_head(t), child_frame_id=t.child_frame_id,
                       transform=t.transform) for t in message.transforms]  # fmt: skip
            return ros1.types[kind](stamped)
        values = vars(message) | _head(message)
        for name in "dkrp" if kind == CAMERA_INFO_TYPE else "":
            values[name.upper()] = values.pop(name)
        return ros1.types[kind](**values)

    def _head(message) -> dict:
        return {"header": ros1.types["std_msgs/msg/Header"](7, message.header.stamp, message.header.frame_id)}

    with AnyReader([folder]) as reader, Ros1Writer(path) as writer:
        connections = {}
        for connection, at, data in reader.messages():
            kind = connection.msgtype
            if kind in ros1.fielddefs:
                if connection.topic not in connections:
                    connections[connection.topic] = writer.add_connection(connection.topic, kind, typestore=ros1)
                message = as_ros1(kind, reader.deserialize(data, kind))
                writer.write(connections[connection.topic], at, ros1.serialize_ros1(message, kind))
    assert_same(open_sequence(path, label_set="voc"), Frames().frames)


# -- poses and cameras ------------------------------------------------------------------------------------------------


def test_a_camera_that_is_not_connected_to_the_world_is_refused(folder: Path, tmp_path: Path) -> None:
    without = edited(folder, tmp_path / "a", lambda topic, at, m, n: [] if topic == "/tf_static" else [(topic, at, m)])
    with pytest.raises(DataError, match=r"camera frame '.*' is not connected to map.*/tf_static missing\?") as error:
        open_sequence(without)
    assert "base_link" in str(error.value)
    static = edited(folder, tmp_path / "b", lambda topic, at, m, n: [] if topic == "/tf" else [(topic, at, m)])
    with pytest.raises(DataError, match="is not connected"):  # its root would give one constant pose
        open_sequence(static)


def beside(topic: str, at: int, message, number: int, info, T_x: float = 0.0):
    """Depth from a camera of its own: half as wide a view, `T_x` metres to the right of the colour camera."""
    if topic == "/camera/depth/image_raw":
        header = replace(message.header, frame_id="depth_frame")
        return [("/depth/image_rect", at, replace(message, header=header)), *info(at, header)]
    if topic == "/tf_static":
        last = message.transforms[-1]
        t = replace(last.transform, translation=replace(last.transform.translation, x=T_x, y=0.0, z=0.0))
        q = replace(t.rotation, x=0.0, y=0.0, z=0.0, w=1.0)
        header = replace(last.header, frame_id=last.child_frame_id)
        more = replace(last, header=header, child_frame_id="depth_frame", transform=replace(t, rotation=q))
        message = replace(message, transforms=[*message.transforms, more])
    return [(topic, at, message)]


def test_depth_of_another_camera_is_registered_with_both_infos_and_tf(folder: Path, tmp_path: Path) -> None:
    template = {}

    def edit(topic: str, at: int, message, number: int):
        if topic == "/camera/color/camera_info":
            template["info"] = message
        if topic == "/camera/depth/image_raw":
            message = replace(message, data=np.full(24 * 32, 2000, "<u2").view(np.uint8), width=32, height=24,
                              step=64, encoding="16UC1")  # fmt: skip

        def info(at: int, header):
            k = np.array([100.0, 0, 15.5, 0, 102, 11.5, 0, 0, 1])  # colour has 50, 51
            return [("/depth/camera_info", at, replace(template["info"], header=header, k=k))]

        return beside(topic, at, message, number, info, T_x=0.2)

    frame = next(iter(open_sequence(edited(folder, tmp_path / "a", edit))))
    assert frame.depth.shape == (24, 32) and set(np.unique(frame.depth)) == {0, 2}
    # depth columns 0..31 are at x = (u - 15.5) / 100 * 2 + 0.2 m: in colour at 50 * x / 2 + 15.5
    expected = [50 * ((u - 15.5) / 100 * 2 + 0.2) / 2 + 15.5 for u in (0, 31)]
    columns = np.flatnonzero(frame.depth.any(axis=0))
    assert abs(columns[0] - expected[0]) <= 0.5 and abs(columns[-1] - expected[1]) <= 0.5
    rows = np.flatnonzero(frame.depth.any(axis=1))
    assert rows[0] == 6 and rows[-1] == 17  # half the height, in the middle


def test_depth_of_another_camera_without_its_info_is_refused(folder: Path, tmp_path: Path) -> None:
    def edit(topic: str, at: int, message, number: int):
        return beside(topic, at, message, number, lambda at, header: [])

    with pytest.raises(FrameError, match=r"'depth_frame'.*no CameraInfo comes beside /depth/image_rect") as error:
        next(iter(open_sequence(edited(folder, tmp_path / "a", edit))))
    assert error.value.cause == "depth_not_registered"


def test_the_unit_of_depth_can_be_given(folder: Path) -> None:
    half = next(iter(open_sequence(folder, depth_units_per_m=2000.0)))
    whole = next(iter(open_sequence(folder)))
    np.testing.assert_allclose(half.depth, whole.depth / 2, atol=1e-6)
    assert half.stamp_ns == 10 * S
    assert isinstance(open_sequence(folder), BagSequence)
