"""Catalogue models as part-labelled meshes, by the hand-made table config/object_parts.yaml.

The table has an entry per model under its class (chair, table):

    Library#model:
      turn: 90                                    # degrees about z that bring its front to -y (default 0)
      rules:                                      # the first that fits names the part; every triangle must fit one
        - leg: {group: "leg*", material: "Steel"} # shell patterns on the OBJ file's names
        - back: {height: [0.5, 1]}                # a region, in shares of the model's extent: triangles are cut there
        - seat: {}

Regions: `height` from the floor up, `depth` from the front (0) to the back (1), `side` from the middle (0) to both
sides (1). `pieces: true` tests the middle of each connected piece instead of cutting. The part `drop` leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import numpy as np
import yaml
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from sem_field_ros.errors import DataError
from sem_field_ros.labels import LabelSet
from sem_field_ros.resources import resource_path
from sem_field_synth.catalogue.catalogue import CatalogueModel
from sem_field_synth.catalogue.obj_model import ObjModel, read_obj
from sem_field_synth.objects.part_mesh import PartMesh, along_grain, joined
from sem_field_synth.objects.surfaces import Surface
from sem_field_synth.scene import Finish

TABLE = "config/object_parts.yaml"
DROP = "drop"
_REGIONS = ("height", "depth", "side")
_UNKNOWN = -2
_SLACK = 1e-6


@cache
def part_table() -> dict[str, dict[str, Any]]:
    """The table: class -> catalogue id -> entry. Raises DataError in one line if it is malformed."""
    table = yaml.safe_load(resource_path(TABLE).read_text(encoding="utf-8"))
    for models in table.values():
        for name, entry in models.items():
            for rule in entry["rules"]:
                if len(rule) != 1 or not set(next(iter(rule.values()))) <= {"group", "material", "pieces", *_REGIONS}:
                    raise DataError(f"{TABLE}: {name}: rule {rule} is not 'part: {{group, material, region}}'")
    return table


def catalogue_mesh(model: CatalogueModel, entry: dict[str, Any], labels: LabelSet) -> PartMesh:
    """A catalogue model in metres, z up, front towards -y, with its parts. DataError if no rule fits a triangle."""
    obj = read_obj(model.path)
    mesh = upright(obj, model, float(entry.get("turn", 0)))
    groups, materials = list(obj.groups), list(obj.materials)
    material = obj.material
    mesh = replace(mesh, part=np.full(len(mesh), _UNKNOWN, np.int16))
    done: list[PartMesh] = []
    bounds = np.stack([mesh.corners.min((0, 1)), mesh.corners.max((0, 1))])
    for part, rule in rules_of(entry):
        named = fits(groups, rule.get("group", "*"))[mesh.solid] & fits(materials, rule.get("material", "*"))[material]
        # a triangle's material is its surface, which cutting keeps
        inside, rest = _divided(mesh.take(named), rule, bounds)
        if part != DROP:
            index = labels.index_of(part)
            done.append(replace(inside, part=np.full(len(inside), index, np.int16)))
        mesh = joined([mesh.take(~named), rest])
        material = mesh.surface
    if len(mesh):
        raise DataError(f"{TABLE}: {model.id}: no rule fits {sorted({groups[i] for i in mesh.solid})}")
    return joined(done)


def rules_of(entry: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(part, rule) in the order of the table."""
    for rule in entry["rules"]:
        yield from rule.items()


def fits(names: list[str], pattern: str) -> np.ndarray:
    """Which names fit a shell pattern, [N] bool."""
    return np.array([fnmatchcase(name, pattern) for name in names], bool)


def upright(obj: ObjModel, model: CatalogueModel, turn_deg: float = 0.0) -> PartMesh:
    """The model in metres in the canonical frame, without parts; `solid` is its group, `surface` its material."""
    rotated = obj.corners @ model.rotation.T
    lower, upper = rotated.min((0, 1)), rotated.max((0, 1))
    width, depth, height = model.size
    scale = np.array([width, height, depth]) / np.maximum(upper - lower, 1e-9)
    placed = (rotated - [(lower[0] + upper[0]) / 2, lower[1], (lower[2] + upper[2]) / 2]) * scale
    normals = obj.normals @ model.rotation.T / scale
    a = np.radians(turn_deg)
    R = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    R = R @ np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # y up and front to +z -> z up and front to -y
    corners, normals = placed @ R.T, normals @ R.T
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    surfaces = tuple(surface_of(finish) for finish in obj.materials.values())
    images = np.array([surface.image is not None for surface in surfaces], bool)[obj.material]
    uv = np.concatenate([obj.uv, np.zeros((*obj.uv.shape[:2], 1), np.float32)], -1)
    texture = np.where(images[:, None, None], uv, along_grain(corners)).astype(np.float32)
    count = len(corners)
    return PartMesh(
        corners, normals.astype(np.float32), texture, np.zeros(count, np.int16), obj.material.astype(np.int32),
        obj.group.astype(np.int32), surfaces,
    )  # fmt: skip


def surface_of(finish: Finish) -> Surface:
    """The surface for a material of an OBJ file; glass becomes opaque and light."""
    if finish.texture is not None:
        return Surface((0.8, 0.8, 0.8), "image", shininess=0.5 * finish.shininess, image=finish.texture)
    own, glass = np.array(finish.color), np.array([0.8, 0.88, 0.88])
    color = tuple(((1 - finish.opacity) * glass + finish.opacity * own).tolist())
    return Surface(color, shininess=max(finish.shininess, 0.8 * (1 - finish.opacity)))  # type: ignore[arg-type]


def _divided(mesh: PartMesh, rule: dict[str, Any], bounds: np.ndarray) -> tuple[PartMesh, PartMesh]:
    """What lies within the rule's region, and the rest; triangles across its border are cut."""
    limits = {name: rule[name] for name in _REGIONS if name in rule}
    if not limits or len(mesh) == 0:
        return mesh, mesh.take(np.zeros(0, int))
    if not rule.get("pieces", False):
        for name, span in limits.items():
            for axis, at in _planes(name, span, bounds):
                mesh = mesh.cut(axis, at)
        middle = mesh.corners.mean(1)
    else:
        middle = _piece_middles(mesh)
    share = (middle - bounds[0]) / (bounds[1] - bounds[0])
    value = {"height": share[:, 2], "depth": share[:, 1], "side": np.abs(2 * share[:, 0] - 1)}
    inside = np.ones(len(mesh), bool)
    for name, (low, high) in limits.items():
        inside &= (value[name] >= low - _SLACK) & (value[name] <= high + _SLACK)
    return mesh.take(inside), mesh.take(~inside)


def _planes(name: str, span: tuple[float, float], bounds: np.ndarray) -> Iterator[tuple[int, float]]:
    """Planes (axis, coordinate) that bound a region; none if it ends with the model."""
    axis = {"height": 2, "depth": 1, "side": 0}[name]
    low, high = bounds[:, axis]
    for share in span:
        if 0 < share < 1:
            shares = (share,) if name != "side" else ((1 - share) / 2, (1 + share) / 2)
            yield from ((axis, low + s * (high - low)) for s in shares)


def _piece_middles(mesh: PartMesh) -> np.ndarray:
    """The middle of the bounding box of the connected piece (within its group) of each triangle, [T, 3]."""
    piece = pieces(mesh)
    count = int(piece.max()) + 1
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    np.minimum.at(low, piece, mesh.corners.min(1))
    np.maximum.at(high, piece, mesh.corners.max(1))
    return ((low + high) / 2)[piece]


def pieces(mesh: PartMesh) -> np.ndarray:
    """Number of the connected piece of each triangle, [T]: triangles of a group that share corners."""
    size = np.ptp(mesh.corners.reshape(-1, 3), axis=0).max()
    key = np.round(mesh.corners.reshape(-1, 3) / size * 1e5).astype(np.int64)
    key = np.concatenate([key, np.repeat(mesh.solid, 3)[:, None]], 1)
    vertex = np.unique(key, axis=0, return_inverse=True)[1].reshape(-1, 3)
    count = int(vertex.max()) + 1
    ends = np.concatenate([vertex[:, :2], vertex[:, 1:]])
    graph = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), (count, count))
    return connected_components(graph, directed=False)[1][vertex[:, 0]]
