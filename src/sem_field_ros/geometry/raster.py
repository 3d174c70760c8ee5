"""Software z-buffer: triangle meshes and point clouds with per-vertex attributes seen from a camera, without OpenGL.

Every triangle is rasterised exactly: pixel centres inside it (edges included), perspective-correct interpolation,
the nearest surface wins. Fragments are made for many triangles at once in numpy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from sem_field_ros.geometry.camera import Intrinsics, project
from sem_field_ros.geometry.poses import inverse, transform_points

_CHUNK = 1 << 21  # candidate pixels per round: bounds memory at about 200 MB
_EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)


def rasterize(
    vertices: np.ndarray,
    faces: np.ndarray | None,
    attributes: Mapping[str, np.ndarray],
    camera: Intrinsics,
    T_world_camera: np.ndarray,
    *,
    cull_back: bool = False,
    near_m: float = 0.02,
    point_size: int = 3,
) -> dict[str, np.ndarray]:
    """Render a mesh, or a point cloud if `faces` is None or empty.

    vertices        [V, 3] world, metres          faces  [F, 3], counter-clockwise seen from the front
    attributes      name -> [V] or [V, K]: floating types are interpolated over the triangle; integers and bools are
                    taken from the corner with the greatest (screen-space) weight
    T_world_camera  4x4, optical camera frame to world
    cull_back       leave out triangles seen from behind
    near_m          nearer parts are cut off
    point_size      side of the square that a point covers, pixels (clouds only)

    Returns `depth` [h, w] float32 metres along z (0 = nothing), `face` [h, w] int32 (index of the face, or of the
    point of a cloud; -1 = nothing) and one image [h, w] or [h, w, K] per attribute, zero where nothing was hit.
    Raises ValueError if shapes do not fit or a name is taken.
    """
    vertices = np.asarray(vertices, dtype=np.float64).reshape(-1, 3)
    for name, values in attributes.items():
        if name in ("depth", "face") or len(values) != len(vertices):
            raise ValueError(f"attribute '{name}': reserved name, or {len(values)} values for {len(vertices)} vertices")
    points = transform_points(inverse(T_world_camera), vertices)
    attributes = {name: np.asarray(values) for name, values in attributes.items()}
    if faces is None or len(faces) == 0:
        return _rasterize_points(points, attributes, camera, near_m, point_size)
    faces = np.asarray(faces, dtype=np.int64)
    points, attributes, faces, source = _clip_near(points, attributes, faces, near_m)
    pixels, z = project(points, camera)
    keep = _visible(pixels, z, faces, camera, cull_back)
    faces, source = faces[keep], source[keep]
    winner, depth = _z_buffer(pixels, z, faces, camera)
    return _shade(pixels, z, faces, source, attributes, winner, depth, camera)


def headlight(
    normals: np.ndarray, vertices: np.ndarray, T_world_camera: np.ndarray, ambient: float = 0.35
) -> np.ndarray:
    """Brightness [V] float32 in [ambient, 1] of vertices lit from the camera: by the angle of normal and view ray."""
    rays = np.asarray(T_world_camera)[:3, 3] - np.asarray(vertices, dtype=np.float64)
    rays /= np.maximum(np.linalg.norm(rays, axis=-1, keepdims=True), 1e-9)
    cosine = np.abs((rays * normals).sum(axis=-1))
    return (ambient + (1 - ambient) * cosine).astype(np.float32)


def _rasterize_points(
    points: np.ndarray, attributes: dict[str, np.ndarray], camera: Intrinsics, near_m: float, size: int
) -> dict[str, np.ndarray]:
    """Each point covers `size` x `size` pixels around its own, at its own depth."""
    pixels, z = project(points, camera)
    index = np.flatnonzero(z >= near_m)
    shape = (camera.height, camera.width)
    buffer = np.full(shape[0] * shape[1], _EMPTY)
    corner = np.floor(np.clip(pixels[index], -1e6, 1e6) + 0.5).astype(np.int64) - (size - 1) // 2
    keys = _depth_key(z[index], index)
    for dv in range(size):
        for du in range(size):
            u, v = corner[:, 0] + du, corner[:, 1] + dv
            inside = (u >= 0) & (u < shape[1]) & (v >= 0) & (v < shape[0])
            np.minimum.at(buffer, v[inside] * shape[1] + u[inside], keys[inside])
    face, depth = _read_buffer(buffer, shape)
    hit = face >= 0
    images = {"depth": depth, "face": face}
    for name, values in attributes.items():
        images[name] = np.zeros((*shape, *values.shape[1:]), dtype=values.dtype)
        images[name][hit] = values[face[hit]]
    return images


def _clip_near(
    points: np.ndarray, attributes: dict[str, np.ndarray], faces: np.ndarray, near_m: float
) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Cut faces at z = near_m; also return which original face each remaining one came from."""
    source = np.arange(len(faces))
    behind = points[faces, 2] < near_m
    count = behind.sum(axis=1)
    crossing = np.flatnonzero((count == 1) | (count == 2))
    whole = count == 0
    if len(crossing) == 0:
        return points, attributes, faces[whole], source[whole]
    # Turn each crossing face so that its odd corner (alone on its side) comes first; winding is kept.
    odd = np.where(count[crossing] == 1, behind[crossing].argmax(1), (~behind[crossing]).argmax(1))
    turned = faces[crossing[:, None], (odd[:, None] + np.arange(3)) % 3]
    a, b, c = turned.T
    start = len(points)
    ab, ac = start + np.arange(len(a)), start + len(a) + np.arange(len(a))
    fraction = np.concatenate([(near_m - points[a, 2]) / (points[o, 2] - points[a, 2]) for o in (b, c)])
    ends = np.concatenate([b, c])
    starts = np.concatenate([a, a])
    points = _append_mix(points, starts, ends, fraction)
    points[start:, 2] = near_m
    attributes = {name: _append_mix(values, starts, ends, fraction) for name, values in attributes.items()}
    tip = count[crossing] == 2  # the odd corner is the one in front: its tip stays; else the other side, a quad
    quad = ~tip
    parts = [
        np.stack([a, ab, ac], 1)[tip],
        np.stack([ab, b, c], 1)[quad],
        np.stack([ab, c, ac], 1)[quad],
    ]
    sources = [crossing[tip], crossing[quad], crossing[quad]]
    return points, attributes, np.concatenate([faces[whole], *parts]), np.concatenate([source[whole], *sources])


def _append_mix(values: np.ndarray, starts: np.ndarray, ends: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    """Append values between `starts` and `ends`: interpolated, or the nearer end's for integers."""
    if np.issubdtype(values.dtype, np.floating):
        f = fraction.reshape(-1, *[1] * (values.ndim - 1))
        new = values[starts] * (1 - f) + values[ends] * f
    else:
        new = values[np.where(fraction < 0.5, starts, ends)]
    return np.concatenate([values, new.astype(values.dtype)])


def _visible(pixels: np.ndarray, z: np.ndarray, faces: np.ndarray, camera: Intrinsics, cull_back: bool) -> np.ndarray:
    """Faces [F] bool that may cover a pixel: in the image, not seen exactly from the side, not culled."""
    corners = pixels[faces]
    low, high = corners.min(axis=1), corners.max(axis=1)
    keep = (high >= 0).all(1) & (low[:, 0] <= camera.width - 1) & (low[:, 1] <= camera.height - 1)
    keep &= (np.ceil(low) <= np.floor(high)).all(1)  # no pixel centre between its borders
    area = _cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    keep &= (area < 0) if cull_back else (area != 0)  # v points down: counter-clockwise has a negative area
    return np.flatnonzero(keep)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _weights(pixels: np.ndarray, faces: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Screen-space barycentric weights [N, 3] of pixel (u, v) in each face [N, 3]."""
    a, b, c = (pixels[faces[:, i]] for i in range(3))
    p = np.stack([u, v], axis=-1)
    area = _cross(b - a, c - a)
    w_b = _cross(p - a, c - a) / area
    w_c = _cross(b - a, p - a) / area
    return np.stack([1 - w_b - w_c, w_b, w_c], axis=-1)


def _fragments(
    pixels: np.ndarray, faces: np.ndarray, camera: Intrinsics
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield (face, u, v) for every pixel in the bounding boxes of the faces, about _CHUNK at a time."""
    corners = pixels[faces]
    size = np.array([camera.width, camera.height])
    low = np.clip(np.ceil(corners.min(axis=1)), 0, size).astype(np.int64)
    high = np.clip(np.floor(corners.max(axis=1)), -1, size - 1).astype(np.int64)
    extent = np.maximum(high - low + 1, 0)
    counts = extent[:, 0] * extent[:, 1]
    rounds = np.cumsum(counts) // _CHUNK
    for group in np.split(np.arange(len(faces)), np.flatnonzero(np.diff(rounds)) + 1):
        face = np.repeat(group, counts[group])
        first = np.cumsum(counts[group]) - counts[group]
        rank = np.arange(len(face)) - np.repeat(first, counts[group])
        width = extent[face, 0]
        yield face, low[face, 0] + rank % width, low[face, 1] + rank // width


def _z_buffer(
    pixels: np.ndarray, z: np.ndarray, faces: np.ndarray, camera: Intrinsics
) -> tuple[np.ndarray, np.ndarray]:
    """Nearest face per pixel [h, w] int32 (-1 = none) and its depth [h, w] float32."""
    buffer = np.full(camera.height * camera.width, _EMPTY)
    inverse_z = 1.0 / z[faces]
    for face, u, v in _fragments(pixels, faces, camera):
        weights = _weights(pixels, faces[face], u, v)
        inside = (weights >= -1e-9).all(axis=1)  # both triangles may claim a shared edge: no cracks
        face = face[inside]
        depth = 1.0 / (weights[inside] * inverse_z[face]).sum(axis=1)  # 1/z is linear on the screen
        np.minimum.at(buffer, v[inside] * camera.width + u[inside], _depth_key(depth, face))
    return _read_buffer(buffer, (camera.height, camera.width))


def _depth_key(depth: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Sortable uint64: positive float32 bits order like the numbers; ties go to the lower index."""
    bits = np.ascontiguousarray(depth, dtype=np.float32).view(np.uint32).astype(np.uint64)
    return (bits << np.uint64(32)) | index.astype(np.uint64)


def _read_buffer(buffer: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    hit = buffer != _EMPTY
    index = np.where(hit, buffer & np.uint64(0xFFFFFFFF), 0).astype(np.int64)
    depth = (buffer >> np.uint64(32)).astype(np.uint32).view(np.float32)
    face = np.where(hit, index, -1).astype(np.int32)
    return face.reshape(shape), np.where(hit, depth, np.float32(0)).reshape(shape)


def _shade(
    pixels: np.ndarray,
    z: np.ndarray,
    faces: np.ndarray,
    source: np.ndarray,
    attributes: dict[str, np.ndarray],
    winner: np.ndarray,
    depth: np.ndarray,
    camera: Intrinsics,
) -> dict[str, np.ndarray]:
    """Attribute images of the winning faces."""
    v, u = np.nonzero(winner >= 0)
    corners = faces[winner[v, u]]
    weights = np.clip(_weights(pixels, corners, u, v), 0, 1)
    nearest = corners[np.arange(len(corners)), weights.argmax(axis=1)]
    weights = weights / z[corners]
    weights /= weights.sum(axis=1, keepdims=True)
    face = np.full(winner.shape, -1, dtype=np.int32)
    face[v, u] = source[winner[v, u]]
    images = {"depth": depth, "face": face}
    for name, values in attributes.items():
        image = np.zeros((camera.height, camera.width, *values.shape[1:]), dtype=values.dtype)
        if np.issubdtype(values.dtype, np.floating):
            image[v, u] = np.einsum("nc,nc...->n...", weights, values[corners])
        else:
            image[v, u] = values[nearest]
        images[name] = image
    return images
