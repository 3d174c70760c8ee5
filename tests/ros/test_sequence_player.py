"""The sequence player over real DDS: folders and bags come out as camera topics, TF and /clock, whole and in time."""

from __future__ import annotations

import os
import signal
import time
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from rcl_interfaces.srv import DescribeParameters
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Bool, Float32
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import LabelInfo

from sem_field_ros.camera_stream.frames import frame_from_bundle
from sem_field_ros.camera_stream.images import color_from_msg, depth_from_msg, labels_from_msg
from sem_field_ros.camera_stream.label_info import names_from_msg
from sem_field_ros.camera_stream.pairing import FramePairer, stamp_ns_of
from sem_field_ros.datasets.bag.writer import write_bag
from sem_field_ros.datasets.folder_writer import write_sequence
from sem_field_ros.errors import SemFieldError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import pose_from_quaternion
from sem_field_ros.labels import load_label_set
from sem_field_ros.nodes.player.node import SequencePlayer
from sem_field_ros.nodes.player.options import player_yaml
from sem_field_ros.resources import resource_path
from sem_field_ros.ros.qos import clock_qos, image_qos, latched_qos, tf_qos, tf_static_qos
from sem_field_ros.ros.transforms import TransformBuffer

PLAYER = "sem_field_ros.nodes.player.node"
S = 1_000_000_000
COUNT = 12
PERIOD_NS = S // 20
CAMERA = Intrinsics(60.0, 60.0, 31.5, 23.5, 64, 48)


class Recording:
    """Twelve frames at 20 Hz that can be told apart by their colour; frame i is at x = i / 10."""

    name = "recording"
    labels = load_label_set("voc")

    def __len__(self) -> int:
        return COUNT

    def __iter__(self):
        for i in range(COUNT):
            yield PosedFrame(
                stamp_ns=5 * S + i * PERIOD_NS,
                color=np.full((48, 64, 3), (10 * i, 50, 200), np.uint8),
                camera=CAMERA,
                T_world_camera=pose_from_quaternion(
                    [i / 10, 1, 2], [0, 0.1 * i / (1 + 0.01 * i * i) ** 0.5, 0, 1 / (1 + 0.01 * i * i) ** 0.5]
                ),
                depth=np.full((24, 32), 1 + i / 1000, np.float32),
                labels=np.full((48, 64), i, np.uint8),
                name=f"{i:06d}",
            )


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("recording")
    write_sequence(path / "folder", Recording(), {"label_set": "voc"})
    write_bag(path / "bag.mcap", Recording())
    write_bag(path / "jpeg.db3", Recording(), jpeg=True)
    return path


def robot(ros, prefix="camera", color_type=Image, color="color/image_raw") -> SimpleNamespace:
    """All that a mapper listens to, kept in lists."""
    node = ros.node("robot")
    return SimpleNamespace(
        node=node,
        color=ros.collect(node, color_type, f"{prefix}/{color}", image_qos(depth=50)),
        info=ros.collect(node, CameraInfo, f"{prefix}/color/camera_info", image_qos(depth=50)),
        depth=ros.collect(node, Image, f"{prefix}/depth/image_raw", image_qos(depth=50)),
        labels=ros.collect(node, Image, f"{prefix}/label/image_raw", image_qos(depth=50)),
        label_info=ros.collect(node, LabelInfo, f"{prefix}/label/label_info", latched_qos()),
        clock=ros.collect(node, Clock, "/clock", clock_qos()),
        tf=ros.collect(node, TFMessage, "/tf", tf_qos()),
        tf_static=ros.collect(node, TFMessage, "/tf_static", tf_static_qos(listener=True)),
        finished=ros.collect(node, Bool, "/sequence_player/finished", latched_qos()),
        progress=ros.collect(node, Float32, "/sequence_player/progress", latched_qos(depth=1)),
        buffer=TransformBuffer(node, use_tf2=False),
    )


def clock_of(robot) -> list[int]:
    return [c.clock.sec * S + c.clock.nanosec for c in robot.clock]


@pytest.mark.parametrize("name", ["folder", "bag.mcap"])
def test_every_frame_arrives_with_its_pose(ros, recording, name):
    listener = robot(ros)
    player = ros.start(PLAYER, path=recording / name)
    assert ros.wait(player, 40) == 0, ros.output()
    ros.spin_until(lambda: listener.finished and listener.finished[-1].data, 10, "it says that it is finished")
    pairer = FramePairer(0.001, queue_size=50, want_labels=True)
    for messages, add in (
        (listener.info, pairer.add_camera_info),
        (listener.depth, pairer.add_depth),
        (listener.labels, pairer.add_labels),
        (listener.color, pairer.add_color),
    ):
        assert len(messages) == COUNT
        for message in messages:
            add(message)
    for expected in Recording():
        bundle = pairer.pop()
        T = listener.buffer.lookup("map", bundle.color.header.frame_id, bundle.stamp_ns)
        frame = frame_from_bundle(bundle, T)
        assert frame.stamp_ns == expected.stamp_ns and frame.camera == expected.camera
        np.testing.assert_allclose(frame.T_world_camera, expected.T_world_camera, atol=1e-6)
        np.testing.assert_allclose(frame.depth, expected.depth, atol=1e-6)
        np.testing.assert_array_equal(frame.labels, expected.labels)
        assert np.abs(frame.color.astype(int) - expected.color).max() < 8  # the folder holds JPEG
    assert names_from_msg(listener.label_info[-1])[9] == "chair"
    assert [t.child_frame_id for m in listener.tf_static for t in m.transforms] == ["camera_color_optical_frame"]
    assert listener.progress[-1].data == 1.0
    clock = clock_of(listener)
    assert clock == sorted(clock) and clock[-1] >= 5 * S + (COUNT - 1) * PERIOD_NS


def test_it_waits_for_the_mapper_and_then_keeps_time(ros, recording):
    ros.start(PLAYER, path=recording / "folder", rate=0.5)
    ros.spin_for(2.5)  # nobody listens: nothing may be lost
    listener = robot(ros)
    arrivals: list[float] = []
    listener.node.create_subscription(
        Image, "camera/color/image_raw", lambda _: arrivals.append(time.monotonic()), image_qos(depth=50)
    )
    ros.spin_until(lambda: len(listener.color) == len(arrivals) == COUNT, 30, "all frames arrive")
    assert stamp_ns_of(listener.color[0]) == 5 * S
    expected = 2 * (COUNT - 1) * PERIOD_NS / S
    assert expected - 0.1 < arrivals[-1] - arrivals[0] < expected + 1.5  # a busy machine is late, never early
    assert len(listener.clock) > COUNT + 3  # also between the frames


def test_it_does_not_wait_for_ever(ros, recording):
    player = ros.start(PLAYER, path=recording / "folder", wait_for_subscribers_s=0.3, rate=10.0)
    assert ros.wait(player, 30) == 0
    assert "no subscriber of /camera/color/image_raw" in ros.output()


def test_loops_jump_back_like_a_looped_bag(ros, recording):
    listener = robot(ros)
    player = ros.start(PLAYER, path=recording / "folder", loops=3, rate=4.0)
    assert ros.wait(player, 40) == 0
    ros.spin_until(lambda: len(listener.color) == 3 * COUNT, 10, "all loops arrive")
    stamps = [stamp_ns_of(m) for m in listener.color]
    assert stamps == 3 * [5 * S + i * PERIOD_NS for i in range(COUNT)]
    clock = clock_of(listener)
    assert sum(b < a for a, b in zip(clock, clock[1:], strict=False)) == 2


def test_start_duration_prefix_and_no_labels_no_clock(ros, recording):
    listener = robot(ros, prefix="head")
    player = ros.start(
        PLAYER, path=recording / "folder", start_s=0.1, duration_s=0.2, topic_prefix="head", publish_labels=False,
        publish_clock=False, camera_frame="eye", base_frame="body", map_frame="world",
    )  # fmt: skip
    assert ros.wait(player, 40) == 0
    ros.spin_until(lambda: listener.finished and listener.finished[-1].data, 10, "it is finished")
    assert [(stamp_ns_of(m) - 5 * S) // PERIOD_NS for m in listener.color] == [2, 3, 4, 5]
    assert not listener.labels and not listener.clock and not listener.label_info
    np.testing.assert_allclose(
        listener.buffer.lookup("world", "eye", 5 * S + 2 * PERIOD_NS)[:3, 3], [0.2, 1, 2], atol=1e-6
    )
    assert listener.buffer.can_transform("body", "eye", 0)


def test_compressed_bags_come_out_decoded(ros, recording):
    listener = robot(ros)
    player = ros.start(PLAYER, path=recording / "jpeg.db3")
    assert ros.wait(player, 40) == 0
    ros.spin_until(lambda: len(listener.color) == COUNT, 10, "all frames arrive")
    assert listener.color[3].encoding == "rgb8"
    assert np.abs(color_from_msg(listener.color[3]).astype(int) - (30, 50, 200)).max() < 8


def test_kept_topics_carry_the_bags_own_messages(ros, recording):
    listener = robot(ros, color_type=CompressedImage, color="color/image_raw/compressed")
    player = ros.start(PLAYER, path=recording / "jpeg.db3", keep_topics=True)
    assert ros.wait(player, 40) == 0
    ros.spin_until(lambda: len(listener.color) == COUNT, 10, "all frames arrive")
    assert listener.color[0].format == "rgb8; jpeg compressed bgr8"
    np.testing.assert_array_equal(labels_from_msg(listener.labels[5]), 5)
    np.testing.assert_allclose(depth_from_msg(listener.depth[5]), 1.005, atol=1e-6)


def test_a_damaged_frame_is_left_out(ros, tmp_path):
    write_sequence(tmp_path / "folder", Recording(), {"label_set": "voc"})
    (tmp_path / "folder/color/000004.jpg").write_bytes(b"no image")
    listener = robot(ros)
    player = ros.start(PLAYER, path=tmp_path / "folder", rate=4.0)
    assert ros.wait(player, 40) == 0
    ros.spin_until(lambda: len(listener.color) == COUNT - 1, 10, "the other frames arrive")
    assert "000004.jpg (8 bytes) is not a readable image" in ros.output()


@pytest.fixture
def untimed(tmp_path):
    """The recording as a folder that says nothing of time."""
    write_sequence(tmp_path / "folder", Recording(), {"label_set": "voc"})
    (tmp_path / "folder/timestamps.txt").unlink()
    return tmp_path / "folder"


def test_without_time_stamps_frames_wait_for_the_mapper(ros, untimed):
    """At 30 Hz the twelve frames would be out in 0.4 s."""
    listener = robot(ros)
    answers = listener.node.create_publisher(Time, "semantic_mapper/frame_done", 10)
    player = ros.start(PLAYER, path=untimed, frames_ahead=2)
    ros.spin_until(lambda: len(listener.color) == 2, 30, "the first two frames")
    ros.spin_for(1.0)
    assert len(listener.color) == 2
    for i in range(COUNT):
        answers.publish(listener.color[i].header.stamp)
        wanted = min(COUNT, i + 3)
        ros.spin_until(lambda wanted=wanted: len(listener.color) >= wanted, 10, f"frame {wanted}")
        assert len(listener.color) == wanted
        if i < COUNT - 1:
            assert not listener.finished[-1].data
    assert ros.wait(player, 10) == 0
    assert listener.finished[-1].data and listener.progress[-1].data == 1.0
    assert [stamp_ns_of(m) for m in listener.color] == [round((i + 1) * S / 30) for i in range(COUNT)]
    clock = clock_of(listener)
    assert clock == sorted(clock)


def test_without_an_answer_frames_go_on_slowly(ros, untimed):
    listener = robot(ros)
    player = ros.start(PLAYER, path=untimed, duration_s=0.12, frames_ahead=1)
    ros.spin_until(lambda: listener.color, 30, "the first frame")
    start = time.monotonic()
    assert ros.wait(player, 30) == 0
    assert len(listener.color) == 4 and 2.5 < time.monotonic() - start < 12
    assert "no mapper answers on /semantic_mapper/frame_done: playing one frame every 1 s" in ros.output()


@pytest.mark.parametrize("name", ["folder", "bag.mcap"])
def test_stamps_can_be_overruled(ros, recording, name):
    listener = robot(ros)
    answers = listener.node.create_publisher(Time, "semantic_mapper/frame_done", 10)
    ros.start(PLAYER, path=recording / name, pace="feedback", frames_ahead=3)
    ros.spin_until(lambda: len(listener.color) == 3, 30, "the first frames")
    ros.spin_for(1.0)
    assert len(listener.color) == 3
    answers.publish(listener.color[2].header.stamp)
    ros.spin_until(lambda: len(listener.color) == 6, 10, "as many again")


def test_a_public_data_set_is_played(ros, tmp_path):
    for i in range(3):
        stem = tmp_path / f"frame-{i:06d}"
        cv2.imwrite(f"{stem}.color.png", np.full((480, 640, 3), (10, 50, 40 * i), np.uint8))
        cv2.imwrite(f"{stem}.depth.png", np.full((480, 640), 2000 + i, np.uint16))
        np.savetxt(f"{stem}.pose.txt", np.eye(4))
    listener = robot(ros)
    player = ros.start(PLAYER, path=tmp_path, publish_labels=False, pace="stamps")
    assert ros.wait(player, 40) == 0, ros.output()
    ros.spin_until(lambda: len(listener.color) == len(listener.depth) == 3, 10, "all frames arrive")
    assert listener.depth[2].encoding == "32FC1"
    np.testing.assert_allclose(depth_from_msg(listener.depth[2]), 2.002, atol=1e-6)
    np.testing.assert_array_equal(color_from_msg(listener.color[2])[0, 0], [80, 50, 10])


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_cleanly(ros, recording, sent):
    listener = robot(ros)
    player = ros.start(PLAYER, path=recording / "folder", loops=0)
    ros.spin_until(lambda: len(listener.color) > 3, 30, "it plays")
    os.kill(player.pid, sent)
    assert ros.wait(player, 10) == 0
    assert "Traceback" not in ros.output()
    assert not listener.finished[-1].data


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "needs the parameter path"),
        ({"path": "/nowhere"}, "sequence /nowhere does not exist"),
        ({"path": "/nowhere", "rate": -1.0}, "rate"),
        ({"path": "/nowhere", "image_reliability": "maybe"}, "image_reliability must be one of"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(ros, parameters, message):
    with pytest.raises(SemFieldError, match=message) as error:
        ros.make(SequencePlayer, **parameters)
    assert "\n" not in str(error.value)


def test_the_process_says_what_is_wrong_and_fails(ros):
    player = ros.start(PLAYER, path="/nowhere")
    assert ros.wait(player, 30) == 2
    assert "sequence_player: sequence /nowhere does not exist" in ros.output().splitlines()
    assert "Traceback" not in ros.output()


def test_parameters_describe_themselves_and_the_file_agrees(ros, recording):
    player = ros.make(SequencePlayer, path=str(recording / "folder"))
    request = DescribeParameters.Request(names=["rate"])
    answer = ros.call(ros.node("asks"), DescribeParameters, "/sequence_player/describe_parameters", request)
    assert "twice as fast" in answer.descriptors[0].description
    assert answer.descriptors[0].floating_point_range[0].from_value == 0.01
    assert player.get_clock().now().nanoseconds > 0
    shipped = resource_path("config/sequence_player.yaml").read_text()
    assert shipped == player_yaml(), "run python -m sem_field_ros.nodes.player.options > config/sequence_player.yaml"
