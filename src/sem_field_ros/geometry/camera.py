"""Pinhole cameras. Optical frame: x right, y down, z forward; pixel centres at integer coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sem_field_ros.errors import FrameError


@dataclass(frozen=True)
class Intrinsics:
    """Pinhole intrinsics in pixels, for an image of `width` x `height`."""

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    def __post_init__(self) -> None:
        values = (self.fx, self.fy, self.cx, self.cy)
        if not all(np.isfinite(values)) or self.fx <= 0 or self.fy <= 0:
            raise FrameError(
                f"camera intrinsics fx={self.fx} fy={self.fy} cx={self.cx} cy={self.cy} are unusable: "
                "publish a calibrated CameraInfo (K[0] and K[4] above 0)",
                cause="bad_intrinsics",
            )
        if self.width <= 0 or self.height <= 0:
            raise FrameError(f"camera image size {self.width}x{self.height} is empty", cause="bad_intrinsics")

    @classmethod
    def from_matrix(cls, K: np.ndarray, width: int, height: int) -> Intrinsics:
        """Build from a 3x3 matrix (CameraInfo.k, intrinsics.txt). Raises FrameError if it is unusable."""
        K = np.asarray(K, dtype=np.float64).reshape(3, 3)
        return cls(float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2]), int(width), int(height))

    @property
    def matrix(self) -> np.ndarray:
        """The 3x3 matrix, float64."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], dtype=np.float64)

    def scaled(self, width: int, height: int) -> Intrinsics:
        """Return the same camera for an image resized to `width` x `height` (pixel areas scale, centres follow)."""
        if (width, height) == (self.width, self.height):
            return self
        sx, sy = width / self.width, height / self.height
        return Intrinsics(
            self.fx * sx, self.fy * sy, (self.cx + 0.5) * sx - 0.5, (self.cy + 0.5) * sy - 0.5, width, height
        )


def unproject(depth: np.ndarray, camera: Intrinsics) -> np.ndarray:
    """Depth [h, w] (metres along z, 0 invalid) -> points [h, w, 3] in the camera's optical frame, metres."""
    camera = camera.scaled(depth.shape[1], depth.shape[0])
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(u.shape)], axis=-1)
    return rays * depth[..., None]


def project(points: np.ndarray, camera: Intrinsics) -> tuple[np.ndarray, np.ndarray]:
    """Points [..., 3] in the optical frame -> pixels [..., 2] (u, v) and z [...]; z <= 0 is behind the camera."""
    z = points[..., 2]
    safe = np.where(np.abs(z) < 1e-9, 1e-9, z)
    u = camera.fx * points[..., 0] / safe + camera.cx
    v = camera.fy * points[..., 1] / safe + camera.cy
    return np.stack([u, v], axis=-1), z
