"""The synthetic room's layout: walls with openings and furniture, sized and coloured by a seed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sem_field_synth.rooms import furniture as make
from sem_field_synth.rooms.shapes import Material, Part, box

WALL_THICKNESS = 0.12  # metres


@dataclass(frozen=True)
class RoomObject:
    """One object: its ScanNet-20 class name (None = unlabelled), its parts in the world frame."""

    label: str | None
    parts: list[Part]


@dataclass(frozen=True)
class AreaLight:
    """A rectangular light: centre, its two half extents [3] in metres, radiant intensity RGB."""

    center: np.ndarray
    half_u: np.ndarray
    half_v: np.ndarray
    intensity: np.ndarray


@dataclass(frozen=True)
class Room:
    """A room of size (x, y, z) metres with its corner at the origin, z up."""

    size: np.ndarray
    objects: list[RoomObject]
    lights: list[AreaLight]


@dataclass(frozen=True)
class _Palette:
    wood: Material
    dark_wood: Material
    cloth: Material
    pillow: Material
    wall: Material
    accent: Material
    floor: Material
    front: Material


def _palette(rng: np.random.Generator) -> _Palette:
    def pick(*choices: tuple[float, float, float]) -> tuple[float, float, float]:
        return choices[int(rng.integers(len(choices)))]

    def darker(color: tuple[float, float, float], k: float) -> tuple[float, float, float]:
        return (color[0] * k, color[1] * k, color[2] * k)

    wood = pick((0.55, 0.36, 0.19), (0.62, 0.46, 0.28), (0.42, 0.24, 0.12))
    floor = pick((0.48, 0.31, 0.18), (0.55, 0.42, 0.3), (0.33, 0.21, 0.13))
    cloth = pick((0.16, 0.26, 0.38), (0.32, 0.34, 0.33), (0.42, 0.16, 0.12), (0.2, 0.33, 0.26))
    wall = pick((0.78, 0.76, 0.7), (0.72, 0.76, 0.77), (0.8, 0.72, 0.6))
    accent = pick((0.45, 0.55, 0.56), (0.6, 0.5, 0.36), (0.5, 0.52, 0.4))
    pillow = pick((0.75, 0.5, 0.12), (0.7, 0.67, 0.6), (0.5, 0.14, 0.15))
    front = pick((0.7, 0.69, 0.65), (0.3, 0.38, 0.4), (0.5, 0.34, 0.2))
    return _Palette(
        wood=Material(wood, "wood", darker(wood, 0.55)),
        dark_wood=Material(darker(wood, 0.5), "wood", darker(wood, 0.25)),
        cloth=Material(cloth, "fabric"),
        pillow=Material(pillow, "fabric"),
        wall=Material(wall),
        accent=Material(accent, "stripes", darker(accent, 0.9), 0.22),
        floor=Material(floor, "planks", darker(floor, 0.6), 0.14),
        front=Material(front, "wood" if front[0] == 0.5 else "plain", darker(front, 0.7)),
    )


def _shell(size: np.ndarray, p: _Palette, window: tuple[float, float, float, float]) -> list[RoomObject]:
    """Floor, ceiling and walls; `window` is (x from, x to, z from, z to) of the opening in the wall at y = max."""
    w, d, h = size
    t = WALL_THICKNESS
    x0, x1, z0, z1 = window
    far = d + t / 2
    walls = [
        box((w / 2, -t / 2, h / 2), (w + 2 * t, t, h), p.wall),
        box((-t / 2, d / 2, h / 2), (t, d, h), p.accent),
        box((w + t / 2, d / 2, h / 2), (t, d, h), p.wall),
        box((x0 / 2, far, h / 2), (x0, t, h), p.wall),
        box(((x1 + w) / 2, far, h / 2), (w - x1, t, h), p.wall),
        box(((x0 + x1) / 2, far, z0 / 2), (x1 - x0, t, z0), p.wall),
        box(((x0 + x1) / 2, far, (z1 + h) / 2), (x1 - x0, t, h - z1), p.wall),
    ]
    skirting = [
        box((w / 2, 0.008, 0.04), (w, 0.016, 0.08), make.WHITE),
        box((w / 2, d - 0.008, 0.04), (w, 0.016, 0.08), make.WHITE),
        box((0.008, d / 2, 0.04), (0.016, d, 0.08), make.WHITE),
        box((w - 0.008, d / 2, 0.04), (0.016, d, 0.08), make.WHITE),
    ]
    floor = box((w / 2, d / 2, -0.05), (w + 2 * t, d + 2 * t, 0.1), p.floor)
    ceiling = box((w / 2, d / 2, h + 0.05), (w + 2 * t, d + 2 * t, 0.1), Material((0.85, 0.85, 0.83)))
    return [RoomObject("floor", [floor]), RoomObject(None, [ceiling])] + [RoomObject("wall", walls + skirting)]


def _place(label: str | None, parts: list[Part], turn_deg: float, x: float, y: float, z: float = 0.0) -> RoomObject:
    return RoomObject(label, [part.moved(turn_deg, (x, y, z)) for part in parts])


def _west_side(size: np.ndarray, p: _Palette, rng: np.random.Generator, sofa: bool) -> list[RoomObject]:
    """The wall at x = 0: a sofa with a coffee table and a rug, or a bed; a picture above."""
    d = float(size[1])
    canvas = Material((0.2, 0.34, 0.2), "painting", (0.4, 0.28, 0.14), 0.3)
    middle = d * 0.52
    out = [_place("picture", make.picture(0.9, 0.62, canvas, p.dark_wood), 90, 0.0, middle, 1.55)]
    if sofa:
        rug = Material((0.5, 0.2, 0.16), "rug", (0.62, 0.52, 0.38), 0.16)
        out.append(_place("floor", [box((0, 0, 0.006), (1.9, 1.4, 0.012), rug)], 90, 1.25, middle))
        out.append(_place("sofa", make.sofa(rng.uniform(1.75, 2.05), p.cloth, p.pillow), 90, 0.5, middle))
        out.append(_place("table", make.table(0.95, 0.5, 0.42, p.dark_wood), 90, 1.4, middle))
    else:
        out.append(_place("bed", make.bed(1.5, p.wood, p.cloth), 90, 1.08, middle))
    out.append(_place("other furniture", make.floor_lamp(_lit(p.wall)), 0, 0.3, 0.32))
    return out


def _lit(base: Material) -> Material:
    return replace(base, emission=0.9, color=(1.0, 0.86, 0.62))


def _south_and_east(size: np.ndarray, p: _Palette, rng: np.random.Generator) -> list[RoomObject]:
    """Door and bookshelf at y = 0; a low cabinet with a television and a tall one at x = max."""
    w, d = float(size[0]), float(size[1])
    out = [_place("door", make.door(p.wood), 180, 1.15, 0.0)]
    shelf = make.bookshelf(rng.uniform(0.85, 1.05), rng.uniform(1.75, 1.95), p.wood, rng)
    out.append(_place("bookshelf", shelf, 180, 2.45, 0.17))
    print_canvas = Material((0.45, 0.2, 0.16), "painting", (0.1, 0.2, 0.3), 0.22)
    out.append(_place("picture", make.picture(0.5, 0.5, print_canvas, make.DARK), 180, w - 0.75, 0.0, 1.6))
    y = d * 0.55
    out.append(_place("cabinet", make.cabinet(1.5, 0.5, 0.42, p.front, 4), -90, w - 0.22, y))
    out.append(_place("other furniture", make.television(rng.uniform(0.9, 1.1), 0.5), -90, w - 0.25, y))
    out.append(_place("cabinet", make.cabinet(0.9, 1.9, 0.5, p.wood, 2), -90, w - 0.27, 0.5))
    return out


def _north_side(size: np.ndarray, p: _Palette, rng: np.random.Generator, middle: float) -> list[RoomObject]:
    """The window with curtains, a desk with its chair, a plant."""
    w, d, h = (float(v) for v in size)
    cloth = Material((0.66, 0.6, 0.48), "fabric", scale=2.0)
    out = [_place("window", make.window(1.5, 0.95, 2.1), 0, middle, d)]
    for side in (-1, 1):
        out.append(_place("curtain", make.curtain(0.36, 2.2, cloth), 0, middle + side * 0.98, d - 0.09, 0.12))
    desk_x = w - 0.75
    out.append(_place("desk", make.desk(1.2, p.wood), 0, desk_x, d - 0.34))
    out.append(_place("other furniture", make.television(0.5, 0.75), 0, desk_x - 0.1, d - 0.25))
    out.append(_place("chair", make.chair(p.dark_wood, p.cloth), 180 + rng.uniform(-25, 25), desk_x - 0.15, d - 0.8))
    out.append(_place(None, make.plant(rng), 0, 0.38, d - 0.4))
    return out


def _dining(size: np.ndarray, p: _Palette, rng: np.random.Generator, sofa: bool) -> list[RoomObject]:
    """A table with chairs around it, and the lamp above."""
    x, y = float(size[0]) * 0.6, float(size[1]) * 0.42
    round_top = bool(rng.random() < 0.4)
    top = make.table(1.1, 0.8, 0.74, p.wood, round_top)
    out = [_place("table", top, 0, x, y)]
    for side, (dx, dy) in enumerate(((-0.72, 0.0), (0.0, -0.55), (0.72, 0.05), (0.0, 0.58))):
        if (side == 0 and not sofa) or (side > 1 and rng.random() < 0.35):
            continue  # a bed reaches to where the first chair would stand
        turn = np.degrees(np.arctan2(dy, dx)) - 90 + rng.uniform(-12, 12)  # the back away from the table
        out.append(_place("chair", make.chair(p.wood, p.pillow), turn, x + dx, y + dy))
    out.append(_place("other furniture", make.pendant(1.85, _lit(p.wall)), 0, x, y))
    return out


def build_room(seed: int) -> Room:
    """Build the room of one seed: same seed, same room."""
    rng = np.random.default_rng([seed, 4])
    p = _palette(rng)
    size = np.array([rng.uniform(4.4, 4.9), rng.uniform(3.9, 4.3), 2.55])
    middle = float(size[0]) * 0.42
    objects = _shell(size, p, (middle - 0.75, middle + 0.75, 0.95, 2.1))
    sofa = bool(rng.random() < 0.7)
    objects += _west_side(size, p, rng, sofa) + _south_and_east(size, p, rng)
    objects += _north_side(size, p, rng, middle) + _dining(size, p, rng, sofa)
    lamp = np.array([size[0] * 0.6, size[1] * 0.42, 1.83])
    lights = [
        AreaLight(
            np.array([middle, size[1] - 0.02, 1.52]),
            np.array([0.7, 0, 0]),
            np.array([0, 0, 0.55]),
            np.array([1.0, 1.05, 1.15]) * 2.2,
        ),
        AreaLight(lamp, np.array([0.15, 0, 0]), np.array([0, 0.15, 0]), np.array([1.0, 0.82, 0.58]) * 0.9),
    ]
    return Room(size, objects, lights)
