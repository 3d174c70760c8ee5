"""A tiny stand-in for Debian's sweethome3d packages: two homes of two rooms, box models, one texture."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import shapely

from sem_field_ros.labels import load_label_set
from sem_field_synth.catalogue.catalogue import DEFAULT_SOURCE, JAR, Assets
from sem_field_synth.catalogue.extraction import RESOURCES
from sem_field_synth.homes import home_scenes
from sem_field_synth.homes.placing import SLACK, TUCKED, Space
from sem_field_synth.scene import HomeScene

CUBE = """v -1 0 -1
v 1 0 -1
v 1 0 1
v -1 0 1
v -1 2 -1
v 1 2 -1
v 1 2 1
v -1 2 1
usemtl {material}
f 4 3 7 8
f 2 1 5 6
f 1 2 3 4
f 8 7 6 5
f 1 4 8 5
f 3 2 6 7
"""
# catalogue id without the library: category, width, depth, height in cm
OWN = {
    "chair": ("Living room", 40, 42, 90),
    "chair2": ("Living room", 48, 50, 80),
    "sofa2": ("Living room", 200, 86, 88),
    "sofa": ("Living room", 147, 87, 87),
    "bed": ("Bedroom", 144, 193, 53),
    "table": ("Living room", 150, 75, 74),
    "wardrobe": ("Bedroom", 100, 54, 165),
    "toiletUnit": ("Bathroom", 40, 80, 62),
    "door": ("Doors and windows", 91, 14, 208),
    "pendantLamp": ("Lights", 60, 60, 80),
}
LIBRARY = {"dining-chair": ("Living room", 42, 57, 100), "office-chair": ("Office", 64, 64, 91)}


def catalogue(entries: dict[str, tuple[str, int, int, int]], library: str, folder: str) -> str:
    """A *Catalog.properties."""
    lines = ["# comment=1", "license=Test licence", "provider=nobody"]
    for i, (name, (category, width, depth, height)) in enumerate(entries.items(), 1):
        lines += [f"id#{i}={library}#{name}", f"name#{i}=A \\u00e9 {name}", f"category#{i}={category}"]
        lines += [f"model#{i}=/{folder}/{name}.obj", f"width#{i}={width}", f"depth#{i}={depth}", f"height#{i}={height}"]
        lines += [f"creator#{i}=Maker of {name}", f"doorOrWindow#{i}={str(name == 'door').lower()}"]
    return "\n".join(lines)


def home_xml() -> str:
    """Two rooms of 4 x 4 m side by side, a door between them, a window in the first, three pieces."""

    def room(name: str, x: int) -> str:
        corners = ((x + 5, 5), (x + 395, 5), (x + 395, 395), (x + 5, 395))
        return f"<room name='{name}'>" + "".join(f"<point x='{a}' y='{b}'/>" for a, b in corners) + "</room>"

    lines = ((0, 0, 800, 0), (800, 0, 800, 400), (800, 400, 0, 400), (0, 400, 0, 0), (400, 0, 400, 400))
    walls = "".join(
        f"<wall id='w{i}' xStart='{a}' yStart='{b}' xEnd='{c}' yEnd='{d}' thickness='10' height='250'"
        + (f" wallAtStart='w{(i - 1) % 4}' wallAtEnd='w{(i + 1) % 4}'" if i < 4 else "")
        + "/>"
        for i, (a, b, c, d) in enumerate(lines)
    )
    pieces = """
      <pieceOfFurniture catalogId='eTeks#sofa' name='Sofa' x='100' y='50' width='147' depth='87' height='87'/>
      <pieceOfFurniture catalogId='eTeks#table' name='Table' x='250' y='300' width='150' depth='75' height='74'/>
      <pieceOfFurniture catalogId='eTeks#bed' name='Bed' x='700' y='110' width='144' depth='193' height='53'/>
      <doorOrWindow catalogId='eTeks#door' name='Door' x='400' y='200' angle='1.5707963' width='90' depth='14'
        height='208'/>
      <doorOrWindow catalogId='eTeks#fixedWindow85x123' name='Window' x='0' y='200' angle='1.5707963' width='120'
        depth='20' height='120' elevation='90'/>"""
    rooms = room("Living room", 0) + room("Bedroom", 400)
    return f"<?xml version='1.0'?><home version='5500' wallHeight='250'>{pieces}{walls}{rooms}</home>"


def write_packages(source: Path) -> Path:
    """Write the stand-in for /usr/share/sweethome3d into a folder."""
    (source / "furniture").mkdir(parents=True)
    tile = cv2.imencode(".jpg", np.full((8, 8, 3), 200, np.uint8))[1].tobytes()
    with zipfile.ZipFile(source / JAR, "w") as jar:
        jar.writestr("com/eteks/sweethome3d/io/DefaultFurnitureCatalog.properties", catalogue(OWN, "eTeks", RESOURCES))
        texture = f"id#1=eTeks#greyTile\ncategory#1=Floor\nimage#1=/{RESOURCES}/textures/g.jpg\nwidth#1=30\nheight#1=60"
        jar.writestr("com/eteks/sweethome3d/io/DefaultTexturesCatalog.properties", texture)
        jar.writestr(f"{RESOURCES}/textures/g.jpg", tile)
        jar.writestr(
            "com/eteks/sweethome3d/j3d/OBJLoader.class", b"\x01\x00\x20newmtl amber\nKd 0.5 0.2 0\nNs 60\x01\x00"
        )
        for name in OWN:
            jar.writestr(f"{RESOURCES}/{name}.obj", CUBE.format(material="amber"))
        for home in ("Studio", "Tiny"):
            jar.writestr(f"{RESOURCES}/examples/{home}.xml", home_xml())
    with zipfile.ZipFile(source / "furniture" / "KatorLegaz.sh3f", "w") as library:
        library.writestr("PluginFurnitureCatalog.properties", catalogue(LIBRARY, "Kator Legaz", "katorlegaz"))
        library.writestr("katorlegaz/dining-chair.obj", "mtllib a.mtl\n" + CUBE.format(material="m"))
        library.writestr("katorlegaz/a.mtl", "newmtl m\nKd 1 0 0\nmap_Kd there.jpg\n")
        library.writestr("katorlegaz/there.jpg", tile)
        # the stray vertex 99 belongs to no face; the texture is missing
        text = "mtllib b.mtl\nv 99 99 99\n" + CUBE.format(material="m").replace("v -1 0 -1", "v -1 0 -1", 1)
        faces = [line for line in text.splitlines() if not line.startswith("f ")]
        faces += ["f 2 3 4", "f 6 7 8", "f 2 3 7", "f 5 9 8"]
        library.writestr("katorlegaz/office-chair.obj", "\n".join(faces))
        library.writestr("katorlegaz/b.mtl", "newmtl m\nmap_Kd gone.jpg\n")
        library.writestr("../outside.txt", "climbs out")
    return source


@pytest.fixture(scope="session")
def tiny_assets(tmp_path_factory: pytest.TempPathFactory) -> Assets:
    """Assets of the stand-in packages, extracted into a temporary cache."""
    folder = tmp_path_factory.mktemp("sweethome3d")
    return Assets(write_packages(folder / "share"), folder / "cache")


@pytest.fixture(scope="session")
def real_assets(tmp_path_factory: pytest.TempPathFactory) -> Assets:
    """Assets of the real packages; skips where they are not installed."""
    if not (DEFAULT_SOURCE / JAR).is_file() or not (DEFAULT_SOURCE / "furniture").is_dir():
        pytest.skip("needs Debian's sweethome3d and sweethome3d-furniture")
    return Assets()


@pytest.fixture
def checked_scene(monkeypatch: pytest.MonkeyPatch) -> Callable[..., HomeScene]:
    """build_scene that also checks what must hold of every scene."""
    seen = []
    drawn = home_scenes._Builder._drawn

    def keep(self, space):
        seen.append((self, space))
        return drawn(self, space)

    def build(*args, **kwargs):
        scene = home_scenes.build_scene(*args, **kwargs)
        check(scene, *seen[-1])
        return scene

    monkeypatch.setattr(home_scenes._Builder, "_drawn", keep)
    return build


def check(scene: HomeScene, builder: home_scenes._Builder, space: Space) -> None:
    """What must hold of every scene."""
    names = load_label_set("nyu40").names
    assert {p.nyu40 for p in scene.panels} | {m.nyu40 for m in scene.models} <= set(names)
    assert {"wall", "floor", "ceiling"} <= {p.nyu40 for p in scene.panels}
    assert {p.instance for p in scene.panels} | {m.instance for m in scene.models} <= set(scene.instances)
    for item in space.items:
        shape = item.footprint.buffer(-SLACK, join_style="mitre")
        if item.nyu40 != "floor mat":
            assert not builder.building.walls.buffer(-0.01).intersects(shape), f"{item.role} stands in a wall"
        for other in space.items:
            apart = other is item or "floor mat" in (item.nyu40, other.nyu40)
            apart = apart or min(item.top, other.top) <= max(item.bottom, other.bottom) + 0.005
            # what stands on a shelf or in a hollow lies within its box
            apart = apart or item.instance_of == other.role or other.instance_of == item.role
            both = other.footprint.buffer(-SLACK, join_style="mitre").intersection(shape).area
            tucked = TUCKED if "chair" in (item.nyu40, other.nyu40) else 0.0
            assert apart or both < 1e-3 + tucked * 1.2, f"{item.role} in {other.role}"
        supported = item.bottom < 1.3 if item.instance_of else True
        assert supported and item.bottom >= 0 and item.top <= builder.building.height + 1e-6
    T = scene.T_world_camera
    R = T[:, :3, :3]
    np.testing.assert_allclose(R @ R.transpose(0, 2, 1), np.tile(np.eye(3), (len(T), 1, 1)), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(R), 1.0)
    room = shapely.Polygon(scene.room)
    for x, y, z in T[:, :3, 3]:
        place = shapely.Point(x, y)
        assert room.covers(place) and 0.4 < z < 1.9
        assert builder.building.walls.distance(place) > 0.17
        for item in space.items:
            if item.nyu40 != "floor mat" and item.bottom < z + 0.2:
                assert item.footprint.distance(place) > 0.17, f"camera in {item.role}"
