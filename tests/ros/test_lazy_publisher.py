"""A publisher that knows its audience: newcomers, and a rate that does not drift when a publication is late."""

from __future__ import annotations

import pytest
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Bool

from sem_field_ros.ros import lazy_publisher
from sem_field_ros.ros.lazy_publisher import LazyPublisher
from tests.ros.conftest import RosHarness


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(lazy_publisher, "time", made)
    return made


def make(ros: RosHarness) -> tuple[LazyPublisher, list[int]]:
    woken: list[int] = []
    node = LifecycleNode("talker", context=ros.context)
    ros.add(node)
    demand = LazyPublisher(node, Bool, "~/said", 10, lambda: woken.append(1))
    node.trigger_configure()
    node.trigger_activate()
    return demand, woken


def test_nobody_listens(ros: RosHarness, clock: Clock) -> None:
    demand, _ = make(ros)
    assert not demand.wanted
    assert demand.due_in(clock.now, 5.0, True) is None


def test_newcomers_are_noticed_at_once_and_once(ros: RosHarness, clock: Clock) -> None:
    demand, woken = make(ros)
    listener = ros.node("listener")
    for count in (1, 2):
        ros.collect(listener, Bool, "/talker/said")
        ros.spin_until(lambda count=count: len(woken) == count, 10, "the newcomer")
        assert demand.due_in(clock.now, 5.0, False) == 0, "newcomers get something without news"
        assert demand.take_newcomers()
        assert not demand.take_newcomers()
        assert demand.due_in(clock.now, 5.0, False) is None


def test_the_rate_is_kept_on_average(ros: RosHarness, clock: Clock) -> None:
    demand, woken = make(ros)
    heard = ros.collect(ros.node("listener"), Bool, "/talker/said")
    ros.spin_until(lambda: woken, 10, "the subscriber")
    assert demand.due_in(clock.now, 4.0, True) == 0
    demand.publish(Bool())
    assert demand.due_in(clock.now, 4.0, True) == pytest.approx(0.125)  # after a pause: half a period
    clock.now += 0.125 + 0.05  # the mapper was busy for 50 ms when it was due
    assert demand.due_in(clock.now, 4.0, True) == 0
    demand.publish(Bool())
    assert demand.due_in(clock.now, 4.0, True) == pytest.approx(0.2)  # and makes up for it
    clock.now += 3.0
    demand.publish(Bool())
    assert demand.due_in(clock.now, 4.0, True) == pytest.approx(0.125)  # but no bursts
    assert demand.due_in(clock.now, 100.0, True) == pytest.approx(0.01)  # a new rate is used at once
    ros.spin_until(lambda: len(heard) == 3, 10, "the messages")
