"""CameraInput in a node that is not the mapper: it counts frames, and knows nothing of maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rclpy.node import Node

from sem_field_ros.errors import SettingError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.ros.camera_input import CameraInput
from sem_field_ros.ros.camera_options import CameraOptions
from sem_field_ros.ros.parameters import declare_settings, settings_from_node
from tests.ros.conftest import RosHarness
from tests.ros.fake_robot import CAMERA_FRAME, WALL_Z, FakeRobot


class FrameCounter(Node):
    """Counts the frames of a camera."""

    def __init__(self, wants: dict[str, bool] | None = None, **node_options: Any) -> None:
        super().__init__("frame_counter", **node_options)
        declare_settings(self, CameraOptions)
        self.frames: list[PosedFrame] = []
        self.lost: list[int] = []  # stamps
        options = settings_from_node(self, CameraOptions)
        self.camera = CameraInput(self, options, self.count, on_lost=self.lost.append, **(wants or {}))

    def count(self) -> None:
        while (found := self.camera.pop()) is not None:
            self.frames.append(found.frame)


@pytest.fixture
def robot(ros: RosHarness) -> FakeRobot:
    return FakeRobot(ros.node("robot"))


def counter(ros: RosHarness, robot: FakeRobot, wants: dict[str, bool] | None = None, **parameters: Any) -> FrameCounter:
    """A counter that receives the robot's camera."""
    node = ros.make(lambda **options: FrameCounter(wants, **options), **parameters)
    needed = [robot._color, robot._info, robot._tf, robot._tf_static]
    needed += [robot._depth] * (wants or {}).get("want_depth", True)
    needed += [robot._labels] * (wants or {}).get("want_labels", False)
    ros.spin_until(lambda: all(p.get_subscription_count() for p in needed), 10, "the camera is subscribed")
    ros.spin_for(0.2)
    return node


def test_every_frame_comes_posed_and_decoded(ros: RosHarness, robot: FakeRobot) -> None:
    node = counter(ros, robot)
    stamps = []
    for i in range(5):
        stamps.append(robot.say(x=0.1 * i))
        ros.spin_until(lambda i=i: len(node.frames) == i + 1, 10, f"frame {i}")
    assert [frame.stamp_ns for frame in node.frames] == stamps
    np.testing.assert_allclose([frame.T_world_camera[0, 3] for frame in node.frames], [0, 0.1, 0.2, 0.3, 0.4])
    assert (node.frames[0].depth == np.float32(WALL_Z)).all() and node.frames[0].labels is None
    counted = node.camera.statistics.snapshot()
    assert (counted.frames_in, counted.drops, counted.never_came) == (5, {}, ())
    assert set(counted.rates_hz) == {
        "/camera/color/image_raw",
        "/camera/color/camera_info",
        "/camera/depth/image_raw",
    }


def test_colour_alone_or_with_labels(ros: RosHarness, robot: FakeRobot) -> None:
    node = counter(ros, robot, {"want_depth": False, "want_labels": True})
    robot.say(depth=None)
    ros.spin_until(lambda: node.frames, 10, "a frame without depth")
    assert node.frames[0].depth is None and node.frames[0].labels is not None
    assert robot._depth.get_subscription_count() == 0


def test_a_late_transform_alone_brings_the_frame(ros: RosHarness, robot: FakeRobot) -> None:
    """No further image comes: the input itself looks again."""
    node = counter(ros, robot)
    stamp_ns = robot.say(x=0.0, tf=False)
    ros.spin_for(0.2)
    assert not node.frames and node.camera.waiting_frames == 1
    robot.say_tf(stamp_ns)
    ros.spin_until(lambda: node.frames, 5, "the frame")
    assert node.camera.waiting_frames == 0


def test_what_is_lost_is_counted_and_told_with_its_stamp(ros: RosHarness, robot: FakeRobot) -> None:
    node = counter(ros, robot, transform_tolerance_s=0.2)
    without_tf = robot.say(tf=False)
    ros.spin_until(lambda: node.lost, 5, "the frame without a transform is dropped, although nothing else comes")

    def damage(msg: Any) -> None:
        msg.encoding = "17UC9"

    damaged = robot.say(color=damage)
    ros.spin_until(lambda: len(node.lost) == 2, 5, "the damaged frame is dropped")
    node.camera.paused = True
    unwanted = robot.say()
    ros.spin_until(lambda: len(node.lost) == 3, 5, "the frame during the pause is dropped")
    ros.spin_for(0.2)  # its depth as well
    node.camera.paused = False
    robot.say()
    ros.spin_until(lambda: node.frames, 5, "the next one comes")
    assert node.lost == [without_tf, damaged, unwanted]
    drops = node.camera.statistics.snapshot().drops
    assert drops == {"paused": 1, "tf_missing": 1, "unknown_encoding": 1}


def test_stamps_that_jump_back_are_told_once(ros: RosHarness, robot: FakeRobot) -> None:
    node = counter(ros, robot)
    for _ in range(2):
        robot.say()
        ros.spin_for(0.1)
    assert not node.camera.take_clock_jump()
    robot.stamp_ns -= 30_000_000_000
    robot.say()
    ros.spin_until(node.camera.take_clock_jump, 5, "the jump is noticed")
    assert not node.camera.take_clock_jump()
    assert node.camera.statistics.snapshot().events == {"clock_jump_back": 1}


def test_closed_it_leaves_nothing_behind(ros: RosHarness, robot: FakeRobot) -> None:
    node = ros.add(Node("empty", context=ros.context))
    declare_settings(node, CameraOptions)

    def entities() -> int:
        return len(list(node.subscriptions)) + len(list(node.timers))

    before = entities()
    for _ in range(3):
        camera = CameraInput(node, settings_from_node(node, CameraOptions), lambda: None)
        assert entities() > before
        camera.close()
        assert entities() == before
    robot.say()
    ros.spin_for(0.2)
    assert camera.pop() is None


def test_its_parameters_are_declared_and_checked(ros: RosHarness) -> None:
    with pytest.raises(SettingError, match="global_frame is empty"):
        ros.make(FrameCounter, global_frame="")
    with pytest.raises(SettingError, match="color_transport must be one of raw, compressed"):
        ros.make(FrameCounter, color_transport="pigeon")


def test_poses_are_those_of_the_global_frame(ros: RosHarness, robot: FakeRobot) -> None:
    robot.T_map_odom[0, 3] = 5.0
    node = counter(ros, robot, global_frame="odom")
    robot.say(x=0.0)
    ros.spin_until(lambda: node.frames, 10, f"a frame of {CAMERA_FRAME}")
    np.testing.assert_allclose(node.frames[0].T_world_camera[:3, 3], [-5, 0, 0])
