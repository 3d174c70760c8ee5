"""Parametric chairs: dining chairs, office chairs, armchairs, stools with a back, cantilever and shell chairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sem_field_ros.labels import LabelSet
from sem_field_synth.objects import chair_arms, chair_backs, chair_supports
from sem_field_synth.objects.part_mesh import PartBuilder, PartMesh
from sem_field_synth.objects.seat import Seat
from sem_field_synth.objects.solids import Solid, rounded_rectangle, slab, superellipse, tapered
from sem_field_synth.objects.surfaces import Surface, dark_plastic, fabric, metal, paint, wood


@dataclass(frozen=True)
class Style:
    """Materials of the parts of one chair."""

    frame: Surface  # legs, posts
    seat: Surface
    back: Surface
    cushion: Surface | None
    arm: Surface
    fittings: Surface  # wheels, feet


KINDS = {"dining": 0.34, "office": 0.2, "armchair": 0.14, "stool": 0.1, "cantilever": 0.08, "shell": 0.14}


def make_chair(seed: int, labels: LabelSet) -> PartMesh:
    """Chair number `seed`, in metres, standing on z = 0 with its front towards -y."""
    rng = np.random.default_rng([seed, 1])
    kind = str(rng.choice(list(KINDS), p=np.array(list(KINDS.values())) / sum(KINDS.values())))
    build = PartBuilder(labels)
    {
        "dining": _dining,
        "office": _office,
        "armchair": _armchair,
        "stool": _stool,
        "cantilever": _cantilever,
        "shell": _shell,
    }[kind](build, rng)
    return build.build().on_floor()


def _seat_plate(seat: Seat, rng: np.random.Generator) -> Solid:
    if seat.round:
        outline = superellipse(seat.width, seat.depth, 2.0)
    else:
        outline = rounded_rectangle(seat.width, seat.depth, seat.radius)
    bevel = rng.uniform(0.2, 0.5) * seat.thickness
    return slab(tapered(outline, seat.taper), seat.thickness, bevel).moved(z=seat.height - seat.thickness)


def _cushion(seat: Seat, rng: np.random.Generator, thickness: float) -> Solid:
    outline = rounded_rectangle(0.96 * seat.width, 0.96 * seat.depth, rng.uniform(0.03, 0.1))
    if seat.round:
        outline = superellipse(0.96 * seat.width, 0.96 * seat.depth, 2.0)
    crown = rng.uniform(0.2, 0.6) * thickness
    return slab(tapered(outline, seat.taper), thickness, 0.45 * thickness, crown).moved(z=seat.height)


def _put_seat(build: PartBuilder, seat: Seat, style: Style, rng: np.random.Generator) -> None:
    build.add("seat", style.seat, _seat_plate(seat, rng))
    if style.cushion is not None:
        build.add("seat", style.cushion, _cushion(seat, rng, rng.uniform(0.02, 0.06)))


def _draw_seat(
    rng: np.random.Generator, height: tuple[float, float] = (0.42, 0.48), may_be_round: bool = True, **fixed: float
) -> Seat:
    width = rng.uniform(0.38, 0.52)
    depth = width * rng.uniform(0.86, 1.04)
    top, thick = rng.uniform(*height), rng.uniform(0.015, 0.055)
    shape = {"width": width, "depth": depth, "height": top, "thickness": thick, "taper": rng.uniform(0.78, 1.0)}
    shape.update(fixed)
    round_seat = bool(rng.random() < 0.16) and may_be_round
    if round_seat:
        shape["taper"] = 1.0
    return Seat(**shape, round=round_seat, bottom=shape["height"] - shape["thickness"], radius=rng.uniform(0.005, 0.1))


def _dining(build: PartBuilder, rng: np.random.Generator) -> None:
    seat = _draw_seat(rng)
    tubular = rng.random() < 0.25
    frame = metal(rng) if tubular else wood(rng)
    upholstered = rng.random() < 0.4
    cloth = fabric(rng)
    seat_surface = cloth if upholstered else (paint(rng) if rng.random() < 0.15 else (wood(rng) if tubular else frame))
    back = cloth if upholstered and rng.random() < 0.6 else (seat_surface if tubular else frame)
    cushion = fabric(rng) if not upholstered and rng.random() < 0.25 else None
    style = Style(frame, seat_surface, back, cushion, frame, dark_plastic(rng))
    _put_seat(build, seat, style, rng)
    legs = "tube" if tubular else str(rng.choice(["square", "round", "turned"], p=[0.55, 0.3, 0.15]))
    chair_supports.four_legs(build, seat, style.frame, rng, legs)
    chair_backs.wooden_back(build, seat, style.frame, style.back, rng, soft=style.back is cloth)
    if rng.random() < 0.28:
        chair_arms.post_arms(build, seat, style.arm, rng)


def _office(build: PartBuilder, rng: np.random.Generator) -> None:
    seat = _draw_seat(
        rng, (0.43, 0.54), False, width=rng.uniform(0.45, 0.54), thickness=rng.uniform(0.05, 0.1), taper=0.95
    )
    cloth, plastic = fabric(rng), dark_plastic(rng)
    frame = metal(rng) if rng.random() < 0.55 else plastic
    style = Style(frame, cloth, cloth if rng.random() < 0.8 else plastic, None, plastic, plastic)
    _put_seat(build, seat, style, rng)
    chair_supports.star_base(build, seat, style.frame, style.fittings, rng)
    chair_backs.office_back(build, seat, style.frame, style.back, rng)
    if rng.random() < 0.65:
        chair_arms.office_arms(build, seat, plastic, rng)


def _armchair(build: PartBuilder, rng: np.random.Generator) -> None:
    width, depth, thick = rng.uniform(0.48, 0.62), rng.uniform(0.5, 0.6), rng.uniform(0.12, 0.2)
    seat = _draw_seat(rng, (0.34, 0.42), False, width=width, depth=depth, thickness=thick, taper=1.0)
    cloth = fabric(rng)
    frame = wood(rng) if rng.random() < 0.6 else metal(rng)
    other = fabric(rng) if rng.random() < 0.3 else cloth
    style = Style(frame, cloth, cloth, other, cloth, dark_plastic(rng))
    base = seat.height - seat.thickness
    build.add("seat", cloth, slab(rounded_rectangle(seat.width, seat.depth, 0.04), seat.thickness, 0.02).moved(z=base))
    build.add("seat", other, _cushion(seat, rng, rng.uniform(0.05, 0.1)))
    side = rng.uniform(0.08, 0.16)
    if rng.random() < 0.25:
        chair_supports.star_base(build, seat, style.frame, style.frame, rng, wheels=False)
    else:
        chair_supports.short_feet(build, seat, style.frame, rng, side)
    chair_backs.padded_back(build, seat, style.back, rng, side)
    chair_arms.block_arms(build, seat, style.arm, rng, side)


def _stool(build: PartBuilder, rng: np.random.Generator) -> None:
    width = rng.uniform(0.32, 0.42)
    seat = _draw_seat(rng, (0.6, 0.8), width=width, depth=width)
    metallic = rng.random() < 0.55
    frame = metal(rng) if metallic else wood(rng)
    top = fabric(rng) if rng.random() < 0.5 else (wood(rng) if metallic else frame)
    style = Style(frame, top, top, fabric(rng) if rng.random() < 0.2 else None, frame, dark_plastic(rng))
    _put_seat(build, seat, style, rng)
    if metallic and rng.random() < 0.45:
        chair_supports.disc_base(build, seat, frame, rng, ring=True)
    else:
        chair_supports.four_legs(build, seat, frame, rng, "tube" if metallic else "round", splay=True, ring=True)
    chair_backs.low_back(build, seat, frame, style.back, rng)


def _cantilever(build: PartBuilder, rng: np.random.Generator) -> None:
    seat = _draw_seat(rng, thickness=rng.uniform(0.015, 0.05), taper=1.0)
    tubes = metal(rng)
    top = fabric(rng) if rng.random() < 0.6 else wood(rng)
    style = Style(tubes, top, top, None, tubes, dark_plastic(rng))
    _put_seat(build, seat, style, rng)
    arms = bool(rng.random() < 0.4)
    if rng.random() < 0.55:
        chair_supports.cantilever(build, seat, tubes, rng)
    else:
        chair_supports.sled(build, seat, tubes, rng)
    chair_backs.tube_back(build, seat, tubes, style.back, rng)
    if arms:
        chair_arms.loop_arms(build, seat, tubes, dark_plastic(rng), rng)


def _shell(build: PartBuilder, rng: np.random.Generator) -> None:
    seat = _draw_seat(
        rng, width=rng.uniform(0.4, 0.5), thickness=rng.uniform(0.012, 0.03), taper=rng.uniform(0.85, 1.0)
    )
    shell = paint(rng) if rng.random() < 0.75 else (fabric(rng) if rng.random() < 0.5 else wood(rng))
    frame = wood(rng) if rng.random() < 0.45 else metal(rng)
    style = Style(frame, shell, shell, fabric(rng) if rng.random() < 0.3 else None, frame, dark_plastic(rng))
    _put_seat(build, seat, style, rng)
    support = rng.random()
    if support < 0.6:
        legs = "round" if frame.pattern == "wood" else "tube"
        chair_supports.four_legs(build, seat, frame, rng, legs, splay=True)
    elif support < 0.8:
        chair_supports.disc_base(build, seat, metal(rng), rng)
    else:
        chair_supports.sled(build, seat, metal(rng), rng)
    chair_backs.shell_back(build, seat, shell, rng, arms=bool(rng.random() < 0.3))
