"""Label noise like that of segmenters, to test fusions on: blobs, moved borders, failed views."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

_BLOB_SHARE = 0.8  # of the wrong pixels: compact blobs of another class
_DISPLACEMENT_PX_PER_160 = 2.5  # displacement of borders, pixels in an image 160 wide, at rate 0.3
_FAILED_VIEWS_PER_RATE = 0.25  # at rate 0.4 one view in ten fails as a whole


def noisy_labels(labels: np.ndarray, ids: Sequence[int], seed: int | Sequence[int], rate: float = 0.2) -> np.ndarray:
    """Return a copy of a label image with about `rate` of its labelled pixels wrong, as a segmenter would fail.

    Borders are displaced. Blobs (ellipses of 1/20 to 1/4 of the width) become another class of the view or, one in
    three, any class. In some views all classes are exchanged. Pixels with an id outside `ids` (unlabelled) stay as they
    are. The same seed gives the same noise; use a different one for each frame.

    labels  [h, w] uint8 or uint16 ids          ids  the ids of the label set
    Raises ValueError if `rate` is not in [0, 1).
    """
    if not 0 <= rate < 1:
        raise ValueError(f"rate {rate} must lie in [0, 1)")
    rng = np.random.default_rng(seed)
    known = np.isin(labels, ids)
    present = np.unique(labels[known])
    if rate == 0 or len(present) == 0 or len(ids) < 2:
        return labels.copy()
    if rng.random() < rate * _FAILED_VIEWS_PER_RATE:
        return _exchanged(labels, present, np.asarray(ids), rng)
    out = np.where(known, _displaced(labels, rate, rng), labels)
    out = np.where(np.isin(out, ids), out, labels)  # borders do not move into unlabelled pixels
    wanted = _BLOB_SHARE * rate * known.sum()
    for _ in range(1000):
        if ((out != labels) & known).sum() >= wanted:
            break
        out[_ellipse(labels.shape, rng) & known] = _other(present, np.asarray(ids), rng)
    return out


def _exchanged(labels: np.ndarray, present: np.ndarray, ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every class of the view becomes another one, as if the segmenter mistook the whole room."""
    out = labels.copy()
    for own in present:
        out[labels == own] = rng.choice(ids[ids != own])
    return out


def _displaced(labels: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Labels moved by a smooth random displacement."""
    h, w = labels.shape
    reach = _DISPLACEMENT_PX_PER_160 * w / 160 * rate / 0.3
    flow = [cv2.GaussianBlur(rng.normal(size=(h, w)).astype(np.float32), (0, 0), max(w / 50, 0.8)) for _ in range(2)]
    x, y = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    dx, dy = (f / max(float(f.std()), 1e-6) * np.float32(reach) for f in flow)
    return cv2.remap(labels, x + dx, y + dy, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)


def _ellipse(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    h, w = shape
    axes = rng.uniform(w / 40, w / 8, 2)
    mask = np.zeros((h, w), np.uint8)
    center = (int(rng.integers(w)), int(rng.integers(h)))
    cv2.ellipse(mask, center, (max(1, int(axes[0])), max(1, int(axes[1]))), rng.uniform(0, 180), 0, 360, 1, -1)
    return mask > 0


def _other(present: np.ndarray, ids: np.ndarray, rng: np.random.Generator) -> int:
    return int(rng.choice(ids if rng.random() < 1 / 3 or len(present) < 2 else present))
