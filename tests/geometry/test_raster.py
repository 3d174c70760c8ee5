"""The software rasteriser: pixels, depths and attributes known by hand, and a slow ray-casting twin."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.raster import headlight, rasterize

CAMERA = Intrinsics(10.0, 10.0, 4.0, 3.0, 9, 7)  # the optical axis goes through pixel (4, 3)


def square(z: float, half: float = 100.0) -> tuple[np.ndarray, np.ndarray]:
    """A square across the optical axis, front towards the camera (counter-clockwise as the camera sees it)."""
    corners = [(-half, -half, z), (-half, half, z), (half, half, z), (half, -half, z)]
    return np.array(corners), np.array([[0, 1, 2], [0, 2, 3]])


def join(*meshes: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.cumsum([0] + [len(m[0]) for m in meshes[:-1]])
    return np.concatenate([m[0] for m in meshes]), np.concatenate(
        [m[1] + o for m, o in zip(meshes, offsets, strict=True)]
    )


def test_one_triangle_covers_the_pixels_known_by_hand() -> None:
    # At z = 2 with f = 10 a pixel is 0.2 m: corners at pixels (4, 3), (4, 6), (7, 3), edges included.
    vertices = np.array([[0.0, 0.0, 2.0], [0.0, 0.6, 2.0], [0.6, 0.0, 2.0]])
    values = np.array([0.0, 3.0, 30.0])
    images = rasterize(vertices, np.array([[0, 1, 2]]), {"x": values, "id": np.array([5, 6, 7])}, CAMERA, np.eye(4))
    expected = {(4, 3), (5, 3), (6, 3), (7, 3), (4, 4), (5, 4), (6, 4), (4, 5), (5, 5), (4, 6)}
    v, u = np.nonzero(images["face"] == 0)
    assert set(zip(u.tolist(), v.tolist(), strict=True)) == expected
    assert np.all(images["depth"][v, u] == np.float32(2.0))
    assert np.all(np.delete(images["depth"].ravel(), v * 9 + u) == 0)
    np.testing.assert_allclose(images["x"][v, u], (v - 3) * 1.0 + (u - 4) * 10.0, atol=1e-9)
    assert images["id"][3, 4] == 5 and images["id"][6, 4] == 6 and images["id"][3, 7] == 7
    assert images["id"].dtype == np.int64 and images["id"][0, 0] == 0


def test_interpolation_is_perspective_correct() -> None:
    # A floor-like triangle whose attribute is its own z: the image must equal the depth, not a screen-space blend.
    vertices = np.array([[-5.0, 0.2, 1.0], [0.0, 0.6, 9.0], [5.0, -0.5, 1.0]])
    images = rasterize(vertices, np.array([[0, 1, 2]]), {"z": vertices[:, 2]}, CAMERA, np.eye(4))
    hit = images["face"] >= 0
    assert hit.sum() > 10
    np.testing.assert_allclose(images["z"][hit], images["depth"][hit], rtol=1e-6)


@pytest.mark.parametrize("order", [(1.0, 2.0), (2.0, 1.0)])
def test_the_nearer_plane_wins_whatever_the_order(order: tuple[float, float]) -> None:
    small_is_near = {1.0: 0.1, 2.0: 100.0}
    vertices, faces = join(*(square(z, small_is_near[z]) for z in order))
    images = rasterize(vertices, faces, {}, CAMERA, np.eye(4))
    near = np.zeros((7, 9), dtype=bool)
    near[2:5, 3:6] = True  # 0.1 m at 1 m is one pixel around the centre
    np.testing.assert_array_equal(images["depth"], np.where(near, np.float32(1), np.float32(2)))


def test_the_camera_pose_moves_the_view() -> None:
    vertices, faces = square(0.0)
    T = np.eye(4)
    T[:3, 3] = (3.0, -1.0, -2.5)
    images = rasterize(vertices, faces, {}, CAMERA, T)
    np.testing.assert_allclose(images["depth"], 2.5)


def test_back_faces_can_be_left_out() -> None:
    vertices, faces = square(1.0)
    assert (rasterize(vertices, faces, {}, CAMERA, np.eye(4), cull_back=True)["face"] >= 0).all()
    behind = rasterize(vertices, faces[:, ::-1], {}, CAMERA, np.eye(4), cull_back=True)
    assert (behind["face"] == -1).all() and (behind["depth"] == 0).all()
    assert (rasterize(vertices, faces[:, ::-1], {}, CAMERA, np.eye(4))["face"] >= 0).all()


@pytest.mark.parametrize("quads", [False, True], ids=["one corner in front", "two corners in front"])
def test_a_floor_that_runs_under_the_camera_is_cut_at_the_near_plane(quads: bool) -> None:
    # Floor y = 1: pixel row v > 3 sees it at z = 10 / (v - 3); rows at or above the horizon see nothing.
    corners = [(-100.0, 1.0, -50.0), (0.0, 1.0, 500.0), (100.0, 1.0, -50.0)]
    if quads:
        corners = [(-1000.0, 1.0, 500.0), (1000.0, 1.0, 500.0), (0.0, 1.0, -500.0)]
    camera = Intrinsics(10.0, 10.0, 4.0, 3.0, 9, 40)
    vertices = np.array(corners)
    images = rasterize(vertices, np.array([[0, 1, 2]]), {"z": vertices[:, 2]}, camera, np.eye(4))
    rows = np.arange(4, 40)
    np.testing.assert_allclose(images["depth"][4:, 4], 10.0 / (rows - 3), rtol=1e-5)
    np.testing.assert_allclose(images["z"][4:, 4], 10.0 / (rows - 3), rtol=1e-5)
    assert (images["face"][:3] == -1).all() and (images["face"][4:, 4] == 0).all()


def test_nothing_behind_the_camera_is_drawn() -> None:
    vertices, faces = square(-1.0)
    for mesh in (faces, None):
        assert (rasterize(vertices, mesh, {}, CAMERA, np.eye(4))["face"] == -1).all()


def test_shared_edges_leave_no_cracks() -> None:
    n = 40
    x, y = np.meshgrid(np.linspace(-0.7, 0.7, n), np.linspace(-0.7, 0.7, n))
    vertices = np.stack([x, y, 1 + 0.3 * np.sin(9 * x) * np.sin(7 * y)], -1).reshape(-1, 3)
    i = np.arange(n * n).reshape(n, n)
    faces = np.concatenate(
        [
            np.stack([i[:-1, :-1], i[1:, :-1], i[:-1, 1:]], -1).reshape(-1, 3),
            np.stack([i[1:, :-1], i[1:, 1:], i[:-1, 1:]], -1).reshape(-1, 3),
        ]
    )
    camera = Intrinsics(100.0, 100.0, 49.5, 49.5, 100, 100)
    assert (rasterize(vertices, faces, {}, camera, np.eye(4))["face"] >= 0).all()


def test_points_cover_squares_and_the_nearest_wins() -> None:
    points = np.array([[0.0, 0.0, 2.0], [0.1, 0.0, 1.0]])  # at pixels (4, 3) and (5, 3)
    images = rasterize(points, None, {"label": np.array([1, 2], np.int16)}, CAMERA, np.eye(4), point_size=3)
    expected = np.zeros((7, 9), np.int16)
    expected[2:5, 3:6] = 1
    expected[2:5, 4:7] = 2
    np.testing.assert_array_equal(images["label"], expected)
    assert images["depth"][3, 3] == 2 and images["depth"][3, 4] == 1 and images["face"][3, 6] == 1
    single = rasterize(points, np.zeros((0, 3), int), {}, CAMERA, np.eye(4), point_size=1)
    assert (single["face"] >= 0).sum() == 2


def test_wrong_attributes_are_refused() -> None:
    vertices, faces = square(1.0)
    with pytest.raises(ValueError, match="'c'.*3 values for 4 vertices"):
        rasterize(vertices, faces, {"c": np.zeros(3)}, CAMERA, np.eye(4))
    with pytest.raises(ValueError, match="reserved"):
        rasterize(vertices, faces, {"depth": np.zeros(4)}, CAMERA, np.eye(4))


def test_headlight_is_full_from_the_front_and_ambient_from_the_side() -> None:
    normals = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [0.0, np.sqrt(0.75), -0.5]])
    light = headlight(normals, np.tile([0.0, 0.0, 2.0], (3, 1)), np.eye(4), ambient=0.4)
    np.testing.assert_allclose(light, [1.0, 0.4, 0.7], atol=1e-6)


def ray_cast(vertices: np.ndarray, faces: np.ndarray, camera: Intrinsics, near: float) -> tuple[np.ndarray, np.ndarray]:
    """The slow twin: every pixel's ray against every triangle. Returns depth and how close the ray is to an edge."""
    depth = np.full((camera.height, camera.width), np.inf)
    margin = np.full((camera.height, camera.width), np.inf)
    for v in range(camera.height):
        for u in range(camera.width):
            ray = np.array([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, 1.0])
            for a, b, c in vertices[faces]:
                matrix = np.stack([b - a, c - a, -ray], axis=1)
                if abs(np.linalg.det(matrix)) < 1e-9:
                    continue
                s, t, z = np.linalg.solve(matrix, -a)
                weights = np.array([1 - s - t, s, t])
                margin[v, u] = min(margin[v, u], np.abs(weights).min(), abs(z - near))
                if weights.min() >= 0 and z >= near:
                    depth[v, u] = min(depth[v, u], z)
    return np.where(np.isinf(depth), 0, depth), margin


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_equals_ray_casting_on_random_triangles(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    vertices = rng.uniform([-1.5, -1.5, -1.0], [1.5, 1.5, 3.0], size=(3 * count, 3))
    faces = np.arange(3 * count).reshape(-1, 3)
    depth, margin = ray_cast(vertices, faces, CAMERA, 0.1)
    sure = margin > 1e-6  # rays that graze an edge may fall on either side
    ours = rasterize(vertices, faces, {"z": vertices[:, 2]}, CAMERA, np.eye(4), near_m=0.1)
    np.testing.assert_allclose(ours["depth"][sure], depth[sure], rtol=1e-4)
    np.testing.assert_allclose(ours["z"][sure], depth[sure], rtol=1e-4, atol=1e-6)
