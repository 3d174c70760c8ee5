"""Faults of topics and transforms, injected into the running node: it lives, counts them, and maps on."""

from __future__ import annotations

import array
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from sem_field_ros.ros.camera_info import camera_info_to_msg
from sem_field_ros.ros.clouds import cloud_from_msg
from sem_field_ros.ros.images import image_to_msg
from sem_field_ros.ros.transforms import transform_to_msg
from tests.ros.fake_robot import CAMERA, CAMERA_FRAME, WALL_Z, wall_images
from tests.ros.mapper_harness import Harness, running_mapper

TOLERANCE_S = 0.8


@pytest.fixture(scope="module")
def shared() -> Iterator[Harness]:
    with running_mapper(transform_tolerance_s=TOLERANCE_S) as harness:
        yield harness


@pytest.fixture
def mapper(shared: Harness) -> Iterator[Harness]:
    """The one node of this file; before and after every fault it maps good frames."""
    shared.map_frames(2)
    yield shared
    shared.map_frames(3)
    assert_wall(shared)


def assert_wall(harness: Harness) -> None:
    """The published cloud is the wall: nothing a fault brought is in it."""
    points = cloud_from_msg(harness.listener.clouds[-1])
    assert len(points["z"]) > 300
    assert np.abs(points["z"] - WALL_Z).max() < 0.02
    left = points["label"][points["x"] < -0.1]
    assert (left[left != 255] == 5).all()


def inject(harness: Harness, counter: str, say: Callable[[], Any], times: int = 1) -> None:
    """Say something bad `times` times and wait until the counter has gone up as much; nothing of it is mapped."""
    harness.settle()
    counted, mapped = harness.count(counter), harness.count("frames_mapped")
    for _ in range(times):
        say()
        harness.spin(0.02)
    harness.wait_for_count(counter, counted + times)
    harness.settle()
    assert harness.count("frames_mapped") == mapped
    assert harness.count(counter) == counted + times


# -- transforms -------------------------------------------------------------------------------------------------------


def test_a_camera_frame_that_tf_does_not_know(mapper: Harness) -> None:
    def rename(msg: Any) -> None:
        msg.header.frame_id = "camera_of_another_robot"

    inject(mapper, "drops/tf_missing", lambda: mapper.robot.say(color=rename))


def test_no_frame_id(mapper: Harness) -> None:
    def unname(msg: Any) -> None:
        msg.header.frame_id = ""

    inject(mapper, "drops/no_frame_id", lambda: mapper.robot.say(color=unname))


def test_transforms_that_never_come(mapper: Harness) -> None:
    inject(mapper, "drops/tf_extrapolation", lambda: mapper.robot.say(tf=False), times=3)


def test_a_late_transform_is_waited_for(mapper: Harness) -> None:
    mapper.settle()
    mapped = mapper.count("frames_mapped")
    stamp_ns = mapper.robot.say(x=0.0, tf=False)
    mapper.spin(0.3 * TOLERANCE_S)
    assert mapper.count("frames_mapped") == mapped
    mapper.robot.say_tf(stamp_ns)
    mapper.wait_for_count("frames_mapped", mapped + 1)


def test_transforms_of_the_future(mapper: Harness) -> None:
    """A frame from before every transform there is (the robot's clocks differ) cannot get one any more."""
    robot = mapper.robot
    far_ns = robot.stamp_ns + 60_000_000_000
    for stamp_ns in (far_ns, far_ns + 1_000_000_000):  # the second pushes everything older out of the cache
        robot.say_tf(stamp_ns)
    mapper.spin(0.1)
    inject(mapper, "drops/tf_extrapolation", lambda: robot.say(tf=False))
    robot.stamp_ns = far_ns + 1_000_000_000


def test_a_disconnected_tree(mapper: Harness) -> None:
    def move_to_island(msg: Any) -> None:
        msg.header.frame_id = "island_camera"

    def say() -> None:
        robot = mapper.robot
        island = transform_to_msg("island", "island_camera", robot.stamp_ns + 50_000_000, np.eye(4))
        robot.say_transforms([island])
        robot.say(color=move_to_island)

    inject(mapper, "drops/tf_disconnected", say)


@pytest.mark.parametrize("quaternion", [(math.nan, 0, 0, 1), (0, 0, 0, 0), (1, 1, 1, 1)])
def test_bad_quaternions_are_refused(mapper: Harness, quaternion: tuple[float, ...]) -> None:
    mapper.settle()
    refused = mapper.count("refused_transforms/bad_pose")

    def say() -> None:
        robot = mapper.robot
        stamp_ns = robot.next_stamp()
        transforms = robot.transforms(stamp_ns, 0.0)
        r = transforms[1].transform.rotation
        r.x, r.y, r.z, r.w = (float(v) for v in quaternion)
        robot.say_transforms(transforms)
        robot.say(x=0.0, stamp_ns=stamp_ns, tf=False)

    inject(mapper, "drops/tf_extrapolation", say)
    assert mapper.count("refused_transforms/bad_pose") == refused + 1


# -- stamps -----------------------------------------------------------------------------------------------------------


def test_zero_stamps(mapper: Harness) -> None:
    def unstamp(msg: Any) -> None:
        msg.header.stamp.sec = msg.header.stamp.nanosec = 0

    inject(mapper, "drops/zero_stamp", lambda: mapper.robot.say(color=unstamp, depth=None, labels=None))


def test_duplicate_stamps(mapper: Harness) -> None:
    stamp_ns = mapper.robot.say()
    mapper.spin(0.2)
    inject(mapper, "drops/duplicate_stamp", lambda: mapper.robot.say(stamp_ns=stamp_ns, depth=None, labels=None))


def test_unordered_stamps(mapper: Harness) -> None:
    late_ns = mapper.robot.next_stamp()
    mapper.robot.say()
    mapper.spin(0.2)
    inject(mapper, "drops/out_of_order", lambda: mapper.robot.say(stamp_ns=late_ns, depth=None, labels=None))


# -- images -----------------------------------------------------------------------------------------------------------


def _resized(width: int, height: int) -> Callable[[Any], None]:
    def change(msg: Any) -> None:
        msg.width, msg.height = width, height

    return change


def _cut(msg: Any) -> None:
    msg.data = array.array("B", bytes(msg.data)[: len(msg.data) // 2])


def _emptied(msg: Any) -> None:
    msg.width = msg.height = msg.step = 0
    msg.data = array.array("B")


def _short_step(msg: Any) -> None:
    msg.step = 1


def _encoded(encoding: str) -> Callable[[Any], None]:
    def change(msg: Any) -> None:
        msg.encoding = encoding

    return change


@pytest.mark.parametrize(
    ("stream", "change", "cause"),
    [
        ("color", _emptied, "bad_image"),
        ("color", _cut, "bad_image"),
        ("color", _short_step, "bad_image"),
        ("color", _encoded("yuv9000"), "unknown_encoding"),
        ("color", _resized(60_000, 60_000), "bad_image"),
        ("depth", _emptied, "bad_depth"),
        ("depth", _cut, "bad_depth"),
        ("depth", _encoded("rgb8"), "unknown_encoding"),
        ("labels", _cut, "bad_labels"),
        ("labels", _encoded("rgb8"), "unknown_encoding"),
    ],
)
def test_broken_images(mapper: Harness, stream: str, change: Callable[[Any], None], cause: str) -> None:
    inject(mapper, f"drops/{cause}", lambda: mapper.robot.say(**{stream: change}))


def test_padded_and_big_endian_images_are_mapped(mapper: Harness) -> None:
    def pad(msg: Any) -> None:
        rows = np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.step)
        msg.data = array.array("B", np.pad(rows, ((0, 0), (0, 7)), constant_values=77).tobytes())
        msg.step += 7

    def swap(msg: Any) -> None:
        depth_mm = np.round(np.frombuffer(msg.data, "<f4") * 1000).astype(">u2")
        msg.encoding, msg.is_bigendian, msg.step = "16UC1", 1, msg.width * 2
        msg.data = array.array("B", depth_mm.tobytes())

    mapper.settle()
    mapped = mapper.count("frames_mapped")
    mapper.robot.say(color=pad, depth=swap)
    mapper.wait_for_count("frames_mapped", mapped + 1)


# -- depth ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, 0.0, -1.0, math.inf])
def test_depth_without_a_valid_pixel_changes_nothing(mapper: Harness, value: float) -> None:
    def fill(msg: Any) -> Any:
        return image_to_msg(np.full((60, 80), value, np.float32), msg.header, "32FC1")

    mapper.settle()
    mapped = mapper.count("frames_mapped")
    mapper.robot.say(depth=fill)
    mapper.wait_for_count("frames_mapped", mapped + 1)  # mapped, but there was nothing to map


def test_depth_of_another_size_than_colour(mapper: Harness) -> None:
    def shrink(msg: Any) -> Any:
        return image_to_msg(np.full((30, 40), WALL_Z, np.float32), msg.header, "32FC1")

    mapper.settle()
    mapped = mapper.count("frames_mapped")
    mapper.robot.say(depth=shrink)
    mapper.wait_for_count("frames_mapped", mapped + 1)


# -- intrinsics -------------------------------------------------------------------------------------------------------


def _uncalibrated(msg: Any) -> None:
    msg.k[0] = 0.0


def _nan_center(msg: Any) -> None:
    msg.k[2] = math.nan


@pytest.mark.parametrize("change", [_uncalibrated, _nan_center, _resized(640, 480), _resized(0, 0)])
def test_unusable_intrinsics(mapper: Harness, change: Callable[[Any], None]) -> None:
    inject(mapper, "drops/bad_intrinsics", lambda: mapper.robot.say(info=change))


def test_intrinsics_and_resolution_that_change_mid_run(mapper: Harness) -> None:
    small = CAMERA.scaled(40, 30)

    def shrink(msg: Any) -> Any:
        color = wall_images(0.0)[0][::2, ::2]
        return image_to_msg(np.ascontiguousarray(color), msg.header, "rgb8")

    mapper.settle()
    mapped = mapper.count("frames_mapped")
    mapper.robot.say(x=0.0, color=shrink, info=lambda msg: camera_info_to_msg(small, msg.header))
    mapper.wait_for_count("frames_mapped", mapped + 1)


# -- labels -----------------------------------------------------------------------------------------------------------


def test_label_ids_out_of_range_do_not_vote(mapper: Harness) -> None:
    def scramble(msg: Any) -> Any:
        return image_to_msg(np.full((60, 80), 200, np.uint8), msg.header, "mono8")

    mapper.settle()
    mapped, unknown = mapper.count("frames_mapped"), mapper.count("events/unknown_label_ids")
    mapper.robot.say(labels=scramble)
    mapper.wait_for_count("events/unknown_label_ids", unknown + 1)
    assert mapper.count("frames_mapped") == mapped + 1


# -- topics that stay away --------------------------------------------------------------------------------------------


def test_a_topic_that_falls_silent_is_named(mapper: Harness) -> None:
    def level() -> tuple[int, str]:
        return mapper.listener.levels["input"]

    def without_depth() -> bool:
        mapper.robot.say(depth=None, tf=False)
        mapper.spin(0.05)
        return level()[0] > 0 and "/camera/depth/image_raw silent" in level()[1]

    mapper.spin_until(without_depth, "a WARN that names the depth topic")
    mapper.map_frames(3)
    mapper.spin_until(lambda: "silent" not in level()[1], "the WARN to go away")


def test_a_topic_that_never_came_is_named() -> None:
    with running_mapper(warn_input_timeout_s=0.3, cloud=False) as harness:
        for _ in range(4):
            harness.robot.say(depth=None)
            harness.spin(0.1)
        harness.spin_until(
            lambda: "/camera/depth/image_raw never came" in harness.listener.levels["input"][1], "the topic's name"
        )
        assert "/camera/color/image_raw" not in harness.listener.levels["input"][1]
        harness.map_frames(2)
        assert CAMERA_FRAME  # the robot's camera went on
