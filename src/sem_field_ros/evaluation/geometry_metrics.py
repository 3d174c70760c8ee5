"""Distances between a reconstructed and the true surface: accuracy, completeness, chamfer distance and F-score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

THRESHOLDS_M = (0.02, 0.05, 0.1)


@dataclass(frozen=True)
class SurfaceScores:
    """Distances between two sampled surfaces, metres (chamfer_l2: square metres).

    accuracy      mean distance from the reconstruction to the truth    completeness  ... from the truth to it
    chamfer_l1    mean of these two      chamfer_l2  mean of the two mean squared distances (as Occupancy Networks and
                  RangeUDF report them; some others add instead of averaging)
    precision     by threshold: share of the reconstruction that lies within it of the truth
    recall        by threshold: share of the truth that lies within it of the reconstruction
    fscore        their harmonic mean (Knapitsch et al. 2017)
    """

    accuracy: float
    completeness: float
    chamfer_l1: float
    chamfer_l2: float
    precision: dict[float, float]
    recall: dict[float, float]
    fscore: dict[float, float]


def surface_scores(
    points: np.ndarray, truth: np.ndarray, thresholds_m: Sequence[float] = THRESHOLDS_M
) -> SurfaceScores | None:
    """Compare surfaces given as points [N, 3] and [M, 3], metres, spread evenly over each. None if one is empty."""
    if len(points) == 0 or len(truth) == 0:
        return None
    to_truth, _ = cKDTree(truth).query(points, workers=-1)
    to_points, _ = cKDTree(points).query(truth, workers=-1)
    return scores_of_distances(to_truth, to_points, thresholds_m)


def scores_of_distances(
    to_truth: np.ndarray, to_points: np.ndarray, thresholds_m: Sequence[float] = THRESHOLDS_M
) -> SurfaceScores:
    """Scores from nearest distances: of the reconstruction's points [N] and of the truth's points [M]."""
    precision = {limit: float((to_truth <= limit).mean()) for limit in thresholds_m}
    recall = {limit: float((to_points <= limit).mean()) for limit in thresholds_m}
    total = {limit: precision[limit] + recall[limit] for limit in thresholds_m}
    return SurfaceScores(
        accuracy=float(to_truth.mean()),
        completeness=float(to_points.mean()),
        chamfer_l1=float((to_truth.mean() + to_points.mean()) / 2),
        chamfer_l2=float(((to_truth**2).mean() + (to_points**2).mean()) / 2),
        precision=precision,
        recall=recall,
        fscore={t: 2 * precision[t] * recall[t] / total[t] if total[t] else 0.0 for t in thresholds_m},
    )


def sample_mesh(vertices: np.ndarray, faces: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """`count` points [count, 3] float64 spread uniformly over the area of a mesh; [0, 3] for one without area."""
    corners = np.asarray(vertices, np.float64)[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    if not area.sum() > 0:
        return np.zeros((0, 3))
    rng = np.random.default_rng(seed)
    cumulative = np.cumsum(area)
    # one point in each of `count` equal strips of the area: more even than independent draws
    at = np.searchsorted(cumulative, (np.arange(count) + rng.random(count)) / count * cumulative[-1], side="right")
    chosen = corners[np.minimum(at, len(area) - 1)]
    u, v = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.stack([1 - u, u * (1 - v), u * v], axis=1)
    return np.einsum("nk,nkd->nd", weights, chosen)
