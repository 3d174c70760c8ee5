"""Frames of messages as drivers send them: rectified or not, binned, depth of another camera. Values known by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from sem_field_ros.camera_stream.camera_info import intrinsics_from_msg, is_rectified_topic, lens_from_msg
from sem_field_ros.camera_stream.depth_registration import DepthSource
from sem_field_ros.camera_stream.frames import StreamSetup, frame_from_bundle
from sem_field_ros.camera_stream.pairing import FrameBundle
from sem_field_ros.camera_stream.time_policy import SpeedWatch
from sem_field_ros.camera_stream.topics import camera_info_beside
from sem_field_ros.errors import FrameError
from sem_field_ros.geometry.transform_tree import TransformError

W, H = 160, 120
PLUMB_BOB = [-0.3, 0.1, 0.0, 0.0, 0.0]


def info(f: float = 120.0, p: float = 96.0, d: Any = (), model: str = "plumb_bob", **changes: Any) -> SimpleNamespace:
    k = [f, 0, 79.5, 0, f, 59.5, 0, 0, 1]
    roi = SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0)
    values = {"width": W, "height": H, "k": k, "p": [p, 0, 79.5, 0, 0, p, 59.5, 0, 0, 0, 1, 0], "d": list(d)}
    values |= {"distortion_model": model, "binning_x": 0, "binning_y": 0, "roi": roi}
    return SimpleNamespace(**(values | changes))


def image(values: np.ndarray, encoding: str, frame: str = "camera") -> SimpleNamespace:
    rows = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)
    return SimpleNamespace(header=SimpleNamespace(frame_id=frame), height=len(values), width=values.shape[1],
                           encoding=encoding, is_bigendian=0, step=rows.shape[1], data=rows.tobytes())  # fmt: skip


def bundle(camera: SimpleNamespace, color: np.ndarray | None = None, depth: np.ndarray | None = None,
           depth_frame: str = "camera", labels: np.ndarray | None = None) -> FrameBundle:  # fmt: skip
    color = np.zeros((H, W, 3), np.uint8) if color is None else color
    return FrameBundle(
        1, image(color, "rgb8"), camera,
        None if depth is None else image(depth.astype(np.float32), "32FC1", depth_frame),
        None if labels is None else image(labels, "mono8"),
    )  # fmt: skip


def test_rectified_topics_use_p_and_raw_ones_k() -> None:
    found = bundle(info(d=PLUMB_BOB))
    cases = {"/c/image_rect_color": 96, "/c/image_raw": 120, "/c/image_rect/compressed": 96, "/rectory/image_raw": 120}
    for topic, f in cases.items():
        assert frame_from_bundle(found, np.eye(4), setup=StreamSetup(topic)).camera.fx == f
        assert is_rectified_topic(topic) == (f == 96)
    assert (
        frame_from_bundle(found, np.eye(4), setup=StreamSetup("/c/image_raw", color_images="rectified")).camera.fx == 96
    )
    assert frame_from_bundle(found, np.eye(4), setup=StreamSetup("/c/image_rect", color_images="raw")).camera.fx == 120
    only_p = info(k=[0.0] * 9)
    assert frame_from_bundle(bundle(only_p), np.eye(4)).camera.fx == 96
    assert camera_info_beside("/c/depth/image_raw/compressedDepth") == "/c/depth/camera_info"


@pytest.mark.parametrize(
    ("model", "d"),
    [
        ("plumb_bob", PLUMB_BOB),
        ("rational_polynomial", [0.5, -0.1, 0.001, 0.0, 0.0, 0.1, 0.0, 0.0]),
        ("equidistant", [0.1, 0.01, 0.0, 0.0]),
    ],
)
def test_distortion_is_undone_in_colour_depth_and_labels(model: str, d: list[float]) -> None:
    """A dot drawn where the lens puts a ray comes out where a pinhole sees it."""
    camera, ray = info(d=d, model=model), np.array([[[0.42, -0.33, 1.0]]])
    K = np.array(camera.k).reshape(3, 3)
    zero = np.zeros(3)
    if model == "equidistant":
        bent = cv2.fisheye.projectPoints(ray, zero, zero, K, np.array(d))[0].reshape(2)
    else:
        bent = cv2.projectPoints(ray, zero, zero, K, np.array(d))[0].reshape(2)
    straight = (K @ ray.reshape(3))[:2]
    assert np.linalg.norm(bent - straight) > 1.5  # pixels
    dot = np.zeros((H, W), np.uint8)
    cv2.circle(dot, tuple(int(v) for v in bent.round()), 3, 255, -1)
    color = np.repeat(dot[..., None], 3, axis=2)
    frame = frame_from_bundle(bundle(camera, color, 1.0 + (dot > 0), labels=(dot > 0).astype(np.uint8)), np.eye(4))
    for seen in (frame.color[..., 0] > 128, frame.depth > 1.5, frame.labels == 1):
        rows, columns = np.nonzero(seen)
        assert np.hypot(columns.mean() - straight[0], rows.mean() - straight[1]) < 0.8
    rectified_depth = StreamSetup("/c/image_raw", "/c/depth/image_rect")  # depth has no distortion there
    found = frame_from_bundle(bundle(camera, color, 1.0 + (dot > 0)), np.eye(4), setup=rectified_depth)
    np.testing.assert_array_equal(found.depth, 1.0 + (dot > 0))


def test_distortion_that_is_none() -> None:
    camera = intrinsics_from_msg(info())
    assert (
        lens_from_msg(info(d=[0.0] * 5), camera) is None and lens_from_msg(info(d=[1, 2], model="fov"), camera) is None
    )
    for d in ([float("nan"), 0, 0, 0, 0], [0.1, 0.2], [float("inf"), 0, 0, 0]):
        with pytest.raises(FrameError, match=r"CameraInfo.d \(.*\) is no distortion of model 'plumb_bob'"):
            lens_from_msg(info(d=d), camera)


def test_binning_and_region_are_applied_once() -> None:
    roi = SimpleNamespace(x_offset=160, y_offset=120, width=320, height=240)
    full = {"width": 640, "height": 480, "k": [480.0, 0, 319.5, 0, 480, 239.5, 0, 0, 1]}
    for changes, f in (
        (full | {"binning_x": 4, "binning_y": 4}, 120.0),
        (full | {"binning_x": 2, "binning_y": 2, "roi": roi}, 240.0),
        ({"width": 640, "height": 480, "binning_x": 4, "binning_y": 4}, 120.0),  # K of the binned picture already
    ):
        camera = intrinsics_from_msg(info(**changes))
        assert (camera.fx, camera.cx, camera.cy, camera.width, camera.height) == (f, 79.5, 59.5, W, H)


def source(topic: str = "/c/depth/image_raw", camera: Any = None, T: Any = None) -> DepthSource:
    def lookup(target: str, frame: str) -> np.ndarray:
        if T is None:
            raise TransformError(f"frame '{frame}' is not in the TF tree", "tf_missing")
        return np.asarray(T)

    return DepthSource(topic, camera, lookup)


def test_depth_is_registered_with_its_camera_and_transform() -> None:
    """A narrower depth camera 0.1 m to the right: a box in the middle of its image lands where geometry says."""
    depth = np.full((H, W), 4.0)
    depth[40:80, 60:100] = 2.0  # x = (u - 79.5) / 240 * 2 + 0.1, at f 120: u' = 120 x / 2 + 79.5
    T = np.eye(4)
    T[0, 3] = 0.1
    found = frame_from_bundle(
        bundle(info(), depth=depth, depth_frame="ir"), np.eye(4), depth_source=source(camera=info(f=240.0), T=T)
    )
    rows, columns = np.nonzero(found.depth == 2)
    expected = [60 * ((u - 79.5) / 120 + 0.1) + 79.5 for u in (60, 99)]
    assert abs(columns.min() - expected[0]) <= 0.5 and abs(columns.max() - expected[1]) <= 0.5
    assert (rows.min(), rows.max()) == (50, 69) and found.depth_camera.fx == 120
    assert (found.depth == 4).any() and set(np.unique(found.depth)) == {0, 2, 4}
    coarse = frame_from_bundle(
        bundle(info(f=240.0), depth=np.full((H, W), 2.0)), np.eye(4), depth_source=source(camera=info())
    )
    assert coarse.depth.shape == (60, 80) and (coarse.depth == 2).all()  # colour is finer: no holes


@pytest.mark.parametrize(
    ("given", "says"),
    [(source(), "no CameraInfo comes beside /c/depth/image_raw"), (source(camera=info()), "not in the TF tree")],
)
def test_depth_that_cannot_be_registered_is_refused(given: DepthSource, says: str) -> None:
    with pytest.raises(FrameError, match=f"'ir', colour in 'camera'.*{says}") as error:
        frame_from_bundle(bundle(info(), depth=np.ones((H, W)), depth_frame="ir"), np.eye(4), depth_source=given)
    assert error.value.cause == "depth_not_registered"


def test_depth_of_the_colour_camera_stays_as_it_is() -> None:
    depth = np.random.default_rng(0).uniform(1, 2, (H, W)).astype(np.float32)
    aligned = source("/c/aligned_depth_to_color/image_raw")
    for frame, given in (("camera", source(camera=info())), ("camera", source()), ("ir", aligned), ("", source())):
        found = frame_from_bundle(bundle(info(), depth=depth, depth_frame=frame), np.eye(4), depth_source=given)
        np.testing.assert_array_equal(found.depth, depth)


def test_impossible_speed() -> None:
    watch, T = SpeedWatch(), np.eye(4)

    def at(z: float) -> np.ndarray:
        T = np.eye(4)
        T[2, 3] = z
        return T

    assert watch.too_fast(0, T, 5.0) is None
    assert watch.too_fast(100_000_000, at(0.1), 5.0) is None
    assert watch.too_fast(200_000_000, at(1.5), 5.0) == (pytest.approx(1.4), pytest.approx(0.1))
    assert watch.too_fast(1_200_000_000, at(5.0), 5.0) is None  # 3.5 m in a second
    assert watch.too_fast(1_210_000_000, at(5.2), 5.0) is None  # 20 m/s, but over 0.2 m
    assert watch.too_fast(1_000_000_000, at(0.0), 5.0) is None  # the clock went back
