"""What the demo recorder hears: counts, and the newest state of cloud, mesh, diagnostics and camera path."""

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

from sem_field_ros.camera_stream.pairing import stamp_ns_of
from sem_field_ros.errors import FrameError
from sem_field_ros.labels import UNLABELLED_ID, LabelClass, LabelSet, load_label_set
from sem_field_ros.nodes.recorder.recorded_map import CloudPoints, RecordedMesh
from sem_field_ros.ros.clouds import cloud_from_msg
from sem_field_ros.ros.label_info import names_from_msg
from sem_field_ros.ros.marker_reader import mesh_update_from_bytes
from sem_field_ros.ros.qos import image_qos, latched_qos
from sem_field_ros.ros.transforms import TransformBuffer, TransformError
from sem_field_ros.viewer.legend import make_legend

_CAMERA_TOPIC = "camera/color/camera_info"
_MAX_WAITING_POSES = 500
_MESH_QUEUE = 20


class RecordedTopics:
    """Subscribes at once; callbacks come on the executor's thread, everything else may come from another."""

    def __init__(self, node: Node, mapper: str, player: str, global_frame: str) -> None:
        self.counts: Counter[str] = Counter()  # messages by topic
        self.first_stamp_ns = self.last_stamp_ns = 0  # of the camera
        self.first_frame_s = self.last_frame_s = self.last_cloud_s = time.monotonic()
        self.finished = False  # the player says that it is through
        self.progress = 0.0
        self.diagnostics: dict[str, str] = {}
        self.diagnostics_count = 0
        self.peak_resident_mb = 0.0
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
        add = self._node.create_subscription
        add(CameraInfo, _CAMERA_TOPIC, self._on_camera_info, image_qos("reliable", depth=100))
        add(PointCloud2, f"{self._mapper}/semantic_cloud", self._on_cloud, latched_qos(), raw=True)
        add(LabelInfo, f"{self._mapper}/label_info", self._on_label_info, latched_qos())
        add(Image, f"{self._mapper}/label_image", self._on_label_image, image_qos(depth=10), raw=True)
        add(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        add(Bool, f"{player}/finished", self._on_finished, latched_qos())
        add(Float32, f"{player}/progress", self._on_progress, latched_qos())
        self._mesh_subscription = self._subscribe_mesh()

    def _subscribe_mesh(self) -> Any:
        topic = f"{self._mapper}/semantic_mesh"
        return self._node.create_subscription(
            MarkerArray, topic, self._on_mesh, latched_qos(depth=_MESH_QUEUE), raw=True
        )

    # --- callbacks

    def _on_camera_info(self, msg: CameraInfo) -> None:
        stamp_ns = stamp_ns_of(msg)
        with self._lock:
            self.last_stamp_ns, self.last_frame_s = stamp_ns, time.monotonic()
            if self.counts["camera_info"] == 0:
                self.first_stamp_ns, self.first_frame_s = stamp_ns, self.last_frame_s
            self.counts["camera_info"] += 1
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
            self.counts["semantic_cloud"] += 1
            self.last_cloud_s = time.monotonic()
            self._cloud = data

    def _on_mesh(self, data: bytes) -> None:
        try:
            update = mesh_update_from_bytes(data)
        except FrameError as error:
            self.trouble[error.cause] += 1
            return
        with self._lock:
            self.counts["semantic_mesh"] += 1
            changed: dict[Hashable, np.ndarray] = {key: corners for key, (corners, _) in update.changed.items()}
            self._mesh.update(changed, update.removed, update.clear)

    def _on_label_image(self, _: bytes) -> None:
        self.counts["label_image"] += 1

    def _on_label_info(self, msg: LabelInfo) -> None:
        self._label_info = msg

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        mine = [status for status in msg.status if status.name.partition(":")[0].strip("/ ") == self._mapper]
        if not mine:
            return
        values = {pair.key: pair.value for status in mine for pair in status.values}
        values["problem"] = "; ".join(status.message for status in mine if status.level != b"\x00")
        self.peak_resident_mb = max(self.peak_resident_mb, number(values, "resident_mb"))
        self.diagnostics, self.diagnostics_count = values, self.diagnostics_count + 1

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
        return self.counts["camera_info"]

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
        """The newest cloud. Raises FrameError where it is no semantic cloud."""
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
        """The label set of ids in the cloud: `given`, else the shipped one with these ids and names, else made up."""
        names = names_from_msg(self._label_info) if self._label_info is not None else {}
        names.pop(UNLABELLED_ID, None)
        if given is not None and (not names or names == {c.id: c.name for c in given.classes}):
            return given
        return label_set_of(names)


def label_set_of(names: dict[int, str]) -> LabelSet:
    """The shipped label set with exactly these ids and names, else one of that name-list with colours of our own."""
    for shipped in ("scannet20", "voc", "nyu40", "replica19"):
        labels = load_label_set(shipped)
        if {c.id: c.name for c in labels.classes} == names:
            return labels
    legend = make_legend(names or {0: "unknown"}, {})
    return LabelSet("recorded", tuple(LabelClass(c.id, c.name, c.color) for c in legend.classes[:-1]))


def number(values: dict[str, str], key: str) -> float:
    """A diagnostic value as a number, 0 where it is missing or not a number."""
    try:
        value = float(values.get(key, "nan"))
    except ValueError:
        return 0.0
    return value if value == value else 0.0
