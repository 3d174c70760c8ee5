"""Sweet Home 3D's Home.xml: walls, rooms, openings and pieces of one level, in world metres (x right, y = -plan y)."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sem_field_ros.errors import DataError

ARC_STEP = 0.09  # radians between the points of a round wall
DEFAULT_HEIGHT = 2.5


@dataclass(frozen=True)
class Wall:
    """A wall: corners of its footprint [P, 2] metres, thickness and height (of its higher end) in metres."""

    footprint: np.ndarray
    thickness: float
    height: float


@dataclass(frozen=True)
class Room:
    """A room: its name (may be empty), its polygon [P, 2] metres, and whether it has a ceiling."""

    name: str
    polygon: np.ndarray
    ceiling: bool
    floor: bool


@dataclass(frozen=True)
class Piece:
    """A piece of furniture, a door, window or lamp: a box that stands at `center`, turned by `yaw`.

    center     [2] metres        yaw  radians counter-clockwise; at 0 the front faces -y
    elevation  metres from the floor to its lower side        size  width, depth, height in metres
    """

    id: str
    name: str
    kind: str  # piece, opening or light
    center: np.ndarray
    yaw: float
    elevation: float
    size: tuple[float, float, float]
    mirrored: bool = False
    colors: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Level:
    """One storey of a home with its floor at z = 0."""

    home: str
    name: str
    height: float
    walls: list[Wall]
    rooms: list[Room]
    pieces: list[Piece]


def read_home(path: Path) -> list[Level]:
    """Read an example home: its levels, lowest first. Raises DataError if the file is not a home."""
    try:
        root = ElementTree.parse(path).getroot()  # noqa: S314  (a file of the Debian package)
        height = float(root.get("wallHeight", 250)) / 100
        levels = [
            (e.get("id"), e.get("name", ""), float(e.get("height", 250)) / 100, float(e.get("elevation", 0)))
            for e in root.findall("level")
        ]
        levels.sort(key=lambda level: level[3])
        found = levels or [(None, "", height, 0.0)]
        return [_level(root, path.stem, *level[:3]) for level in found]
    except (OSError, ElementTree.ParseError, KeyError, ValueError) as error:
        raise DataError(f"{path} is not a Sweet Home 3D home: {error}") from error


def _level(root: ElementTree.Element, home: str, key: str | None, name: str, height: float) -> Level:
    def here(element: ElementTree.Element) -> bool:
        return element.get("level") == key

    walls = [e for e in root.findall("wall") if here(e)]
    joined = {e.get("id", ""): _ends(e) for e in walls}
    pieces = [_piece(e) for e in root.iter() if e.tag in ("pieceOfFurniture", "doorOrWindow", "light") and here(e)]
    # members of a group carry their own place; those without a level of their own belong to the group's
    for group in root.iter("furnitureGroup"):
        if here(group) and key is not None:
            pieces += [
                _piece(e)
                for e in group.iter()
                if e.tag in ("pieceOfFurniture", "doorOrWindow", "light") and e.get("level") is None
            ]
    return Level(
        home,
        name,
        height,
        [_wall(e, joined) for e in walls],
        [_room(e) for e in root.findall("room") if here(e)],
        [p for p in pieces if p is not None],
    )


def _room(element: ElementTree.Element) -> Room:
    points = [(float(p.get("x", 0)) / 100, -float(p.get("y", 0)) / 100) for p in element.findall("point")]
    return Room(
        element.get("name", ""),
        np.array(points),
        element.get("ceilingVisible") != "false",
        element.get("floorVisible") != "false",
    )


def _piece(element: ElementTree.Element) -> Piece | None:
    if element.get("visible") == "false":
        return None
    kind = {"doorOrWindow": "opening", "light": "light"}.get(element.tag, "piece")

    def metres(key: str) -> float:
        return float(element.get(key, 0)) / 100

    return Piece(
        element.get("catalogId", ""),
        element.get("name", "").strip(),
        kind,
        np.array([metres("x"), -metres("y")]),
        -float(element.get("angle", 0)),
        metres("elevation"),
        (metres("width"), metres("depth"), metres("height")),
        element.get("modelMirrored") == "true",
        {m.get("name", ""): m.get("color", "") for m in element.findall("material") if m.get("color")},
    )


def _ends(element: ElementTree.Element) -> tuple[np.ndarray, np.ndarray]:
    def point(end: str) -> np.ndarray:
        return np.array([float(element.get(f"x{end}", 0)) / 100, -float(element.get(f"y{end}", 0)) / 100])

    return point("Start"), point("End")


def _wall(element: ElementTree.Element, joined: dict[str, tuple[np.ndarray, np.ndarray]]) -> Wall:
    start, end = _ends(element)
    thickness = float(element.get("thickness", 10)) / 100
    height = max(float(element.get(k, 0)) for k in ("height", "heightAtEnd")) / 100 or DEFAULT_HEIGHT
    line = _arc(start, end, -float(element.get("arcExtent", 0)))
    along = [(line[1] - line[0]), (line[-1] - line[-2])]
    along = [d / max(float(np.linalg.norm(d)), 1e-9) for d in along]
    # where walls meet, each reaches half its thickness further, so that the corner is closed
    if element.get("wallAtStart") in joined:
        line[0] = line[0] - along[0] * thickness / 2
    if element.get("wallAtEnd") in joined:
        line[-1] = line[-1] + along[1] * thickness / 2
    steps = np.gradient(line, axis=0)
    normals = np.stack([-steps[:, 1], steps[:, 0]], axis=1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    sides = [line + normals * thickness / 2, (line - normals * thickness / 2)[::-1]]
    return Wall(np.concatenate(sides), thickness, height)


def _arc(start: np.ndarray, end: np.ndarray, extent: float) -> np.ndarray:
    """Points [P, 2] from start to end on the arc that spans `extent` radians (counter-clockwise above 0)."""
    if abs(extent) < 1e-3:
        return np.array([start, end])
    chord = end - start
    middle = (start + end) / 2
    # the centre lies on the chord's perpendicular, to the left for a counter-clockwise arc of less than half a turn
    center = middle + np.array([-chord[1], chord[0]]) / 2 / np.tan(extent / 2)
    count = max(3, int(np.ceil(abs(extent) / ARC_STEP)) + 1)
    angles = np.linspace(0, extent, count)
    rotations = np.array([[[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]] for a in angles])
    return np.asarray(center + rotations @ (start - center))
