"""The seat of a parametric chair, to which back, arms and legs are fitted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Seat:
    """Where backs, arms and legs meet the seat: width, depth, height of its top, thickness, its shape; metres."""

    width: float
    depth: float
    height: float
    thickness: float
    taper: float
    round: bool
    bottom: float  # height of what legs are fixed to
    radius: float  # of its corners
