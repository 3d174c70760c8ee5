"""Runs the real view renderer on an executor thread of its own DDS domain; asks it for views as a robot would."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from geometry_msgs.msg import Pose
from sem_field_msgs.srv import RenderView
from std_msgs.msg import Header

from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import quaternion_from_pose
from sem_field_ros.nodes.view_renderer.node import ViewRenderer
from sem_field_ros.ros.camera_info import camera_info_to_msg
from sem_field_ros.ros.images import image_to_msg
from sem_field_ros.ros.transforms import transform_to_msg
from sem_field_ros.surface import RenderedView
from tests.ros.fake_robot import CAMERA, CAMERA_FRAME
from tests.ros.mapper_harness import Harness, running_mapper


class RendererHarness(Harness):
    """`mapper` is a ViewRenderer."""

    kind = ViewRenderer
    defaults = {
        "segmenter": "external",
        "diagnostics_rate_hz": 50.0,
        "service_timeout_s": 5.0,
        "warn_input_timeout_s": 1.0,
        "keyframe_distance_m": 0.05,
        "keyframe_refresh_s": 0.0,
    }

    def show(self, *places: float) -> None:
        """Publish frames of the wall from (x, 0, 0), one after the other, until each was used."""
        for x in places:
            self.use(lambda x=x: self.robot.say(x))

    def use(self, say: Any) -> None:
        """Publish one frame by `say()`, and again if it was lost, until one more frame was used."""
        wanted = self.count("frames_mapped") + 1
        end = time.monotonic() + 20
        while self.count("frames_mapped") < wanted:
            assert self.alive() and time.monotonic() < end, f"a frame is not used: {self.listener.values}"
            say()
            again = time.monotonic() + 2
            while self.count("frames_mapped") < wanted and time.monotonic() < again:
                self.spin(0.02)

    def show_frame(self, frame: PosedFrame) -> None:
        """Publish a frame of a sequence, with map -> camera."""

        def say() -> None:
            stamp_ns = self.robot.next_stamp()
            header = self.robot.header(stamp_ns)
            self.robot.say_transforms([transform_to_msg("map", CAMERA_FRAME, stamp_ns, frame.T_world_camera)])
            self.robot.say(
                stamp_ns=stamp_ns,
                tf=False,
                color=image_to_msg(frame.color, header, "rgb8"),
                depth=image_to_msg(frame.depth, header, "32FC1"),
                labels=image_to_msg(frame.labels, header, "mono8"),
                info=camera_info_to_msg(frame.camera, header),
            )

        self.use(say)

    def ask(self, request: RenderView.Request, timeout_s: float = 20.0) -> RenderView.Response:
        """Call ~/render_view."""
        return self.call(RenderView, "render_view", request, timeout_s)

    def ask_at(self, x: float = 0.0, **more: Any) -> RenderView.Response:
        """Ask for the view of the robot's camera at (x, 0, 0)."""
        T = np.eye(4)
        T[0, 3] = x
        return self.ask(request(T, **more))


def request(
    T: np.ndarray, camera: Intrinsics = CAMERA, deadline_s: float = 10.0, frame_id: str = "map", wanted: int = 0
) -> RenderView.Request:
    """A request for the view of a camera at a pose (4x4)."""
    out = RenderView.Request(deadline_s=deadline_s, wanted=wanted)
    out.pose.header.frame_id = frame_id
    out.pose.pose = pose_to_msg(T)
    out.camera_info = camera_info_to_msg(camera, Header())
    return out


def pose_to_msg(T: np.ndarray) -> Pose:
    pose = Pose()
    pose.position.x, pose.position.y, pose.position.z = map(float, T[:3, 3])
    q = pose.orientation
    q.x, q.y, q.z, q.w = map(float, quaternion_from_pose(T))
    return pose


@contextmanager
def running_renderer(**arguments: Any) -> Iterator[RendererHarness]:
    """A view renderer that is active and hears the robot, unless autostart is off."""
    with running_mapper(kind=RendererHarness, cloud=False, **arguments) as harness:
        assert isinstance(harness, RendererHarness)
        yield harness


class FieldOfKnownCost:
    """Renders a grey plane in `fixed + n * per_pixel` seconds for n pixels."""

    def __init__(self, fixed: float, per_pixel: float) -> None:
        self.fixed, self.per_pixel = fixed, per_pixel
        self.frames: list[PosedFrame] = []
        self.rendered: list[tuple[int, int]] = []
        self.frame_bytes = 1_000_000
        self.empty = False  # nothing is known of any view
        self.error: Exception | None = None  # of the next rendering

    @property
    def memory_bytes(self) -> int:
        return self.frame_bytes * len(self.frames)

    def add(self, frame: PosedFrame, probabilities: Any = None) -> None:
        self.frames.append(frame)

    def remove(self, place: int) -> None:
        del self.frames[place]

    def reset(self) -> None:
        self.frames.clear()

    def render(self, camera: Intrinsics, T_world_camera: np.ndarray) -> RenderedView:
        size = camera.height, camera.width
        time.sleep(self.fixed + size[0] * size[1] * self.per_pixel)
        self.rendered.append(size)
        error, self.error = self.error, None
        if error is not None:
            raise error
        return RenderedView(
            np.full(size, 0 if self.empty else 1, np.float32),
            np.full((*size, 3), 128, np.uint8),
            np.full(size, -1 if self.empty else 0, np.int16),
            confidence=np.full(size, 0.5, np.float32),
        )
