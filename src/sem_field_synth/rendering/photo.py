"""Turns linear renderings into photographs: automatic exposure and white balance, lens, noise, tone curve."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_KEY = 0.22  # where the geometric mean of the luminance goes; 18 % grey and a little
_SHOULDER = 0.6  # linear up to here, then highlights are rolled off
_FOLLOWED = 0.5  # how far the automatic exposure follows a single picture away from the whole sequence
_BALANCED = 0.65  # how much of the light's colour the automatic white balance takes away
_LUMA = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)


@dataclass(frozen=True)
class PhotoCamera:
    """A camera's parameters, drawn once per sequence. `gain` [3] and `level` are its settings for the sequence's light.

    stops  brighter than usual
    blur  standard deviation of the lens' and demosaicing's blur, pixels      shot, read  noise, of full scale
    vignetting  light lost in the corners      saturation, gamma  of the camera's colours
    """

    level: float
    stops: float
    gain: np.ndarray
    blur: float
    shot: float
    read: float
    vignetting: float
    saturation: float
    gamma: float
    jpeg_quality: int

    def take(self, linear: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Linear RGB [H, W, 3] -> photograph [H, W, 3] uint8 sRGB."""
        exposure = 2.0**self.stops * _KEY / self.level ** (1 - _FOLLOWED) / _log_mean(linear) ** _FOLLOWED
        light = linear * np.float32(exposure) * self.gain.astype(np.float32)
        light = np.minimum(light, 8.0) * _falloff(linear.shape[:2], self.vignetting)[..., None]
        if self.blur > 0.05:
            light = cv2.GaussianBlur(light, (0, 0), self.blur)
        grain = rng.normal(size=light.shape).astype(np.float32)
        if self.blur > 0.05:
            grain = cv2.GaussianBlur(grain, (0, 0), 0.5)  # neighbouring pixels share their demosaiced colours
        light = light + grain * np.sqrt(self.shot * np.maximum(light, 0) + self.read**2)
        grey = (light @ _LUMA)[..., None]
        light = grey + (light - grey) * np.float32(self.saturation)
        return np.round(255 * _encode(_roll_off(light)) ** self.gamma).astype(np.uint8)


def perfect_camera(probes: list[np.ndarray], stops: float = 0.0) -> PhotoCamera:
    """A camera with exposure and white balance only."""
    return PhotoCamera(_level(probes), stops, _balance(probes), 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 95)


def draw_camera(probes: list[np.ndarray], rng: np.random.Generator, stops: float = 0.0) -> PhotoCamera:
    """A random camera set to the light of `probes` (linear pictures of the sequence), `stops` brighter than usual."""
    iso = float(np.exp(rng.uniform(np.log(0.3), np.log(3.0))))
    jitter = np.exp(rng.normal(0, [0.04, 0.015, 0.05]))
    return PhotoCamera(
        level=_level(probes),
        stops=stops + float(rng.normal(0, 0.15)),
        gain=_balance(probes) * jitter,
        blur=float(rng.uniform(0.0, 0.7)),
        shot=4e-4 * iso,
        read=3e-3 * iso,
        vignetting=float(rng.uniform(0.0, 0.3)),
        saturation=float(rng.uniform(0.85, 1.15)),
        gamma=float(rng.uniform(0.92, 1.06)),
        jpeg_quality=int(rng.integers(80, 96)),
    )


def _log_mean(linear: np.ndarray) -> float:
    """Geometric mean of the luminance, the brightest (windows, lamps) and darkest hundredths left out."""
    luma = np.sort((linear @ _LUMA).reshape(-1))
    cut = len(luma) // 50
    return float(np.exp(np.log(luma[cut : len(luma) - cut] + 1e-6).mean()))


def _level(probes: list[np.ndarray]) -> float:
    return float(np.exp(np.mean([np.log(_log_mean(probe)) for probe in probes])))


def _balance(probes: list[np.ndarray]) -> np.ndarray:
    """Gains that take most of the light's colour away, by the grey-world assumption."""
    mean = np.mean([np.minimum(p, 4 * _log_mean(p)).reshape(-1, 3).mean(0) for p in probes], axis=0) + 1e-9
    gain = (mean.mean() / mean) ** _BALANCED
    return np.clip(gain / (gain @ _LUMA), 0.5, 2.0)


def _falloff(shape: tuple[int, int], strength: float) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    x, y = x / (shape[1] - 1) * 2 - 1, y / (shape[0] - 1) * 2 - 1
    return 1 - np.float32(strength) * (x * x + y * y) / 2


def _roll_off(light: np.ndarray) -> np.ndarray:
    rest = 1 - _SHOULDER
    return np.where(light < _SHOULDER, np.maximum(light, 0), 1 - rest * np.exp((_SHOULDER - light) / rest))


def _encode(linear: np.ndarray) -> np.ndarray:
    """The sRGB curve."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
