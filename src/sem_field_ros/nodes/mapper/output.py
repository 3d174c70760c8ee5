"""Output of the mapper node: cloud, mesh, label image, overlay, label info. Messages are made only for subscribers."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from builtin_interfaces.msg import Time as TimeMsg
from rclpy.lifecycle import LifecycleNode
from rclpy.time import Time
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header
from vision_msgs.msg import LabelInfo
from visualization_msgs.msg import MarkerArray

from sem_field_ros.camera_stream.topics import (
    FRAME_DONE,
    LABEL_IMAGE,
    LABEL_INFO,
    LABEL_OVERLAY,
    SEMANTIC_CLOUD,
    SEMANTIC_MESH,
    own,
)
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import LabelSet
from sem_field_ros.mapping.submaps import Submaps
from sem_field_ros.nodes.mapper.options import MapperOptions
from sem_field_ros.nodes.mapper.statistics import MappingStatistics
from sem_field_ros.ros.clouds import surface_to_cloud
from sem_field_ros.ros.images import blend, image_to_msg, labels_to_msg
from sem_field_ros.ros.label_info import label_info_to_msg
from sem_field_ros.ros.lazy_publisher import LazyPublisher
from sem_field_ros.ros.markers import update_to_marker_bytes
from sem_field_ros.ros.qos import image_qos, latched_qos
from sem_field_ros.segmentation.segmenter import ClassProbabilities
from sem_field_ros.surface import Surface, SurfaceUpdate, merge_surfaces

_DONE_QUEUE = 100  # messages that a slow reader may be behind


class MapOutput:
    """Publishers of one configured node. For the mapping thread, except where a method says otherwise."""

    def __init__(
        self, node: LifecycleNode, labels: LabelSet, statistics: MappingStatistics, on_demand: Callable[[], None]
    ) -> None:
        self._node, self._labels, self._statistics = node, labels, statistics
        self._blocks: dict[int, Surface] = {}  # the published surface, by block id
        self._points: dict[int, Surface] = {}  # its blocks without faces and border vertices: what the cloud is made of
        self._unsent: SurfaceUpdate = SurfaceUpdate({}, [])  # what the mesh's subscribers do not have yet
        self._latched: set[int] = set()  # blocks of the last mesh message, which DDS hands to late subscribers
        self._refreshed = 0  # how far the round of repeated blocks has come
        self._cloud_stale = self._mesh_stale = False  # the map changed since the last cloud, the last mesh
        self._mesh_changed_s = self._pause_until_s = 0.0  # steady seconds
        self._unseen: deque[tuple[int, float]] = deque(maxlen=1000)  # stamp, arrival of frames no cloud has shown yet
        self._shown: tuple[float, str] | None = None  # options of what is published
        self._repaint_mesh = False
        self.header = Header()
        self.cloud = LazyPublisher(node, PointCloud2, own(SEMANTIC_CLOUD), latched_qos(), on_demand)
        self.mesh = LazyPublisher(node, MarkerArray, own(SEMANTIC_MESH), latched_qos(), on_demand)
        self.label_image = LazyPublisher(node, Image, own(LABEL_IMAGE), image_qos("reliable"), on_demand)
        self.overlay = LazyPublisher(node, Image, own(LABEL_OVERLAY), image_qos("reliable"), on_demand)
        self.label_info = LazyPublisher(node, LabelInfo, own(LABEL_INFO), latched_qos(), on_demand)
        self._done = node.create_lifecycle_publisher(TimeMsg, own(FRAME_DONE), _DONE_QUEUE)

    def close(self) -> None:
        """Destroy the publishers. From the thread that made them."""
        for publisher in (self.cloud, self.mesh, self.label_image, self.overlay, self.label_info):
            publisher.close()
        self._node.destroy_lifecycle_publisher(self._done)

    def publish_label_info(self, options: MapperOptions) -> None:
        """Publish what the ids mean, latched."""
        header = Header(frame_id=options.global_frame, stamp=self._node.get_clock().now().to_msg())
        self.label_info.publish(label_info_to_msg(self._labels, header, options.min_confidence))

    def frame_done(self, stamp_ns: int) -> None:
        """Publish that a frame was mapped or dropped, for a player that waits for it. From any thread."""
        self._done.publish(Time(nanoseconds=stamp_ns).to_msg())

    def frame_mapped(self, frame: PosedFrame, arrival_s: float, header: Header) -> None:
        """Remember that a frame went into the map. `header`: global frame, the frame's stamp."""
        self.header = header
        self._cloud_stale = self._mesh_stale = True
        if self.cloud.wanted:
            self._unseen.append((frame.stamp_ns, arrival_s))

    def map_replaced(self) -> None:
        """The map was reset, loaded or frozen: publish it next."""
        self._cloud_stale = self._mesh_stale = True
        self._unseen.clear()

    def resend(self) -> None:
        """The node became active: send the whole map to every subscriber. From any thread."""
        for publisher in (self.cloud, self.mesh):
            publisher.resend()

    def publish_labels(
        self, probabilities: ClassProbabilities, source: PosedFrame, header: Header, opacity: float
    ) -> None:
        """Publish the segmenter's labels of a keyframe at the image's size, with the image's header."""
        if not (self.label_image.wanted or self.overlay.wanted):
            return
        index = _full_size_labels(probabilities, *source.color.shape[:2])
        if self.label_image.wanted:
            self.label_image.publish(labels_to_msg(self._labels.to_id(index), header))
        if self.overlay.wanted:
            overlay = blend(source.color, self._labels.to_color(index), opacity)
            self.overlay.publish(image_to_msg(overlay, header, "rgb8"))

    def publish_map(self, submaps: Submaps, options: MapperOptions) -> float | None:
        """Publish cloud and mesh where they are due; return the seconds until the next one is, None if none waits."""
        now = time.monotonic()
        self._options_changed(options)
        if now < self._pause_until_s:
            return self._pause_until_s - now
        if self._mesh_stale:
            self._mesh_changed_s = now
        repeating = now < self._mesh_changed_s + 2 * options.mesh_refresh_s
        cloud_due = self.cloud.due_in(now, options.cloud_rate_hz, self._cloud_stale)
        mesh_due = self.mesh.due_in(now, options.mesh_rate_hz, self._mesh_stale or repeating)
        if cloud_due == 0 or mesh_due == 0:
            self._update(submaps)
        if cloud_due == 0:
            self.cloud.take_newcomers()
            self._publish_cloud(options)
        if mesh_due == 0:
            whole = self.mesh.take_newcomers() or self._repaint_mesh
            self._repaint_mesh = False
            self._publish_mesh(options, whole)
        # Frames come first: publishing a large map takes at most a third of the mapping thread, at any rate.
        self._pause_until_s = time.monotonic() + 2 * (time.monotonic() - now)
        return min((due for due in (cloud_due, mesh_due) if due), default=None)

    def _options_changed(self, options: MapperOptions) -> None:
        """Where the options of what is shown changed, everything is to be published anew, also while no frame comes."""
        shown, self._shown = self._shown, (options.min_confidence, options.mesh_color_by)
        if shown not in (None, self._shown):
            self._cloud_stale = self._mesh_stale = self._repaint_mesh = True
            self.publish_label_info(options)

    def _update(self, submaps: Submaps) -> None:
        with self._statistics.timings.timed("surface"):
            update = submaps.update_surface()
        for block in update.removed:
            self._blocks.pop(block, None)
            self._points.pop(block, None)
        self._blocks |= update.changed
        self._points |= {block: surface.cloud() for block, surface in update.changed.items()}
        unsent = {block: s for block, s in self._unsent.changed.items() if block in self._blocks} | update.changed
        self._unsent = SurfaceUpdate(unsent, self._unsent.removed + update.removed)
        if not self.mesh.wanted:  # a later subscriber gets everything
            self._unsent = SurfaceUpdate({}, [])

    def _publish_cloud(self, options: MapperOptions) -> None:
        with self._statistics.timings.timed("cloud_message"):
            surface = merge_surfaces(list(self._points.values()))
            msg = surface_to_cloud(_confident(surface, options.min_confidence), self._labels, self._map_header(options))
        self.cloud.publish(msg)
        self._cloud_stale = False
        now_s, now_ns = time.monotonic(), self._node.get_clock().now().nanoseconds
        for stamp_ns, arrival_s in self._unseen:
            self._statistics.latency((now_ns - stamp_ns) * 1e-6, (now_s - arrival_s) * 1e3)
        self._unseen.clear()

    def _publish_mesh(self, options: MapperOptions, whole: bool) -> None:
        with self._statistics.timings.timed("mesh_message"):
            update = SurfaceUpdate(dict(self._blocks), []) if whole else self._unsent
            repeated = self._repeated(options)
            shown = {b: _confident(s, options.min_confidence) for b, s in (repeated | update.changed).items()}
            gone = [block for block in {*update.removed, *self._latched} if block not in self._blocks]
            data = update_to_marker_bytes(
                SurfaceUpdate(shown, gone), self._labels, self._map_header(options), options.mesh_color_by
            )
        self.mesh.publish(data)
        self._mesh_stale = False
        self._latched = set(shown)
        self._unsent = SurfaceUpdate({}, [])

    def _repeated(self, options: MapperOptions) -> dict[int, Surface]:
        """Some unchanged blocks, so that all are sent again every `mesh_refresh_s`: a subscriber may have lost some."""
        if options.mesh_refresh_s == 0 or not self._blocks:
            return {}
        blocks = sorted(self._blocks)
        share = math.ceil(len(blocks) / max(1.0, options.mesh_refresh_s * options.mesh_rate_hz))
        start = self._refreshed % len(blocks)
        self._refreshed = start + share
        return {block: self._blocks[block] for block in blocks[start : start + share]}

    def _map_header(self, options: MapperOptions) -> Header:
        return Header(frame_id=options.global_frame, stamp=self.header.stamp)


def _confident(surface: Surface, minimum: float) -> Surface:
    """The surface with labels below the confidence taken away."""
    if minimum <= 0:
        return surface
    labels = np.where(surface.confidence >= minimum, surface.labels, -1).astype(np.int16)
    return replace(surface, labels=labels)


def _full_size_labels(probabilities: ClassProbabilities, height: int, width: int) -> np.ndarray:
    """Most probable class index [H, W] int64 at the image's size, -1 = no prediction."""
    values = probabilities.values.cpu()
    if values.shape[1:] != (height, width):
        values = torch.nn.functional.interpolate(values[None], (height, width), mode="bilinear", align_corners=False)[0]
    return ClassProbabilities(values).label_index().numpy()
