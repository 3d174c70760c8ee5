"""Pinhole cameras. Optical frame: x right, y down, z forward; pixel centres at integer coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sem_field_ros.errors import FrameError

# what a camera can have: focal lengths in image sides (view of 157 to 0.6 degrees), the principal point's distance from
# the middle in image sides (beyond the image for a crop)
_WIDEST, _NARROWEST, _FARTHEST_CENTRE = 0.1, 100.0, 2.0
_OTHER_SIZE, _SAME_FACTOR, _TURNED = 1.4, 0.12, 1.2
_JUDGED_SIDE = 16  # in smaller images half a pixel is much


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

    def check_plausible(self) -> None:
        """Raise FrameError (cause `bad_intrinsics`) for intrinsics that no camera with such images has.

        Normalised or damaged numbers, and those of a picture of another size or turned by a quarter.
        """
        size, centre = (self.width, self.height), ((self.width - 1) / 2, (self.height - 1) / 2)
        what = f"intrinsics fx={self.fx:g} fy={self.fy:g} cx={self.cx:g} cy={self.cy:g}"
        for focal, extent in ((self.fx, self.width), (self.fy, self.height)):
            if not _NARROWEST * extent >= focal >= _WIDEST * extent:
                raise FrameError(
                    f"{what} do not belong to images of {self.width}x{self.height}: the focal length must lie between "
                    f"{_WIDEST:g} and {_NARROWEST:g} times their side; give it in pixels of these images",
                    cause="bad_intrinsics",
                )
        offsets = [abs(c - m) / n for c, m, n in zip((self.cx, self.cy), centre, size, strict=True)]
        if max(offsets) > _FARTHEST_CENTRE:
            advice = "give the intrinsics of these images"
        elif min(size) < _JUDGED_SIDE:
            return
        elif self._of_other_size() is not None:
            factor = self._of_other_size()
            advice = f"they seem to be of images {factor:.3g} times as large; give those of these images"
        elif self._of_turned_image():
            advice = "they seem to be of images turned by a quarter; give those of these images"
        else:
            return
        raise FrameError(
            f"{what} do not belong to images of {self.width}x{self.height} with their centre at {centre[0]:g}, "
            f"{centre[1]:g}: {advice}",
            cause="bad_intrinsics",
        )

    def _of_other_size(self) -> float | None:
        """The factor where the principal point is the middle of an image this much larger or smaller, else None."""
        x, y = (2 * self.cx + 1) / self.width, (2 * self.cy + 1) / self.height
        if x <= 0 or y <= 0 or abs(x / y - 1) > _SAME_FACTOR or 1 / _OTHER_SIZE < x < _OTHER_SIZE:
            return None
        return x

    def _of_turned_image(self) -> bool:
        if max(self.width, self.height) < _TURNED * min(self.width, self.height):
            return False
        x, y = (2 * self.cx + 1) / self.height, (2 * self.cy + 1) / self.width
        return abs(x - 1) < _SAME_FACTOR and abs(y - 1) < _SAME_FACTOR

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
