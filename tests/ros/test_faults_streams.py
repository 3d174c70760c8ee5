"""Camera streams as robots have them, on the real node: one CameraInfo, jumps, useless depth, options while paused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo
from std_srvs.srv import SetBool

from sem_field_ros.ros.camera_info import camera_info_to_msg
from sem_field_ros.ros.clouds import cloud_from_msg
from sem_field_ros.ros.qos import latched_qos
from tests.ros.fake_robot import CAMERA
from tests.ros.mapper_harness import Harness, running_mapper


@pytest.fixture(scope="module")
def mapper() -> Iterator[Harness]:
    with running_mapper(on_camera_jump="reset", global_frame="/map") as harness:
        yield harness


def map_without_info(harness: Harness, count: int) -> None:
    harness.settle()
    wanted = harness.count("frames_mapped") + count

    def mapped() -> bool:
        harness.robot.say(info=None)
        harness.spin(0.03)
        return harness.count("frames_mapped") >= wanted

    harness.spin_until(mapped, "frames without a CameraInfo of their own")


def change_state(harness: Harness, transition: int) -> None:
    request = ChangeState.Request(transition=Transition(id=transition))
    assert harness.call(ChangeState, "change_state", request).success


def test_a_camera_info_that_came_once_is_kept_over_deactivation(mapper: Harness) -> None:
    latched = mapper.node.create_publisher(CameraInfo, "camera/color/camera_info", latched_qos())
    latched.publish(camera_info_to_msg(CAMERA, mapper.robot.header(mapper.robot.next_stamp())))
    change_state(mapper, Transition.TRANSITION_DEACTIVATE)
    change_state(mapper, Transition.TRANSITION_ACTIVATE)  # it came before this input
    mapper.wait_until_mapping()
    map_without_info(mapper, 3)
    mapper.node.destroy_publisher(latched)
    change_state(mapper, Transition.TRANSITION_DEACTIVATE)
    change_state(mapper, Transition.TRANSITION_ACTIVATE)
    mapper.wait_until_mapping()
    map_without_info(mapper, 3)
    mapper.spin(1.2)  # longer than warn_input_timeout_s
    level, text = mapper.listener.levels["input"]
    assert "camera_info" not in text
    assert cloud_from_msg is not None and mapper.listener.clouds[-1].header.frame_id == "map"  # asked for as /map


def test_depth_out_of_range_is_an_event_with_its_median(mapper: Harness) -> None:
    def far(msg: Any) -> None:
        metres = np.frombuffer(bytes(msg.data), "<f4") * 1000
        msg.data = metres.astype("<f4").tobytes()

    before = mapper.count("events/depth_beyond_range")
    for _ in range(3):
        mapper.robot.say(depth=far)
        mapper.spin(0.05)
    mapper.wait_for_count("events/depth_beyond_range", before + 2)
    mapper.spin_until(
        lambda: "median depth is 1.5e+03 m" in mapper.listener.levels["input"][1], "a WARN with the median"
    )
    assert mapper.listener.levels["input"][0] >= 1


def test_options_of_what_is_shown_take_effect_while_paused(mapper: Harness) -> None:
    mapper.map_frames(4)
    mapper.spin_until(lambda: (cloud_from_msg(mapper.listener.clouds[-1])["label"] != 255).any(), "labels in the cloud")
    assert mapper.call(SetBool, "pause", SetBool.Request(data=True)).success
    mapper.mapper.set_parameters([Parameter("min_confidence", value=0.9999)])
    mapper.spin_until(
        lambda: (cloud_from_msg(mapper.listener.clouds[-1])["label"] == 255).all(), "a cloud without labels"
    )
    mapper.mapper.set_parameters([Parameter("min_confidence", value=0.0)])
    mapper.spin_until(lambda: (cloud_from_msg(mapper.listener.clouds[-1])["label"] != 255).any(), "labels again")
    assert mapper.call(SetBool, "pause", SetBool.Request(data=False)).success


def test_odometry_that_starts_anew_is_counted_and_begins_a_new_map(mapper: Harness) -> None:
    mapper.map_frames(3)
    before = mapper.count("events/camera_jump")
    for i in range(4):
        mapper.robot.say(x=30.0 + 0.02 * i)
        mapper.spin(0.05)
    mapper.wait_for_count("events/camera_jump", before + 1)
    mapper.spin_until(
        lambda: mapper.listener.clouds[-1].width > 0 and cloud_from_msg(mapper.listener.clouds[-1])["x"].min() > 20,
        "a map of the new place alone",
    )
    assert mapper.count("events/camera_jump") == before + 1
