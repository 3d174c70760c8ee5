"""Rules that name parts of OBJ models: on a model made here, and the table against the installed packages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sem_field_ros.errors import DataError
from sem_field_ros.labels import load_label_set
from sem_field_synth.catalogue.catalogue import DEFAULT_SOURCE, Assets, CatalogueModel
from sem_field_synth.catalogue.extraction import INSTALL
from sem_field_synth.catalogue.obj_model import read_obj
from sem_field_synth.objects.catalogue_parts import (
    DROP,
    catalogue_mesh,
    fits,
    part_table,
    pieces,
    rules_of,
    upright,
)

CHAIRS = load_label_set("chair_parts")
INSTALLED = pytest.mark.skipif(not (DEFAULT_SOURCE / "furniture").is_dir(), reason=f"needs the models: {INSTALL}")


def box_lines(low: tuple[float, float, float], high: tuple[float, float, float], first: int) -> list[str]:
    """OBJ lines of a box (y up, front towards +z) whose vertices are numbered from `first`."""
    lines = [f"v {x} {y} {z}" for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
    quads = ((1, 2, 4, 3), (5, 7, 8, 6), (1, 5, 6, 2), (3, 4, 8, 7), (1, 3, 7, 5), (2, 6, 8, 4))
    return lines + ["f " + " ".join(str(first - 1 + i) for i in quad) for quad in quads]


@pytest.fixture
def model(tmp_path: Path) -> CatalogueModel:
    """A post (x -1..0, the whole height 0..4), and a pair of blocks in one group: low in front, high behind."""
    lines = ["mtllib m.mtl", "o Post", "usemtl steel", *box_lines((-1, 0, -1), (0, 4, 1), 1)]
    lines += ["o Blocks", "usemtl cloth", *box_lines((0, 1, 0), (1, 2, 1), 9), *box_lines((0, 2.5, -1), (1, 4, 0), 17)]
    (tmp_path / "m.mtl").write_text("newmtl steel\nKd 0.5 0.5 0.5\nnewmtl cloth\nKd 1 0 0\n")
    (tmp_path / "m.obj").write_text("\n".join(lines))
    bounds = np.array([[-1.0, 0, -1], [1, 4, 1]])
    return CatalogueModel(
        "Test#chair", "Chair", "Test", "nobody", "CC0", tmp_path / "m.obj", (0.5, 0.5, 1.0), 0.0, None, np.eye(3),
        bounds[0], bounds[1], False, True, False,
    )  # fmt: skip


def rules(*items: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {"rules": [{part: rule} for part, rule in items]}


def extent(mesh: Any, part: str) -> np.ndarray:
    points = mesh.corners[mesh.part == CHAIRS.index_of(part)].reshape(-1, 3)
    return np.stack([points.min(0), points.max(0)])


def test_upright_is_metric_with_the_front_towards_minus_y(model: CatalogueModel) -> None:
    mesh = upright(read_obj(model.path), model)
    points = mesh.corners.reshape(-1, 3)
    assert points.min(0) == pytest.approx([-0.25, -0.25, 0]) and points.max(0) == pytest.approx([0.25, 0.25, 1])
    low_block = mesh.corners[(mesh.solid == 1) & (mesh.corners[..., 2].max(1) < 0.51)]
    assert low_block[..., 1].max() == pytest.approx(0)  # z 0..1 of the file: the front half
    flat = np.cross(mesh.corners[:, 1] - mesh.corners[:, 0], mesh.corners[:, 2] - mesh.corners[:, 0])
    assert ((flat[:, None] * mesh.normals).sum(-1) > 0).all()
    turned = upright(read_obj(model.path), model, 180)
    assert turned.corners == pytest.approx(mesh.corners * [-1, -1, 1], abs=1e-12)


def test_rules_by_name_region_and_piece(model: CatalogueModel) -> None:
    entry = rules(
        ("back", {"group": "Blocks", "height": [0.6, 1], "pieces": True}),
        ("seat", {"material": "cl*"}),
        ("back", {"height": [0.5, 1]}),
        ("leg", {}),
    )
    mesh = catalogue_mesh(model, entry, CHAIRS)
    assert extent(mesh, "seat") == pytest.approx(np.array([[0, -0.25, 0.25], [0.25, 0, 0.5]]))
    assert extent(mesh, "leg") == pytest.approx(np.array([[-0.25, -0.25, 0], [0, 0.25, 0.5]]))  # cut in the middle
    assert extent(mesh, "back") == pytest.approx(np.array([[-0.25, -0.25, 0.5], [0.25, 0.25, 1]]))
    assert {s.color for s in mesh.surfaces} == {(0.5, 0.5, 0.5), (1.0, 0.0, 0.0)}


def test_side_and_depth_regions_and_dropping(model: CatalogueModel) -> None:
    entry = rules((DROP, {"group": "Blocks"}), ("arm", {"side": [0.5, 1], "depth": [0, 0.25]}), ("leg", {}))
    mesh = catalogue_mesh(model, entry, CHAIRS)
    assert extent(mesh, "arm") == pytest.approx(np.array([[-0.25, -0.25, 0], [-0.125, -0.125, 1]]))
    assert extent(mesh, "leg")[1, 0] == pytest.approx(0)


def test_a_gap_in_the_rules_is_told(model: CatalogueModel) -> None:
    with pytest.raises(DataError, match=r"Test#chair: no rule fits \['Post'\]"):
        catalogue_mesh(model, rules(("seat", {"group": "Blocks"})), CHAIRS)


def test_pieces_are_what_hangs_together(model: CatalogueModel) -> None:
    mesh = upright(read_obj(model.path), model)
    assert len(np.unique(pieces(mesh))) == 3
    assert len(np.unique(pieces(mesh)[mesh.solid == 1])) == 2


def test_the_table_is_well_formed_and_large_enough() -> None:
    table = part_table()
    assert len(table["chair"]) >= 25 and len(table["table"]) >= 15
    for kind, models in table.items():
        known = {*load_label_set(f"{kind}_parts").names, DROP} - {"background"}
        for name, entry in models.items():
            assert {part for part, _ in rules_of(entry)} <= known, name
            for _, rule in rules_of(entry):
                spans = [rule[key] for key in ("height", "depth", "side") if key in rule]
                assert all(0 <= low < high <= 1 for low, high in spans), name


@INSTALLED
@pytest.mark.parametrize("kind", ["chair", "table"])
def test_the_table_names_what_the_models_have(kind: str) -> None:
    models = Assets().models
    for name, entry in part_table()[kind].items():
        pairs = named_faces(models[name].path)
        groups, materials = [group for group, _ in pairs], [material for _, material in pairs]
        for part, rule in rules_of(entry):
            hit = fits(groups, rule.get("group", "*")) & fits(materials, rule.get("material", "*"))
            assert hit.any(), f"{name}: no triangle for {part}: {rule}"


def named_faces(path: Path) -> list[tuple[str, str]]:
    """Every (group, material) of an OBJ file that has a face."""
    group = material = ""
    pairs: dict[tuple[str, str], None] = {}
    for line in path.read_text(encoding="latin-1").splitlines():
        kind, _, rest = line.partition(" ")
        if kind in ("o", "g"):
            group = rest.strip()
        elif kind == "usemtl":
            material = rest.strip()
        elif kind == "f":
            pairs[group, material] = None
    return list(pairs)


@INSTALLED
@pytest.mark.parametrize("name", ["Scopia#office_chair", "Blend Swap CC-0#stool"])
def test_models_get_the_parts_of_their_entry(name: str) -> None:
    mesh = catalogue_mesh(Assets().models[name], part_table()["chair"][name], CHAIRS)
    wanted = {part for part, _ in rules_of(part_table()["chair"][name])}
    assert {CHAIRS.names[i] for i in np.unique(mesh.part)} == wanted
    seat, back = extent(mesh, "seat"), extent(mesh, "back")
    assert back[1, 2] > seat[1, 2] and back[:, 1].mean() > seat[:, 1].mean()
