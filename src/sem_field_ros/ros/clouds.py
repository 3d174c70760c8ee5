"""Labelled surfaces -> sensor_msgs/PointCloud2, and any PointCloud2 -> arrays."""

from __future__ import annotations

import numpy as np
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from sem_field_ros.errors import FrameError
from sem_field_ros.labels import LabelSet
from sem_field_ros.ros.images import to_byte_array
from sem_field_ros.surface import Surface

CLOUD_DTYPE = np.dtype(
    [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("rgb", "<u4"), ("label", "<u4"), ("confidence", "<f4")]
)
# rgb holds 0x00RRGGBB but is declared FLOAT32: what RViz and PCL look for
_DECLARED = {
    "x": PointField.FLOAT32,
    "y": PointField.FLOAT32,
    "z": PointField.FLOAT32,
    "rgb": PointField.FLOAT32,
    "label": PointField.UINT32,
    "confidence": PointField.FLOAT32,
}
_NUMPY = {
    PointField.INT8: "i1",
    PointField.UINT8: "u1",
    PointField.INT16: "i2",
    PointField.UINT16: "u2",
    PointField.INT32: "i4",
    PointField.UINT32: "u4",
    PointField.FLOAT32: "f4",
    PointField.FLOAT64: "f8",
}


def surface_to_cloud(surface: Surface, labels: LabelSet, header: Header, color_by: str = "rgb") -> PointCloud2:
    """Return the surface's owned points (non-finite ones dropped): x y z, rgb, label id, confidence; 24 bytes each.

    `color_by` chooses what `rgb` shows: the camera's colours ("rgb") or the label set's ("label").
    """
    keep = surface.owned & np.isfinite(surface.vertices).all(axis=1)
    index = surface.labels[keep]
    rgb = vertex_colors(surface, labels, color_by)[keep].astype(np.uint32)
    points = np.empty(len(index), dtype=CLOUD_DTYPE)
    for axis, name in enumerate("xyz"):
        points[name] = surface.vertices[keep, axis]
    points["rgb"] = (rgb[:, 0] << 16) | (rgb[:, 1] << 8) | rgb[:, 2]
    points["label"] = labels.to_id(index)
    points["confidence"] = surface.confidence[keep]
    msg = PointCloud2(header=header, height=1, width=len(points), is_bigendian=False, is_dense=True)
    msg.fields = [
        PointField(name=name, offset=CLOUD_DTYPE.fields[name][1], datatype=kind, count=1)  # type: ignore[index]
        for name, kind in _DECLARED.items()
    ]
    msg.point_step = CLOUD_DTYPE.itemsize
    msg.row_step = CLOUD_DTYPE.itemsize * len(points)
    msg.data = to_byte_array(points)
    return msg


def vertex_colors(surface: Surface, labels: LabelSet, color_by: str) -> np.ndarray:
    """Return the RGB [V, 3] uint8 that `color_by` ("label" or "rgb") asks for."""
    if color_by == "rgb":
        return surface.colors
    if color_by == "label":
        return labels.to_color(surface.labels)
    raise ValueError(f"color_by '{color_by}' is not one of label, rgb")


def cloud_from_msg(msg: PointCloud2) -> dict[str, np.ndarray]:
    """Any PointCloud2 -> one array [N] (or [N, count]) a field, in row order.

    `points` [N, 3] is added where there are x, y, z; `rgb` and `rgba` become [N, 3] and [N, 4] uint8. Step, row
    padding and byte order are honoured. Raises FrameError (cause `bad_cloud`).
    """
    order = ">" if msg.is_bigendian else "<"
    unknown = [field.name for field in msg.fields if field.datatype not in _NUMPY]
    if unknown:
        raise FrameError(f"point cloud fields {', '.join(unknown)} have an unknown datatype", cause="bad_cloud")
    formats = [(order + _NUMPY[f.datatype], (f.count,) if f.count > 1 else ()) for f in msg.fields]
    ends = [f.offset + np.dtype(form).itemsize for f, form in zip(msg.fields, formats, strict=True)]
    if max(ends, default=0) > msg.point_step or msg.width * msg.point_step > msg.row_step:
        raise FrameError("point cloud fields do not fit its point_step and row_step", cause="bad_cloud")
    if len(msg.data) < msg.row_step * msg.height:
        raise FrameError(f"point cloud has {len(msg.data)} bytes, not {msg.row_step * msg.height}", cause="bad_cloud")
    dtype = np.dtype(
        {
            "names": [f.name for f in msg.fields],
            "formats": formats,
            "offsets": [f.offset for f in msg.fields],
            "itemsize": msg.point_step,
        }
    )
    if msg.width * msg.height == 0:
        cells = np.zeros(0, dtype)
    else:
        strides = (msg.row_step, msg.point_step)
        cells = np.ndarray((msg.height, msg.width), dtype, buffer=np.frombuffer(msg.data, np.uint8), strides=strides)
    out = {name: cells[name].reshape(-1, *cells[name].shape[cells.ndim :]) for name in dtype.names or ()}
    for name in ("rgb", "rgba"):
        if name in out:
            out[name] = _unpack_color(out[name], len(name))
    if {"x", "y", "z"} <= out.keys():
        out["points"] = np.stack([out["x"], out["y"], out["z"]], axis=1)
    return out


def _unpack_color(packed: np.ndarray, channels: int) -> np.ndarray:
    """0xAARRGGBB in 4 bytes (declared float or integer) -> [N, channels] uint8, alpha last."""
    bits = np.ascontiguousarray(packed).view(packed.dtype.byteorder.replace("|", "=") + "u4").astype(np.uint32)
    return np.stack([(bits >> shift) & 0xFF for shift in (16, 8, 0, 24)[:channels]], axis=1).astype(np.uint8)
