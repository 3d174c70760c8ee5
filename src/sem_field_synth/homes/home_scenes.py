"""build_scene: one furnished room of an example home with a camera path."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from shapely.geometry import Polygon

from sem_field_ros.errors import DataError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_synth.catalogue.catalogue import Assets
from sem_field_synth.catalogue.class_table import classes_by_material
from sem_field_synth.homes.decoration import decorate
from sem_field_synth.homes.finishes import Finishes
from sem_field_synth.homes.home_building import Building, Opening, RoomFinish, is_indoors
from sem_field_synth.homes.home_plan import SceneSpec, split_of_home, usable_rooms
from sem_field_synth.homes.home_xml import Level
from sem_field_synth.homes.lighting import exposure_and_sky, light
from sem_field_synth.homes.made.panels import pose, rectangle
from sem_field_synth.homes.made.shapes import Part
from sem_field_synth.homes.openings import door_frame, door_leaf, leaf_footprint, leaf_pose, window
from sem_field_synth.homes.original_roles import role_of_piece, room_kind
from sem_field_synth.homes.placing import Space
from sem_field_synth.homes.refurnish import Chooser, refurnish
from sem_field_synth.homes.trajectory import FreeSpace, Target, camera_positions, headings, poses
from sem_field_synth.scene import Finish, HomeScene, Panel, PlacedModel

SEEN_AROUND = 5.0  # metres around the room in which other rooms are furnished too
WEIGHTS = {  # weight of a class as a camera target: higher for small and rare things
    "floor mat": 0.1,
    "otherprop": 0.25,
    "lamp": 0.3,
    "window": 0.3,
    "door": 0.35,
    "curtain": 0.5,
    "picture": 0.5,
    "bookshelf": 0.7,
    "cabinet": 0.7,
    "chair": 1.1,
    "desk": 1.4,
    "bed": 1.4,
    "shower curtain": 1.4,
    "sofa": 1.7,
    "sink": 1.7,
    "toilet": 2.2,
}


def build_scene(
    assets: Assets,
    home: str,
    room: int,
    seed: int,
    frames: int = 40,
    size: tuple[int, int] = (320, 240),
    split: str | None = None,
) -> HomeScene:
    """Build one scene: the home's level refurnished, and `frames` camera poses through its room number `room`.

    size  width and height of the pictures in pixels        split  of the models; by default that of the home
    The same arguments give the same scene. Raises DataError if the home or room does not exist.
    """
    split = split or split_of_home(home)
    rooms = usable_rooms(assets, home)
    if not 0 <= room < len(rooms):
        raise DataError(f"home {home} has usable rooms 0..{len(rooms) - 1}, not {room}")
    level, index = rooms[room]
    for attempt in range(8):
        try:
            return _Builder(assets, level, index, split, seed, attempt).scene(frames, size, room)
        except DataError:
            if attempt == 7:
                raise
    raise AssertionError


class _Builder:
    def __init__(self, assets: Assets, level: Level, index: int, split: str, seed: int, attempt: int) -> None:
        self.rng = np.random.default_rng([seed, index, attempt])
        self.assets, self.level, self.index, self.split, self.seed = assets, level, index, split, seed
        self.building = Building(level)
        self.finishes = Finishes(assets, self.rng)
        self.instances: dict[int, str] = {}
        self.panels: list[Panel] = []
        self.seen = self.building.polygons[index].buffer(SEEN_AROUND)
        pieces = [p for p in level.pieces if p.kind != "opening"]
        self.of_room = {id(p): self.building.room_at(p.center, reach=0.05) for p in pieces}
        raw: dict[int, list[str]] = {i: [] for i in range(len(self.building.rooms))}
        for piece in pieces:
            where = self.of_room[id(piece)]
            if where is not None:
                raw[where].append(role_of_piece(piece, "") or "")
        self.kinds = [room_kind(r.name, raw[i]) for i, r in enumerate(self.building.rooms)]
        for i, room in enumerate(self.building.rooms):
            spare = self.building.polygons[i].area > 8 and not room.name
            if self.kinds[i] in ("corridor", "other") and spare:  # a room without a named use
                self.kinds[i] = str(self.rng.choice(["living", "bedroom", "office", "kitchen"]))
        self.looks = [self.finishes.room(kind) for kind in self.kinds]
        self.outside = RoomFinish(
            Finish((0.7, 0.66, 0.6)), (1, 1), Finish((0.45, 0.45, 0.45)), (1, 1), Finish((0.8,) * 3)
        )

    def number(self, name: str) -> int:
        """A new instance id for something with a name; surfaces of the building share theirs by name."""
        for key, known in self.instances.items():
            if known == name and " of " in name:
                return key
        self.instances[len(self.instances) + 1] = name
        return len(self.instances)

    def scene(self, frames: int, size: tuple[int, int], room: int) -> HomeScene:
        self.panels += self.building.panels(lambda i: self.outside if i is None else self.looks[i], self.number)
        space = self._furnish()
        self._openings(space)
        models = self._drawn(space)
        lamps = light(self.building, self.kinds, space.items, self.index, self.seen, self.rng)
        exposure, sky = exposure_and_sky(self.rng)
        camera, T = self._camera(space, frames, size)
        rate = 1e9 / 3.0
        return HomeScene(
            name=SceneSpec(self.level.home, room, self.seed, self.split).name,
            panels=self.panels,
            models=models,
            lamps=lamps,
            camera=camera,
            T_world_camera=T,
            stamps_ns=(np.arange(frames) * rate).astype(np.int64) + 1_000_000_000,
            room=np.array(shapely.get_coordinates(self.building.polygons[self.index])),
            exposure=exposure,
            sky=sky,
            instances=dict(self.instances),
        )

    def _furnish(self) -> Space:
        building = self.building
        ways = [
            (rectangle(o.center, o.yaw, o.width * 0.9, o.thickness + 1.0), o.top)
            for o in building.openings
            if o.kind != "window"
        ]
        space = Space(building.walls.buffer(-0.005), list(building.polygons), list(ways))
        pieces = []
        for piece in self.level.pieces:
            where = self.of_room.get(id(piece))
            if piece.kind == "opening" or where is None or not is_indoors(building.rooms[where]):
                continue
            role = role_of_piece(piece, self.kinds[where])
            near = building.polygons[where].intersects(self.seen)
            if role is not None and near and self.seen.distance(shapely.Point(piece.center)) == 0:
                pieces.append((piece, role, where))
        chooser = Chooser(self.assets, self.split, self.rng)
        refurnish(pieces, space, chooser, self.finishes, building.height)
        decorate(space, building, self.kinds, self.index, chooser, self.finishes)
        return space

    def _openings(self, space: Space) -> None:
        rng = self.rng
        self.leaves: list[Polygon] = []
        self.targets: list[Target] = []
        for o in self.building.openings:
            T = pose(o.center[0], o.center[1], 0, o.yaw)
            self.targets.append(Target(o.center, WEIGHTS["window" if o.kind == "window" else "door"]))
            if o.kind == "window":
                self._add_parts(window(rng, o), T, "window")
                continue
            frame = self._add_parts(door_frame(rng, o), T, "door")
            if o.kind == "frame":
                continue
            swung = self._swing(o, space)
            self.leaves.append(leaf_footprint(o, swung))
            self._add_parts(door_leaf(rng, self.finishes, o), swung, "door", frame)

    def _swing(self, o: Opening, space: Space) -> np.ndarray:
        """How a door stands: open where there is room for its leaf, shut otherwise; doors to the outside are shut."""
        rng = self.rng
        if not o.outside and o.width < 1.1 and rng.random() < 0.75:
            for turn in rng.permutation(4):
                angle = float(np.radians(rng.uniform(60, 100)))
                T = leaf_pose(o, bool(turn & 1), bool(turn & 2), angle)
                shape = leaf_footprint(o, T)
                free = not self.building.walls.buffer(-0.01).intersects(
                    shape.difference(rectangle(o.center, o.yaw, o.width, o.thickness + 0.1))
                )
                if free and not any(
                    i.bottom < 2 and i.top > 0.1 and i.footprint.intersects(shape) for i in space.items
                ):
                    return T
        return leaf_pose(o, bool(rng.random() < 0.5), bool(rng.random() < 0.5), 0.0)

    def _add_parts(self, parts: Sequence[Part], T: np.ndarray, name: str, instance: int | None = None) -> int:
        number = instance if instance is not None else self.number(name)
        for part in parts:
            if not part.surface.count:
                continue
            panel = part.surface.panel(part.finish, part.nyu40, number)
            placed = panel.vertices @ T[:3, :3].T + T[:3, 3]
            self.panels.append(Panel(placed, panel.faces, panel.uv, panel.finish, panel.nyu40, number))
        return number

    def _drawn(self, space: Space) -> list[PlacedModel]:
        models = []
        for item in space.items:
            if item.model is None:
                self._add_parts(item.parts, item.T_world_item, item.role)
                continue
            number = self.number(item.model.id)
            asset = item.model.id
            classes = classes_by_material().get(asset, {})
            models.append(
                PlacedModel(item.model.path, item.T_world_model, item.nyu40, number, asset, item.finishes, classes)
            )
        return models

    def _camera(self, space: Space, frames: int, size: tuple[int, int]) -> tuple[Intrinsics, np.ndarray]:
        rng = self.rng
        room = self.building.polygons[self.index]
        handheld = bool(rng.random() < 0.65)
        height = float(rng.uniform(1.3, 1.7) if handheld else rng.uniform(0.5, 1.0))
        pitch = float(rng.uniform(12, 30) if handheld else rng.uniform(0, 12))
        solid = [i for i in space.items if i.bottom < height + 0.3 and i.top > 0.05 and i.nyu40 != "floor mat"]
        walls = self.building.walls
        low = [i.footprint for i in solid] + self.leaves
        tall = [i.footprint for i in solid if i.top > height - 0.3] + self.leaves
        free = FreeSpace(room, [walls, *low], [walls, *tall])
        targets = [t for t in self.targets if room.buffer(0.3).intersects(shapely.Point(t.center))]
        for item in space.items:
            if item.room == self.index:
                extent = np.sqrt(item.size[2] * max(item.size[0], item.size[1]))
                targets.append(Target(item.center, WEIGHTS.get(item.nyu40, 1.0) * float(np.clip(extent, 0.2, 1.5))))
        fov = float(np.radians(rng.uniform(60, 75)))
        positions = camera_positions(free, frames, float(rng.uniform(0.06, 0.12)), rng)
        heading = headings(free, positions, targets, float(rng.uniform(7, 12)), fov / 2, rng)
        width, tall_px = size
        focal = width / 2 / np.tan(fov / 2)
        camera = Intrinsics(focal, focal, (width - 1) / 2, (tall_px - 1) / 2, width, tall_px)
        return camera, poses(positions, heading, handheld, rng, height, pitch)
