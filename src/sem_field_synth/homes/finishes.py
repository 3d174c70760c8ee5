"""Paints, floors and fabrics: typical colours, textures of the package, and procedural images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from sem_field_ros.atomic import atomic_write
from sem_field_synth.catalogue.catalogue import Assets
from sem_field_synth.homes.home_building import RoomFinish
from sem_field_synth.scene import Color, Finish

IMAGE_VERSION = 3  # in the names of the procedural images
WALL_HUES = (
    (0.1, 0.12),
    (0.11, 0.05),
    (0.08, 0.25),
    (0.55, 0.18),
    (0.35, 0.14),
    (0.0, 0.15),
    (0.13, 0.35),
    (0.62, 0.1),
)
WALL_TEXTURES = ("smallWhiteBricks", "smallRedBricks", "roughcast", "stoneWall", "stone2Wall")
TILE_TEXTURES = ("blueTiles", "wallBeigeTile", "lightBlueTile", "darkBlueTile")
FLOOR_TILES = ("greyTile", "stoneTiles", "beigeTile", "blackAndWhiteTiles", "redTiles")
FLOOR_WOODS = ("woodenFloor", "oldWoodenFloor")
FABRICS = ("plain", "stripes", "checks", "dots", "leaves", "zigzag")


def hsv(hue: float, saturation: float, value: float) -> Color:
    """Colour from hue, saturation and value, each 0..1."""
    pixel = np.array([[[hue % 1 * 360, np.clip(saturation, 0, 1), np.clip(value, 0, 1)]]], dtype=np.float32)
    r, g, b = (float(v) for v in cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0])
    return (r, g, b)


def wall_color(rng: np.random.Generator) -> Color:
    """A wall paint: mostly off-white, sometimes tinted, rarely strong."""
    hue, saturation = WALL_HUES[rng.integers(len(WALL_HUES))]
    kind = rng.random()
    if kind < 0.55:
        return hsv(hue, rng.uniform(0, 0.06), rng.uniform(0.8, 0.95))
    if kind < 0.9:
        return hsv(hue + rng.normal(0, 0.03), saturation * rng.uniform(0.6, 1.3), rng.uniform(0.65, 0.92))
    return hsv(rng.random(), rng.uniform(0.3, 0.6), rng.uniform(0.35, 0.7))


class Finishes:
    """Chooses finishes by room type. Procedural images are written once into the cache, named by their content."""

    def __init__(self, assets: Assets, rng: np.random.Generator) -> None:
        self._assets = assets
        self._rng = rng

    def texture(self, name: str) -> tuple[Path, tuple[float, float]] | None:
        """A texture of the package by its short name, with the metres it covers."""
        found = self._assets.textures.get(f"eTeks#{name}")
        return (found.path, found.size) if found and found.path.is_file() else None

    def _one_of(self, names: tuple[str, ...]) -> tuple[Path, tuple[float, float]] | None:
        return self.texture(names[self._rng.integers(len(names))])

    def room(self, kind: str) -> RoomFinish:
        """How a room of a kind (living, bedroom, kitchen, bath, office, corridor) is painted, and its floor."""
        rng = self._rng
        wall, repeat = Finish(wall_color(rng), shininess=0.05), (1.0, 1.0)
        lower, lower_height = None, 0.0
        if rng.random() < 0.1 and kind not in ("bath", "kitchen"):
            image = self._one_of(WALL_TEXTURES)
            wall, repeat = (Finish(texture=image[0]), image[1]) if image else (wall, repeat)
        elif rng.random() < 0.2 and kind not in ("bath", "kitchen"):
            path = self.fabric(wall_color(rng), wall_color(rng), FABRICS[1 + rng.integers(len(FABRICS) - 1)])
            wall, repeat = Finish(texture=path), (float(rng.uniform(0.4, 1.2)),) * 2
        elif kind == "bath" or (kind == "kitchen" and rng.random() < 0.4):
            image = self._one_of(TILE_TEXTURES) if rng.random() < 0.5 else self.tiles(wall=True)
            if image:
                lower, repeat = Finish(texture=image[0], shininess=0.4), image[1]
                lower_height = float(rng.choice([1.2, 1.6, 2.0]))
                if rng.random() < 0.3:
                    wall, lower, lower_height = lower, None, 0.0
        elif rng.random() < 0.15:
            lower, lower_height = Finish(wall_color(rng), shininess=0.1), float(rng.uniform(0.8, 1.2))
        ceiling = Finish(hsv(0.12, rng.uniform(0, 0.04), rng.uniform(0.85, 0.97)))
        floor, floor_repeat = self._floor(kind)
        return RoomFinish(wall, repeat, floor, floor_repeat, ceiling, lower, lower_height)

    def _floor(self, kind: str) -> tuple[Finish, tuple[float, float]]:
        rng = self._rng
        tiled = {"bath": 0.85, "kitchen": 0.6, "corridor": 0.3}.get(kind, 0.08)
        draw = rng.random()
        if draw < tiled:
            image = self._one_of(FLOOR_TILES) if rng.random() < 0.5 else self.tiles(wall=False)
            shine = 0.35
        elif draw < tiled + (1 - tiled) * (0.35 if kind in ("bedroom", "office") else 0.12):
            image, shine = (self.carpet(), (1.0, 1.0)), 0.0
        else:
            image = self._one_of(FLOOR_WOODS) if rng.random() < 0.25 else self.planks()
            shine = 0.25
        if image is None:
            image = self.planks()
        return Finish(texture=image[0], shininess=shine * float(rng.uniform(0.3, 1.2))), image[1]

    def planks(self) -> tuple[Path, tuple[float, float]]:
        """A wooden floor of planks, or parquet."""
        rng = self._rng
        tone = hsv(rng.uniform(0.06, 0.11), rng.uniform(0.25, 0.65), rng.uniform(0.25, 0.8))
        return self._image("planks", tone, int(rng.integers(6)), _planks), (1.2, 1.2)

    def tiles(self, wall: bool) -> tuple[Path, tuple[float, float]]:
        """Square tiles with joints."""
        rng = self._rng
        tone = hsv(rng.random(), rng.uniform(0, 0.25), rng.uniform(0.5, 0.95))
        size = float(rng.choice([0.4, 0.6])) if wall else float(rng.choice([0.8, 1.2, 1.6]))
        return self._image("tiles", tone, int(rng.integers(4)), _tiles), (size, size)

    def carpet(self) -> Path:
        """A fitted carpet."""
        rng = self._rng
        return self._image("carpet", hsv(rng.random(), rng.uniform(0, 0.4), rng.uniform(0.25, 0.75)), 0, _carpet)

    def wood(self) -> Path:
        """Grain without joints, for parametric furniture."""
        rng = self._rng
        return self._image(
            "wood", hsv(rng.uniform(0.05, 0.11), rng.uniform(0.2, 0.7), rng.uniform(0.25, 0.85)), 0, _wood
        )

    def fabric(self, first: Color, second: Color, pattern: str) -> Path:
        """A woven pattern of two colours."""
        return self._image(f"fabric_{pattern}_{_hex(second)}", first, 0, _fabric, pattern=pattern, second=second)

    def painting(self, number: int) -> Path:
        """A picture to hang: landscape, still life or abstract, by its number."""
        return self._image("painting", (0.5, 0.5, 0.5), number, _painting)

    def _image(self, name: str, color: Color, variant: int, make: object, **more: object) -> Path:
        color = tuple(round(c * 15) / 15 for c in color)  # type: ignore[assignment]
        path = self._assets.cache / "made" / f"{name}_{_hex(color)}_{variant}_v{IMAGE_VERSION}.jpg"
        if not path.is_file():
            rng = np.random.default_rng([variant, *(int(c * 255) for c in color)])
            image = make(rng, np.array(color), **more)  # type: ignore[operator]
            done, data = cv2.imencode(".jpg", np.clip(image[..., ::-1] * 255, 0, 255).astype(np.uint8))
            assert done
            with atomic_write(path) as file:
                file.write(data.tobytes())
        return path


def _hex(color: Color) -> str:
    return "".join(f"{round(c * 255):02x}" for c in color)


def _noise(rng: np.random.Generator, shape: tuple[int, int], blur: tuple[float, float]) -> np.ndarray:
    """Noise of mean 0 and deviation 1 that tiles, smoothed by `blur` pixels along y and x."""
    along_y, along_x = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    keep = np.exp(-2 * np.pi**2 * ((blur[0] * along_y) ** 2 + (blur[1] * along_x) ** 2))  # of a Gaussian, periodic
    field = np.fft.irfft2(np.fft.rfft2(rng.normal(size=shape)) * keep, shape)
    return np.asarray((field - field.mean()) / max(float(field.std()), 1e-9))


def _wood(rng: np.random.Generator, color: np.ndarray, size: int = 512) -> np.ndarray:
    grain = _noise(rng, (size, size), (1.2, 40)) * 0.09 + _noise(rng, (size, size), (6, 90)) * 0.1
    return np.asarray(color * (1 + grain)[..., None])


def _planks(rng: np.random.Generator, color: np.ndarray) -> np.ndarray:
    size, rows = 768, int(rng.choice([6, 8, 12]))
    image = _wood(rng, color, size)
    height = size // rows
    for row in range(rows):
        start = int(rng.integers(size))
        cuts = [start, start + size // 2 + int(rng.integers(-size // 8, size // 8))]
        tones = rng.normal(1, 0.08, 2)
        columns = (np.arange(size) - start) % size < (cuts[1] - cuts[0])
        band = image[row * height : (row + 1) * height]
        band *= np.where(columns, tones[0], tones[1])[None, :, None]
        band[:2] *= 0.55
        for cut in cuts:
            band[:, np.arange(cut, cut + 2) % size] *= 0.55
    return image


def _tiles(rng: np.random.Generator, color: np.ndarray) -> np.ndarray:
    size, count = 512, 4
    image = color * (1 + 0.03 * _noise(rng, (size, size), (8, 8)))[..., None]
    step = size // count
    for i in range(count):
        for j in range(count):
            tone = 1 + rng.normal(0, 0.03)
            image[i * step : (i + 1) * step, j * step : (j + 1) * step] *= tone
    joint = np.clip(color * 0.7 + 0.1, 0, 1)
    for i in range(count):
        image[i * step : i * step + 5] = joint
        image[:, i * step : i * step + 5] = joint
    return np.asarray(image)


def _carpet(rng: np.random.Generator, color: np.ndarray) -> np.ndarray:
    grain = 0.12 * _noise(rng, (512, 512), (0.8, 0.8)) + 0.05 * _noise(rng, (512, 512), (20, 20))
    return np.asarray(color * (1 + grain)[..., None])


def _fabric(rng: np.random.Generator, color: np.ndarray, pattern: str, second: Color) -> np.ndarray:
    size = 256
    y, x = np.mgrid[:size, :size] / size
    if pattern == "stripes":
        mask = (x * 8 % 1) < 0.5
    elif pattern == "checks":
        mask = ((x * 4 % 1) < 0.5) ^ ((y * 4 % 1) < 0.5)
    elif pattern == "dots":
        mask = (((x * 5 % 1) - 0.5) ** 2 + ((y * 5 % 1) - 0.5) ** 2) < 0.05
    elif pattern == "leaves":
        mask = np.sin(x * 12.566) * np.sin(y * 12.566) + 0.5 * np.sin((x + y) * 25.13) > 0.35
    elif pattern == "zigzag":
        mask = ((y * 6 + np.abs((x * 6 % 1) - 0.5)) % 1) < 0.5
    else:
        mask = np.zeros((size, size), bool)
    image = np.where(mask[..., None], np.array(second), color)
    return np.asarray(image * (1 + 0.05 * _noise(rng, (size, size), (0.7, 0.7)))[..., None])


def _painting(rng: np.random.Generator, color: np.ndarray) -> np.ndarray:
    height, width = 240, 320
    image = np.zeros((height, width, 3))
    kind = int(rng.integers(3))
    if kind == 0:  # landscape: sky, hills, sun
        sky, ground = np.array(hsv(rng.random(), 0.3, 0.9)), np.array(hsv(rng.uniform(0.1, 0.45), 0.5, 0.5))
        rows = np.linspace(0, 1, height)[:, None, None]
        image[:] = sky * (1 - 0.4 * rows)
        for layer in range(3):
            line = height * (0.4 + 0.18 * layer) + 15 * np.cumsum(rng.normal(size=width)) / np.sqrt(width) * 2
            mask = np.arange(height)[:, None] > line[None, :]
            image[mask] = ground * (1 - 0.25 * layer) + rng.normal(0, 0.02, 3)
    elif kind == 1:  # abstract blocks and circles
        image[:] = hsv(rng.random(), 0.2, 0.85)
        for _ in range(int(rng.integers(4, 12))):
            tint = hsv(rng.random(), rng.uniform(0.2, 0.9), rng.uniform(0.2, 0.95))
            a = (int(rng.integers(width)), int(rng.integers(height)))
            if rng.random() < 0.5:
                cv2.rectangle(image, a, (int(rng.integers(width)), int(rng.integers(height))), tint, -1)
            else:
                cv2.circle(image, a, int(rng.integers(10, 70)), tint, -1)
    else:  # soft colour fields
        base, other = (np.array(hsv(rng.random(), rng.uniform(0.1, 0.5), rng.uniform(0.3, 0.95))) for _ in range(2))
        share = 1 / (1 + np.exp(-1.5 * _noise(rng, (height, width), (float(rng.uniform(8, 40)), 35))))
        image = base * share[..., None] + other * (1 - share[..., None])
    canvas = 1 + 0.04 * _noise(rng, (height, width), (1.0, 1.0))
    return np.asarray(image * canvas[..., None])
