"""The demo recorder over real DDS: what it hears of a mapper that is acted by the test, faults included."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import GetParameters
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, PointCloud2
from std_msgs.msg import Bool, Header
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import LabelInfo
from visualization_msgs.msg import MarkerArray

from sem_field_ros.errors import LabelSetError, SemFieldError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import load_label_set
from sem_field_ros.nodes.recorder.node import DemoRecorder
from sem_field_ros.ros.camera_info import camera_info_to_msg
from sem_field_ros.ros.clouds import surface_to_cloud
from sem_field_ros.ros.label_info import label_info_to_msg
from sem_field_ros.ros.mapper_status import MapperStatus, status_message
from sem_field_ros.ros.markers import update_to_marker_bytes
from sem_field_ros.ros.qos import image_qos, latched_qos, tf_qos
from sem_field_ros.ros.transforms import transform_to_msg
from sem_field_ros.surface import Surface, SurfaceUpdate, merge_surfaces

LABELS = load_label_set("scannet20")
CAMERA = Intrinsics(80.0, 80.0, 39.5, 29.5, 80, 60)
HEADER = Header(frame_id="map")


def square(x: float, label: str) -> Surface:
    """Two triangles: a unit square at z = 0 whose front is up, all of one class."""
    vertices = np.array([[x, 0, 0], [x + 1, 0, 0], [x + 1, 1, 0], [x, 1, 0]], np.float32)
    return Surface(
        vertices,
        np.tile(np.float32([0, 0, 1]), (4, 1)),
        np.full((4, 3), 90, np.uint8),
        np.full(4, LABELS.index_of(label), np.int16),
        np.ones(4, np.float32),
        np.array([[0, 1, 2], [0, 2, 3]], np.int32),
        np.ones(4, bool),
    )


class ActedMapper:
    """Says by hand what a mapper and a player would say."""

    def __init__(self, ros: Any) -> None:
        self.node = ros.node("semantic_mapper_act")
        self.mapped = 0
        publish = self.node.create_publisher
        self.cloud = publish(PointCloud2, "semantic_mapper/semantic_cloud", latched_qos())
        self.mesh = publish(MarkerArray, "semantic_mapper/semantic_mesh", latched_qos())
        self.label_info = publish(LabelInfo, "semantic_mapper/label_info", latched_qos())
        self.diagnostics = publish(DiagnosticArray, "/diagnostics", 10)
        self.info = publish(CameraInfo, "camera/color/camera_info", image_qos("reliable"))
        self.tf = publish(TFMessage, "/tf", tf_qos())
        self.finished = publish(Bool, "sequence_player/finished", latched_qos())
        self.node.create_service(GetParameters, "semantic_mapper/get_parameters", lambda request, response: response)
        self.node.create_timer(0.05, self._say_diagnostics)
        self.label_info.publish(label_info_to_msg(LABELS, HEADER))

    def _say_diagnostics(self) -> None:
        timings = {
            "latency": {"p50": 120.0, "p95": 240.0},
            "arrival_to_cloud": {"p50": 110.0, "p95": 230.0},
            "integrate": {"p50": 3.0, "p95": 4.0},
        }
        status = MapperStatus(
            "active", frames_in=2, frames_mapped=self.mapped, drops={"tf_missing": 1}, timings_ms=timings,
            map_stats={"blocks": 7.0}, resident_mb=100.0,
        )  # fmt: skip
        self.diagnostics.publish(status_message("semantic_mapper", status))
        self.diagnostics.publish(status_message("other", MapperStatus(frames_mapped=999)))

    def say_frame(self, i: int) -> None:
        header = Header(frame_id="camera")
        header.stamp.sec = 10 + i
        T = np.eye(4)
        T[0, 3] = i
        self.tf.publish(TFMessage(transforms=[transform_to_msg("map", "camera", (10 + i) * 10**9, T)]))
        self.info.publish(camera_info_to_msg(CAMERA, header))

    def say_mesh(self, changed: dict[int, Surface], removed: list[int]) -> None:
        self.mesh.publish(update_to_marker_bytes(SurfaceUpdate(changed, removed), LABELS, HEADER))


@pytest.fixture
def recording(ros: Any, tmp_path: Path) -> Callable[..., Any]:
    """Start the recorder in the test's process; returns (recorder, result), result filled when it is through."""
    threads = []

    def start(**parameters: Any) -> tuple[DemoRecorder, list[Any]]:
        given = {"out": str(tmp_path), "start_mapper": False, **parameters}
        recorder = ros.make(DemoRecorder, **given)
        result: list[Any] = []

        def record() -> None:
            try:
                result.append(recorder.record())
            except SemFieldError as error:
                result.append(error)

        threads.append((recorder, threading.Thread(target=record)))
        threads[-1][1].start()
        return recorder, result

    yield start
    for recorder, thread in threads:
        recorder.stopping.set()
        thread.join(10)


def test_a_run_is_recorded_as_it_was_said(ros: Any, recording: Callable[..., Any], tmp_path: Path) -> None:
    mapper = ActedMapper(ros)
    recorder, result = recording()
    topics = recorder.topics
    ros.spin_until(lambda: mapper.info.get_subscription_count() and topics.status_count, 10, "they find each other")
    for i in range(3):
        mapper.say_frame(i)
        ros.spin_for(0.2)
    chair, table = square(0, "chair"), square(5, "table")
    mapper.say_mesh({1: chair, 2: square(9, "sofa")}, [])
    mapper.say_mesh({3: table}, [2])  # the sofa vanishes
    mapper.mapped = 1
    mapper.cloud.publish(surface_to_cloud(merge_surfaces([chair, table]), LABELS, HEADER))
    mapper.finished.publish(Bool(data=True))
    ros.spin_until(lambda: result, 20, "the recorder is through")
    report = result[0].to_dict()
    assert report == json.loads((tmp_path / "report.json").read_text())
    assert (report["cloud_points"], report["mesh_triangles"]) == (8, 4)
    assert report["points_per_class"] == {"chair": 4, "table": 4}
    assert report["drops"] == {"tf_missing": 1, "not_received": 1}
    assert (report["frames_in"], report["frames_mapped"]) == (3, 1)
    assert 0.3 < report["duration_s"] < 3
    assert report["fps"] == pytest.approx(1 / report["duration_s"], rel=0.01)  # one frame was mapped
    assert report["replay_rate"] == pytest.approx(2 / report["duration_s"], rel=0.01)  # of two seconds by the stamps
    assert abs(report["replay_rate"] - 1) > 0.05  # not in real time: stamps tell no latency
    assert report["latency_ms"] == {"p50": 110.0, "p95": 230.0}
    assert report["stage_ms"]["integrate"] == {"p50": 3.0, "p95": 4.0}
    assert report["map_stats"] == {"blocks": 7.0}
    assert report["peak_rss_mb"] == 100.0
    assert report["label_set"] == "scannet20"
    assert "notes" not in report
    assert [pose[0, 3] for pose in topics.poses()] == [0, 1, 2]


def test_a_mesh_with_holes_is_asked_for_anew(ros: Any, recording: Callable[..., Any]) -> None:
    mapper = ActedMapper(ros)
    recorder, result = recording()
    ros.spin_until(mapper.info.get_subscription_count, 10, "the recorder listens")
    mapper.say_frame(0)
    chair, table = square(0, "chair"), square(5, "table")
    mapper.say_mesh({1: chair}, [])  # the message with the table got lost
    mapper.cloud.publish(surface_to_cloud(merge_surfaces([chair, table]), LABELS, HEADER))
    ros.spin_until(lambda: recorder.topics.mesh_triangles == 2, 10, "the mesh came")
    first = recorder.topics._mesh_subscription
    mapper.finished.publish(Bool(data=True))
    ros.spin_until(lambda: recorder.topics._mesh_subscription is not first, 20, "the recorder subscribes again")
    ros.spin_until(lambda: mapper.mesh.get_subscription_count() == 1, 10, "it is heard")
    mapper.say_mesh({1: chair, 3: table}, [])
    ros.spin_until(lambda: result, 20, "the recorder is through")
    assert (result[0].cloud_points, result[0].mesh_triangles) == (8, 4)
    assert "notes" not in result[0].to_dict()


@pytest.mark.parametrize(
    ("frames", "finished", "message"),
    [
        (0, False, "no camera frame came"),
        (0, True, "sequence_player ended but no camera frame came"),
        (1, False, "no camera frame came for 1 s although sequence_player has not ended"),
    ],
)
def test_silence_ends_the_recording_with_one_line(
    ros: Any, recording: Callable[..., Any], frames: int, finished: bool, message: str
) -> None:
    mapper = ActedMapper(ros)
    _, result = recording(start_timeout_s=2.0, stall_timeout_s=1.0)
    ros.spin_until(mapper.info.get_subscription_count, 10, "the recorder listens")
    for i in range(frames):
        mapper.say_frame(i)
    if finished:
        mapper.finished.publish(Bool(data=True))
    ros.spin_until(lambda: result, 20, "the recorder gives up")
    assert message in str(result[0])


def test_a_mapper_that_never_comes_is_told(ros: Any, recording: Callable[..., Any]) -> None:
    _, result = recording(start_mapper=True, start_timeout_s=1.0, mapper="nobody")
    ros.spin_until(lambda: result, 20, "the recorder gives up")
    assert str(result[0]) == "nobody did not come up (waited 1 s)"


def test_a_broken_mesh_message_is_counted_and_survived(ros: Any, recording: Callable[..., Any]) -> None:
    mapper = ActedMapper(ros)
    recorder, _ = recording()
    recorder.topics._on_mesh(serialize_message(MarkerArray())[:5])
    assert recorder.topics.trouble == {"bad_mesh": 1}
    ros.spin_until(mapper.mesh.get_subscription_count, 10, "the recorder listens")
    mapper.say_mesh({1: square(0, "chair")}, [])
    ros.spin_until(lambda: recorder.topics.mesh_triangles == 2, 10, "the next one is taken")


def test_without_label_info_the_recorder_asks_for_a_label_set(ros: Any, recording: Callable[..., Any]) -> None:
    recorder, _ = recording()
    with pytest.raises(LabelSetError, match="semantic_mapper published no label_info"):
        recorder.topics.labels(None)
    assert recorder.topics.labels(LABELS) == LABELS
