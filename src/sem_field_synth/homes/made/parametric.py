"""Parametric furniture for roles and splits without catalogue models, and its usual size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sem_field_synth.homes.finishes import Finishes
from sem_field_synth.homes.made.basins import bathtub, kitchen_sink, toilet, washbasin
from sem_field_synth.homes.made.cabinets import (
    appliance,
    bookshelf,
    cabinet,
    desk,
    night_stand,
    refrigerator,
    table,
    television,
)
from sem_field_synth.homes.made.shapes import Part, Size
from sem_field_synth.homes.made.textiles import bed, curtain, mirror, picture, rug, shower_curtain

Maker = Callable[[np.random.Generator, Finishes, Size], list[Part]]

MAKERS: dict[str, tuple[Maker, Size]] = {
    "refrigerator": (refrigerator, (0.62, 0.66, 1.8)),
    "bathtub": (bathtub, (1.7, 0.75, 0.57)),
    "toilet": (toilet, (0.38, 0.68, 0.78)),
    "washbasin": (washbasin, (0.58, 0.46, 0.86)),
    "kitchen sink": (kitchen_sink, (1.0, 0.62, 0.9)),
    "bookshelf": (bookshelf, (0.9, 0.32, 1.9)),
    "shelves": (bookshelf, (0.8, 0.32, 1.2)),
    "wardrobe": (cabinet, (1.1, 0.58, 2.0)),
    "sideboard": (cabinet, (1.2, 0.42, 0.8)),
    "tv stand": (cabinet, (1.3, 0.42, 0.5)),
    "dresser": (cabinet, (1.0, 0.48, 0.85)),
    "lower cabinet": (cabinet, (0.6, 0.6, 0.86)),
    "upper cabinet": (cabinet, (0.6, 0.34, 0.7)),
    "high cabinet": (cabinet, (0.6, 0.6, 2.1)),
    "filing cabinet": (cabinet, (0.45, 0.5, 0.65)),
    "tv": (television, (1.0, 0.24, 0.62)),
    "dining table": (table, (1.4, 0.85, 0.75)),
    "coffee table": (table, (1.0, 0.55, 0.42)),
    "desk": (desk, (1.3, 0.65, 0.74)),
    "night stand": (night_stand, (0.45, 0.4, 0.5)),
    "stove": (appliance, (0.6, 0.6, 0.88)),
    "washer": (appliance, (0.6, 0.6, 0.86)),
    "bed": (bed, (1.6, 2.1, 0.9)),
    "single bed": (bed, (0.95, 2.05, 0.9)),
    "bunk bed": (bed, (0.95, 2.05, 0.9)),
    "shower curtain": (shower_curtain, (1.5, 0.1, 1.9)),
    "curtain": (curtain, (0.7, 0.12, 2.2)),
    "picture": (picture, (0.7, 0.03, 0.5)),
    "mirror": (mirror, (0.6, 0.03, 0.9)),
    "rug": (rug, (2.0, 1.4, 0.012)),
    "bath mat": (rug, (0.8, 0.5, 0.015)),
}
