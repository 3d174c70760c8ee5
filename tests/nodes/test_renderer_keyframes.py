"""Which keyframes a view renderer keeps: superfluous ones go first, places that one alone shows stay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.viewpoints import look_at
from sem_field_ros.nodes.view_renderer.keyframes import Keyframe, KeyframeSet

CAMERA = Intrinsics(60, 60, 47.5, 35.5, 96, 72)
UP = np.array([0.0, 0.0, 1.0])


def at(x: float, y: float = 0.0, yaw_deg: float = 90.0, depth_m: float | None = 2.0, stamp_s: int = 1) -> PosedFrame:
    """A camera at (x, y, 1) looking horizontally, with a wall at `depth_m`."""
    eye = np.array([x, y, 1.0])
    yaw = np.radians(yaw_deg)
    T = look_at(eye, eye + [np.cos(yaw), np.sin(yaw), 0], UP)
    depth = None if depth_m is None else np.full((72, 96), depth_m, np.float32)
    return PosedFrame(stamp_s * 10**9, np.zeros((72, 96, 3), np.uint8), CAMERA, T, depth)


def keyframes(*frames: PosedFrame) -> KeyframeSet:
    out = KeyframeSet()
    for frame in frames:
        out.add(frame)
    return out


def test_a_keyframe_alone_is_fully_useful_and_n_equal_ones_share() -> None:
    assert keyframes(at(0)).usefulness().tolist() == [1.0]
    assert keyframes(at(0), at(0), at(0)).usefulness() == pytest.approx([1 / 3] * 3)


def test_the_superfluous_one_goes_not_the_oldest() -> None:
    """Five keyframes of one wall side by side and, the oldest of all, one that looks the other way."""
    kept = keyframes(at(0, yaw_deg=-90), *(at(0.1 * i) for i in range(5)))
    assert kept.usefulness()[0] == 1.0
    for _ in range(3):
        place = kept.least_useful()
        assert place != 0
        kept.remove(place)
    assert len(kept) == 3 and kept.frames[0].T_world_camera[1, 2] == pytest.approx(-1)


def test_the_same_wall_from_another_side_or_distance_is_another_view() -> None:
    front, slanted = at(0), at(-2.5, 0.2, yaw_deg=36, depth_m=6.0)
    seen = Keyframe.of(slanted).shows(Keyframe.of(front).points).mean()
    assert seen > 0.2, "it does show a part of the wall"
    assert keyframes(front, slanted).usefulness().min() > 0.9, "but not alike"
    near, far = at(0, 1.5, depth_m=0.5), at(0, -3.0, depth_m=5.0)
    assert keyframes(near, far).usefulness().min() > 0.9


def test_what_is_hidden_is_not_shown() -> None:
    wall, box = Keyframe.of(at(0, depth_m=4.0)), Keyframe.of(at(0, depth_m=1.0))
    assert not box.shows(wall.points).any() and wall.shows(box.points).all()


def test_the_newest_stays_and_of_equals_the_oldest_goes() -> None:
    assert keyframes(at(0), at(0), at(0)).least_useful() == 0
    assert keyframes(at(5), at(0), at(0)).least_useful() == 1
    assert keyframes(at(0)).least_useful() == 0


def test_a_camera_without_depth_sees_at_several_distances() -> None:
    kept = keyframes(at(0, depth_m=None))
    assert kept.any_in(CAMERA, at(0.2).T_world_camera)
    assert not kept.any_in(CAMERA, at(0, yaw_deg=-90).T_world_camera)
    invalid = at(0)
    assert invalid.depth is not None
    invalid.depth[:] = 0
    assert len(Keyframe.of(invalid).points) == len(kept.frames[0].points)


def test_nothing_in_view_is_known_before_rendering() -> None:
    kept = keyframes(at(0))
    assert kept.any_in(CAMERA, at(0.5).T_world_camera)
    assert not kept.any_in(CAMERA, at(0, yaw_deg=-90).T_world_camera)
    assert not kept.any_in(CAMERA, at(50).T_world_camera)
    assert not KeyframeSet().any_in(CAMERA, at(0).T_world_camera)


def test_frames_near_a_keyframe_are_not_keyframes() -> None:
    kept = keyframes(at(0), at(1))
    assert kept.nearest(at(0.05), 0.15, 15) == 0 and kept.nearest(at(0.95), 0.15, 15) == 1
    assert kept.nearest(at(0.5), 0.15, 15) is None
    assert kept.nearest(at(1, yaw_deg=110), 0.15, 15) is None, "turned away"
    assert kept.nearest(at(0), 0.0, 15) is None, "a distance of 0 takes every frame"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(0, 360)), min_size=2, max_size=9), st.data())
def test_removing_is_as_if_it_had_never_been_added(places: list[tuple[float, float]], data: st.DataObject) -> None:
    frames = [at(x, yaw_deg=yaw) for x, yaw in places]
    gone = data.draw(st.integers(0, len(frames) - 1))
    kept = keyframes(*frames)
    kept.remove(gone)
    fresh = keyframes(*(f for i, f in enumerate(frames) if i != gone))
    np.testing.assert_allclose(kept.usefulness(), fresh.usefulness())


def test_eviction_keeps_coverage() -> None:
    """A walk around a room that is seen three times: a third of the keyframes shows all that all of them show."""
    walk = [at(0.02 * lap, yaw_deg=20 * i) for lap in range(3) for i in range(18)]
    everything = np.concatenate([Keyframe.of(frame).points for frame in walk])
    kept = KeyframeSet()
    for frame in walk:
        kept.add(frame)
        if len(kept) > 18:
            kept.remove(kept.least_useful())
    shown = np.any([keyframe.shows(everything) for keyframe in kept.frames], axis=0)
    newest = np.any([Keyframe.of(frame).shows(everything) for frame in walk[-9:]], axis=0)
    assert shown.mean() > 0.99 and newest.mean() < 0.9, "forgetting by age alone would lose a side"
