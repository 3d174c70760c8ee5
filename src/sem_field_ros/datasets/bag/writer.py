"""Writes PosedFrames as an MCAP or sqlite3 bag: camera topics, TF and label info, as recorded by a robot."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.rosbag2.enums import CompressionFormat, CompressionMode
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from sem_field_ros.atomic import write_failure
from sem_field_ros.camera_stream.label_info import names_of
from sem_field_ros.camera_stream.topics import (
    CAMERA_INFO,
    CAMERA_TOPICS,
    COLOR,
    DEPTH,
    LABEL_INFO,
    LABELS,
    TF_STATIC_TOPIC,
    TF_TOPIC,
    compressed,
)
from sem_field_ros.datasets.bag.topics import CAMERA_INFO_TYPE, COMPRESSED, IMAGE, LABEL_INFO_TYPE, TF_TYPE
from sem_field_ros.errors import DataError, FrameError, OutputError, SemFieldError
from sem_field_ros.frame import PosedFrame, SequenceReader
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import T_BODY_OPTICAL, inverse, quaternion_from_pose
from sem_field_ros.labels import LabelSet

TOPICS = {stream: f"/{topic}" for stream, topic in CAMERA_TOPICS.items()}
CAMERA_FRAME = "camera_color_optical_frame"
_MAX_DEPTH_MM = 65534
_JPEG_QUALITY = 92


def write_bag(
    path: str | Path,
    sequence: SequenceReader,
    jpeg: bool = False,
    storage: str = "mcap",
    on_progress: Callable[[], None] = lambda: None,
    skip: Callable[[SemFieldError], None] | None = None,
) -> int:
    """Write a sequence and return how many frames; `jpeg` stores colour compressed.

    `on_progress` is called after each frame. A frame that cannot be read goes to `skip`; without `skip` it is an error.
    A path that ends in .mcap or .db3 becomes that one file, any other a bag folder with metadata.yaml. It is
    written completely or not at all. Raises OutputError if it exists or cannot be written.
    """
    count = 0
    with _new_bag(Path(path), storage) as writer:
        frames = _FrameWriter(writer, jpeg)
        source = iter(sequence)
        while True:
            try:
                frame = next(source, None)
            except (DataError, FrameError) as error:
                if skip is None:
                    raise
                skip(error)
                continue
            if frame is None:
                break
            if not count:
                frames.write_latched(frame.stamp_ns, sequence.labels)
            frames.write(frame)
            count += 1
            on_progress()
    return count


@contextmanager
def _new_bag(path: Path, storage: str) -> Iterator[Writer]:
    """Give a writer to a hidden folder beside `path`, which becomes `path` at the end."""
    suffix = {"mcap": ".mcap", "sqlite3": ".db3"}[storage]
    if path.suffix in (".mcap", ".db3"):
        suffix = path.suffix
    if path.exists():
        raise OutputError(f"{path} exists already; remove it or choose another name")
    plugin = StoragePlugin.MCAP if suffix == ".mcap" else StoragePlugin.SQLITE3
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as scratch:
            bag = Path(scratch) / path.stem
            writer = Writer(bag, version=9, storage_plugin=plugin)
            if plugin is StoragePlugin.MCAP:
                writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
            with writer:
                yield writer
            made = bag / f"{path.stem}{suffix}" if path.suffix == suffix else bag
            shutil.move(made, path)
    except OSError as error:
        raise OutputError(write_failure(path, error)) from error


class _FrameWriter:
    """Frames -> messages -> one writer."""

    def __init__(self, writer: Writer, jpeg: bool) -> None:
        self._writer = writer
        self._jpeg = jpeg
        self._store = get_typestore(Stores.ROS2_HUMBLE)
        self._store.register(get_types_from_msg("uint16 class_id\nstring class_name", "vision_msgs/msg/VisionClass"))
        text = "std_msgs/Header header\nvision_msgs/VisionClass[] class_map\nfloat32 threshold"
        self._store.register(get_types_from_msg(text, LABEL_INFO_TYPE))
        self._connections: dict[str, Any] = {}

    def write_latched(self, stamp_ns: int, labels: LabelSet | None) -> None:
        """Write the messages that come once: static transform and label info."""
        camera = self._transform("base_link", CAMERA_FRAME, stamp_ns, T_BODY_OPTICAL)
        self._write(TF_STATIC_TOPIC, TF_TYPE, stamp_ns, transforms=[camera])
        if labels is not None:
            kind = self._store.types["vision_msgs/msg/VisionClass"]
            classes = [kind(class_id=id_, class_name=name) for id_, name in names_of(labels).items()]
            header = self._header(stamp_ns)
            self._write(TOPICS[LABEL_INFO], LABEL_INFO_TYPE, stamp_ns, header=header, class_map=classes, threshold=0.0)

    def write(self, frame: PosedFrame) -> None:
        """Write one frame: transforms first, colour last."""
        stamp = frame.stamp_ns
        T_odom_base = frame.T_world_camera @ inverse(T_BODY_OPTICAL)
        links = [("map", "odom", np.eye(4)), ("odom", "base_link", T_odom_base)]
        transforms = [self._transform(parent, child, stamp, T) for parent, child, T in links]
        self._write(TF_TOPIC, TF_TYPE, stamp, transforms=transforms)
        self._write_camera_info(stamp, frame.camera)
        if frame.depth is not None:
            millimetres = np.clip(frame.depth * 1000 + 0.5, 0, _MAX_DEPTH_MM).astype(np.uint16)
            self._write_image(TOPICS[DEPTH], stamp, millimetres, "16UC1")
        if frame.labels is not None:
            encoding = "mono8" if frame.labels.dtype == np.uint8 else "mono16"
            self._write_image(TOPICS[LABELS], stamp, frame.labels, encoding)
        if self._jpeg:
            bgr = cv2.cvtColor(frame.color, cv2.COLOR_RGB2BGR)
            data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].reshape(-1)
            topic = compressed(COLOR, TOPICS[COLOR])
            self._write(
                topic, COMPRESSED, stamp, header=self._header(stamp), format="rgb8; jpeg compressed bgr8", data=data
            )
        else:
            self._write_image(TOPICS[COLOR], stamp, frame.color, "rgb8")

    def _write_image(self, topic: str, stamp_ns: int, image: np.ndarray, encoding: str) -> None:
        data = np.ascontiguousarray(image).reshape(-1).view(np.uint8)
        self._write(
            topic,
            IMAGE,
            stamp_ns,
            header=self._header(stamp_ns),
            height=image.shape[0],
            width=image.shape[1],
            encoding=encoding,
            is_bigendian=0,
            step=len(data) // image.shape[0],
            data=data,
        )

    def _write_camera_info(self, stamp_ns: int, camera: Intrinsics) -> None:
        roi = self._make(
            "sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
        )
        self._write(
            TOPICS[CAMERA_INFO],
            CAMERA_INFO_TYPE,
            stamp_ns,
            header=self._header(stamp_ns),
            height=camera.height,
            width=camera.width,
            distortion_model="plumb_bob",
            d=np.zeros(5),
            k=camera.matrix.reshape(-1),
            r=np.eye(3).reshape(-1),
            p=np.hstack([camera.matrix, np.zeros((3, 1))]).reshape(-1),
            binning_x=0,
            binning_y=0,
            roi=roi,
        )

    def _transform(self, parent: str, child: str, stamp_ns: int, T: np.ndarray) -> Any:
        x, y, z, w = (float(v) for v in quaternion_from_pose(T))
        translation = self._make("geometry_msgs/msg/Vector3", x=float(T[0, 3]), y=float(T[1, 3]), z=float(T[2, 3]))
        rotation = self._make("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w)
        transform = self._make("geometry_msgs/msg/Transform", translation=translation, rotation=rotation)
        header = self._header(stamp_ns, parent)
        return self._make(
            "geometry_msgs/msg/TransformStamped", header=header, child_frame_id=child, transform=transform
        )

    def _header(self, stamp_ns: int, frame_id: str = CAMERA_FRAME) -> Any:
        stamp = self._make("builtin_interfaces/msg/Time", sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
        return self._make("std_msgs/msg/Header", stamp=stamp, frame_id=frame_id)

    def _make(self, kind: str, **fields: Any) -> Any:
        return self._store.types[kind](**fields)

    def _write(self, topic: str, kind: str, stamp_ns: int, **fields: Any) -> None:
        if topic not in self._connections:
            latched = topic in (TF_STATIC_TOPIC, TOPICS[LABEL_INFO])
            self._connections[topic] = self._writer.add_connection(
                topic, kind, typestore=self._store, offered_qos_profiles=[_qos(latched)]
            )
        data = self._store.serialize_cdr(self._make(kind, **fields), kind)
        self._writer.write(self._connections[topic], stamp_ns, data)


def _qos(latched: bool) -> Qos:
    never = QosTime(2147483647, 4294967295)
    return Qos(
        QosHistory.KEEP_LAST,
        1 if latched else 10,
        QosReliability.RELIABLE,
        QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        never,
        never,
        QosLiveliness.AUTOMATIC,
        never,
        False,
    )
