"""Furniture made here where the catalogue has none. Local frame: floor at 0, front towards -y."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sem_field_ros.generation.finishes import FABRICS, Finishes, hsv
from sem_field_ros.generation.panels import Surface
from sem_field_ros.generation.scene import Finish

Size = tuple[float, float, float]  # width, depth, height in metres


@dataclass
class Part:
    """A surface of something made here, in its own frame, with its finish and NYU-40 class."""

    surface: Surface
    finish: Finish
    nyu40: str


def _box(lower: tuple[float, float, float], upper: tuple[float, float, float], repeat: float = 1.0) -> Surface:
    surface = Surface((repeat, repeat))
    surface.box(np.array(lower), np.array(upper))
    return surface


def _boxes(*corners: tuple[tuple[float, float, float], tuple[float, float, float]]) -> Surface:
    surface = Surface()
    for lower, upper in corners:
        surface.box(np.array(lower), np.array(upper))
    return surface


def _any_wood(rng: np.random.Generator, finishes: Finishes) -> Finish:
    if rng.random() < 0.5:
        return Finish(texture=finishes.wood(), shininess=0.2)
    return Finish(hsv(rng.random(), rng.uniform(0, 0.15), rng.uniform(0.55, 0.95)), shininess=0.3)


def _metal(rng: np.random.Generator) -> Finish:
    return Finish(hsv(0.1, 0.03, rng.uniform(0.35, 0.8)), shininess=0.8)


def curtain(rng: np.random.Generator, finishes: Finishes, size: Size, nyu40: str = "curtain") -> list[Part]:
    """A hanging cloth in folds, seen from both sides, on a rod."""
    width, depth, height = size
    pattern = "plain" if rng.random() < 0.6 else FABRICS[rng.integers(len(FABRICS))]
    base = hsv(rng.random(), rng.uniform(0, 0.5), rng.uniform(0.35, 0.95))
    other = hsv(rng.random(), rng.uniform(0, 0.5), rng.uniform(0.35, 0.95))
    finish = Finish(texture=finishes.fabric(base, other, pattern))
    folds = max(2, round(width / rng.uniform(0.1, 0.18)))
    count = folds * 8 + 1
    x = np.linspace(-width / 2, width / 2, count)
    y = depth * 0.45 * np.sin(np.linspace(0, folds * 2 * np.pi, count) + rng.uniform(0, 6))
    y = y * (0.8 + 0.2 * np.sin(np.linspace(0, 7, count)))
    along = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    vertices = np.concatenate([np.column_stack([x, y, np.full(count, z)]) for z in (0.0, height)])
    uv = np.concatenate([np.column_stack([along, np.full(count, z)]) for z in (0.0, height)])
    faces = [f for i in range(count - 1) for f in ([i, i + 1, count + i + 1], [i, count + i + 1, count + i])]
    cloth = Surface((0.5, 0.5))
    cloth.add(vertices, faces, uv)
    cloth.add(vertices + [0, 0.003, 0], [f[::-1] for f in faces], uv)
    rod = _box((-width / 2 - 0.05, -0.012, height), (width / 2 + 0.05, 0.012, height + 0.024))
    return [Part(cloth, finish, nyu40), Part(rod, _metal(rng), nyu40)]


def shower_curtain(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A curtain before a bathtub or shower."""
    return curtain(rng, finishes, size, "shower curtain")


def picture(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A framed picture whose back is at y = +depth/2."""
    width, depth, height = size
    edge = min(0.05, 0.08 * min(width, height) + 0.01)
    y0, y1 = -depth / 2, depth / 2
    frame = _boxes(
        ((-width / 2, y0, 0), (-width / 2 + edge, y1, height)),
        ((width / 2 - edge, y0, 0), (width / 2, y1, height)),
        ((-width / 2 + edge, y0, 0), (width / 2 - edge, y1, edge)),
        ((-width / 2 + edge, y0, height - edge), (width / 2 - edge, y1, height)),
    )
    inner = Surface((width - 2 * edge, height - 2 * edge))
    x, low, high = width / 2 - edge, edge, height - edge
    inner.quad(np.array([[-x, 0, low], [x, 0, low], [x, 0, high], [-x, 0, high]]))
    image = Finish(texture=finishes.painting(int(rng.integers(60))), shininess=0.1)
    wood = Finish(hsv(rng.uniform(0.05, 0.12), rng.uniform(0, 0.6), rng.uniform(0.1, 0.9)), shininess=0.3)
    return [Part(frame, wood, "picture"), Part(inner, image, "picture")]


def mirror(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A mirror as a bright pane in a thin frame."""
    width, depth, height = size
    back = _box((-width / 2, -depth / 2 + 0.004, 0), (width / 2, depth / 2, height))
    glass = Surface()
    x, y = width / 2 - 0.015, -depth / 2
    glass.quad(np.array([[-x, y, 0.015], [x, y, 0.015], [x, y, height - 0.015], [-x, y, height - 0.015]]))
    pane = Finish(hsv(0.55, 0.04, rng.uniform(0.6, 0.8)), shininess=1.0)
    return [Part(back, _any_wood(rng, finishes), "mirror"), Part(glass, pane, "mirror")]


def rug(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A rug with a border."""
    width, depth, height = size
    pattern = FABRICS[rng.integers(len(FABRICS))]
    first = hsv(rng.random(), rng.uniform(0.1, 0.7), rng.uniform(0.25, 0.85))
    second = hsv(rng.random(), rng.uniform(0.1, 0.7), rng.uniform(0.25, 0.85))
    edge = 0.06 * min(width, depth)
    border = _box((-width / 2, -depth / 2, 0.0005), (width / 2, depth / 2, height))
    inner = Surface((0.6, 0.6))
    x, y, z = width / 2 - edge, depth / 2 - edge, height + 0.001
    inner.quad(np.array([[-x, -y, z], [x, -y, z], [x, y, z], [-x, y, z]]))
    return [
        Part(border, Finish(second), "floor mat"),
        Part(inner, Finish(texture=finishes.fabric(first, second, pattern)), "floor mat"),
    ]


def cabinet(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A cupboard with doors or drawers and handles."""
    width, depth, height = size
    body = _box((-width / 2, -depth / 2 + 0.02, 0), (width / 2, depth / 2, height))
    columns = max(1, round(width / 0.5))
    rows = int(rng.choice([1, 1, 3])) if height < 1.2 else int(rng.choice([1, 2]))
    fronts, handles = Surface(), Surface()
    for i in range(columns):
        for j in range(rows):
            x0, x1 = (-width / 2 + (i + k) * width / columns for k in (0, 1))
            z0, z1 = 0.06 + j * (height - 0.06) / rows, 0.06 + (j + 1) * (height - 0.06) / rows
            y = -depth / 2 + 0.02
            fronts.box(np.array([x0 + 0.004, y - 0.018, z0 + 0.004]), np.array([x1 - 0.004, y, z1 - 0.004]))
            middle = (x0 + x1) / 2
            if rows > 2:
                low, high = (middle - 0.07, y - 0.045, z1 - 0.06), (middle + 0.07, y - 0.018, z1 - 0.045)
            else:
                x = x1 - 0.05 if i % 2 == 0 else x0 + 0.04
                low, high = (x, y - 0.045, z0 + 0.45 * (z1 - z0)), (x + 0.012, y - 0.018, z0 + 0.65 * (z1 - z0))
            handles.box(np.array(low), np.array(high))
    wood = _any_wood(rng, finishes)
    return [
        Part(body, wood, "cabinet"),
        Part(fronts, _any_wood(rng, finishes) if rng.random() < 0.4 else wood, "cabinet"),
        Part(handles, _metal(rng), "cabinet"),
    ]


def refrigerator(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A fridge with a freezer door."""
    width, depth, height = size
    body = _box((-width / 2, -depth / 2 + 0.06, 0.03), (width / 2, depth / 2, height))
    split = height * float(rng.choice([0.35, 0.68]))
    y0, y1 = -depth / 2 + 0.03, -depth / 2 + 0.055
    doors = _boxes(
        ((-width / 2, y0, 0.06), (width / 2, y1, split - 0.004)),
        ((-width / 2, y0, split + 0.004), (width / 2, y1, height)),
    )
    x = width / 2 - 0.06
    grips = _boxes(
        ((x, y0 - 0.03, max(split - 0.45, 0.1)), (x + 0.02, y0, split - 0.05)),
        ((x, y0 - 0.03, split + 0.05), (x + 0.02, y0, min(split + 0.4, height - 0.05))),
    )
    paint = Finish(hsv(rng.random(), rng.choice([0.0, 0.02, 0.3]), rng.choice([0.95, 0.75, 0.6, 0.2])), shininess=0.6)
    return [
        Part(body, paint, "refrigerator"),
        Part(doors, paint, "refrigerator"),
        Part(grips, _metal(rng), "refrigerator"),
    ]


def lathe(profile: list[tuple[float, float]], squash: float = 1.0, sides: int = 20, power: float = 2.0) -> Surface:
    """A turned shape: (radius, height) from outside bottom to inside; `squash` scales y, `power` squares it."""
    surface = Surface()
    angles = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    c, s = np.cos(angles), np.sin(angles)
    ring = np.column_stack([np.sign(c) * np.abs(c) ** (2 / power), squash * np.sign(s) * np.abs(s) ** (2 / power)])
    for (r0, z0), (r1, z1) in zip(profile[:-1], profile[1:], strict=True):
        for i in range(sides):
            a, b = ring[i], ring[(i + 1) % sides]
            corners = [[*(a * r0), z0], [*(b * r0), z0], [*(b * r1), z1], [*(a * r1), z1]]
            surface.add(np.array(corners), [[0, 1, 2], [0, 2, 3]], np.array([[0, z0], [0.1, z0], [0.1, z1], [0, z1]]))
    return surface


def bathtub(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A tub: fitted with a box around it, or standing free."""
    width, depth, height = size
    half = width / 2
    squash = depth / width
    power = float(rng.uniform(2.5, 6))
    rim = half - 0.06
    white = Finish(hsv(0.12, rng.uniform(0, 0.05), rng.uniform(0.88, 0.98)), shininess=0.7)
    inner = [(half, height), (rim, height), (rim - 0.05, height * 0.5), (rim - 0.14, 0.15), (0.001, 0.14)]
    parts: list[Part] = []
    if rng.random() < 0.5:
        power = 12.0
        panel = Surface()
        panel.box(np.array([-half, -depth / 2, 0]), np.array([half, -depth / 2 + 0.02, height - 0.03]))
        panel.box(np.array([-half, -depth / 2, 0]), np.array([-half + 0.02, depth / 2, height - 0.03]))
        panel.box(np.array([half - 0.02, -depth / 2, 0]), np.array([half, depth / 2, height - 0.03]))
        tiles = finishes.tiles(wall=True) if rng.random() < 0.4 else None
        parts.append(Part(panel, Finish(texture=tiles[0], shininess=0.4) if tiles else white, "bathtub"))
        shell = lathe([(half, height - 0.04), *inner], squash, 28, power)
    else:
        outer = [(half - 0.16, 0.0), (half - 0.1, 0.2), (half - 0.03, height - 0.05), (half, height - 0.03)]
        shell = lathe([*outer, *inner], squash, 28, power)
    tap = _boxes(
        ((half - 0.05, -0.02, height), (half - 0.02, 0.02, height + 0.14)),
        ((half - 0.18, -0.015, height + 0.11), (half - 0.02, 0.015, height + 0.14)),
    )
    return [*parts, Part(shell, white, "bathtub"), Part(tap, _metal(rng), "bathtub")]


def toilet(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """Bowl, seat, lid (up or down) and tank."""
    width, depth, height = size
    white = Finish(hsv(0.12, rng.uniform(0, 0.04), rng.uniform(0.88, 0.98)), shininess=0.7)
    seat = 0.41
    tank_depth = 0.18
    half = min(width / 2, 0.19)
    length = (depth - tank_depth) / 2
    squash = length / half
    y = -depth / 2 + length
    profile = [(half * 0.6, 0), (half * 0.55, 0.15), (half * 0.95, seat - 0.05), (half, seat), (half * 0.66, seat)]
    bowl = lathe([*profile, (half * 0.5, seat - 0.12), (0.001, seat - 0.2)], squash, 24, 2.2)
    for vertices in bowl.vertices:
        vertices[:, 1] += y
    tank = _box((-width / 2, depth / 2 - tank_depth, seat - 0.02), (width / 2, depth / 2, height))
    top = height + 0.02
    cover = _box((-width / 2 - 0.01, depth / 2 - tank_depth - 0.01, height), (width / 2 + 0.01, depth / 2, top))
    foot = _box((-half * 0.5, depth / 2 - tank_depth - 0.2, 0), (half * 0.5, depth / 2, seat - 0.02))
    lid = Surface()
    if rng.random() < 0.5:
        lid = lathe([(half, seat), (half, seat + 0.02), (0.001, seat + 0.025)], squash, 24, 2.2)
        for vertices in lid.vertices:
            vertices[:, 1] += y
    else:
        back = depth / 2 - tank_depth - 0.04
        lid.box(np.array([-half, back, seat]), np.array([half, back + 0.025, seat + 2 * length * 0.85]))
    return [Part(s, white, "toilet") for s in (bowl, tank, cover, foot, lid)]


def washbasin(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A basin on a pedestal or a cabinet."""
    width, depth, height = size
    white = Finish(hsv(0.12, rng.uniform(0, 0.04), rng.uniform(0.88, 0.98)), shininess=0.7)
    half = width / 2
    top = min(height, 0.86)
    outer = [(half * 0.6, top - 0.18), (half, top - 0.06), (half, top), (half * 0.85, top)]
    bowl = lathe([*outer, (half * 0.6, top - 0.12), (0.001, top - 0.13)], depth / width, 24, float(rng.uniform(2, 6)))
    parts = [Part(bowl, white, "sink")]
    if rng.random() < 0.5:
        parts.append(Part(_box((-0.08, -0.02, 0), (0.08, depth / 2, top - 0.12)), white, "sink"))
    else:
        parts += cabinet(rng, finishes, (width * 0.9, depth * 0.85, top - 0.17))
    y = depth / 2 - 0.04
    tap = _boxes(
        ((-0.015, y - 0.03, top), (0.015, y, top + 0.15)), ((-0.012, y - 0.14, top + 0.12), (0.012, y, top + 0.15))
    )
    return [*parts, Part(tap, _metal(rng), "sink")]


def kitchen_sink(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A cupboard with a worktop and a steel basin let into it."""
    width, depth, height = size
    base = height - 0.04
    parts = cabinet(rng, finishes, (width, depth, base))
    x, y = min(width / 2 - 0.08, 0.32), depth / 2 - 0.1
    rim = 0.02
    top = _boxes(
        ((-width / 2, -depth / 2, base), (-x, depth / 2, height)),
        ((x, -depth / 2, base), (width / 2, depth / 2, height)),
        ((-x, -depth / 2, base), (x, -y, height)),
        ((-x, y, base), (x, depth / 2, height)),
    )
    steel = _boxes(
        ((-x, -y, base + 0.002), (x, y, base + 0.006)),
        ((-x - rim, -y - rim, height), (-x, y + rim, height + 0.006)),
        ((x, -y - rim, height), (x + rim, y + rim, height + 0.006)),
        ((-x, -y - rim, height), (x, -y, height + 0.006)),
        ((-x, y, height), (x, y + rim, height + 0.006)),
        ((-0.015, y + 0.02, height), (0.015, y + 0.05, height + 0.25)),
        ((-0.012, y - 0.14, height + 0.22), (0.012, y + 0.05, height + 0.25)),
    )
    return [*parts, Part(top, _any_wood(rng, finishes), "counter"), Part(steel, _metal(rng), "sink")]


def bookshelf(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """Open shelves full of books."""
    width, depth, height = size
    rows = max(2, round(height / 0.36))
    board, back = 0.022, depth / 2
    frame = _boxes(
        ((-width / 2, -depth / 2, 0), (-width / 2 + board, back, height)),
        ((width / 2 - board, -depth / 2, 0), (width / 2, back, height)),
        ((-width / 2 + board, back - 0.01, 0), (width / 2 - board, back, height)),
        *(
            ((-width / 2 + board, -depth / 2, z), (width / 2 - board, back - 0.01, z + board))
            for z in np.linspace(0.03, height - board, rows + 1)
        ),
    )
    step = (height - board - 0.03) / rows
    colors = [hsv(rng.random(), rng.uniform(0.1, 0.8), rng.uniform(0.15, 0.9)) for _ in range(8)]
    books = [Surface() for _ in colors]
    for row in range(rows):
        z, x = 0.03 + row * step + board, -width / 2 + board + 0.005
        end = width / 2 - board - rng.uniform(0, 0.5) * width
        while x < end - 0.05:
            thick = rng.uniform(0.015, 0.05)
            tall, deep = rng.uniform(0.5, 0.85) * (step - board), rng.uniform(0.14, 0.22)
            front = max(-depth / 2 + 0.01, back - 0.015 - deep)
            books[rng.integers(len(books))].box(np.array([x, front, z]), np.array([x + thick, back - 0.012, z + tall]))
            x += thick + (rng.uniform(0.02, 0.2) if rng.random() < 0.08 else 0.0005)
    filled = [(s, c) for s, c in zip(books, colors, strict=True) if s.count]
    return [Part(frame, _any_wood(rng, finishes), "bookshelf"), *(Part(s, Finish(c), "bookshelf") for s, c in filled)]


def television(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A flat screen on a foot, off or showing a picture."""
    width, depth, height = size
    case = _boxes(
        ((-width / 2, -0.02, 0.05), (width / 2, 0.02, height)),
        ((-0.05, -0.01, 0.01), (0.05, 0.03, 0.06)),
        ((-width / 5, -depth / 2, 0), (width / 5, depth / 2, 0.012)),
    )
    screen = Surface((width - 0.03, height - 0.08))
    x, low, high = width / 2 - 0.015, 0.065, height - 0.015
    screen.quad(np.array([[-x, -0.021, low], [x, -0.021, low], [x, -0.021, high], [-x, -0.021, high]]))
    off = Finish((0.02, 0.02, 0.025), shininess=0.9)
    on = Finish(texture=finishes.painting(int(rng.integers(60))), shininess=0.5, emission=1.0)
    black = Finish((0.04, 0.04, 0.04), shininess=0.4)
    return [Part(case, black, "television"), Part(screen, on if rng.random() < 0.3 else off, "television")]


def table(rng: np.random.Generator, finishes: Finishes, size: Size, nyu40: str = "table") -> list[Part]:
    """A top on four legs."""
    width, depth, height = size
    wood = _any_wood(rng, finishes)
    leg = float(rng.uniform(0.04, 0.07))
    x, y = width / 2, depth / 2
    inset = float(rng.uniform(0.0, 0.06))
    feet = [(sx * (x - leg / 2 - inset), sy * (y - leg / 2 - inset)) for sx in (-1, 1) for sy in (-1, 1)]
    legs = _boxes(*(((a - leg / 2, b - leg / 2, 0), (a + leg / 2, b + leg / 2, height - 0.03)) for a, b in feet))
    top = _box((-x, -y, height - 0.03), (x, y, height))
    return [Part(top, wood, nyu40), Part(legs, wood if rng.random() < 0.6 else _metal(rng), nyu40)]


def desk(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A writing table with a box of drawers under it."""
    width, depth, height = size
    parts = table(rng, finishes, size, "desk")
    drawers = cabinet(rng, finishes, (0.4, depth * 0.85, height - 0.06))
    for part in drawers:
        for vertices in part.surface.vertices:
            vertices[:, 0] += width / 2 - 0.28
    return [*parts, *(Part(d.surface, d.finish, "desk") for d in drawers)]


def night_stand(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A small chest beside a bed."""
    return [Part(p.surface, p.finish, "night stand") for p in cabinet(rng, finishes, size)]


def appliance(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """A stove, washer or dishwasher: a white or steel box with a dark door and knobs."""
    width, depth, height = size
    paint = Finish(hsv(0.1, 0.02, rng.choice([0.95, 0.7, 0.3])), shininess=0.5)
    body = _box((-width / 2, -depth / 2 + 0.03, 0), (width / 2, depth / 2, height))
    door = _box((-width / 2 + 0.05, -depth / 2, 0.15), (width / 2 - 0.05, -depth / 2 + 0.03, height - 0.2))
    knobs = _boxes(
        *(
            ((x - 0.02, -depth / 2, height - 0.12), (x + 0.02, -depth / 2 + 0.03, height - 0.08))
            for x in (-0.18, -0.06, 0.06, 0.18)
        )
    )
    dark = Finish((0.06, 0.06, 0.07), shininess=0.8)
    return [Part(s, f, "otherfurniture") for s, f in ((body, paint), (door, dark), (knobs, _metal(rng)))]


def bed(rng: np.random.Generator, finishes: Finishes, size: Size) -> list[Part]:
    """Frame, mattress with a cover, headboard and pillows; the head is at the back."""
    width, depth, _ = size
    frame = _box((-width / 2, -depth / 2, 0.08), (width / 2, depth / 2 - 0.06, 0.28))
    head = _box((-width / 2, depth / 2 - 0.06, 0), (width / 2, depth / 2, float(rng.uniform(0.7, 1.1))))
    mattress = _box((-width / 2 + 0.02, -depth / 2 + 0.02, 0.28), (width / 2 - 0.02, depth / 2 - 0.07, 0.47))
    cover = _box((-width / 2 - 0.01, -depth / 2 - 0.0, 0.3), (width / 2 + 0.01, depth / 2 - 0.6, 0.5), 0.5)
    pillows = Surface()
    for x in (-0.25, 0.25) if width > 1.2 else (0.0,):
        x = x * width
        pillows.box(np.array([x - 0.3, depth / 2 - 0.5, 0.47]), np.array([x + 0.3, depth / 2 - 0.1, 0.58]))
    white = Finish(hsv(0.1, 0.03, rng.uniform(0.8, 0.95)))
    first = hsv(rng.random(), rng.uniform(0.1, 0.6), rng.uniform(0.3, 0.9))
    second = hsv(rng.random(), rng.uniform(0.1, 0.6), rng.uniform(0.3, 0.9))
    fabric = Finish(texture=finishes.fabric(first, second, FABRICS[rng.integers(len(FABRICS))]))
    wood = _any_wood(rng, finishes)
    return [
        Part(frame, wood, "bed"),
        Part(head, wood, "bed"),
        Part(mattress, white, "bed"),
        Part(cover, fabric, "bed"),
        Part(pillows, white, "bed"),
    ]


# what stands in for a role that the catalogue has no model for in a split, and its usual size
MAKERS: dict[str, tuple[Callable[[np.random.Generator, Finishes, Size], list[Part]], Size]] = {
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
