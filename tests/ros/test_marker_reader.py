"""Reading mesh messages: equal to what was written, by the fast way and by the slow one."""

from __future__ import annotations

import numpy as np
import pytest
from rclpy.serialization import serialize_message
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

from sem_field_ros.errors import FrameError
from sem_field_ros.labels import LabelClass, LabelSet
from sem_field_ros.ros.marker_reader import mesh_update_from_bytes
from sem_field_ros.ros.markers import NAMESPACE, delete_all_markers, update_to_marker_bytes, update_to_markers
from sem_field_ros.surface import Surface, SurfaceUpdate

LABELS = LabelSet("two", (LabelClass(1, "a", (255, 0, 10)), LabelClass(2, "b", (0, 120, 255))))
HEADER = Header(frame_id="odd")  # 4 bytes with its zero: moves what follows


def block(seed: int, faces: int) -> Surface:
    rng = np.random.default_rng(seed)
    return Surface(
        rng.normal(size=(8, 3)).astype(np.float32),
        np.zeros((8, 3), np.float32),
        np.zeros((8, 3), np.uint8),
        rng.integers(0, 2, 8).astype(np.int16),
        np.ones(8, np.float32),
        rng.integers(0, 8, (faces, 3)).astype(np.int32),
        np.ones(8, bool),
    )


@pytest.mark.parametrize("fast", [True, False])
def test_what_was_written_is_read(fast: bool) -> None:
    blocks = {7: block(0, 5), 3: block(1, 12), 9: block(2, 0)}
    update = SurfaceUpdate(blocks, [4])
    write = update_to_marker_bytes if fast else lambda *a: serialize_message(update_to_markers(*a))
    read = mesh_update_from_bytes(write(update, LABELS, HEADER))
    assert sorted(read.changed) == [(NAMESPACE, 3), (NAMESPACE, 7)]
    assert sorted(read.removed) == [(NAMESPACE, 4), (NAMESPACE, 9)]  # an empty block is a vanished one
    assert not read.clear
    for number in (3, 7):
        corners, colors = read.changed[NAMESPACE, number]
        vertex = blocks[number].faces.reshape(-1)
        np.testing.assert_array_equal(corners, blocks[number].vertices[vertex])
        np.testing.assert_array_equal(colors, LABELS.to_color(blocks[number].labels)[vertex])


def test_delete_all_comes_before_what_follows_in_the_message() -> None:
    markers = update_to_markers(SurfaceUpdate({1: block(0, 2)}, []), LABELS, HEADER).markers
    both = MarkerArray(markers=[*markers, *delete_all_markers(HEADER).markers])
    read = mesh_update_from_bytes(serialize_message(both))
    assert (read.clear, read.changed, read.removed) == (True, {}, [])
    read = mesh_update_from_bytes(serialize_message(MarkerArray(markers=both.markers[::-1])))
    assert (read.clear, list(read.changed)) == (True, [(NAMESPACE, 1)])


def test_foreign_markers_are_skipped_without_losing_the_others() -> None:
    text = Marker(ns="text", id=1, type=Marker.TEXT_VIEW_FACING, text="hello", mesh_resource="package://x")
    text.texture.data = b"\x01\x02\x03"
    mesh = update_to_markers(SurfaceUpdate({1: block(0, 2)}, []), LABELS, HEADER).markers[0]
    uncoloured = Marker(ns="plain", id=2, type=Marker.TRIANGLE_LIST, points=mesh.points)
    read = mesh_update_from_bytes(serialize_message(MarkerArray(markers=[text, mesh, uncoloured])))
    assert sorted(read.changed) == [("plain", 2), (NAMESPACE, 1)]
    assert (read.changed["plain", 2][1] == 255).all()


@pytest.mark.parametrize("cut", [1, 5, 40, 300])
def test_a_cut_message_is_refused(cut: int) -> None:
    data = update_to_marker_bytes(SurfaceUpdate({1: block(0, 9)}, []), LABELS, HEADER)
    with pytest.raises(FrameError, match="cannot be read"):
        mesh_update_from_bytes(data[:-cut])
