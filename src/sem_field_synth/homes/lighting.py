"""Light: an area lamp at every room's ceiling, standing and hanging lamps, daylight of varying strength."""

from __future__ import annotations

import numpy as np
from shapely.geometry.base import BaseGeometry

from sem_field_synth.homes.home_building import Building, is_indoors
from sem_field_synth.homes.placing import Item
from sem_field_synth.scene import Color, Lamp


def warmth(rng: np.random.Generator) -> Color:
    """The colour of a lamp: warm white to cool white."""
    t = float(rng.random())
    return (1.0, 0.78 + 0.22 * t, 0.55 + 0.45 * t)


def light(
    building: Building, kinds: list[str], items: list[Item], room: int, seen: BaseGeometry, rng: np.random.Generator
) -> list[Lamp]:
    """Lamps of the visible rooms: the filmed room is always lit, others mostly."""
    lamps = []
    tone = warmth(rng)
    strength = float(rng.uniform(0.7, 1.5))
    for i, polygon in enumerate(building.polygons):
        if not is_indoors(building.rooms[i]) or not polygon.intersects(seen) or (i != room and rng.random() < 0.3):
            continue
        area = polygon.area
        center = np.array(polygon.representative_point().coords[0])
        count = max(1, round(area / 14))
        box = polygon.bounds
        along = (
            np.array([box[2] - box[0], 0.0]) if box[2] - box[0] > box[3] - box[1] else np.array([0.0, box[3] - box[1]])
        )
        for k in range(count):
            spot = center + along * ((k + 0.5) / count - 0.5) * 0.9
            position = np.array([*spot, building.height - 0.02])
            lamps.append(Lamp("area", position, 7.0 * area / count * strength, float(rng.uniform(0.4, 0.9)), tone))
    for item in items:
        if item.nyu40 != "lamp" or item.room is None or rng.random() < 0.35:
            continue
        if item.role == "pendant lamp":
            position = np.array([*item.center, item.bottom - 0.06])
        elif item.role == "wall lamp":
            position = np.array([*(item.center + item.front * (item.size[1] / 2 + 0.08)), item.top + 0.05])
        else:
            position = np.array([*item.center, item.top + 0.08])
        lamps.append(Lamp("point", position, float(rng.uniform(4, 18)), 0.05, warmth(rng)))
    if rng.random() < 0.35:
        azimuth, altitude = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(20, 55))
        sun = np.array([np.cos(azimuth) * np.cos(altitude), np.sin(azimuth) * np.cos(altitude), np.sin(altitude)])
        lamps.append(Lamp("sun", 100 * sun, float(rng.uniform(1.0, 4.0)), 0.02, (1.0, 0.93, 0.82)))
    return lamps


def exposure_and_sky(rng: np.random.Generator) -> tuple[float, tuple[Color, float]]:
    """Stops of exposure, and the sky's colour and strength: overcast, blue, dusk or night."""
    kind = rng.random()
    if kind < 0.15:
        return float(rng.uniform(-0.2, 0.5)), ((0.05, 0.06, 0.12), float(rng.uniform(0.05, 0.3)))
    if kind < 0.55:
        return float(rng.uniform(-0.3, 0.3)), ((0.85, 0.9, 1.0), float(rng.uniform(0.8, 2.5)))
    if kind < 0.85:
        return float(rng.uniform(-0.3, 0.3)), ((0.6, 0.78, 1.0), float(rng.uniform(0.8, 2.5)))
    return float(rng.uniform(-0.2, 0.3)), ((1.0, 0.75, 0.55), float(rng.uniform(0.5, 1.5)))
