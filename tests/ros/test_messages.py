"""Messages we write: layouts hold byte by byte, they survive DDS, and the fast paths equal the slow ones."""

from __future__ import annotations

import array
import struct

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

from sem_field_ros.camera_stream.camera_info import intrinsics_from_msg
from sem_field_ros.camera_stream.images import color_from_msg, depth_from_msg, labels_from_msg
from sem_field_ros.camera_stream.label_info import names_from_msg
from sem_field_ros.errors import FrameError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import LabelClass, LabelSet
from sem_field_ros.ros import markers as markers_module
from sem_field_ros.ros.camera_info import camera_info_to_msg
from sem_field_ros.ros.clouds import cloud_from_msg, surface_to_cloud
from sem_field_ros.ros.images import image_to_msg, labels_to_msg
from sem_field_ros.ros.label_info import label_info_to_msg
from sem_field_ros.ros.markers import (
    delete_all_markers,
    marker_triangles,
    update_to_marker_bytes,
    update_to_markers,
)
from sem_field_ros.ros.qos import image_qos, latched_qos
from sem_field_ros.surface import Surface, SurfaceUpdate

LABELS = LabelSet("test", (LabelClass(1, "wall", (10, 20, 30)), LabelClass(5, "chair", (200, 100, 50))))
HEADER = Header(stamp=Time(sec=12, nanosec=34), frame_id="map")


def random_surface(vertices: int, faces: int, seed: int = 0) -> Surface:
    rng = np.random.default_rng(seed)
    return Surface(
        rng.normal(size=(vertices, 3)).astype(np.float32),
        np.zeros((vertices, 3), np.float32),
        rng.integers(0, 256, (vertices, 3)).astype(np.uint8),
        rng.integers(-1, 2, vertices).astype(np.int16),
        rng.random(vertices, dtype=np.float32),
        rng.integers(0, max(vertices, 1), (faces, 3)).astype(np.int32),
        np.ones(vertices, bool),
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 2**31))
def test_images_round_trip(height, width, seed):
    rng = np.random.default_rng(seed)
    rgb = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    wide = rng.integers(0, 65535, (height, width), dtype=np.uint16)
    msg = image_to_msg(rgb, HEADER, "rgb8")
    assert isinstance(msg.data, array.array) and msg.step == 3 * width and msg.header == HEADER
    through = deserialize_message(serialize_message(msg), Image)
    np.testing.assert_array_equal(color_from_msg(through), rgb)
    np.testing.assert_array_equal(color_from_msg(image_to_msg(rgb[..., ::-1], HEADER, "bgr8")), rgb)
    np.testing.assert_array_equal(labels_from_msg(labels_to_msg(wide, HEADER)), wide)
    np.testing.assert_array_equal(labels_from_msg(labels_to_msg(rgb[..., 0], HEADER)), rgb[..., 0])
    metres = depth_from_msg(image_to_msg(wide, HEADER, "16UC1"))
    np.testing.assert_array_equal(depth_from_msg(image_to_msg(metres, HEADER, "32FC1")), metres)


def test_image_to_msg_refuses_what_does_not_fit():
    for image, encoding in [
        (np.zeros((2, 2, 3), np.float32), "rgb8"),
        (np.zeros((2, 2), np.uint8), "rgb8"),
        (np.zeros((2, 2, 4), np.uint8), "rgb8"),
        (np.zeros((2, 2), np.float64), "32FC1"),
        (np.zeros((2, 2, 3), np.uint8), "yuv422"),
    ]:
        with pytest.raises(ValueError, match="image_to_msg"):
            image_to_msg(image, HEADER, encoding)


def test_camera_info_round_trip():
    camera = Intrinsics(585.0, 580.0, 320.5, 240.25, 640, 480)
    msg = deserialize_message(serialize_message(camera_info_to_msg(camera, HEADER)), CameraInfo)
    assert intrinsics_from_msg(msg) == camera and intrinsics_from_msg(msg, rectified=True) == camera
    assert intrinsics_from_msg(CameraInfo(width=640, height=480, k=camera.matrix.reshape(-1))) == camera
    with pytest.raises(FrameError) as error:
        intrinsics_from_msg(CameraInfo(width=640, height=480))
    assert error.value.cause == "bad_intrinsics"


def test_cloud_layout_byte_by_byte():
    surface = random_surface(4, 0)
    surface.vertices[:] = [[1, 2, 3], [np.nan, 0, 0], [4, 5, 6], [7, 8, 9]]
    surface.colors[0] = (0x11, 0x22, 0x33)
    surface.labels[:] = [1, 0, -1, 0]
    surface.confidence[:] = [0.25, 0, 0, 1]
    surface.owned[3] = False
    msg = surface_to_cloud(surface, LABELS, HEADER)
    names = [(f.name, f.offset, f.datatype, f.count) for f in msg.fields]
    f32, u32 = PointField.FLOAT32, PointField.UINT32
    assert names == [
        ("x", 0, f32, 1),
        ("y", 4, f32, 1),
        ("z", 8, f32, 1),
        ("rgb", 12, f32, 1),
        ("label", 16, u32, 1),
        ("confidence", 20, f32, 1),
    ]
    assert (msg.point_step, msg.row_step, msg.width, msg.height, msg.is_dense) == (24, 48, 2, 1, True)
    assert bytes(msg.data[:24]) == struct.pack("<fffIIf", 1, 2, 3, 0x00112233, 5, 0.25)
    assert struct.unpack("<I", bytes(msg.data[40:44])) == (255,)


def test_cloud_round_trip_and_label_colours():
    surface = random_surface(100, 0)
    cloud = cloud_from_msg(surface_to_cloud(surface, LABELS, HEADER))
    np.testing.assert_array_equal(cloud["points"], surface.vertices)
    np.testing.assert_array_equal(cloud["rgb"], surface.colors)
    np.testing.assert_array_equal(cloud["label"], LABELS.to_id(surface.labels))
    np.testing.assert_array_equal(cloud["confidence"], surface.confidence)
    by_label = cloud_from_msg(surface_to_cloud(surface, LABELS, HEADER, color_by="label"))
    np.testing.assert_array_equal(by_label["rgb"], LABELS.to_color(surface.labels))
    with pytest.raises(ValueError, match="color_by"):
        surface_to_cloud(surface, LABELS, HEADER, color_by="nonsense")
    empty = cloud_from_msg(surface_to_cloud(Surface.empty(), LABELS, HEADER))
    assert empty["points"].shape == (0, 3) and empty["rgb"].shape == (0, 3)


def test_foreign_clouds_are_read():
    """Two padded rows, big-endian, odd offsets, a field of three values."""
    dtype = np.dtype(
        {"names": ["x", "rgba", "n"], "formats": [">f4", ">u4", (">i2", 3)], "offsets": [1, 5, 9], "itemsize": 17}
    )
    cells = np.zeros((2, 3), dtype)
    cells["x"] = [[0, 1, 2], [3, 4, 5]]
    cells["rgba"] = 0x80102030
    cells["n"] = [1, 2, 3]
    rows = [cells[i].tobytes() + b"pad" for i in range(2)]
    msg = PointCloud2(height=2, width=3, is_bigendian=True, point_step=17, row_step=54, data=b"".join(rows))
    msg.fields = [
        PointField(name="x", offset=1, datatype=PointField.FLOAT32, count=1),
        PointField(name="rgba", offset=5, datatype=PointField.UINT32, count=1),
        PointField(name="n", offset=9, datatype=PointField.INT16, count=3),
    ]
    cloud = cloud_from_msg(msg)
    np.testing.assert_array_equal(cloud["x"], np.arange(6))
    np.testing.assert_array_equal(cloud["rgba"][4], [0x10, 0x20, 0x30, 0x80])
    np.testing.assert_array_equal(cloud["n"], [[1, 2, 3]] * 6)
    for change in ({"row_step": 50}, {"point_step": 10}, {"data": array.array("B", bytes(99))}):
        broken = deserialize_message(serialize_message(msg), PointCloud2)
        for name, value in change.items():
            setattr(broken, name, value)
        with pytest.raises(FrameError):
            cloud_from_msg(broken)


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(st.integers(-(2**31), 2**31 - 1), st.tuples(st.integers(1, 9), st.integers(0, 5)), max_size=4),
    st.lists(st.integers(-(2**31), 2**31 - 1), max_size=3),
    st.text(alphabet="abcdé/_", max_size=9),
    st.sampled_from(["label", "rgb"]),
)
def test_fast_and_slow_markers_are_the_same_message(blocks, removed, frame_id, color_by):
    changed = {block: random_surface(v, f, seed=v) for block, (v, f) in blocks.items()}
    update = SurfaceUpdate(changed, removed)
    header = Header(stamp=HEADER.stamp, frame_id=frame_id)
    slow = update_to_markers(update, LABELS, header, color_by)
    fast = update_to_marker_bytes(update, LABELS, header, color_by)
    assert deserialize_message(fast, MarkerArray) == slow
    assert len(fast) == len(serialize_message(slow))


def test_another_marker_layout_is_written_the_slow_way(monkeypatch):
    update = SurfaceUpdate({1: random_surface(3, 2)}, [4])
    expected = update_to_markers(update, LABELS, HEADER)
    monkeypatch.setattr(markers_module, "KNOWN_LAYOUT", {})
    assert deserialize_message(update_to_marker_bytes(update, LABELS, HEADER), MarkerArray) == expected


def test_markers_say_what_changed():
    surface = random_surface(4, 2)
    msg = update_to_markers(SurfaceUpdate({7: surface, 8: random_surface(3, 0)}, [9]), LABELS, HEADER)
    assert [(m.id, m.action) for m in msg.markers] == [(7, Marker.ADD), (8, Marker.DELETE), (9, Marker.DELETE)]
    block = msg.markers[0]
    assert block.type == Marker.TRIANGLE_LIST and block.header == HEADER
    assert block.scale.x == block.scale.y == block.scale.z == block.pose.orientation.w == 1.0
    triangles, colors = marker_triangles(block)
    np.testing.assert_array_equal(triangles, surface.vertices[surface.faces])
    np.testing.assert_allclose(colors, LABELS.to_color(surface.labels)[surface.faces] / 255, rtol=1e-6)
    assert [m.action for m in delete_all_markers(HEADER).markers] == [Marker.DELETEALL]


def test_label_info_names_every_class():
    msg = label_info_to_msg(LABELS, HEADER, threshold=0.5)
    assert names_from_msg(msg) == {1: "wall", 5: "chair"} and msg.threshold == 0.5


def test_serialised_markers_travel_over_dds(ros):
    node = ros.node()
    heard = ros.collect(node, MarkerArray, "mesh", latched_qos())
    publisher = node.create_publisher(MarkerArray, "mesh", latched_qos())
    update = SurfaceUpdate({1: random_surface(50, 80), 2: random_surface(5, 3)}, [3])
    publisher.publish(update_to_marker_bytes(update, LABELS, HEADER))
    ros.spin_until(lambda: heard, 10, "the mesh arrives")
    assert heard[0] == update_to_markers(update, LABELS, HEADER)


def test_qos_profiles_connect(ros):
    """A best-effort subscriber hears a reliable camera; a late subscriber gets the latched message."""
    node = ros.node()
    camera = node.create_publisher(Image, "image", image_qos("reliable"))
    seen = ros.collect(node, Image, "image", image_qos())
    ros.spin_until(lambda: camera.get_subscription_count(), 10, "the image topic connects")
    camera.publish(image_to_msg(np.zeros((480, 640, 3), np.uint8), HEADER, "rgb8"))
    ros.spin_until(lambda: seen, 10, "the image arrives")
    info = label_info_to_msg(LABELS, HEADER)
    node.create_publisher(type(info), "info", latched_qos()).publish(info)
    late = ros.collect(node, type(info), "info", latched_qos())
    ros.spin_until(lambda: late, 10, "the late subscriber hears")
    with pytest.raises(ValueError, match="reliability"):
        image_qos("maybe")
