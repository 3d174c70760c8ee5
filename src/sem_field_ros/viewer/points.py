"""Labelled points, and which of them are shown in which colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sem_field_ros.labels import UNLABELLED_ID, UNLABELLED_ID_16
from sem_field_ros.viewer.legend import Legend

# Dark violet (low) over green to yellow (high), rising in lightness so that it can be read in a grey print.
_CONFIDENCE_STOPS = np.array(
    [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]], dtype=np.float32
)


@dataclass(frozen=True)
class LabelledPoints:
    """N points in the map frame.

    points      [N, 3] float32 metres       rgb         [N, 3] uint8
    label_ids   [N] int32, ids on topics    confidence  [N] float32 in [0, 1]

    has_confidence  False if the source has none; `confidence` is then all ones
    """

    points: np.ndarray
    rgb: np.ndarray
    label_ids: np.ndarray
    confidence: np.ndarray
    has_confidence: bool = True

    def __len__(self) -> int:
        return len(self.points)

    @classmethod
    def from_arrays(
        cls, points: np.ndarray, rgb: np.ndarray, label_ids: np.ndarray, confidence: np.ndarray | None
    ) -> LabelledPoints:
        """From arrays of any number type: both unlabelled ids become one, points that are not finite are dropped."""
        known = np.ones(len(points)) if confidence is None else np.asarray(confidence)
        keep = np.isfinite(points).all(axis=1)
        ids = np.asarray(label_ids)[keep].astype(np.int64)
        ids[(ids < 0) | (ids >= UNLABELLED_ID_16)] = UNLABELLED_ID
        return cls(
            np.ascontiguousarray(points[keep], dtype=np.float32),
            np.ascontiguousarray(rgb[keep], dtype=np.uint8),
            ids.astype(np.int32),
            np.nan_to_num(known[keep]).astype(np.float32),
            confidence is not None,
        )

    @classmethod
    def empty(cls) -> LabelledPoints:
        """No points."""
        none = np.zeros(0, np.float32)
        return cls(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.uint8), none.astype(np.int32), none)

    def take(self, index: np.ndarray) -> LabelledPoints:
        """The points at `index` (integers or a mask)."""
        return LabelledPoints(
            self.points[index], self.rgb[index], self.label_ids[index], self.confidence[index], self.has_confidence
        )


@dataclass(frozen=True)
class DisplaySettings:
    """How points and mesh are coloured, and what of them is hidden."""

    color_by: str = "label"
    min_confidence: float = 0.0
    hidden_ids: frozenset[int] = frozenset()


def visible(cloud: LabelledPoints, display: DisplaySettings) -> np.ndarray:
    """Which points are shown, [N] bool: those of a class that is on, with enough confidence.

    Unlabelled points have no confidence: only their own row of the legend hides them.
    """
    keep = np.ones(len(cloud), dtype=bool)
    if display.hidden_ids:
        keep &= ~np.isin(cloud.label_ids, list(display.hidden_ids))
    if display.min_confidence > 0:
        keep &= (cloud.confidence >= display.min_confidence) | (cloud.label_ids == UNLABELLED_ID)
    return keep


def colors(cloud: LabelledPoints, display: DisplaySettings, legend: Legend) -> np.ndarray:
    """The colour of each point under `display.color_by`, [N, 3] uint8."""
    if display.color_by == "rgb":
        return cloud.rgb
    if display.color_by == "confidence":
        return confidence_colors(cloud.confidence)
    return legend.colors_of(cloud.label_ids)


def confidence_colors(confidence: np.ndarray) -> np.ndarray:
    """Confidence [N] in [0, 1] -> colours [N, 3] uint8, linear between five stops."""
    at = np.clip(confidence, 0, 1) * (len(_CONFIDENCE_STOPS) - 1)
    low = np.minimum(at.astype(np.int64), len(_CONFIDENCE_STOPS) - 2)
    part = (at - low)[:, None]
    return (_CONFIDENCE_STOPS[low] * (1 - part) + _CONFIDENCE_STOPS[low + 1] * part + 0.5).astype(np.uint8)


def thin(count: int, limit: int) -> np.ndarray | slice:
    """Indices of at most `limit` of `count` points, evenly spread over their order (all of them: a slice)."""
    if count <= limit:
        return slice(None)
    return (np.arange(limit, dtype=np.int64) * count) // limit
