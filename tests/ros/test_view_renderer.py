"""The view renderer over real DDS: right pictures, in time, clear refusals, bounded memory, life cycle."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.parameter import Parameter
from sem_field_msgs.srv import RenderView
from std_msgs.msg import Bool
from std_srvs.srv import SetBool, Trigger

from sem_field_ros.camera_stream.images import color_from_msg, depth_from_msg, labels_from_msg
from sem_field_ros.datasets.open_sequence import open_sequence
from sem_field_ros.evaluation.image_metrics import psnr
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import UNLABELLED_ID
from sem_field_ros.nodes.view_renderer import node as renderer_node
from sem_field_ros.nodes.view_renderer.session import RenderingSession
from sem_field_ros.ros.qos import latched_qos
from sem_field_ros.ros.transforms import transform_to_msg
from tests.ros.conftest import RosHarness
from tests.ros.fake_robot import CAMERA_FRAME, CHAIR, TABLE, WALL_Z, wall_images
from tests.ros.renderer_harness import FieldOfKnownCost, RendererHarness, request, running_renderer

ROOM = Path(__file__).resolve().parents[2] / "samples" / "room"
BAR_DB, BAR_LABELS = 26.0, 0.96  # of views between those that the renderer has seen; measured: 27.3 and 0.984 or more
RENDERER_MODULE, PLAYER_MODULE = "sem_field_ros.nodes.view_renderer.node", "sem_field_ros.nodes.player.node"
BIG = Intrinsics(320, 320, 159.5, 119.5, 320, 240)


@pytest.fixture(scope="module")
def wall() -> Iterator[RendererHarness]:
    with running_renderer() as harness:
        harness.show(-0.4, -0.2, 0.0, 0.2, 0.4)
        yield harness


def slow_field(monkeypatch: pytest.MonkeyPatch, fixed: float, per_pixel: float) -> FieldOfKnownCost:
    """Let every renderer that is configured from now on have this field."""
    field = FieldOfKnownCost(fixed, per_pixel)
    monkeypatch.setattr(renderer_node, "open_named", lambda *_: field)
    return field


def start(harness: RendererHarness) -> None:
    """Configure and activate a node that does not listen to every topic of the robot."""
    assert transition(harness, Transition.TRANSITION_CONFIGURE)
    assert transition(harness, Transition.TRANSITION_ACTIVATE)


def transition(harness: RendererHarness, number: int) -> bool:
    return bool(
        harness.call(ChangeState, "change_state", ChangeState.Request(transition=Transition(id=number))).success
    )


# -- pictures


def test_views_between_those_that_were_seen_are_right() -> None:
    frames = list(open_sequence(ROOM))[:20]
    held_out = [f for i, f in enumerate(frames) if i % 5 == 2]
    with running_renderer(with_odom=False, keyframe_distance_m=0.0) as harness:
        for i, frame in enumerate(frames):
            if i % 5 != 2:
                harness.show_frame(frame)
        for frame in held_out:
            answer = harness.ask(request(frame.T_world_camera, frame.camera, deadline_s=20.0), timeout_s=40)
            assert answer.success and answer.coarseness == 1, answer.message
            depth = depth_from_msg(answer.depth)
            shown = np.isfinite(depth) & (depth > 0)
            assert shown.mean() > 0.85 and answer.coverage == pytest.approx(shown.mean(), abs=0.02)
            assert psnr(color_from_msg(answer.rgb), frame.color, shown) > BAR_DB
            assert frame.labels is not None and frame.depth is not None
            assert (labels_from_msg(answer.labels) == frame.labels)[shown].mean() > BAR_LABELS
            both = shown & (frame.depth > 0)
            assert np.median(np.abs(depth - frame.depth)[both]) < 0.02
            assert answer.label_set == "scannet20" and "floor" in answer.class_names


@pytest.mark.parametrize("field", ["gnesf_view_homes", "gsnerf"])
@pytest.mark.parametrize("depth", [True, False])
def test_other_fields_render_with_and_without_depth(field: str, depth: bool) -> None:
    frames = list(open_sequence(ROOM))[:8]
    truth, *_ = (f for i, f in enumerate(frames) if i == 4)
    options = {"field": field, "use_depth": depth, "segmenter": "external" if depth else "none"}
    with running_renderer(with_odom=False, autostart=False, keyframe_distance_m=0.0, **options) as harness:
        start(harness)
        for frame in (f for f in frames if f is not truth):
            harness.show_frame(frame)
        small = truth.camera.scaled(80, 60)
        answer = harness.ask(request(truth.T_world_camera, small, deadline_s=60.0), timeout_s=90)
        assert answer.success and answer.coarseness == 1, answer.message
        image = cv2.resize(truth.color, (80, 60), interpolation=cv2.INTER_AREA)
        assert psnr(color_from_msg(answer.rgb), image) > 20
        labels = labels_from_msg(answer.labels)
        if not depth:
            assert (labels == UNLABELLED_ID).all() and answer.coverage > 0.75
            return
        true = cv2.resize(truth.labels, (80, 60), interpolation=cv2.INTER_NEAREST)
        assert (labels == true).mean() > 0.85


def test_the_answer_is_in_the_asked_frame_and_has_what_was_wanted(wall: RendererHarness) -> None:
    answer = wall.ask_at(0.1)
    assert answer.success, answer.message
    assert answer.message == "rendered 80x60" and answer.time_s > 0
    color, _, labels = wall_images(0.1)
    depth = depth_from_msg(answer.depth)
    shown = depth > 0
    assert np.abs(depth[shown] - WALL_Z).max() < 0.01
    assert (labels_from_msg(answer.labels) == labels)[shown].mean() > 0.98
    assert {TABLE, CHAIR} <= set(np.unique(labels_from_msg(answer.labels)).tolist()) <= {TABLE, CHAIR, UNLABELLED_ID}
    assert psnr(color_from_msg(answer.rgb), color, shown) > 20
    for image in (answer.rgb, answer.labels, answer.depth, answer.confidence):
        assert (image.width, image.height) == (80, 60) and image.header.frame_id == "map"
    assert (answer.rgb.encoding, answer.labels.encoding) == ("rgb8", "mono8")
    assert (answer.depth.encoding, answer.confidence.encoding) == ("32FC1", "32FC1")
    only = wall.ask_at(0.1, wanted=RenderView.Request.LABELS)
    assert only.success and only.labels.width == 80
    assert [len(image.data) for image in (only.rgb, only.depth, only.confidence)] == [0, 0, 0]


def test_a_pose_in_another_frame(wall: RendererHarness) -> None:
    """0.2 m right of the camera, which is where it was last seen: at x = 0.4."""
    T = np.eye(4)
    T[0, 3] = -0.2
    beside, there = wall.ask(request(T, frame_id=CAMERA_FRAME)), wall.ask_at(0.2)
    assert beside.success and beside.rgb.header.frame_id == CAMERA_FRAME
    assert bytes(beside.labels.data) == bytes(there.labels.data)


# -- requests that cannot be answered


def changed(**fields: Any) -> Callable[[RenderView.Request], None]:
    def change(asked: RenderView.Request) -> None:
        for path, value in fields.items():
            target: Any = asked
            *parents, last = path.split("__")
            for name in parents:
                target = getattr(target, name)
            setattr(target, last, value)

    return change


NAN, INF = float("nan"), float("inf")
BAD = {
    "position NaN": (changed(pose__pose__position__x=NAN), "bad_pose", "NaN or zero quaternion"),
    "position infinite": (changed(pose__pose__position__z=INF), "bad_pose", "NaN or zero quaternion"),
    "quaternion NaN": (changed(pose__pose__orientation__w=NAN), "bad_pose", "NaN or zero quaternion"),
    "quaternion zero": (changed(pose__pose__orientation__w=0.0), "bad_pose", "NaN or zero quaternion"),
    "quaternion long": (changed(pose__pose__orientation__w=2.0), "bad_pose", "has length 2: give a unit quaternion"),
    "width zero": (changed(camera_info__width=0), "bad_size", "0x60 pixels: give the size"),
    "height zero": (changed(camera_info__height=0), "bad_size", "80x0 pixels"),
    "huge": (changed(camera_info__width=100_000, camera_info__height=90_000), "bad_size", "more than max_pixels"),
    "width of all bits": (changed(camera_info__width=2**32 - 1), "bad_size", "more than max_pixels"),
    "no intrinsics": (changed(camera_info__k=[0.0] * 9, camera_info__p=[0.0] * 12), "bad_intrinsics", "fx=0.0"),
    "intrinsics NaN": (changed(camera_info__k=[NAN] * 9), "bad_intrinsics", "unusable"),
    "unknown frame": (changed(pose__header__frame_id="nowhere"), "tf_missing", "'nowhere' is not in the TF tree"),
    "long ago": (changed(pose__header__frame_id=CAMERA_FRAME, pose__header__stamp__sec=5), "tf_extrapolation", ""),
    "looks away": (changed(pose__pose__orientation__w=0.0, pose__pose__orientation__y=1.0), "nothing_in_view", "no"),
    "far away": (changed(pose__pose__position__x=1e6), "nothing_in_view", "looks where no camera was"),
    "deadline NaN": (changed(deadline_s=NAN), "bad_deadline", "deadline_s is nan: give 0 to 600"),
    "deadline negative": (changed(deadline_s=-1.0), "bad_deadline", "deadline_s is -1"),
    "wanted unknown": (changed(wanted=64), "bad_wanted", "wanted is 64"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_gets_one_clear_line_and_is_counted(wall: RendererHarness, name: str) -> None:
    change, cause, text = BAD[name]
    asked = request(np.eye(4))
    change(asked)
    before = wall.count(f"refused/{cause}")
    answer = wall.ask(asked)
    assert not answer.success and text in answer.message and "\n" not in answer.message, answer.message
    assert len(answer.rgb.data) == 0
    wall.wait_for_count(f"refused/{cause}", before + 1)
    assert wall.ask_at(0.0).success, "and the next good one is answered"


def test_before_any_keyframe_and_after_a_reset() -> None:
    with running_renderer() as harness:
        answer = harness.ask_at(0.0)
        assert not answer.success and answer.message.startswith("there is no keyframe yet")
        harness.show(0.0)
        assert harness.ask_at(0.0).success
        assert harness.call(Trigger, "reset").success
        assert not harness.ask_at(0.0).success
        assert harness.call(SetBool, "pause", SetBool.Request(data=True)).success
        harness.robot.say(0.0)
        harness.wait_for_count("drops/paused", 1)
        assert not harness.ask_at(0.0).success
        harness.wait_for_count("refused/no_keyframes", 3)


# -- in time


def test_a_coarser_answer_in_time_rather_than_a_late_one(monkeypatch: pytest.MonkeyPatch) -> None:
    field = slow_field(monkeypatch, 0.02, 1e-5)  # 320x240: 0.79 s
    with running_renderer() as harness:
        harness.show(0.0)
        fine = harness.ask_at(0.0, camera=BIG, deadline_s=30.0)
        assert fine.success and fine.coarseness == 1 and field.rendered[-1] == (240, 320)
        for deadline_s in (0.6, 0.3):
            answer = harness.ask_at(0.0, camera=BIG, deadline_s=deadline_s)
            assert answer.success and answer.coarseness > 1
            assert "enlarged to 320x240" in answer.message
            assert answer.time_s < deadline_s + 0.1, "the test machine may be busy: 0.1 s of grace"
            assert (answer.rgb.width, answer.depth.width, answer.labels.height) == (320, 320, 240)
        harness.wait_for_count("coarse", 2)
        assert harness.count("answers") == 3


def test_an_answer_waits_for_a_keyframe_that_is_encoded_but_not_beyond_its_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow_field(monkeypatch, 0.0, 0.0)
    with running_renderer() as harness:
        harness.show(0.0)
        session = harness.mapper._session
        assert session is not None
        gate = threading.Event()
        threading.Thread(target=lambda: session.worker.call(lambda: gate.wait(20), 30), daemon=True).start()
        answer = harness.ask_at(0.0, deadline_s=0.3)
        assert not answer.success and "the renderer was busy for all of the 0.3 s" in answer.message
        assert 0.2 < answer.time_s < 2.0
        gate.set()
        assert harness.ask_at(0.0, deadline_s=5.0).success
        harness.wait_for_count("refused/busy", 1)


def test_a_late_answer_says_so_and_diagnostics_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    slow_field(monkeypatch, 0.3, 0.0)
    with running_renderer() as harness:
        harness.show(0.0)
        answer = harness.ask_at(0.0, deadline_s=0.1)
        assert answer.success and "; late: 0." in answer.message and "instead of 0.1 s" in answer.message
        harness.spin_until(lambda: harness.listener.levels.get("views", (0,))[0] > 0, "a warning of late answers")
        assert "came after their deadline" in harness.listener.levels["views"][1]


@pytest.mark.parametrize("deadline_s", [0.1, 5.0])
def test_a_field_that_knows_nothing_or_fails_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, deadline_s: float
) -> None:
    field = slow_field(monkeypatch, 0.3, 0.0)
    with running_renderer() as harness:
        harness.show(0.0)
        field.empty = True
        answer = harness.ask_at(0.0, deadline_s=deadline_s)
        assert not answer.success and answer.message == "nothing is known of what is in this view"
        assert answer.time_s < 2.0, "not after service_timeout_s"
        field.empty, field.error = False, RuntimeError("cannot allocate memory")
        answer = harness.ask_at(0.0, deadline_s=deadline_s)
        assert not answer.success and "RuntimeError: cannot allocate memory" in answer.message
        assert harness.ask_at(0.0).success
        harness.wait_for_count("refused/internal_error", 1)


class LazyField(FieldOfKnownCost):
    """Encodes a keyframe in `prepare`, or when a view needs it."""

    def __init__(self) -> None:
        super().__init__(0.0, 0.0)
        self.encoded = 0
        self.broken = False

    def prepare(self) -> bool:
        if self.broken:
            raise RuntimeError("no memory")
        left = self.encoded < len(self.frames)
        self.encoded += left
        return left


def test_keyframes_are_encoded_before_a_view_needs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    field = LazyField()
    monkeypatch.setattr(renderer_node, "open_named", lambda *_: field)
    with running_renderer() as harness:
        harness.show(0.0, 0.3)
        harness.spin_until(lambda: field.encoded == 2, "both keyframes are encoded, and nobody asked for a view")
        field.broken = True
        harness.show(0.6)
        assert harness.ask_at(0.0).success and field.encoded == 2
        assert harness.count("drops/internal_error") == 0


def test_many_clients_at_once_are_all_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than the 10 requests that a service's queue has by default."""
    slow_field(monkeypatch, 0.05, 0.0)
    with running_renderer() as harness:
        harness.show(0.0)
        clients = [harness.node.create_client(RenderView, "/view_renderer/render_view") for _ in range(25)]
        for client in clients:
            harness.spin_until(client.service_is_ready, "the service")
        futures = [client.call_async(request(np.eye(4), wanted=2)) for client in clients]
        harness.spin_until(lambda: all(future.done() for future in futures), "all answers", 30)
        assert all(future.result().success for future in futures)
        for client in clients:
            harness.node.destroy_client(client)


def test_a_client_that_leaves_costs_nobody_else_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    slow_field(monkeypatch, 0.3, 0.0)
    with running_renderer() as harness:
        harness.show(0.0)
        for _ in range(3):
            client = harness.node.create_client(RenderView, "/view_renderer/render_view")
            harness.spin_until(client.service_is_ready, "the service")
            client.call_async(request(np.eye(4)))
            harness.spin(0.1)
            harness.node.destroy_client(client)
        assert harness.ask_at(0.0).success and harness.alive()


# -- keyframes


def test_memory_is_bounded_and_coverage_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The robot looks at the wall from many places, then stays at one end; the other end is not forgotten."""
    field = slow_field(monkeypatch, 0.0, 0.0)
    with running_renderer(max_keyframes=5, keyframe_distance_m=0.01) as harness:
        harness.show(*np.arange(-2.0, 2.01, 1.0), *np.arange(1.5, 2.0, 0.03))
        harness.wait_for_count("events/keyframe_evicted", 10)
        assert harness.count("kept") == 5 == len(field.frames)
        assert min(frame.T_world_camera[0, 3] for frame in field.frames) < -1.5
        assert harness.ask_at(-2.0).success
        harness.mapper.set_parameters([Parameter("max_keyframes_mb", value=3.0)])
        harness.spin(0.6)
        harness.show(0.5)
        assert len(field.frames) == 3 and harness.count("kept_mb") == 3


def test_a_place_that_is_seen_again_is_refreshed_and_not_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    field = slow_field(monkeypatch, 0.0, 0.0)
    with running_renderer(keyframe_refresh_s=10.0) as harness:
        harness.show(0.0, 0.0, 0.0)
        assert len(field.frames) == 1
        old = field.frames[0].stamp_ns
        harness.robot.stamp_ns += 4_000_000_000
        harness.show(0.0)
        assert field.frames[0].stamp_ns == old
        harness.robot.stamp_ns += 8_000_000_000
        harness.show(0.0)
        assert len(field.frames) == 1 and field.frames[0].stamp_ns > old + 10**10


@pytest.mark.parametrize(("policy", "left"), [("reset", 1), ("keep", 2)])
def test_a_loop_closure(monkeypatch: pytest.MonkeyPatch, policy: str, left: int) -> None:
    field = slow_field(monkeypatch, 0.0, 0.0)
    with running_renderer(on_map_jump=policy) as harness:
        harness.show(0.0)
        harness.robot.T_map_odom[0, 3] = 2.0
        harness.show(1.0)
        harness.wait_for_count("events/map_jump", 1)
        assert len(field.frames) == left


@pytest.mark.parametrize(("policy", "left"), [("reset", 1), ("keep", 2)])
def test_odometry_is_reset(monkeypatch: pytest.MonkeyPatch, policy: str, left: int) -> None:
    field = slow_field(monkeypatch, 0.0, 0.0)
    with running_renderer(on_camera_jump=policy) as harness:
        harness.show(0.0, 3.0)  # 3 m in 50 ms
        harness.wait_for_count("events/camera_jump", 1)
        assert len(field.frames) == left


@pytest.mark.parametrize(("policy", "left"), [("reset", 1), ("keep", 2)])
def test_the_clock_jumps_back(monkeypatch: pytest.MonkeyPatch, policy: str, left: int) -> None:
    field = slow_field(monkeypatch, 0.0, 0.0)
    with running_renderer(on_clock_jump=policy) as harness:
        harness.show(0.0)
        harness.robot.stamp_ns -= 50_000_000_000
        harness.show(1.0)
        harness.wait_for_count("events/clock_jump_back", 1)
        harness.spin_until(lambda: len(field.frames) == left, f"{left} keyframes")


def test_a_depth_topic_that_never_comes_is_named_with_what_to_do() -> None:
    with running_renderer() as harness:
        for _ in range(15):
            harness.robot.say(0.0, depth=None)
            harness.spin(0.1)
        level, text = harness.listener.levels["input"]
        assert level > 0 and "/camera/depth/image_raw never came" in text and "use_depth: false" in text


def test_frames_without_depth_are_counted_and_rgb_only_fields_need_none(monkeypatch: pytest.MonkeyPatch) -> None:
    field = slow_field(monkeypatch, 0.0, 0.0)
    with running_renderer() as harness:
        harness.robot.say(0.0, depth=lambda msg: setattr(msg, "data", bytes(len(msg.data))))
        harness.wait_for_count("drops/no_valid_depth", 1)
        assert not field.frames
    with running_renderer(use_depth=False, autostart=False) as harness:
        start(harness)
        harness.use(lambda: harness.robot.say(0.0, depth=None))
        assert field.frames[0].depth is None and harness.ask_at(0.0).success


# -- life cycle


def sessions() -> int:
    """Sessions in memory, those of other tests' nodes too."""
    gc.collect()
    return sum(type(o) is RenderingSession for o in gc.get_objects())


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("field", "magic", "field 'magic' is unknown: choose warp"),
        ("field", "/nowhere/field.safetensors", "/nowhere/field.json"),
        ("use_depth", False, "field 'warp' needs depth images"),
        ("segmenter", "magic", "'magic' is unknown"),
    ],
)
def test_configure_fails_with_one_line(name: str, value: Any, why: str, capfd: pytest.CaptureFixture[str]) -> None:
    with running_renderer(autostart=False, **{name: value}) as harness:
        assert not transition(harness, Transition.TRANSITION_CONFIGURE)
        errors = [line for line in capfd.readouterr().err.splitlines() if "cannot configure" in line]
        assert len(errors) == 1 and why in errors[0]
        assert harness.call(GetState, "get_state").current_state.id == State.PRIMARY_STATE_UNCONFIGURED


def test_inactive_answers_and_ten_lives_leave_nothing_behind() -> None:
    with running_renderer(autostart=False) as harness:
        threads, entities, leftovers = [], [], []
        before = sessions()
        for life in range(10):
            assert transition(harness, Transition.TRANSITION_CONFIGURE)
            assert transition(harness, Transition.TRANSITION_ACTIVATE)
            if life % 5 == 0:
                harness.wait_until_mapping()
                harness.show(0.0)
            assert transition(harness, Transition.TRANSITION_DEACTIVATE)
            if life % 5 == 0:
                assert harness.ask_at(0.0).success, "inactive: no new keyframes, but views of the old ones"
            assert transition(harness, Transition.TRANSITION_CLEANUP)
            if life % 5 == 4:
                time.sleep(0.1)
                leftovers.append(sessions())
                threads.append(threading.active_count())
                node = harness.mapper
                entities.append(len(list(node.subscriptions)) + len(list(node.publishers)) + len(list(node.services)))
        assert set(leftovers) == {before} and len(set(threads)) == 1 and len(set(entities)) == 1


def test_a_camera_transform_is_read_at_the_poses_stamp() -> None:
    """A pose in the camera's frame at an earlier stamp is where the camera was then."""
    with running_renderer(with_odom=False) as harness:
        harness.show(0.0)
        first_ns = harness.robot.stamp_ns
        harness.show(0.4)
        asked = request(np.eye(4), frame_id=CAMERA_FRAME)
        asked.pose.header.stamp.sec, asked.pose.header.stamp.nanosec = divmod(first_ns, 10**9)
        then, there = harness.ask(asked), harness.ask_at(0.0)
        assert then.success and bytes(then.depth.data) == bytes(there.depth.data)
        late = asked
        late.pose.header.stamp.sec += 1
        harness.robot.say_transforms([transform_to_msg("map", CAMERA_FRAME, first_ns + 2 * 10**9, np.eye(4))])
        assert harness.ask(late).success


def test_a_replay_and_a_renderer_as_processes_of_their_own(ros: RosHarness) -> None:
    """What `sem-field up replay render_views:=true` starts, without the mapper."""
    node = ros.node("robot")
    renderer = ros.start(RENDERER_MODULE, segmenter="external", use_sim_time=True, keyframe_distance_m=0.02)
    ros.start(PLAYER_MODULE, path=ROOM, rate=2.0, pace="stamps")
    finished = ros.collect(node, Bool, "sequence_player/finished", latched_qos())
    ros.spin_until(lambda: finished and finished[-1].data, 60, "the replay is over")
    truth = list(open_sequence(ROOM))[20]
    answer = ros.call(node, RenderView, "view_renderer/render_view", request(truth.T_world_camera, truth.camera), 30)
    assert answer.success, answer.message
    shown = np.isfinite(depth_from_msg(answer.depth)) & (depth_from_msg(answer.depth) > 0)
    assert shown.mean() > 0.8 and psnr(color_from_msg(answer.rgb), truth.color, shown) > 22
    os.kill(renderer.pid, signal.SIGINT)
    assert ros.wait(renderer) == 0 and "Traceback" not in ros.output()
