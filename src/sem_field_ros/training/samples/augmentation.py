"""Augmentation of labelled images in view and appearance, so that training on renderings carries over to photographs.

All random numbers come from one numpy generator, so a sample depends on its number alone. Changes of view move image
and labels together; changes of appearance leave the labels alone; cut-outs hide a part of the image and unlabel it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

Rng = np.random.Generator


@dataclass(frozen=True)
class AugmentationConfig:
    """Ranges and probabilities.

    width, height   of the crops, pixels                  scale     zoom range, log-uniform: 1 keeps the source's pixels
    rotation_deg    camera roll, +- uniform               aspect    largest log of the stretch of each axis
    strength        of the changes of appearance: 0 = none, 1 = full
    cutout          probability of cut-outs
    """

    width: int = 256
    height: int = 192
    scale: tuple[float, float] = (0.7, 1.8)
    aspect: float = 0.15
    rotation_deg: float = 8.0
    flip: bool = True
    strength: float = 1.0
    cutout: float = 0.3


def augment(
    color: np.ndarray, index: np.ndarray, config: AugmentationConfig, rng: Rng
) -> tuple[np.ndarray, np.ndarray]:
    """color [H, W, 3] uint8 RGB, index [H, W] int8 -> both of size `height` x `width`."""
    color, index = random_view(color, index, config, rng)
    if config.strength > 0:
        color = random_materials(color, index, config.strength, rng)
        color = random_appearance(color, config.strength, rng)
    if rng.random() < config.cutout:
        color, index = cut_out(color, index, rng)
    return color, index


def random_view(
    color: np.ndarray, index: np.ndarray, config: AugmentationConfig, rng: Rng
) -> tuple[np.ndarray, np.ndarray]:
    """The same random crop, zoom, stretch, roll and flip of both; outside the image: mirrored colour, no label."""
    matrix = _view_matrix(color.shape[1], color.shape[0], config, rng)
    size = config.width, config.height
    zoom = math.sqrt(abs(np.linalg.det(matrix[:, :2])))
    if zoom < 0.8:  # warping samples single pixels: average them first, as a camera does
        color = cv2.GaussianBlur(color, (0, 0), 0.4 / zoom)
    moved = cv2.warpAffine(color, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    # OpenCV warps uint8, in which -1 is 255
    labels = cv2.warpAffine(
        index.view(np.uint8), matrix, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=255
    )
    return moved, labels.view(np.int8)


def _view_matrix(width: int, height: int, config: AugmentationConfig, rng: Rng) -> np.ndarray:
    """2x3 matrix from source to target pixels."""
    low, high = config.scale
    zoom = math.exp(rng.uniform(math.log(low), math.log(high)))
    stretch = math.exp(rng.uniform(-config.aspect, config.aspect))
    mirror = -1.0 if config.flip and rng.random() < 0.5 else 1.0
    angle = math.radians(rng.uniform(-config.rotation_deg, config.rotation_deg))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = turn @ np.diag([zoom * stretch * mirror, zoom / stretch])
    # the centre of the crop is drawn so that the crop lies inside the image, or else the image inside the crop
    centers = []
    for size, crop, factor in ((width, config.width, zoom * stretch), (height, config.height, zoom / stretch)):
        half = crop / factor / 2
        a, b = sorted((half, size - half))
        centers.append(rng.uniform(a, b))
    shift = np.array([config.width, config.height]) / 2 - linear @ np.array(centers)
    return np.column_stack([linear, shift])


def random_materials(color: np.ndarray, index: np.ndarray, strength: float, rng: Rng) -> np.ndarray:
    """Repaint some classes: all wall, say, is multiplied by one colour, which keeps its texture and shading."""
    gain = np.ones((*index.shape, 3), np.float32)
    for number in np.unique(index):
        if number >= 0 and rng.random() < 0.35 * strength:
            gain[index == number] = np.exp(rng.normal(0, 0.4) + rng.normal(0, 0.2, 3)).astype(np.float32)
    if (gain == 1).all():
        return color
    gain = cv2.GaussianBlur(gain, (3, 3), 0)  # soft borders, as in the image
    return np.clip(color * gain, 0, 255).astype(np.uint8)


def random_appearance(color: np.ndarray, strength: float, rng: Rng) -> np.ndarray:
    """Exposure, gamma, white balance, colours, blur, noise and JPEG compression, each with some probability."""
    image = color.astype(np.float32) / 255
    image = _light(image, strength, rng)
    if rng.random() < 0.3 * strength:
        image = _blurred(image, rng)
    if rng.random() < 0.5 * strength:
        image = _noisy(image, rng)
    out = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    if rng.random() < 0.3 * strength:
        out = _compressed(out, int(rng.integers(25, 90)))
    return out


def _compressed(color: np.ndarray, quality: int) -> np.ndarray:
    data = cv2.imencode(".jpg", color, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    out = cv2.imdecode(data, cv2.IMREAD_COLOR)  # the order of the channels is kept
    assert out is not None
    return out


def _light(image: np.ndarray, strength: float, rng: Rng) -> np.ndarray:
    if rng.random() < 0.8:
        image = np.power(image, math.exp(rng.uniform(-0.5, 0.5) * strength))  # gamma
    gain = math.exp(rng.uniform(-0.6, 0.5) * strength) if rng.random() < 0.8 else 1.0
    white = np.exp(rng.normal(0, 0.12 * strength, 3)) if rng.random() < 0.7 else np.ones(3)
    brightest = float(np.percentile(image[::4, ::4], 80))  # a camera overexposes a fifth of the image at most
    image = image * (min(gain, 1 / max(brightest, 1e-3)) * white).astype(np.float32)
    if rng.random() < 0.6:  # contrast
        mean = float(image.mean())
        image = (image - mean) * math.exp(rng.uniform(-0.5, 0.4) * strength) + mean
    if rng.random() < 0.3:  # light that falls off towards one side
        h, w = image.shape[:2]
        slope = rng.uniform(-0.5, 0.5, 2) * strength
        ramp = (
            1
            + slope[0] * np.linspace(-1, 1, w, dtype=np.float32)[None]
            + slope[1] * np.linspace(-1, 1, h, dtype=np.float32)[:, None]
        )
        image = image * ramp.astype(np.float32)[..., None]
    grey = image @ np.array([0.299, 0.587, 0.114], np.float32)
    if rng.random() < 0.1 * strength:
        return np.repeat(grey[..., None], 3, axis=2)
    saturation = math.exp(rng.uniform(-1.0, 0.5) * strength)
    image = grey[..., None] + (image - grey[..., None]) * saturation
    if rng.random() < 0.3:
        image = _hue_turned(image, rng.uniform(-0.5, 0.5) * strength)
    return image


def _hue_turned(image: np.ndarray, angle: float) -> np.ndarray:
    """Rotate colours about the grey axis by `angle` radians (Rodrigues)."""
    c, s, third = math.cos(angle), math.sin(angle), 1 / math.sqrt(3)
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) * third
    turn = c * np.eye(3) + (1 - c) / 3 * np.ones((3, 3)) + s * cross
    return image @ turn.T.astype(np.float32)


def _blurred(image: np.ndarray, rng: Rng) -> np.ndarray:
    """Out of focus, or with motion blur."""
    if rng.random() < 0.5:
        return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 2.0))
    length = int(rng.integers(3, 10))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, math.pi)
    reach = np.array([math.cos(angle), math.sin(angle)]) * (length - 1) / 2
    middle = (length - 1) / 2
    ends = [tuple(int(v) for v in np.round(middle + sign * reach)) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def _noisy(image: np.ndarray, rng: Rng) -> np.ndarray:
    """Shot and read noise, fine-grained, or coarse as after demosaicing and denoising."""
    h, w = image.shape[:2]
    coarse = int(rng.integers(1, 3))
    noise: np.ndarray = rng.standard_normal((h // coarse, w // coarse, 3), dtype=np.float32)
    if coarse > 1:
        noise = cv2.resize(noise, (w, h), interpolation=cv2.INTER_LINEAR)
    shot, read = rng.uniform(0, 0.05), rng.uniform(0, 0.03)
    return image + noise * np.sqrt(shot**2 * np.clip(image, 0, 1) + read**2)


def cut_out(color: np.ndarray, index: np.ndarray, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """Hide one to three rectangles behind a flat or noisy colour and unlabel them, so that context is learned."""
    color, index = color.copy(), index.copy()
    h, w = index.shape
    for _ in range(int(rng.integers(1, 4))):
        height, width = (int(rng.uniform(0.08, 0.35) * size) for size in (h, w))
        y, x = int(rng.integers(0, h - height + 1)), int(rng.integers(0, w - width + 1))
        patch = np.full((height, width, 3), rng.integers(0, 256, 3), np.int16)
        if rng.random() < 0.5:
            patch += rng.integers(-60, 61, patch.shape, dtype=np.int16)
        color[y : y + height, x : x + width] = np.clip(patch, 0, 255)
        index[y : y + height, x : x + width] = -1
    return color, index
