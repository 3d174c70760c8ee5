"""The view renderer's virtual camera over real DDS: it follows a TF frame, for those who listen, at a bounded cost."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, Image
from vision_msgs.msg import LabelInfo

from sem_field_ros.camera_stream.camera_info import intrinsics_from_msg
from sem_field_ros.camera_stream.images import color_from_msg, depth_from_msg, labels_from_msg
from sem_field_ros.camera_stream.label_info import names_from_msg
from sem_field_ros.nodes.view_renderer import node as renderer_node
from sem_field_ros.ros.qos import image_qos, latched_qos
from sem_field_ros.ros.transforms import transform_to_msg
from tests.ros.fake_robot import CHAIR, TABLE, WALL_Z
from tests.ros.renderer_harness import FieldOfKnownCost, RendererHarness, running_renderer

FRAME = "virtual_camera"
OPTIONS = {"virtual_camera_frame": FRAME, "view_width": 80, "view_height": 60, "view_rate_hz": 10.0}


def listen(harness: RendererHarness, kind: type, topic: str, qos: Any = None) -> tuple[list[Any], Any]:
    """The list that messages go into, and the subscription."""
    messages: list[Any] = []
    path = f"/view_renderer/{topic}"
    return messages, harness.node.create_subscription(kind, path, messages.append, qos or image_qos("reliable"))


def move(harness: RendererHarness, x: float, z: float = 0.0) -> None:
    """Put the virtual camera to (x, 0, z), looking along z."""
    T = np.eye(4)
    T[0, 3], T[2, 3] = x, z
    harness.robot.say_transforms([transform_to_msg("map", FRAME, harness.robot.next_stamp(), T)])


def test_it_follows_its_frame_and_rests_with_it() -> None:
    with running_renderer(**OPTIONS) as harness:
        harness.show(-0.3, 0.0, 0.3)
        images, _ = listen(harness, Image, "view/image_raw")
        depths, _ = listen(harness, Image, "view/depth")
        labels, _ = listen(harness, Image, "view/label_image")
        overlays, _ = listen(harness, Image, "view/label_overlay")
        infos, _ = listen(harness, CameraInfo, "view/camera_info")
        names, _ = listen(harness, LabelInfo, "label_info", latched_qos())
        everything = (images, depths, labels, overlays, infos)
        move(harness, 0.3)
        harness.spin_until(lambda: all(everything) and names, "a view from 0.3")
        assert images[-1].header.frame_id == FRAME and (images[-1].width, images[-1].height) == (80, 60)
        assert intrinsics_from_msg(infos[-1]).fx == pytest.approx(40 / np.tan(np.radians(30)))
        depth = depth_from_msg(depths[-1])
        assert np.abs(depth[depth > 0] - WALL_Z).max() < 0.01 and (depth > 0).mean() > 0.75
        seen = labels_from_msg(labels[-1])
        assert (seen == TABLE).sum() > 1.5 * (seen == CHAIR).sum() > 0
        assert names_from_msg(names[0])[CHAIR] == "chair"
        assert not np.array_equal(color_from_msg(overlays[-1]), color_from_msg(images[-1]))
        harness.spin(0.4)
        for messages in everything:
            messages.clear()
        harness.spin(0.8)
        assert images == [], "neither the camera nor the keyframes changed"
        move(harness, -0.3, 0.3)
        harness.spin_until(lambda: depths and labels, "a view from -0.3")
        depth = depth_from_msg(depths[-1])
        assert np.abs(depth[depth > 0] - (WALL_Z - 0.3)).max() < 0.01
        seen = labels_from_msg(labels[-1])
        assert (seen == CHAIR).sum() > 1.5 * (seen == TABLE).sum() > 0
        images.clear()
        harness.show(0.6)
        harness.spin_until(lambda: images, "a new keyframe makes a new view")


def test_nothing_is_rendered_for_nobody_and_slow_views_leave_time(monkeypatch: pytest.MonkeyPatch) -> None:
    field = FieldOfKnownCost(0.1, 0.0)
    monkeypatch.setattr(renderer_node, "open_named", lambda *_: field)
    with running_renderer(**{**OPTIONS, "view_rate_hz": 30.0}) as harness:
        harness.show(0.0)
        for i in range(10):
            move(harness, 0.01 * i)
            harness.spin(0.05)
        assert field.rendered == []
        images, subscription = listen(harness, Image, "view/image_raw")
        harness.spin_until(lambda: images, "the first view")
        start, before = time.monotonic(), len(field.rendered)
        while time.monotonic() - start < 2.0:
            move(harness, 0.2 * (time.monotonic() - start))
            harness.spin(0.02)
        rendered = len(field.rendered) - before
        assert 2 <= rendered <= 8, "0.1 s a view, a third of the time: about 6.7 views in 2 s"
        harness.node.destroy_subscription(subscription)
        harness.spin(0.5)
        before = len(field.rendered)
        move(harness, -0.5)
        harness.spin(0.5)
        assert len(field.rendered) == before


def test_a_virtual_camera_that_sees_nothing_or_is_nowhere_is_counted() -> None:
    with running_renderer(**OPTIONS) as harness:
        images, _ = listen(harness, Image, "view/image_raw")
        harness.show(0.0)
        harness.wait_for_count("events/no_virtual_view", 1)  # its frame is not in the TF tree
        move(harness, 1000.0)
        seen = harness.count("events/no_virtual_view")
        harness.wait_for_count("events/no_virtual_view", seen + 1)
        assert images == []
        move(harness, 0.0)
        harness.spin_until(lambda: images, "a view")
        assert harness.mapper.set_parameters([Parameter("virtual_camera_frame", value="")])[0].successful
        harness.spin(0.8)
        images.clear()
        move(harness, 0.2)
        harness.spin(0.5)
        assert images == []
