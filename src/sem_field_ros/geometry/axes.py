"""Up directions: the six axes by name, and the rotation that puts any of them upright."""

from __future__ import annotations

import numpy as np

AXES = ("x", "y", "z", "-x", "-y", "-z")
PLUS_SPELLINGS = {f"+{name}": name for name in "xyz"}
_EPSILON = 1e-9


def axis_vector(name: str) -> np.ndarray:
    """Unit vector [3] of an axis in AXES (or with a plus: `+y`). Raises ValueError for any other text."""
    name = PLUS_SPELLINGS.get(name, name)
    if name not in AXES:
        raise ValueError(f"an axis is one of {', '.join(AXES)}, got {name!r}")
    vector = np.zeros(3)
    vector["xyz".index(name[-1])] = -1.0 if name[0] == "-" else 1.0
    return vector


def rotation_between(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The shortest rotation [3, 3] that turns unit vector `source` [3] into unit vector `target` [3]."""
    cross, cosine = np.cross(source, target), float(source @ target)
    if cosine < -1 + _EPSILON:  # opposite: half a turn about any perpendicular axis, x if it is one
        axis = np.eye(3)[np.argmin(np.abs(source))]
        axis = axis - (axis @ source) * source
        axis /= np.linalg.norm(axis)
        return 2 * np.outer(axis, axis) - np.eye(3)
    skew = np.array([[0, -cross[2], cross[1]], [cross[2], 0, -cross[0]], [-cross[1], cross[0], 0]])
    return np.eye(3) + skew + skew @ skew / (1 + cosine)


def upright(up: np.ndarray | str) -> np.ndarray:
    """R_upright_world [3, 3]: turns a world whose up is `up` (unit vector [3], or an axis by name) so that up is +z."""
    return rotation_between(axis_vector(up) if isinstance(up, str) else np.asarray(up, np.float64), axis_vector("z"))
