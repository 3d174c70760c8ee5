"""The mapper node's life cycle over real DDS: a manager in charge, failing configuration, fifty lives."""

from __future__ import annotations

import gc
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.parameter import Parameter
from sem_field_msgs.srv import QueryPoints

from sem_field_ros.measurements import resident_mb
from sem_field_ros.nodes.mapper.services import points_to_msgs
from sem_field_ros.nodes.mapper.session import MappingSession
from sem_field_ros.resources import resource_path
from tests.ros.fake_robot import WALL_Z
from tests.ros.mapper_harness import Harness, running_mapper


def transition(harness: Harness, number: int) -> bool:
    request = ChangeState.Request(transition=Transition(id=number))
    return bool(harness.call(ChangeState, "change_state", request, timeout_s=20).success)


def state(harness: Harness) -> int:
    return int(harness.call(GetState, "get_state").current_state.id)


def test_a_lifecycle_manager_is_in_charge_without_autostart() -> None:
    with running_mapper(autostart=False) as harness:
        harness.spin(0.3)
        assert state(harness) == State.PRIMARY_STATE_UNCONFIGURED
        assert not harness.robot.ready()
        assert transition(harness, Transition.TRANSITION_CONFIGURE)
        assert state(harness) == State.PRIMARY_STATE_INACTIVE
        assert not harness.robot.ready()
        assert transition(harness, Transition.TRANSITION_ACTIVATE)
        harness.wait_until_mapping()
        harness.map_frames(3)
        # inactive: nothing is mapped, but the map can still be asked
        assert transition(harness, Transition.TRANSITION_DEACTIVATE)
        request = QueryPoints.Request(points=points_to_msgs(np.array([(0.4, 0, WALL_Z)])))
        assert list(harness.call(QueryPoints, "query_points", request).label_names) == ["table"]
        assert transition(harness, Transition.TRANSITION_ACTIVATE)
        harness.wait_until_mapping()
        harness.map_frames(2)
        assert transition(harness, Transition.TRANSITION_DEACTIVATE)
        assert transition(harness, Transition.TRANSITION_CLEANUP)
        assert state(harness) == State.PRIMARY_STATE_UNCONFIGURED
        assert transition(harness, Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("segmenter", "onnx:/nowhere/model.onnx", "/nowhere/model.onnx"),
        ("segmenter", "magic", "'magic' is unknown"),
        ("label_set", "no_such_set", "no_such_set"),
        ("device", "cuda", "no CUDA GPU"),
    ],
)
def test_configure_fails_with_one_line_and_the_node_tries_again(
    name: str, value: str, why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if value == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    assert_fails_then_works(capfd, why, **{name: value})


def assert_fails_then_works(capfd: pytest.CaptureFixture[str], why: str, **bad: str) -> None:
    """Configure with bad parameters, then with good ones."""
    with running_mapper(autostart=False, **bad) as harness:
        assert not transition(harness, Transition.TRANSITION_CONFIGURE)
        assert state(harness) == State.PRIMARY_STATE_UNCONFIGURED
        assert harness.alive()
        errors = [line for line in capfd.readouterr().err.splitlines() if "cannot configure" in line]
        assert len(errors) == 1 and why in errors[0]
        good = [Parameter(n, value=v) for n, v in (("segmenter", "external"), ("label_set", ""), ("device", "cpu"))]
        assert all(result.successful for result in harness.mapper.set_parameters(good))
        assert transition(harness, Transition.TRANSITION_CONFIGURE)
        assert transition(harness, Transition.TRANSITION_ACTIVATE)
        harness.wait_until_mapping()
        harness.map_frames(2)


def test_a_label_set_that_is_not_the_nets(capfd: pytest.CaptureFixture[str]) -> None:
    assert_fails_then_works(capfd, "labels with set voc, not nyu40", segmenter="pascal", label_set="nyu40")


@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_weights_that_are_no_weights(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A download that broke off: the head of a net, then nothing."""
    whole = resource_path("models/pascal_deeplab_mnv2")
    broken = tmp_path / f"net.{suffix}"
    broken.write_bytes(next(p for p in whole.iterdir() if p.suffix == ".tflite").read_bytes()[:5000])
    assert_fails_then_works(capfd, f"net.{suffix}", segmenter=f"{suffix}:{broken}", label_set="voc")


def test_fifty_lives_leave_nothing_behind() -> None:
    """Configure, activate, map, deactivate, clean up, 50 times: neither memory, threads nor topics pile up."""
    with running_mapper(autostart=False, keyframe_distance_m=10.0) as harness:
        sizes, threads, entities, leftovers = [], [], [], []
        for life in range(50):
            assert transition(harness, Transition.TRANSITION_CONFIGURE)
            assert transition(harness, Transition.TRANSITION_ACTIVATE)
            if life % 5 == 0:
                harness.wait_until_mapping()
                harness.map_frames(2)
            assert transition(harness, Transition.TRANSITION_DEACTIVATE)
            assert transition(harness, Transition.TRANSITION_CLEANUP)
            if life % 10 == 9:
                gc.collect()
                leftovers.append(sum(isinstance(o, (MappingSession, torch.Tensor)) for o in gc.get_objects()))
                sizes.append(resident_mb())
                threads.append(threading.active_count())
                node = harness.mapper
                entities.append(len(list(node.subscriptions)) + len(list(node.publishers)) + len(list(node.services)))
        # freed memory stays in the C library's hands now and then: a leaked map a life would be 500 MB
        assert min(sizes[-2:]) - sizes[0] < 40, f"resident MB after every ten lives: {sizes}"
        assert len(set(leftovers)) == 1, leftovers
        assert len(set(threads)) == 1, threads
        assert len(set(entities)) == 1, entities
