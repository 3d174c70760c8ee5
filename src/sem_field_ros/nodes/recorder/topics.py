"""What the demo recorder receives: counts, and the newest state of cloud, mesh, diagnostics and camera path."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Hashable
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Bool, Float32
from vision_msgs.msg import LabelInfo
from visualization_msgs.msg import MarkerArray

from sem_field_ros.camera_stream.label_info import label_set_from_names, names_from_msg, names_of
from sem_field_ros.camera_stream.pairing import stamp_ns_of
from sem_field_ros.camera_stream.topics import (
    CAMERA_INFO,
    CAMERA_TOPICS,
    DIAGNOSTICS_TOPIC,
    FINISHED,
    LABEL_IMAGE,
    LABEL_INFO,
    PROGRESS,
    SEMANTIC_CLOUD,
    SEMANTIC_MESH,
    of_node,
)
from sem_field_ros.errors import FrameError, LabelSetError
from sem_field_ros.labels import LabelSet
from sem_field_ros.nodes.recorder.recorded_map import CloudPoints, RecordedMesh
from sem_field_ros.ros.clouds import cloud_from_msg
from sem_field_ros.ros.mapper_status import MapperStatus, mapper_status
from sem_field_ros.ros.marker_reader import mesh_update_from_bytes
from sem_field_ros.ros.qos import image_qos, latched_qos
from sem_field_ros.ros.transforms import TransformBuffer, TransformError

_CAMERA_TOPIC = CAMERA_TOPICS[CAMERA_INFO]
_MAX_WAITING_POSES = 500
_MESH_QUEUE = 20


class RecordedTopics:
    """Subscribes at once; callbacks come on the executor's thread, everything else may come from another."""

    def __init__(self, node: Node, mapper: str, player: str, global_frame: str) -> None:
        self.counts: Counter[str] = Counter()  # messages by topic
        self.first_stamp_ns = self.last_stamp_ns = 0  # of the camera
        self.first_frame_s = self.last_frame_s = self.last_cloud_s = time.monotonic()
        self.finished = False  # the player has sent everything
        self.progress = 0.0
        self.status = MapperStatus()  # the mapper's newest
        self.status_count = 0
        self.peak_resident_mb = 0.0  # of the mapper, by its diagnostics
        self.trouble: Counter[str] = Counter()  # messages that could not be used
        self._node, self._mapper, self._frame = node, mapper, global_frame
        self._lock = threading.Lock()
        self._mesh = RecordedMesh()
        self._cloud: bytes | None = None
        self._label_info: LabelInfo | None = None
        self._waiting: list[tuple[int, str]] = []  # stamps and frames of images whose pose is not known yet
        self._poses: list[np.ndarray] = []
        self._transforms = TransformBuffer(node)
        self._listen(player)

    def _listen(self, player: str) -> None:
        add, mapper = self._node.create_subscription, self._mapper
        add(CameraInfo, _CAMERA_TOPIC, self._on_camera_info, image_qos("reliable", depth=100))
        add(PointCloud2, of_node(mapper, SEMANTIC_CLOUD), self._on_cloud, latched_qos(), raw=True)
        add(LabelInfo, of_node(mapper, LABEL_INFO), self._on_label_info, latched_qos())
        add(Image, of_node(mapper, LABEL_IMAGE), self._on_label_image, image_qos(depth=10), raw=True)
        add(DiagnosticArray, DIAGNOSTICS_TOPIC, self._on_diagnostics, 10)
        add(Bool, of_node(player, FINISHED), self._on_finished, latched_qos())
        add(Float32, of_node(player, PROGRESS), self._on_progress, latched_qos())
        self._mesh_subscription = self._subscribe_mesh()

    def _subscribe_mesh(self) -> Any:
        topic = of_node(self._mapper, SEMANTIC_MESH)
        return self._node.create_subscription(
            MarkerArray, topic, self._on_mesh, latched_qos(depth=_MESH_QUEUE), raw=True
        )

    # --- callbacks

    def _on_camera_info(self, msg: CameraInfo) -> None:
        stamp_ns = stamp_ns_of(msg)
        with self._lock:
            self.last_stamp_ns, self.last_frame_s = stamp_ns, time.monotonic()
            if self.counts[CAMERA_INFO] == 0:
                self.first_stamp_ns, self.first_frame_s = stamp_ns, self.last_frame_s
            self.counts[CAMERA_INFO] += 1
            self._waiting = [*self._waiting[-_MAX_WAITING_POSES:], (stamp_ns, msg.header.frame_id)]
            self._find_poses()

    def _find_poses(self) -> None:
        """Look up the cameras that wait; those without a transform yet go on waiting."""
        still_waiting = []
        for stamp_ns, frame_id in self._waiting:
            try:
                self._poses.append(self._transforms.lookup(self._frame, frame_id, stamp_ns))
            except TransformError as error:
                if error.retry:
                    still_waiting.append((stamp_ns, frame_id))
        self._waiting = still_waiting

    def _on_cloud(self, data: bytes) -> None:
        with self._lock:
            self.counts[SEMANTIC_CLOUD] += 1
            self.last_cloud_s = time.monotonic()
            self._cloud = data

    def _on_mesh(self, data: bytes) -> None:
        try:
            update = mesh_update_from_bytes(data)
        except FrameError as error:
            self.trouble[error.cause] += 1
            return
        with self._lock:
            self.counts[SEMANTIC_MESH] += 1
            changed: dict[Hashable, np.ndarray] = {key: corners for key, (corners, _) in update.changed.items()}
            self._mesh.update(changed, update.removed, update.clear)

    def _on_label_image(self, _: bytes) -> None:
        self.counts[LABEL_IMAGE] += 1

    def _on_label_info(self, msg: LabelInfo) -> None:
        self._label_info = msg

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        status = mapper_status(msg, self._node.resolve_topic_name(self._mapper))
        if status is None:
            return
        self.peak_resident_mb = float(np.fmax(self.peak_resident_mb, status.resident_mb))
        self.status, self.status_count = status, self.status_count + 1

    def _on_finished(self, msg: Bool) -> None:
        self.finished = msg.data

    def _on_progress(self, msg: Float32) -> None:
        self.progress = msg.data

    # --- for the recorder

    def camera_found(self) -> bool:
        """Whether somebody publishes a camera."""
        return self._node.count_publishers(self._node.resolve_topic_name(_CAMERA_TOPIC)) > 0

    @property
    def frames_in(self) -> int:
        """Frames that the camera published."""
        return self.counts[CAMERA_INFO]

    @property
    def span_s(self) -> float:
        """Time between the first and the last frame by their stamps."""
        return (self.last_stamp_ns - self.first_stamp_ns) * 1e-9

    @property
    def played_s(self) -> float:
        """Time between the arrivals of the first and the last frame."""
        return self.last_frame_s - self.first_frame_s

    @property
    def mesh_triangles(self) -> int:
        """Triangles of the mesh as it is now."""
        with self._lock:
            return self._mesh.triangles

    def mesh_corners(self) -> np.ndarray:
        """Triangle corners of the mesh as it is now, [3T, 3] float32."""
        with self._lock:
            return self._mesh.corners()

    def renew_mesh(self) -> None:
        """Forget the mesh and subscribe anew: a newcomer is sent the whole mesh."""
        self._node.destroy_subscription(self._mesh_subscription)
        with self._lock:
            self._mesh.update({}, [], clear=True)
        self._mesh_subscription = self._subscribe_mesh()

    def cloud(self) -> CloudPoints:
        """The newest cloud. Raises FrameError where it is not a semantic cloud."""
        if self._cloud is None:
            return CloudPoints.empty()
        fields = cloud_from_msg(deserialize_message(self._cloud, PointCloud2))
        missing = {"points", "rgb", "label", "confidence"} - fields.keys()
        if missing:
            raise FrameError(f"the cloud has no {', '.join(sorted(missing))}: is it a semantic_cloud?", "bad_cloud")
        points = fields["points"].astype(np.float32)
        return CloudPoints(points, fields["rgb"], fields["label"], fields["confidence"])

    def poses(self) -> list[np.ndarray]:
        """T_world_camera of the frames that came, in order."""
        with self._lock:
            self._find_poses()
            return list(self._poses)

    def labels(self, given: LabelSet | None) -> LabelSet:
        """The label set of the ids in the cloud: `given` where its names fit, else by the names in label_info.

        Raises LabelSetError where neither is known.
        """
        names = names_from_msg(self._label_info) if self._label_info is not None else {}
        if given is not None and (not names or names == names_of(given)):
            return given
        if not names:
            raise LabelSetError(f"{self._mapper} published no label_info: give the map's label_set")
        return label_set_from_names(names, "recorded")
