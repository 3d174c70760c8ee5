"""Trouble inside the working node: slow or failing inference, no memory, services meanwhile, slow subscribers."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from rclpy.parameter import Parameter
from sem_field_msgs.srv import LoadMap, SaveMap
from sensor_msgs.msg import PointCloud2
from std_srvs.srv import Trigger

from sem_field_ros.camera_stream.pairing import stamp_ns_of
from sem_field_ros.errors import SegmenterError
from sem_field_ros.mapping.semantic_map import SemanticMap
from sem_field_ros.ros.clouds import cloud_from_msg
from sem_field_ros.ros.qos import latched_qos
from tests.ros.fake_robot import WALL_Z
from tests.ros.mapper_harness import Harness, running_mapper
from tests.ros.odd_segmenters import OddSegmenter, use


@pytest.fixture(scope="module")
def segmenter() -> OddSegmenter:
    return OddSegmenter()


@pytest.fixture(scope="module")
def shared(segmenter: OddSegmenter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    with pytest.MonkeyPatch.context() as patch:
        use(segmenter, patch)
        maps = str(tmp_path_factory.mktemp("maps"))
        with running_mapper(maps_directory=maps, service_timeout_s=1.0, max_ready_frames=2) as harness:
            yield harness


@pytest.fixture
def mapper(shared: Harness, segmenter: OddSegmenter) -> Iterator[Harness]:
    """One node; before and after every fault it maps good frames."""
    shared.map_frames(3)
    shared.settle()
    yield shared
    segmenter.gate.set()
    segmenter.seconds = 0.0
    shared.map_frames(3)


# -- inference that fails


@pytest.mark.parametrize(
    ("error", "message", "counter"),
    [
        (SegmenterError, "the net gave NaN", "events/segmenter_failed"),
        (torch.cuda.OutOfMemoryError, "CUDA out of memory", "drops/out_of_memory"),
        (MemoryError, "", "drops/out_of_memory"),
        (RuntimeError, "[enforce fail] DefaultCPUAllocator: can't allocate memory", "drops/out_of_memory"),
        (ValueError, "a bug", "drops/internal_error"),
    ],
)
def test_inference_that_fails_costs_one_frame(
    mapper: Harness, segmenter: OddSegmenter, error: type[Exception], message: str, counter: str
) -> None:
    before = mapper.count(counter)
    segmenter.next_error = error(message)  # made here: an exception that outlives the test keeps the map alive
    mapper.robot.say()
    mapper.wait_for_count(counter, before + 1)


def test_a_label_image_that_stays_away_is_named(mapper: Harness) -> None:
    mapper.robot.say(labels=None)
    mapper.spin(0.1)
    for _ in range(3):
        mapper.robot.say(labels=None)
        mapper.spin(0.05)
    mapper.spin_until(
        lambda: "/camera/label/image_raw silent" in mapper.listener.levels["input"][1], "the topic's name"
    )


# -- slow inference


def test_slow_inference_maps_the_newest_and_counts_the_rest(mapper: Harness, segmenter: OddSegmenter) -> None:
    """At 20 Hz input and 0.3 s a keyframe most frames are lost, none is mapped late: no latency builds up."""
    segmenter.seconds = 0.3
    overload, mapped = mapper.count("drops/overload"), mapper.count("frames_mapped")
    for _ in range(40):
        mapper.robot.say()
        mapper.spin(0.05)
    last_ns = mapper.robot.stamp_ns
    mapper.wait_for_count("drops/overload", overload + 5)
    # at most max_ready_frames and the one at work are still to come
    mapper.spin_until(lambda: stamp_ns_of(mapper.listener.clouds[-1]) == last_ns, "a cloud with the newest frame")
    mapper.settle()
    lost, done = mapper.count("drops/overload") - overload, mapper.count("frames_mapped") - mapped
    assert lost + done == 40
    assert done >= 5


def begin_inference(mapper: Harness, segmenter: OddSegmenter) -> None:
    """Close the gate and let the mapping thread run into it."""
    segmenter.inferring.clear()
    segmenter.gate.clear()
    mapper.robot.say()
    mapper.spin_until(segmenter.inferring.is_set, "inference to begin")


def open_later(segmenter: OddSegmenter, seconds: float) -> None:
    threading.Timer(seconds, segmenter.gate.set).start()


def test_reset_while_inferring_waits_for_the_frame(mapper: Harness, segmenter: OddSegmenter) -> None:
    begin_inference(mapper, segmenter)
    open_later(segmenter, 0.3)
    assert mapper.call(Trigger, "reset").success
    assert not segmenter.inferring.is_set()
    mapper.spin(0.7)
    mapper.settle()
    assert mapper.count("blocks") == 0


def test_load_while_inferring(mapper: Harness, segmenter: OddSegmenter) -> None:
    assert mapper.call(SaveMap, "save_map", SaveMap.Request(path="busy", overwrite=True)).success
    begin_inference(mapper, segmenter)
    open_later(segmenter, 0.3)
    loaded = mapper.call(LoadMap, "load_map", LoadMap.Request(path="busy"))
    assert loaded.success, loaded.message


def test_a_service_that_cannot_wait_says_so_and_does_nothing_later(mapper: Harness, segmenter: OddSegmenter) -> None:
    mapper.spin(0.6)
    mapper.settle()
    blocks = mapper.count("blocks")
    begin_inference(mapper, segmenter)
    answer = mapper.call(Trigger, "reset")
    assert not answer.success
    assert "busy for 1 s" in answer.message and "service_timeout_s" in answer.message
    segmenter.gate.set()
    mapper.spin(0.7)
    mapper.settle()
    assert mapper.count("blocks") == blocks > 0, "the reset was taken back"


def test_parameters_and_diagnostics_answer_while_inferring(mapper: Harness, segmenter: OddSegmenter) -> None:
    begin_inference(mapper, segmenter)
    seen = mapper.listener.diagnostics
    mapper.spin_until(lambda: mapper.listener.diagnostics > seen + 5, "diagnostics", timeout_s=2)
    assert mapper.mapper.set_parameters([Parameter("overlay_opacity", value=0.4)])[0].successful
    segmenter.gate.set()


# -- people


def test_what_moved_away_leaves_the_map(mapper: Harness) -> None:
    """Somebody stands 0.7 m in front of the wall, goes, and the wall is seen again: no ghost stays behind."""

    def person(msg):
        depth = np.frombuffer(msg.data, np.float32).reshape(60, 80).copy()
        depth[:, 30:50] = WALL_Z - 0.7
        msg.data.frombytes(depth.tobytes())
        del msg.data[: depth.nbytes]

    def ghost_points() -> int:
        return int((cloud_from_msg(mapper.listener.clouds[-1])["z"] < WALL_Z - 0.4).sum())

    assert mapper.call(Trigger, "reset").success
    for _ in range(6):
        mapper.robot.say(x=0.0, depth=person)
        mapper.spin(0.05)
    mapper.spin_until(lambda: ghost_points() > 20, "the person in the cloud")

    def gone() -> bool:
        mapper.robot.say(x=0.0)
        mapper.spin(0.05)
        return ghost_points() == 0

    mapper.spin_until(gone, "the person's disappearance", timeout_s=15)


# -- subscribers


def test_a_subscriber_that_does_not_read_slows_nobody(mapper: Harness) -> None:
    """A reliable subscriber whose process is stuck: the mapper keeps its pace for everybody else."""
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node

    stuck = Node("stuck", context=mapper.context)
    stuck.create_subscription(PointCloud2, "/semantic_mapper/semantic_cloud", lambda _: None, latched_qos())
    executor = SingleThreadedExecutor(context=mapper.context)
    executor.add_node(stuck)  # never spun
    mapper.settle()
    mapped = mapper.count("frames_mapped")
    for _ in range(40):
        mapper.robot.say()
        mapper.spin(0.05)
    mapper.settle()
    assert mapper.count("frames_mapped") >= mapped + 25  # a busy test machine may lose some
    last_ns = mapper.robot.stamp_ns
    mapper.spin_until(lambda: stamp_ns_of(mapper.listener.clouds[-1]) >= last_ns - 200_000_000, "a cloud of the end")
    executor.shutdown()
    stuck.destroy_node()


def test_an_integration_that_fails_costs_one_frame(mapper: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    original = SemanticMap.integrate
    failures = [RuntimeError("the volume could not grow: can't allocate memory")]

    def integrate(self, frame):
        if failures:
            raise failures.pop()
        original(self, frame)

    before = mapper.count("drops/out_of_memory")
    monkeypatch.setattr(SemanticMap, "integrate", integrate)
    mapper.robot.say()
    mapper.wait_for_count("drops/out_of_memory", before + 1)
