"""The mapper node over real DDS: what it publishes and to whom, its services, its life cycle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rclpy.parameter import Parameter
from sem_field_msgs.srv import LoadMap, QueryPoints, SaveMap
from sensor_msgs.msg import CompressedImage, Image, PointCloud2
from std_srvs.srv import SetBool, Trigger
from vision_msgs.msg import LabelInfo
from visualization_msgs.msg import MarkerArray

from sem_field_ros.camera_stream.images import color_from_msg, labels_from_msg
from sem_field_ros.camera_stream.label_info import names_from_msg
from sem_field_ros.camera_stream.pairing import stamp_ns_of
from sem_field_ros.labels import load_label_set
from sem_field_ros.nodes.mapper.services import points_to_msgs
from sem_field_ros.ros.clouds import cloud_from_msg
from sem_field_ros.ros.markers import marker_triangles
from sem_field_ros.ros.qos import image_qos, latched_qos
from tests.ros.fake_robot import CAMERA_FRAME, CHAIR, TABLE, WALL_Z, wall_images
from tests.ros.mapper_harness import Harness, running_mapper


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    directory = tmp_path_factory.mktemp("maps")
    with running_mapper(maps_directory=str(directory)) as harness:
        harness.maps = directory
        yield harness


@pytest.fixture
def mapper(shared: Harness) -> Harness:
    """One active node with the wall in its map."""
    shared.call(Trigger, "reset")
    shared.map_frames(4)
    shared.settle()
    return shared


def collect(harness: Harness, kind: type, topic: str, qos: Any) -> tuple[list[Any], Any]:
    """Subscribe; returns the list messages go into and the subscription."""
    messages: list[Any] = []
    return messages, harness.node.create_subscription(kind, f"/semantic_mapper/{topic}", messages.append, qos)


# -- topics


def test_the_cloud_is_the_labelled_wall_in_the_map_frame(mapper: Harness) -> None:
    mapper.spin_until(lambda: mapper.listener.clouds and mapper.listener.clouds[-1].width > 400, "the cloud")
    msg = mapper.listener.clouds[-1]
    assert msg.header.frame_id == "map"
    assert msg.point_step == 24
    points = cloud_from_msg(msg)
    assert np.abs(points["z"] - WALL_Z).max() < 0.01
    inside = np.abs(points["x"]) > 0.1
    assert (points["label"][inside] == np.where(points["x"] > 0, TABLE, CHAIR)[inside]).all()
    assert (points["confidence"][inside] > 0.4).all()
    assert (points["rgb"][points["x"] > 0.1] == [0, 0, 255]).all()


def test_the_stamp_of_the_cloud_is_that_of_its_newest_frame(mapper: Harness) -> None:
    stamp_ns = mapper.robot.say(x=0.0)
    mapper.spin_until(lambda: stamp_ns_of(mapper.listener.clouds[-1]) == stamp_ns, "a cloud of the last frame")


def test_a_late_subscriber_gets_the_whole_mesh_and_the_others_only_changes(mapper: Harness) -> None:
    early, first = collect(mapper, MarkerArray, "semantic_mesh", latched_qos(10))
    mapper.spin_until(lambda: early and len(early[0].markers) > 10, "the whole mesh for the first")
    mapper.settle()
    blocks = len(early[0].markers)
    mapper.mapper.set_parameters([Parameter("mesh_refresh_s", value=0.0)])
    mapper.spin(0.6)
    early.clear()
    mapper.spin(0.3)
    assert early == [], "nothing changed, nothing is sent"
    late, second = collect(mapper, MarkerArray, "semantic_mesh", latched_qos(10))
    mapper.spin_until(lambda: any(len(m.markers) >= blocks for m in late), "the whole mesh for the second")
    whole = max(late, key=lambda m: len(m.markers))
    corners, colors = marker_triangles(whole.markers[len(whole.markers) // 2])
    assert np.abs(corners[..., 2] - WALL_Z).max() < 0.01
    labels = load_label_set("scannet20")
    known = {tuple(c) for c in labels.colors[[labels.names.index("chair"), labels.names.index("table")]].tolist()}
    assert {tuple(c) for c in np.round(colors.reshape(-1, 3) * 255).astype(int).tolist()} & known
    mapper.node.destroy_subscription(first)
    mapper.node.destroy_subscription(second)
    mapper.mapper.set_parameters([Parameter("mesh_refresh_s", value=30.0)])


def shown_blocks(messages: list[MarkerArray]) -> set[int]:
    """The blocks a viewer shows after these messages."""
    shown: set[int] = set()
    for marker in (marker for message in messages for marker in message.markers):
        if marker.action == marker.DELETE:
            shown.discard(marker.id)
        else:
            shown.add(marker.id)
    return shown


def test_a_late_subscriber_shows_nothing_of_a_map_that_is_gone(mapper: Harness) -> None:
    """The last message is latched: it must not bring back blocks that were reset while nobody listened."""
    messages, subscription = collect(mapper, MarkerArray, "semantic_mesh", latched_qos(10))
    mapper.spin_until(lambda: shown_blocks(messages), "a mesh")
    mapper.node.destroy_subscription(subscription)
    mapper.spin(0.2)
    assert mapper.call(Trigger, "reset").success
    late, subscription = collect(mapper, MarkerArray, "semantic_mesh", latched_qos(10))
    mapper.spin(0.5)
    assert shown_blocks(late) == set()
    mapper.node.destroy_subscription(subscription)


def test_lost_mesh_messages_heal(mapper: Harness) -> None:
    """Every block comes again within mesh_refresh_s although nothing changes."""
    mapper.mapper.set_parameters([Parameter("mesh_refresh_s", value=0.5)])
    messages, subscription = collect(mapper, MarkerArray, "semantic_mesh", latched_qos(50))
    mapper.spin_until(lambda: len(shown_blocks(messages)) > 10, "the mesh")
    mapper.spin(0.8)
    everything = shown_blocks(messages)
    messages.clear()
    mapper.map_frames(1)
    mapper.spin_until(
        lambda: everything <= {marker.id for message in messages for marker in message.markers}, "every block again"
    )
    mapper.node.destroy_subscription(subscription)
    mapper.mapper.set_parameters([Parameter("mesh_refresh_s", value=30.0)])


def test_label_image_and_overlay_have_the_source_images_header(mapper: Harness) -> None:
    images, first = collect(mapper, Image, "label_image", image_qos("reliable"))
    overlays, second = collect(mapper, Image, "label_overlay", image_qos("reliable"))
    mapper.spin(0.3)
    stamp_ns = mapper.robot.say(x=0.0)

    def newest(messages: list[Image]) -> int:
        return stamp_ns_of(messages[-1]) if messages else 0

    mapper.spin_until(lambda: newest(images) == newest(overlays) == stamp_ns, "label image and overlay of that frame")
    assert images[-1].header.frame_id == overlays[-1].header.frame_id == CAMERA_FRAME
    assert images[-1].encoding == "mono8"
    assert (labels_from_msg(images[-1]) == wall_images(0.0)[2]).all()
    labels = load_label_set("scannet20")
    color = labels.colors[labels.names.index("chair")].astype(float)
    expected = np.round((np.array([255, 0, 0]) + color) / 2)
    assert np.abs(color_from_msg(overlays[-1])[:, :30].reshape(-1, 3) - expected).max() <= 1
    mapper.node.destroy_subscription(first)
    mapper.node.destroy_subscription(second)


def test_label_info_is_latched(mapper: Harness) -> None:
    infos, subscription = collect(mapper, LabelInfo, "label_info", latched_qos())
    mapper.spin_until(lambda: infos, "label info for a late subscriber")
    assert names_from_msg(infos[0])[CHAIR] == "chair"
    mapper.node.destroy_subscription(subscription)


def test_uncertain_labels_are_published_as_unlabelled(mapper: Harness) -> None:
    mapper.mapper.set_parameters([Parameter("min_confidence", value=1.0)])
    mapper.spin(0.6)
    mapper.map_frames(1)

    def unlabelled() -> bool:
        return bool((cloud_from_msg(mapper.listener.clouds[-1])["label"] == 255).all())

    mapper.spin_until(unlabelled, "a cloud without labels")
    assert mapper.listener.clouds[-1].width > 400, "the points themselves stay"
    mapper.mapper.set_parameters([Parameter("min_confidence", value=0.0)])
    mapper.spin(0.6)


def test_without_subscribers_nothing_is_computed() -> None:
    with running_mapper(cloud=False) as harness:
        harness.map_frames(4)
        harness.settle()
        assert harness.count("frames_mapped") >= 4
        assert "surface_ms_p50" not in harness.listener.values
        assert "cloud_message_ms_p50" not in harness.listener.values
        clouds, _ = collect(harness, PointCloud2, "semantic_cloud", latched_qos())
        harness.spin_until(lambda: clouds and clouds[-1].width > 300, "the whole map for the first subscriber")


# -- services


def query(harness: Harness, points: list[tuple[float, float, float]], frame: str = "map", stamp_ns: int = 0) -> Any:
    request = QueryPoints.Request(points=points_to_msgs(np.array(points)))
    request.header = harness.robot.header(stamp_ns, frame)
    return harness.call(QueryPoints, "query_points", request)


def test_query_points(mapper: Harness) -> None:
    answer = query(mapper, [(-0.4, 0, WALL_Z), (0.4, 0, WALL_Z - 0.05), (0, 0, 9), (float("nan"), 0, 0)])
    assert answer.success, answer.message
    assert answer.label_set == "scannet20"
    assert list(answer.label_names) == ["chair", "table", "", ""]
    assert list(answer.labels) == [CHAIR, TABLE, 255, 255]
    distances = np.array(answer.signed_distance_m)
    assert distances[:2] == pytest.approx([0, 0.05], abs=0.01)
    assert np.isnan(distances[2:]).all()
    probabilities = np.array(answer.probabilities).reshape(4, answer.num_classes)
    assert probabilities.sum(axis=1) == pytest.approx([1, 1, 0, 0], abs=1e-4)
    best = probabilities[:2].argmax(axis=1)
    assert [answer.class_names[i] for i in best] == ["chair", "table"]
    assert [answer.class_ids[i] for i in best] == [CHAIR, TABLE]
    assert min(answer.confidence[:2]) > 0.4


def test_query_points_in_another_frame(mapper: Harness) -> None:
    stamp_ns = mapper.robot.say(x=0.3)
    mapper.spin(0.2)
    answer = query(mapper, [(-0.7, 0, WALL_Z), (0.1, 0, WALL_Z)], CAMERA_FRAME, stamp_ns)
    assert list(answer.label_names) == ["chair", "table"], answer.message


def test_query_points_without_transform_says_why(mapper: Harness) -> None:
    answer = query(mapper, [(0, 0, 0)], "gripper")
    assert not answer.success
    assert "'gripper' is not in the TF tree" in answer.message


def test_query_of_no_points(mapper: Harness) -> None:
    answer = mapper.call(QueryPoints, "query_points")
    assert answer.success and len(answer.labels) == 0


def test_save_reset_load(mapper: Harness) -> None:
    mapper.map_frames(2)
    mapper.settle()  # a frame still on its way would be in the map again after the reset
    saved = mapper.call(SaveMap, "save_map", SaveMap.Request(path="wall", overwrite=True))
    assert saved.success and Path(saved.path).is_file(), saved.message
    assert Path(saved.path).parent == mapper.maps
    assert mapper.call(Trigger, "reset").success
    assert np.isnan(query(mapper, [(0.4, 0, WALL_Z)]).signed_distance_m[0])
    loaded = mapper.call(LoadMap, "load_map", LoadMap.Request(path="wall"))
    assert loaded.success, loaded.message
    assert list(query(mapper, [(0.4, 0, WALL_Z)]).label_names) == ["table"]
    mapper.map_frames(2)


def test_saving_over_a_map_needs_a_yes(mapper: Harness) -> None:
    assert mapper.call(SaveMap, "save_map", SaveMap.Request(path="twice")).success
    refused = mapper.call(SaveMap, "save_map", SaveMap.Request(path="twice"))
    assert not refused.success and "exists" in refused.message and "overwrite" in refused.message
    assert mapper.call(SaveMap, "save_map", SaveMap.Request(path="twice", overwrite=True)).success


def test_pause(mapper: Harness) -> None:
    assert mapper.call(SetBool, "pause", SetBool.Request(data=True)).success
    mapper.settle()
    mapped, paused = mapper.count("frames_mapped"), mapper.count("drops/paused")
    for _ in range(3):
        mapper.robot.say()
        mapper.spin(0.05)
    mapper.wait_for_count("drops/paused", paused + 3)
    assert mapper.count("frames_mapped") == mapped
    assert mapper.listener.values["paused"] == "true"
    assert mapper.call(SetBool, "pause", SetBool.Request(data=False)).success
    mapper.map_frames(2)


def test_compressed_topics_and_hints_about_the_set_up(capfd: pytest.CaptureFixture[str]) -> None:
    """JPEG colour and png depth are mapped; unknown distortion and depth that is not registered are named once."""
    with running_mapper(color_transport="compressed", depth_transport="compressed") as harness:
        node, robot = harness.node, harness.robot
        color = node.create_publisher(CompressedImage, "camera/color/image_raw/compressed", 10)
        depth = node.create_publisher(CompressedImage, "camera/depth/image_raw/compressedDepth", 10)
        harness.spin_until(lambda: color.get_subscription_count() and depth.get_subscription_count(), "subscriptions")

        def distort(msg: Any) -> None:
            msg.d, msg.distortion_model = [0.1, 0.0, 0.0, 0.0, 0.0], "division"

        def mapped(depth_frame: str = CAMERA_FRAME) -> bool:
            stamp_ns = robot.say(color=None, depth=None, info=distort)
            pixels, metres, _ = wall_images(0.02 * ((next(robot.frames) - 1) % 10))
            jpeg, png = cv2.imencode(".jpg", pixels[..., ::-1])[1], cv2.imencode(".png", np.uint16(metres * 1000))[1]
            header = robot.header(stamp_ns)
            color.publish(CompressedImage(header=header, format="rgb8; jpeg compressed bgr8", data=jpeg.tobytes()))
            data = bytes(12) + png.tobytes()
            header = robot.header(stamp_ns, depth_frame)
            depth.publish(CompressedImage(header=header, format="16UC1; compressedDepth png", data=data))
            harness.spin(0.05)
            return harness.count("frames_mapped") >= 4

        for _ in range(4):
            mapped("camera_depth_optical_frame")
        harness.wait_for_count("drops/depth_not_registered", 3)
        assert harness.count("frames_mapped") == 0
        harness.spin_until(mapped, "mapped frames")
        log = capfd.readouterr().err
        assert log.count("lens distortion of model 'division' is not undone") == 1
        assert log.count("depth is in frame 'camera_depth_optical_frame'") == 1
        points = cloud_from_msg(harness.listener.clouds[-1])
        assert len(points["z"]) > 300 and np.abs(points["z"] - WALL_Z).max() < 0.02
