"""New colours: which materials may be repainted, and that a room's set of chairs keeps one colour."""

from __future__ import annotations

import numpy as np

from sem_field_synth.homes.refurnish import Chooser
from sem_field_synth.homes.repainting import plain_materials, repaint

FACES = "f 1 2 3\n" * 6


def test_largest_plain_materials_first(tmp_path):
    names = ("seat", "back", "Chrome_leg", "cloth", "pane", "tiny")
    counts = (1, 2, 3, 4, 5, 0)
    body = "".join(f"usemtl {n}\n{FACES * k}f 1 2 3\n" for n, k in zip(names, counts, strict=True))
    (tmp_path / "a.mtl").write_text("newmtl cloth\nmap_Kd a.jpg\nnewmtl pane\nd 0.3\nnewmtl seat\nd 1.0\n")
    path = tmp_path / "a.obj"
    path.write_text(f"mtllib a.mtl\n{body}")
    # the textured, the transparent, the metal and the smallest ones stay
    assert plain_materials(path) == ("back", "seat")


def test_only_some_roles_and_only_sometimes(tiny_assets):
    rng = np.random.default_rng(0)
    chair = tiny_assets.models["eTeks#chair"]
    coats = [repaint(chair, "chair", rng) for _ in range(60)]
    assert 15 < sum(bool(c) for c in coats) < 50
    assert {name for coat in coats for name in coat} <= {"amber"}
    assert not any(repaint(chair, "toilet", rng) for _ in range(20))


def test_a_set_keeps_its_colour(tiny_assets):
    chooser = Chooser(tiny_assets, "training", np.random.default_rng(1))
    chair = tiny_assets.models["eTeks#chair"]
    assert all(chooser.coat(chair, "chair", 3) == chooser.coat(chair, "chair", 3) for _ in range(3))
