"""TransformBuffer on real /tf and /tf_static."""

from __future__ import annotations

import math

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped
from hypothesis import given, settings
from hypothesis import strategies as st
from tf2_msgs.msg import TFMessage

from sem_field_ros.errors import FrameError
from sem_field_ros.geometry.poses import pose_from_quaternion
from sem_field_ros.ros.qos import tf_qos, tf_static_qos
from sem_field_ros.ros.transforms import HAVE_TF2, LATEST, TransformBuffer, TransformError, transform_to_msg

S = 1_000_000_000


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.skipif(not HAVE_TF2, reason="no tf2_ros here"))])
def setup(ros, request):
    node = ros.node("robot")
    moving = node.create_publisher(TFMessage, "/tf", tf_qos())
    static = node.create_publisher(TFMessage, "/tf_static", tf_static_qos())
    # The static transform is sent before anyone listens, as robots do.
    static.publish(TFMessage(transforms=[at("base", "camera", 0, x=0.5)]))
    buffer = TransformBuffer(ros.node("listener"), use_tf2=request.param)
    ros.spin_until(lambda: moving.get_subscription_count() and buffer.received == 1, 10, "the static transform arrives")
    return ros, moving, buffer


def at(parent, child, stamp_s, x=0.0, degrees=0.0) -> TransformStamped:
    half = math.radians(degrees) / 2
    T = pose_from_quaternion(np.array([x, 0.0, 0.0]), np.array([0.0, 0.0, math.sin(half), math.cos(half)]))
    return transform_to_msg(parent, child, round(stamp_s * S), T)


def send(setup, *transforms):
    ros, publisher, buffer = setup
    expected = buffer.received + len(transforms)
    publisher.publish(TFMessage(transforms=list(transforms)))
    ros.spin_until(lambda: buffer.received == expected, 10, "the transforms arrive")


def cause_of(buffer, *question) -> str:
    with pytest.raises(TransformError) as error:
        buffer.lookup(*question)
    assert isinstance(error.value, FrameError) and not buffer.can_transform(*question)
    return error.value.cause


def test_interpolates_between_stamps(setup):
    buffer = setup[2]
    send(setup, at("map", "base", 10, x=1, degrees=0), at("map", "base", 11, x=3, degrees=90))
    T = buffer.lookup("map", "camera", round(10.5 * S))
    c = math.sqrt(0.5)
    np.testing.assert_allclose(T[:3, 3], [2 + 0.5 * c, 0.5 * c, 0], atol=1e-9)
    np.testing.assert_allclose(T[:3, :3], [[c, -c, 0], [c, c, 0], [0, 0, 1]], atol=1e-9)
    np.testing.assert_allclose(buffer.lookup("/map", "base", LATEST)[:3, 3], [3, 0, 0], atol=1e-9)
    np.testing.assert_allclose(buffer.lookup("camera", "camera", 1), np.eye(4))


def test_every_failure_has_its_cause(setup):
    buffer = setup[2]
    assert cause_of(buffer, "map", "camera", 10 * S) == "tf_missing"
    send(setup, at("map", "base", 10), at("map", "base", 11), at("elsewhere", "island", 10))
    assert cause_of(buffer, "map", "island", 10 * S) == "tf_disconnected"
    assert cause_of(buffer, "map", "camera", 12 * S) == "tf_extrapolation"
    assert cause_of(buffer, "map", "camera", 9 * S) == "tf_extrapolation"
    with pytest.raises(TransformError) as late:
        buffer.lookup("map", "camera", 12 * S)
    with pytest.raises(TransformError) as early:
        buffer.lookup("map", "camera", 9 * S)
    assert late.value.retry and not early.value.retry


def test_bad_transforms_are_refused_and_counted(setup):
    buffer = setup[2]
    bad = [at("map", "base", 10), at("map", "base", 10), at("map", "base", 10), at("map", "base", 10)]
    bad[0].transform.rotation.w = 0.0
    bad[1].transform.rotation.x = math.nan
    bad[2].transform.translation.y = math.nan
    bad[3].child_frame_id = "map"
    send(setup, *bad)
    assert buffer.refused == {"bad_pose": 3, "bad_frame_id": 1}
    assert cause_of(buffer, "map", "camera", 10 * S) == "tf_missing"
    send(setup, at("map", "base", 10))
    assert buffer.can_transform("map", "camera", 10 * S)


def test_clear_lets_the_clock_jump_back(setup):
    buffer = setup[2]
    send(setup, at("map", "base", 1000), at("map", "base", 1001))
    send(setup, at("map", "base", 10))
    assert cause_of(buffer, "map", "camera", 10 * S) == "tf_extrapolation"
    buffer.clear()
    send(setup, at("map", "base", 10, x=2))
    assert buffer.lookup("map", "camera", 10 * S)[0, 3] == 2.5


def test_a_straggler_after_a_clock_jump_does_not_block_the_new_time(setup):
    buffer = setup[2]
    send(setup, at("map", "base", 1000))  # came late: the time now is around 10 s
    send(setup, *[at("map", "base", 10 + i / 10, x=i) for i in range(5)])
    assert buffer.refused == {"old_transform": 2}
    assert buffer.lookup("map", "base", round(10.3 * S))[0, 3] == pytest.approx(3)


def test_destroy_stops_listening(setup):
    ros, publisher, buffer = setup
    buffer.destroy()
    ros.spin_until(lambda: publisher.get_subscription_count() == 0, 10, "the subscription is gone")


frames = st.sampled_from(["map", "odom", "base", "camera", "island"])
insertions = st.tuples(
    frames, frames, st.integers(1, 30), st.integers(-3, 3), st.integers(-170, 170), st.integers(0, 9)
)
questions = st.tuples(frames, frames, st.integers(0, 310))


@pytest.mark.skipif(not HAVE_TF2, reason="no tf2_ros here")
@settings(max_examples=200, deadline=None)
@given(st.lists(insertions | st.just("clear"), max_size=25), st.lists(questions, min_size=10, max_size=30))
def test_our_tree_answers_as_tf2_does(inserted, asked):
    """Any transforms (statics, new parents, any order, clearing), any questions: the same pose, or the same refusal."""
    ours, tf2 = (TransformBuffer.make_store(40.0, use_tf2=use_tf2) for use_tf2 in (False, True))
    for insertion in inserted:
        if insertion == "clear":
            ours.clear()
            tf2.clear()
            continue
        parent, child, stamp, x, degrees, kind = insertion
        if parent > child:  # no loops: tf2 walks them a thousand times and then calls a frame missing
            continue
        transform = at(parent, child, stamp, x, degrees)
        ours.insert(transform, static=kind == 0)
        tf2.insert(transform, static=kind == 0)
    for target, source, decisecond in asked:
        answers = []
        for store in (ours, tf2):
            try:
                answers.append(store.lookup(target, source, decisecond * S // 10))
            except TransformError as error:
                answers.append(error.cause)
        if isinstance(answers[0], str) or isinstance(answers[1], str):
            assert answers[0] == answers[1], (target, source, decisecond)
        else:
            np.testing.assert_allclose(answers[0], answers[1], atol=1e-6)
