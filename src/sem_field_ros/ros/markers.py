"""Block surfaces -> visualization_msgs/MarkerArray: one TRIANGLE_LIST a block, its id the block's id.

rclpy builds a message vertex by vertex (measured: 100k triangles 3.8 s). What is published is therefore the
serialised message, written with numpy by update_to_marker_bytes (the same 100k triangles: tens of milliseconds);
update_to_markers is its slow readable twin, and a test holds the two together.
"""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Point
from rclpy.serialization import serialize_message
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from sem_field_ros.camera_stream.topics import SEMANTIC_MESH
from sem_field_ros.labels import LabelSet
from sem_field_ros.ros.cdr import CdrWriter
from sem_field_ros.ros.clouds import vertex_colors
from sem_field_ros.surface import Surface, SurfaceUpdate

NAMESPACE = SEMANTIC_MESH
# The fields that update_to_marker_bytes writes after Marker.header, in order; another ROS may have others.
KNOWN_LAYOUT = {
    "header": "std_msgs/Header",
    "ns": "string",
    "id": "int32",
    "type": "int32",
    "action": "int32",
    "pose": "geometry_msgs/Pose",
    "scale": "geometry_msgs/Vector3",
    "color": "std_msgs/ColorRGBA",
    "lifetime": "builtin_interfaces/Duration",
    "frame_locked": "boolean",
    "points": "sequence<geometry_msgs/Point>",
    "colors": "sequence<std_msgs/ColorRGBA>",
    "texture_resource": "string",
    "texture": "sensor_msgs/CompressedImage",
    "uv_coordinates": "sequence<visualization_msgs/UVCoordinate>",
    "text": "string",
    "mesh_resource": "string",
    "mesh_file": "visualization_msgs/MeshFile",
    "mesh_use_embedded_materials": "boolean",
}


def update_to_markers(update: SurfaceUpdate, labels: LabelSet, header: Header, color_by: str = "label") -> MarkerArray:
    """Changed blocks -> one marker each (ADD also replaces), vanished or empty ones -> DELETE. Slow: for tests."""
    markers = []
    for block_id, surface in update.changed.items():
        marker = _marker(header, block_id, Marker.ADD if len(surface.faces) else Marker.DELETE)
        colors = vertex_colors(surface, labels, color_by).astype(np.float32) / np.float32(255)
        for vertex in surface.faces.reshape(-1):
            x, y, z = (float(v) for v in surface.vertices[vertex])
            r, g, b = (float(v) for v in colors[vertex])
            marker.points.append(Point(x=x, y=y, z=z))
            marker.colors.append(ColorRGBA(r=r, g=g, b=b, a=1.0))
        markers.append(marker)
    markers += [_marker(header, block_id, Marker.DELETE) for block_id in update.removed]
    return MarkerArray(markers=markers)


def update_to_marker_bytes(update: SurfaceUpdate, labels: LabelSet, header: Header, color_by: str = "label") -> bytes:
    """Return update_to_markers(...) serialised: `publisher.publish(...)` takes it in place of the message."""
    if Marker.get_fields_and_field_types() != KNOWN_LAYOUT:  # a newer ROS: correct before fast
        return serialize_message(update_to_markers(update, labels, header, color_by))
    out = CdrWriter()
    out.uint32(len(update.changed) + len(update.removed))
    for block_id, surface in update.changed.items():
        _write_marker(out, header, block_id, surface, vertex_colors(surface, labels, color_by))
    for block_id in update.removed:
        _write_marker(out, header, block_id, None, None)
    return out.getvalue()


def delete_all_markers(header: Header) -> MarkerArray:
    """Return the message that clears the mesh in a viewer, after a reset."""
    return MarkerArray(markers=[_marker(header, 0, Marker.DELETEALL)])


def marker_triangles(marker: Marker) -> tuple[np.ndarray, np.ndarray]:
    """TRIANGLE_LIST -> triangle corners [F, 3, 3] float64 and their RGB [F, 3, 3] float32 in [0, 1]."""
    points = np.array([(p.x, p.y, p.z) for p in marker.points], dtype=np.float64)
    colors = np.array([(c.r, c.g, c.b) for c in marker.colors], dtype=np.float32)
    return points.reshape(-1, 3, 3), colors.reshape(-1, 3, 3)


def _marker(header: Header, block_id: int, action: int) -> Marker:
    marker = Marker(header=header, ns=NAMESPACE, id=block_id, type=Marker.TRIANGLE_LIST, action=action)
    marker.pose.orientation.w = 1.0
    marker.scale.x = marker.scale.y = marker.scale.z = 1.0
    marker.color.r = marker.color.g = marker.color.b = marker.color.a = 1.0
    return marker


def _write_marker(
    out: CdrWriter, header: Header, block_id: int, surface: Surface | None, colors: np.ndarray | None
) -> None:
    corners = surface.faces.reshape(-1) if surface is not None else np.zeros(0, np.int32)
    out.int32(header.stamp.sec)
    out.uint32(header.stamp.nanosec)
    out.string(header.frame_id)
    out.string(NAMESPACE)
    out.int32(block_id)
    out.int32(Marker.TRIANGLE_LIST)
    out.int32(Marker.ADD if len(corners) else Marker.DELETE)
    out.array(np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1], "<f8"))  # position, orientation, scale
    out.array(np.ones(4, "<f4"))  # color
    out.array(np.zeros(2, "<u4"))  # lifetime
    out.boolean(False)  # frame_locked
    out.uint32(len(corners))
    if surface is not None and colors is not None and len(corners):
        out.array(surface.vertices.astype("<f8").take(corners, axis=0))
    out.uint32(len(corners))
    if surface is not None and colors is not None and len(corners):
        rgba = np.ones((len(surface), 4), "<f4")
        np.divide(colors, np.float32(255), out=rgba[:, :3])
        out.array(rgba.take(corners, axis=0))
    out.string("")  # texture_resource
    _write_empty_texture(out)
    out.uint32(0)  # uv_coordinates
    out.string("")  # text
    out.string("")  # mesh_resource
    out.string("")  # mesh_file.filename
    out.uint32(0)  # mesh_file.data
    out.boolean(False)  # mesh_use_embedded_materials


def _write_empty_texture(out: CdrWriter) -> None:
    out.int32(0)
    out.uint32(0)
    out.string("")  # header.frame_id
    out.string("")  # format
    out.uint32(0)  # data
