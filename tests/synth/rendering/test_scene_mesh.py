"""A home scene as triangles: places, sides, classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sem_field_ros.labels import load_label_set
from sem_field_synth.rendering.scene_mesh import scene_mesh
from sem_field_synth.scene import Finish, HomeScene


def test_panels_and_models_keep_their_place_class_and_finish(home: HomeScene) -> None:
    mesh = scene_mesh(home)
    nyu40 = load_label_set("nyu40")
    assert len(mesh) == 8 * 2 + 12
    cube = mesh.instance == 9
    assert mesh.corners[cube].min(axis=(0, 1)).tolist() == [1.5, 3, 0]
    assert mesh.corners[cube].max(axis=(0, 1)).tolist() == [2.5, 4, 1]
    assert set(mesh.nyu40[cube]) == {nyu40.index_of("chair")}
    assert {mesh.finishes[i].color for i in mesh.finish[cube]} == {(0.9, 0.05, 0.05)}
    assert set(mesh.nyu40[mesh.instance == 7]) == {nyu40.index_of("window")}


def test_a_mirrored_model_still_faces_outwards(home: HomeScene) -> None:
    T = home.models[0].T_world_model @ np.diag([-1.0, 1, 1, 1])
    mirrored = replace(home, models=[replace(home.models[0], T_world_model=T)])
    mesh = scene_mesh(mirrored)
    corners = mesh.corners[mesh.instance == 9]
    outwards = corners.mean(axis=1) - corners.mean(axis=(0, 1))
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((face * outwards).sum(1) > 0).all()
    assert ((mesh.normals[mesh.instance == 9].mean(1) * outwards).sum(1) > 0).all()


def test_finishes_and_classes_by_material_replace_the_file_s(home: HomeScene) -> None:
    blue = Finish((0.0, 0.0, 1.0))
    model = replace(home.models[0], finishes={"paint": blue}, classes={"paint": "table"})
    mesh = scene_mesh(replace(home, models=[model]))
    cube = mesh.instance == 9
    assert {mesh.finishes[i] for i in mesh.finish[cube]} == {blue}
    assert set(mesh.nyu40[cube]) == {load_label_set("nyu40").index_of("table")}
