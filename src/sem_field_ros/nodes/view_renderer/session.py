"""What exists between configure and cleanup of the view renderer: field, keyframes, thread, publishers, input."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from rclpy.callback_groups import CallbackGroup
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Header

from sem_field_ros.camera_stream.statistics import InputStatistics
from sem_field_ros.errors import FrameError, SegmenterError
from sem_field_ros.fields.common.deadline import RenderCost, render_in_time
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import LabelSet
from sem_field_ros.measurements import megabytes
from sem_field_ros.nodes.camera_session import CameraSession
from sem_field_ros.nodes.view_renderer.keyframes import KeyframeSet
from sem_field_ros.nodes.view_renderer.options import ViewRendererOptions
from sem_field_ros.nodes.view_renderer.request import ViewRequest
from sem_field_ros.nodes.view_renderer.statistics import ViewStatistics
from sem_field_ros.nodes.view_renderer.stream import VirtualCamera, virtual_camera
from sem_field_ros.ros.camera_input import InputFrame
from sem_field_ros.ros.transforms import LATEST
from sem_field_ros.scene import BoundedView, Preparing
from sem_field_ros.segmentation.registry import takes_label_images
from sem_field_ros.segmentation.segmenter import ClassProbabilities, Segmenter
from sem_field_ros.surface import RenderedView


@dataclass(frozen=True)
class Rendering:
    """A view as it was rendered, at 1/coarseness of the width and height that was asked for."""

    view: RenderedView
    coarseness: int


class PendingView:
    """The finest rendering so far of a view that is being rendered, or why there is none. Thread-safe."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._best: Rendering | None = None
        self._failure: Exception | None = None
        self._started = self._taken = False

    def start(self) -> None:
        """Rendering begins."""
        with self._condition:
            self._started = True

    def offer(self, view: RenderedView, coarseness: int) -> None:
        """A (finer) rendering is ready."""
        with self._condition:
            self._best = Rendering(view, coarseness)
            self._condition.notify_all()

    def fail(self, error: Exception) -> None:
        """There will be no (finer) rendering."""
        with self._condition:
            self._failure = error
            self._condition.notify_all()

    @property
    def taken(self) -> bool:
        """Whether the answer was given, so that finer renderings are of no use."""
        with self._condition:
            return self._taken

    def take(self, wait_s: float) -> Rendering | None:
        """The best rendering; waits for the first one if rendering has begun. Raises what rendering raised instead."""
        with self._condition:
            if self._started:
                self._condition.wait_for(lambda: self._best is not None or self._failure is not None, wait_s)
            self._taken = True
            if self._best is None and self._failure is not None:
                raise self._failure
            return self._best


class RenderingSession(CameraSession[ViewRendererOptions]):
    """See the module and CameraSession. A frame is segmented in one step and encoded in the next: requests between."""

    def __init__(
        self,
        node: LifecycleNode,
        options: ViewRendererOptions,
        scene: BoundedView,
        segmenter: Segmenter | None,
        labels: LabelSet,
        statistics: ViewStatistics,
        input_statistics: InputStatistics,
        input_group: CallbackGroup,
    ) -> None:
        super().__init__(
            node,
            options,
            input_statistics,
            input_group,
            "rendering",
            want_depth=options.use_depth,
            want_labels=segmenter is not None and takes_label_images(options.segmenter),
        )
        self.labels = labels
        self.cost = RenderCost()
        self.numbers: dict[str, float] = {}
        self._scene, self._segmenter, self._statistics = scene, segmenter, statistics
        self._keyframes = KeyframeSet()
        self.stream = VirtualCamera(node, labels, self.worker.notify)
        self._added = 0  # keyframes ever added
        self._prepares = True  # until it fails
        self._encoding: tuple[PosedFrame, ClassProbabilities] | None = None  # segmented, not yet encoded

    def _opened(self) -> None:
        self.stream.publish_label_info(self.options.global_frame)

    def _close_output(self) -> None:
        self.stream.close()

    # -- on the rendering thread --------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Forget all keyframes."""
        self._scene.reset()
        self._keyframes.clear()
        self._encoding = None

    def render(self, asked: ViewRequest, pending: PendingView) -> None:
        """Render a view as finely as its deadline allows into `pending`."""
        pending.start()
        try:
            self.render_view(asked.camera, asked.T_world_camera, asked.left_s, pending.offer, lambda: pending.taken)
        except Exception as error:  # noqa: BLE001 (handed to the one who waits, maybe beyond the deadline)
            pending.fail(error)

    def render_view(
        self,
        camera: Intrinsics,
        T_world_camera: np.ndarray,
        left_s: Callable[[], float],
        offer: Callable[[RenderedView, int], None],
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """See render_in_time. Raises FrameError with cause no_keyframes or nothing_in_view."""
        if not len(self._keyframes):
            raise FrameError("there is no keyframe yet: is the camera publishing, is the node active?", "no_keyframes")
        if not self._keyframes.any_in(camera, T_world_camera):
            raise FrameError("no keyframe shows anything in this view: it looks where no camera was", "nothing_in_view")

        def render(small: Intrinsics) -> RenderedView:
            with self._statistics.timings.timed("render"):
                view = self._scene.render(small, T_world_camera)
            if view.depth is None:
                return view
            return replace(view, covered=view.covered | (view.depth > 0))  # a surface without a class is shown too

        def check_and_offer(view: RenderedView, coarseness: int) -> None:
            if not view.covered.any():
                raise FrameError("nothing is known of what is in this view", "nothing_in_view")
            offer(view, coarseness)

        render_in_time(render, camera, lambda: -1.0 if stopped() else left_s(), self.cost, check_and_offer)

    def _step(self) -> float | None:
        if self._encoding is not None and self.input is not None:
            (frame, probabilities), self._encoding = self._encoding, None
            self._encode(frame, probabilities)
            return 0.0
        due = super()._step()
        idle = due is None or due > 0  # no frame waits and nothing is to be published now
        return 0.0 if idle and self._prepare() else due

    def _prepare(self) -> bool:
        """Encode a keyframe before the first view needs it, if the field can; False if there is nothing to do."""
        if not self._prepares or not isinstance(self._scene, Preparing):
            return False
        start_s = time.perf_counter()
        try:
            prepared = self._scene.prepare()
        except Exception as error:  # noqa: BLE001 (the same will happen, and be told, when a view is rendered)
            self._prepares = False
            self._log.warn("prepare", f"keyframes are encoded only when needed: {type(error).__name__}: {error}")
            return False
        if prepared:
            self._statistics.timings.add("encode", (time.perf_counter() - start_s) * 1e3)
        return prepared

    def _take(self, found: InputFrame) -> None:
        o, frame = self.options, self._within_reach(found.frame)
        place = self._keyframes.nearest(frame, o.keyframe_distance_m, o.keyframe_angle_deg)
        if place is not None and not self._is_stale(place, frame):
            self._statistics.used(False)
            return
        if o.use_depth and not (frame.depth is not None and frame.depth.any()):
            raise FrameError("a keyframe has no valid depth", "no_valid_depth")
        probabilities = self._segment(frame)
        if place is not None:
            self._remove(place)
        self._encoding = frame, probabilities

    def _within_reach(self, frame: PosedFrame) -> PosedFrame:
        if frame.depth is None or not (frame.depth > self.options.depth_max_m).any():
            return frame
        return replace(frame, depth=np.where(frame.depth > self.options.depth_max_m, 0, frame.depth))

    def _is_stale(self, place: int, frame: PosedFrame) -> bool:
        """Whether the camera is where it was long ago: the place may have changed since. Also after a clock jump."""
        age_s = abs(frame.stamp_ns - self._keyframes.frames[place].stamp_ns) * 1e-9
        return 0 < self.options.keyframe_refresh_s <= age_s

    def _segment(self, frame: PosedFrame) -> ClassProbabilities:
        nothing = ClassProbabilities(torch.zeros(len(self.labels), 2, 2))
        if self._segmenter is None:
            return nothing
        try:
            with self._statistics.timings.timed("segment"):
                return self._segmenter.segment(frame)
        except SegmenterError as error:
            self._statistics.event("segmenter_failed")
            self._log.warn("segmenter_failed", f"a keyframe has no labels: {error}")
            return nothing

    def _encode(self, frame: PosedFrame, probabilities: ClassProbabilities) -> None:
        with self._statistics.timings.timed("encode"):
            self._scene.add(frame, probabilities)
            self._keyframes.add(frame)
            self._bound()
        self._added += 1
        self._statistics.used(True)
        self._refresh_numbers()

    def _bound(self) -> None:
        """Forget keyframes until the rest fits the limits; the newest stays."""
        o = self.options
        while len(self._keyframes) > 1 and (
            len(self._keyframes) > o.max_keyframes or megabytes(self._scene.memory_bytes) > o.max_keyframes_mb
        ):
            self._remove(self._keyframes.least_useful())
            self._statistics.event("keyframe_evicted")

    def _remove(self, place: int) -> None:
        self._scene.remove(place)
        self._keyframes.remove(place)

    def _publish(self) -> float | None:
        """Render the virtual camera if it is due."""
        o = self.options
        due = self.stream.due_in(o)
        if due is None or due > 0:
            return due
        start_s = time.monotonic()
        try:
            T = self.transforms.lookup(o.global_frame, o.virtual_camera_frame, LATEST)
            camera, best = virtual_camera(o), PendingView()
            if not self.stream.has_news(camera, T, self._added):
                return self.stream.wait(o)
            self.render_view(camera, T, lambda: start_s + o.view_deadline_s - time.monotonic(), best.offer)
            rendering = best.take(0.0)
            assert rendering is not None, "render_view offers a view or raises"
            header = Header(frame_id=o.virtual_camera_frame, stamp=self._node.get_clock().now().to_msg())
            self.stream.publish(rendering.view, camera, header, o.overlay_opacity)
        except FrameError as error:
            self._statistics.event("no_virtual_view")
            self._log.warn("no_virtual_view", f"virtual camera: {error}")
        return self.stream.wait(o, time.monotonic() - start_s)

    def _refresh_numbers(self) -> None:
        self.numbers = {"kept": len(self._keyframes), "kept_mb": megabytes(self._scene.memory_bytes)}

    def _map_jumped(self) -> str:
        self._statistics.event("map_jump")
        return self._carry_out(self.options.on_map_jump)

    def _camera_jumped(self) -> str:
        return self._carry_out(self.options.on_camera_jump)

    def _carry_out(self, policy: str) -> str:
        if policy == "reset":
            self.reset()
        return policy
