"""Clocks and frames that jump: looped bags, gaps, no /clock, loop closures; each declared policy is seen at work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from rosgraph_msgs.msg import Clock
from sem_field_msgs.srv import QueryPoints
from std_srvs.srv import Trigger
from visualization_msgs.msg import MarkerArray

from sem_field_ros.nodes.mapper.services import points_to_msgs
from sem_field_ros.ros.clouds import cloud_from_msg
from sem_field_ros.ros.qos import clock_qos, latched_qos
from tests.ros.fake_robot import FIRST_STAMP_NS, WALL_Z, FakeRobot
from tests.ros.mapper_harness import Harness, running_mapper

S = 1_000_000_000


@pytest.fixture(scope="module")
def shared() -> Iterator[Harness]:
    with running_mapper() as harness:
        yield harness


@pytest.fixture
def mapper(shared: Harness) -> Iterator[Harness]:
    """One node; every test starts with an empty map, the identity map -> odom and default policies."""
    set_parameters(shared, on_clock_jump="keep", on_map_jump="keep")
    shared.robot.T_map_odom = np.eye(4)
    shared.map_frames(2)
    assert shared.call(Trigger, "reset").success
    shared.map_frames(3)
    yield shared
    shared.map_frames(3)


def set_parameters(harness: Harness, **values: Any) -> None:
    """Set dynamic parameters and let the mapping thread read them."""
    from rclpy.parameter import Parameter

    results = harness.mapper.set_parameters([Parameter(name, value=value) for name, value in values.items()])
    assert all(result.successful for result in results), results
    harness.spin(0.6)


def blocks(harness: Harness) -> int:
    harness.spin(0.6)  # map statistics are read every half second
    harness.settle()
    return harness.count("blocks")


def jump_back(robot: FakeRobot, seconds: float = 30.0) -> None:
    robot.stamp_ns -= int(seconds * S)


def far_wall(harness: Harness, count: int = 4) -> None:
    """Map `count` frames of the wall seen from 20 m to the right: other blocks than the first wall's.

    The frame by which a clock jump is noticed may be lost with the transforms of the old time, and some to a busy
    machine.
    """
    harness.settle()
    before = harness.count("frames_mapped")

    def mapped() -> bool:
        harness.robot.say(x=20.0)
        harness.spin(0.05)
        return harness.count("frames_mapped") >= before + count

    harness.spin_until(mapped, f"{count} frames of the far wall")


# -- clock ------------------------------------------------------------------------------------------------------------


def test_stamps_that_jump_back_keep_the_map(mapper: Harness) -> None:
    before, jumps = blocks(mapper), mapper.count("events/clock_jump_back")
    jump_back(mapper.robot)
    far_wall(mapper)
    assert blocks(mapper) >= before + 25  # another wall of nearly as many
    assert mapper.count("events/clock_jump_back") == jumps + 1


def test_stamps_that_jump_back_reset_the_map(mapper: Harness) -> None:
    set_parameters(mapper, on_clock_jump="reset")
    before, jumps = blocks(mapper), mapper.count("events/clock_jump_back")
    jump_back(mapper.robot)
    far_wall(mapper)
    assert 0 < blocks(mapper) <= before + 5
    assert mapper.count("events/clock_jump_back") == jumps + 1


def test_many_loops_of_a_bag_leave_nothing_deaf(mapper: Harness) -> None:
    mapper.settle()
    start_ns = mapper.robot.stamp_ns + 100 * S
    for _ in range(5):
        mapper.robot.stamp_ns = start_ns
        mapped = mapper.count("frames_mapped")

        def heard(mapped: int = mapped) -> bool:
            mapper.robot.stamp_ns += S // 2
            mapper.robot.say()
            mapper.spin(0.06)
            return mapper.count("frames_mapped") >= mapped + 6

        mapper.spin_until(heard, "six more frames")
        mapper.settle()


def test_a_gap_is_counted_and_mapping_goes_on(mapper: Harness) -> None:
    mapper.settle()
    gaps, mapped = mapper.count("events/stamp_gap"), mapper.count("frames_mapped")
    mapper.robot.stamp_ns += 3600 * S
    for _ in range(3):
        mapper.robot.say()
        mapper.spin(0.05)
    mapper.wait_for_count("frames_mapped", mapped + 3)
    assert mapper.count("events/stamp_gap") == gaps + 1


def test_no_clock_with_use_sim_time_then_a_clock_that_jumps() -> None:
    """Without /clock the node maps by the frames' own stamps and says so; /clock going back is a clock jump."""
    with running_mapper(use_sim_time=True, on_clock_jump="reset", cloud=False) as harness:
        harness.map_frames(2)
        assert "nothing came on /clock" in harness.listener.levels["input"][1]
        publisher = harness.node.create_publisher(Clock, "/clock", clock_qos())
        harness.spin_until(lambda: publisher.get_subscription_count() > 0, "the mapper's clock")

        def on_progress(stamp_ns: int) -> None:
            message = Clock()
            message.clock.sec, message.clock.nanosec = divmod(stamp_ns, S)
            publisher.publish(message)
            harness.spin(0.1)

        harness.robot.stamp_ns += 3 * S
        on_progress(harness.robot.stamp_ns)
        harness.settle()
        assert "/clock" not in harness.listener.levels["input"][1]
        harness.map_frames(2)
        assert blocks(harness) > 0
        jumps = harness.count("events/clock_jump_back")
        harness.robot.stamp_ns = FIRST_STAMP_NS
        on_progress(FIRST_STAMP_NS)
        harness.wait_for_count("events/clock_jump_back", jumps + 1)
        assert blocks(harness) == 0
        harness.map_frames(3)


# -- map -> odom ------------------------------------------------------------------------------------------------------


def shift_odom(robot: FakeRobot, metres: float) -> None:
    """A loop closure: the same odometry lies elsewhere in the map."""
    robot.T_map_odom = robot.T_map_odom.copy()
    robot.T_map_odom[1, 3] += metres


def test_map_jump_keep(mapper: Harness) -> None:
    before, jumps = blocks(mapper), mapper.count("events/map_jump")
    shift_odom(mapper.robot, 1.0)
    far_wall(mapper)
    assert mapper.count("events/map_jump") == jumps + 1
    assert blocks(mapper) >= before + 25  # another wall of nearly as many


def test_map_jump_reset(mapper: Harness) -> None:
    set_parameters(mapper, on_map_jump="reset")
    before = blocks(mapper)
    shift_odom(mapper.robot, 1.0)
    far_wall(mapper)
    assert 0 < blocks(mapper) <= before + 5


def test_map_jump_new_submap(mapper: Harness) -> None:
    """The frozen wall stays in the cloud and answers queries; new frames go into a map of their own."""
    set_parameters(mapper, on_map_jump="new_submap")
    shift_odom(mapper.robot, 1.0)
    far_wall(mapper)
    assert blocks(mapper) > 0
    assert mapper.count("submaps") == 2

    def both_walls() -> bool:
        x = cloud_from_msg(mapper.listener.clouds[-1])["x"]
        return bool((x < 5).sum() > 100 and (x > 15).sum() > 100)

    mapper.spin_until(both_walls, "both walls in the cloud")
    points = np.array([[-0.3, 0.0, WALL_Z], [19.7, 0.0, WALL_Z]])
    request = QueryPoints.Request(points=points_to_msgs(points))
    request.header.frame_id = "map"
    response = mapper.call(QueryPoints, "query_points", request)
    assert response.success, response.message
    assert list(response.label_names) == ["chair", "table"]
    assert np.abs(np.array(response.signed_distance_m)).max() < 0.02


def test_small_corrections_are_no_jump(mapper: Harness) -> None:
    mapper.settle()
    jumps = mapper.count("events/map_jump")
    for _ in range(20):
        shift_odom(mapper.robot, 0.01)  # 0.2 m/s: a localisation at work
        mapper.robot.say()
        mapper.spin(0.02)
    mapper.settle()
    assert mapper.count("events/map_jump") == jumps


def test_without_odometry_the_watch_is_off() -> None:
    with running_mapper(with_odom=False) as harness:
        harness.map_frames(4)
        harness.settle()
        assert harness.count("events/map_jump") == 0


def test_a_reset_deletes_the_mesh(mapper: Harness) -> None:
    messages: list[MarkerArray] = []
    subscription = mapper.node.create_subscription(
        MarkerArray, "/semantic_mapper/semantic_mesh", messages.append, latched_qos(10)
    )
    shown: set[int] = set()

    def apply() -> set[int]:
        while messages:
            for marker in messages.pop(0).markers:
                if marker.action == marker.DELETE:
                    shown.discard(marker.id)
                else:
                    shown.add(marker.id)
        return shown

    mapper.map_frames(3)
    mapper.settle()
    mapper.spin_until(apply, "a mesh")
    assert mapper.call(Trigger, "reset").success
    mapper.spin_until(lambda: not apply(), "an empty mesh")
    mapper.node.destroy_subscription(subscription)
