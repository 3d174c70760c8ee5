"""The top of a parametric table, to which legs and shelves are fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Top:
    """The plate: extent, height of its upper side, thickness, in metres; `outline` [N, 2] about its middle."""

    width: float
    depth: float
    height: float
    thickness: float
    round: bool
    outline: np.ndarray

    @property
    def corner(self) -> float:
        """How far the plate reaches towards the corners of its extent, as a share: 1 for a sharp rectangle."""
        shares = np.abs(self.outline) / [self.width / 2, self.depth / 2]
        return float(shares.min(1).max())

    @property
    def bottom(self) -> float:
        """Height of its lower side."""
        return self.height - self.thickness
