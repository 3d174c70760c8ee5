"""Views of a whole scan: the up direction, the two oblique views that show most, and their distance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sem_field_ros.geometry.axes import AXES, axis_vector
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import transform_points
from sem_field_ros.geometry.raster import rasterize

_MAX_SAMPLES = 30_000  # points used to choose views; more change nothing
_AZIMUTHS = 12
_LEVEL = np.cos(np.radians(15))  # surface this close to level counts as a floor or a table top
_UNDERSIDE_PENALTY = 5.0  # cameras see floors and table tops but hardly any underside; of walls they see both sides
_CLEAR, _UNCLEAR = 0.08, 0.02  # shares of the surface: so much speaks for a direction, or does not
_FRONTAL_PENALTY = 0.15  # a view along a wall must show this much more than one across the corner


def estimate_up(normals: np.ndarray, T_world_cameras: Sequence[np.ndarray] | None) -> np.ndarray:
    """Unit vector [3] against gravity: +z without cameras or if cameras agree, else from cameras and normals.

    normals  [N, 3] unit normals of the scan, towards free space (zeros where unknown)

    Cameras are upright on average, so the mean of their -y axes is roughly up; the most common normal near it
    (floor, tables) makes it exact. ROS maps are z-up; worlds of data sets are often not.
    """
    z_up = np.array([0.0, 0.0, 1.0])
    if T_world_cameras is None or len(T_world_cameras) == 0:
        return z_up
    rough = _cameras_up(T_world_cameras)
    if rough @ z_up > np.cos(np.radians(30)):
        return z_up
    near = _sample(normals[normals @ rough > np.cos(np.radians(45))])
    if len(near) < 100:
        return rough
    close = near[:: max(1, len(near) // 1000)] @ near.T > np.cos(np.radians(6))
    up = near[close[close.sum(axis=1).argmax()]].mean(axis=0)
    return up / np.linalg.norm(up)


def apparent_up_axis(
    normals: np.ndarray, areas: np.ndarray, up: np.ndarray, T_world_cameras: Sequence[np.ndarray] = ()
) -> str | None:
    """The axis (in AXES) that looks like up where the surface contradicts `up` [3]; None where it agrees or is unclear.

    normals  [N, 3] unit normals towards free space          areas  [N] area of the surface around each

    Up is where much surface faces (floors, table tops) and hardly any faces the other way: cameras seldom see the
    underside of things. Scans with a ceiling are unclear, and so are surfaces that the cameras contradict.
    """

    def evidence(direction: np.ndarray) -> float:
        cosine = normals @ direction
        return float(areas[cosine > _LEVEL].sum() - _UNDERSIDE_PENALTY * areas[cosine < -_LEVEL].sum()) / total

    total = float(areas.sum())
    if total <= 0 or evidence(up) > _UNCLEAR:
        return None
    best = max(AXES, key=lambda name: evidence(axis_vector(name)))
    vector = axis_vector(best)
    if evidence(vector) < _CLEAR or vector @ up > _LEVEL:
        return None
    seen_upright = len(T_world_cameras) == 0 or _cameras_up(T_world_cameras) @ vector > 0.5
    return best if seen_upright else None


def look_at(eye: np.ndarray, target: np.ndarray, up: np.ndarray) -> np.ndarray:
    """T_world_camera (4x4) of a camera at `eye` that looks at `target`; `up` points to the image's top."""
    forward = np.asarray(target, dtype=np.float64) - eye
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    T = np.eye(4)
    T[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    T[:3, 3] = eye
    return T


def two_views(
    points: np.ndarray, normals: np.ndarray, up: np.ndarray, camera: Intrinsics, elevation_deg: float = 42.0
) -> list[np.ndarray]:
    """Two T_world_camera from outside, at least 90 degrees apart, that together show most of the scan's front.

    points  [N, 3] metres, N >= 1          normals  [N, 3] unit, towards free space; zeros are seen from everywhere
    """
    keep = _sample(np.arange(len(points)))
    points, normals = points[keep], normals[keep]
    from_wall = np.pi / _AZIMUTHS + 2 * np.pi * np.arange(_AZIMUTHS) / _AZIMUTHS  # never straight at a wall
    oblique = 1 - _FRONTAL_PENALTY * (1 - np.abs(np.sin(2 * from_wall)))
    candidates, seen = [], []
    for azimuth in _wall_azimuth(normals, up) + from_wall:
        T = fit_view(points, normals, _direction(up, azimuth, np.radians(elevation_deg)), up, camera)
        candidates.append(T)
        seen.append(_seen(points, normals, T, camera))
    least = _AZIMUTHS // 4
    pairs = [(i, j) for i in range(_AZIMUTHS) for j in range(i + 1, _AZIMUTHS) if least <= j - i <= _AZIMUTHS - least]
    best = max(pairs, key=lambda pair: (seen[pair[0]] | seen[pair[1]]).sum() * oblique[list(pair)].sum())
    first, second = sorted(best, key=lambda i: -int(seen[i].sum()))
    return [candidates[first], candidates[second]]


def fit_view(
    points: np.ndarray, normals: np.ndarray, direction: np.ndarray, up: np.ndarray, camera: Intrinsics
) -> np.ndarray:
    """T_world_camera that looks against `direction` and has (nearly) all front-facing points in the image."""
    front = _faces_viewer(normals, direction)
    points = points[front] if front.any() else points
    center = np.median(points, axis=0)
    margin = 0.94
    for _ in range(3):  # centring and distance depend on each other, so iterate
        T = look_at(center + direction, center, up)
        local = (points - center) @ T[:3, :3]
        slope = margin * np.array([camera.cx / camera.fx, camera.cy / camera.fy])
        distance = max(0.2, float(np.quantile(np.abs(local[:, :2]) / slope - local[:, 2:], 0.9995, axis=0).max()))
        angles = local[:, :2] / np.maximum(local[:, 2:] + distance, 0.05)
        low, high = np.quantile(angles, 0.0005, axis=0), np.quantile(angles, 0.9995, axis=0)
        center = center + T[:3, :2] @ ((low + high) / 2 * distance)
    return look_at(center + direction * distance, center, up)


def point_spacing(points: np.ndarray) -> float:
    """Typical distance to the nearest other point, metres; 0 for fewer than two points."""
    if len(points) < 2:
        return 0.0
    some = points[:: max(1, len(points) // 200)][:200]
    squared = ((some[:, None] - _sample(points)[None]) ** 2).sum(axis=-1)
    squared[squared < 1e-12] = np.inf
    thinned = min(1.0, _MAX_SAMPLES / len(points))  # a surface thinned by s has its points sqrt(s) closer together
    return float(np.sqrt(np.median(squared.min(axis=1)) * thinned))


def front_facing(points: np.ndarray, normals: np.ndarray, T_world_camera: np.ndarray) -> np.ndarray:
    """[N] bool: points whose normal points to the camera's side; zero normals always do."""
    return _faces_viewer(normals, T_world_camera[:3, 3] - points)


def _cameras_up(T_world_cameras: Sequence[np.ndarray]) -> np.ndarray:
    """Unit vector [3]: the mean of the cameras' -y axes."""
    mean = -np.mean([np.asarray(T)[:3, 1] for T in T_world_cameras], axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-9)


def _faces_viewer(normals: np.ndarray, directions: np.ndarray) -> np.ndarray:
    return ((normals * directions).sum(axis=-1) > 0) | ~normals.any(axis=-1)


def _sample(values: np.ndarray) -> np.ndarray:
    """At most _MAX_SAMPLES of the rows, evenly spread."""
    return values[np.linspace(0, len(values) - 1, min(len(values), _MAX_SAMPLES)).astype(int)]


def _horizontal_axes(up: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    seed = np.eye(3)[np.abs(up).argmin()]
    x = seed - up * (seed @ up)
    x /= np.linalg.norm(x)
    return x, np.cross(up, x)


def _direction(up: np.ndarray, azimuth: float, elevation: float) -> np.ndarray:
    x, y = _horizontal_axes(up)
    return np.cos(elevation) * (np.cos(azimuth) * x + np.sin(azimuth) * y) + np.sin(elevation) * up


def _wall_azimuth(normals: np.ndarray, up: np.ndarray) -> float:
    """Azimuth of the walls modulo 90 degrees, radians: the fourfold mean of the horizontal normals."""
    x, y = _horizontal_axes(up)
    walls = normals[(np.abs(normals @ up) < 0.3) & normals.any(axis=-1)]
    if len(walls) == 0:
        return 0.0
    return float(np.angle(np.exp(4j * np.arctan2(walls @ y, walls @ x)).sum()) / 4)


def _seen(points: np.ndarray, normals: np.ndarray, T_world_camera: np.ndarray, camera: Intrinsics) -> np.ndarray:
    """[N] bool: points seen from the camera, walls seen from behind being transparent. Coarse but quick."""
    small = camera.scaled(160, max(1, round(160 * camera.height / camera.width)))
    front = np.flatnonzero(front_facing(points, normals, T_world_camera))
    depth = rasterize(points[front], None, {}, small, T_world_camera, point_size=3)["depth"]
    local = transform_points(np.linalg.inv(T_world_camera), points[front])
    u = np.clip(np.round(small.fx * local[:, 0] / local[:, 2] + small.cx), 0, small.width - 1).astype(int)
    v = np.clip(np.round(small.fy * local[:, 1] / local[:, 2] + small.cy), 0, small.height - 1).astype(int)
    seen = np.zeros(len(points), dtype=bool)
    seen[front] = local[:, 2] < depth[v, u] * 1.02
    return seen
