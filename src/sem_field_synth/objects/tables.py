"""Parametric tables: dining and coffee tables, desks, bar and side tables, consoles, trestles."""

from __future__ import annotations

import numpy as np

from sem_field_ros.labels import LabelSet
from sem_field_synth.objects import table_supports
from sem_field_synth.objects.part_mesh import PartBuilder, PartMesh
from sem_field_synth.objects.solids import polygon, rounded_rectangle, slab, superellipse
from sem_field_synth.objects.surfaces import Surface, metal, paint, wood
from sem_field_synth.objects.table_top import Top

KINDS = {"dining": 0.32, "coffee": 0.22, "desk": 0.2, "side": 0.1, "bar": 0.08, "console": 0.08}
_SIZES = {  # width, depth, height: from, to
    "dining": ((0.75, 2.2), (0.7, 1.0), (0.71, 0.78)),
    "coffee": ((0.6, 1.3), (0.45, 0.75), (0.32, 0.48)),
    "desk": ((1.0, 1.8), (0.5, 0.85), (0.71, 0.77)),
    "side": ((0.35, 0.6), (0.35, 0.55), (0.45, 0.65)),
    "bar": ((0.55, 0.8), (0.55, 0.75), (1.0, 1.12)),
    "console": ((0.8, 1.5), (0.28, 0.42), (0.72, 0.88)),
}
_SUPPORTS = {  # shares of the supports of each kind
    "dining": {"legs": 0.42, "splayed": 0.12, "pedestal": 0.14, "trestle": 0.12, "loops": 0.1, "planks": 0.1},
    "coffee": {"legs": 0.38, "splayed": 0.2, "pedestal": 0.08, "loops": 0.16, "planks": 0.1, "drum": 0.08},
    "desk": {"legs": 0.4, "splayed": 0.08, "trestle": 0.12, "loops": 0.14, "cabinets": 0.26},
    "side": {"legs": 0.35, "splayed": 0.25, "pedestal": 0.3, "drum": 0.1},
    "bar": {"legs": 0.2, "pedestal": 0.6, "splayed": 0.2},
    "console": {"legs": 0.6, "loops": 0.25, "planks": 0.15},
}


def make_table(seed: int, labels: LabelSet) -> PartMesh:
    """Table number `seed`, in metres, standing on z = 0; its long side lies along x."""
    rng = np.random.default_rng([seed, 2])
    kind = _choice(rng, KINDS)
    support = _choice(rng, _SUPPORTS[kind])
    (w0, w1), (d0, d1), (h0, h1) = _SIZES[kind]
    round_share = {"pedestal": 0.6, "drum": 0.8, "splayed": 0.4, "legs": 0.15}.get(support, 0.0)
    is_round = bool(rng.random() < round_share) and kind not in ("desk", "console")
    width, depth = rng.uniform(w0, w1), rng.uniform(d0, d1)
    if is_round:
        width = min(width, 1.3)
        depth = width * (rng.uniform(0.6, 0.85) if rng.random() < 0.2 else 1.0)
    elif support == "pedestal":
        width = min(width, 1.2 * depth)
    depth = min(depth, width)
    outline = _outline(width, depth, is_round, rng)
    top = Top(width, depth, rng.uniform(h0, h1), rng.choice([0.018, 0.025, 0.035, 0.05]), is_round, outline)
    metallic = support == "loops" or (support != "cabinets" and rng.random() < 0.3)
    plate = paint(rng) if rng.random() < 0.2 else wood(rng)
    frame = metal(rng) if metallic else (plate if rng.random() < 0.7 else wood(rng))
    build = PartBuilder(labels)
    plate_solid = slab(outline, top.thickness, rng.uniform(0.1, 0.5) * top.thickness)
    build.add("top", plate, plate_solid.moved(z=top.bottom))
    _stand(build, support, top, plate, frame, metallic, rng)
    return build.build().on_floor()


def _choice(rng: np.random.Generator, shares: dict[str, float]) -> str:
    weights = np.array(list(shares.values()))
    return str(rng.choice(list(shares), p=weights / weights.sum()))


def _outline(width: float, depth: float, is_round: bool, rng: np.random.Generator) -> np.ndarray:
    if is_round:
        if rng.random() < 0.1:
            return polygon(8, 0.5, 22.5) * [width / 0.924, depth / 0.924]
        return superellipse(width, depth, 2.0, 48)
    if rng.random() < 0.12:
        return superellipse(width, depth, rng.uniform(3, 5), 48)
    radius = rng.choice([0.004, rng.uniform(0.01, 0.05), rng.uniform(0.05, 0.2) * depth], p=[0.5, 0.35, 0.15])
    return rounded_rectangle(width, depth, float(radius))


def _stand(
    build: PartBuilder, support: str, top: Top, plate: Surface, frame: Surface, metallic: bool, rng: np.random.Generator
) -> None:
    if support == "legs":
        table_supports.straight_legs(build, top, plate, frame, rng, metallic)
    elif support == "splayed":
        table_supports.splayed_legs(build, top, frame, rng, metallic)
    elif support == "pedestal":
        table_supports.pedestal(build, top, frame, rng)
    elif support == "trestle":
        table_supports.trestles(build, top, frame, rng)
    elif support == "loops":
        table_supports.loops(build, top, plate, frame, rng)
    elif support == "planks":
        table_supports.planks(build, top, frame, rng)
    elif support == "drum":
        table_supports.drum(build, top, frame, rng)
    else:
        table_supports.cabinets(build, top, plate, frame, rng)
