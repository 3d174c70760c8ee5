"""The catalogue: what is read from the packages, which models are whole, splits by sha1, missing packages."""

from __future__ import annotations

import numpy as np
import pytest

from sem_field_ros.errors import DataError
from sem_field_ros.labels import load_label_set
from sem_field_synth.catalogue.catalogue import Assets
from sem_field_synth.catalogue.class_table import classes_by_material, role_of_model, roles, split_of
from sem_field_synth.catalogue.extraction import read_catalogue


def test_entries_of_a_catalogue():
    head, entries = read_catalogue("# no=1\nlicense = free\nid#2=b\nid#1=a\nname#1=caf\\u00e9 = good\nname#3=lost")
    assert head == {"license": "free"}
    assert entries == [{"id": "a", "name": "café = good"}, {"id": "b"}]


def test_a_model_as_the_catalogue_tells_it(tiny_assets):
    chair = tiny_assets.models["eTeks#chair"]
    assert chair.size == (0.4, 0.42, 0.9)
    assert (chair.creator, chair.license, chair.name) == ("Maker of chair", "Test licence", "A é chair")
    assert chair.lower.tolist() == [-1, 0, -1] and chair.upper.tolist() == [1, 2, 1]
    assert chair.whole and not chair.textured


def test_models_without_materials_get_the_default_ones(tiny_assets):
    path = tiny_assets.models["eTeks#chair"].path
    first = path.read_text().splitlines()[0]
    assert first == "mtllib default_materials.mtl"
    assert (path.parent / "default_materials.mtl").read_text() == "newmtl amber\nKd 0.5 0.2 0\nNs 60"


def test_models_whose_texture_is_missing_are_never_used(tiny_assets):
    office, dining = (tiny_assets.models[f"Kator Legaz#{name}"] for name in ("office-chair", "dining-chair"))
    assert dining.textured and dining.whole
    assert office.textured and not office.whole
    assert tiny_assets.of_role("office chair", office.split) == []


def test_vertices_without_a_face_do_not_count(tiny_assets):
    np.testing.assert_allclose(tiny_assets.models["Kator Legaz#office-chair"].upper, [1, 2, 1])


def test_no_file_outside_the_cache(tiny_assets):
    assert not list(tiny_assets.cache.parent.rglob("outside.txt"))


def test_textures_and_homes(tiny_assets):
    tile = tiny_assets.textures["eTeks#greyTile"]
    assert tile.size == (0.3, 0.6) and tile.path.is_file()
    assert set(tiny_assets.homes) == {"Studio", "Tiny"}


def test_second_time_nothing_is_extracted(tiny_assets):
    before = (tiny_assets.cache / "index.json").stat().st_mtime_ns
    again = Assets(tiny_assets.source, tiny_assets.cache)
    assert (again.cache / "index.json").stat().st_mtime_ns == before
    assert again.models["eTeks#chair"].size == (0.4, 0.42, 0.9)


def test_missing_packages_say_how_to_install_them(tmp_path):
    with pytest.raises(DataError, match="apt install sweethome3d sweethome3d-furniture") as error:
        Assets(tmp_path, tmp_path / "cache")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("model", "split"),
    [("Scopia#bed1", "training"), ("eTeks#bath", "test"), ("eTeks#sink", "validation")],
)
def test_split_of_a_model(model, split):
    """By hand: the last decimal digit of sha1 is 0 or 1 for test, 2 for validation."""
    assert split_of(model) == split


def test_table_names_only_classes_of_nyu40_and_each_model_once():
    names = load_label_set("nyu40").names
    assert all(role.nyu40 in names for role in roles().values())
    assert all(c in names for parts in classes_by_material().values() for c in parts.values())
    assert set(classes_by_material()) <= set(role_of_model())


def test_first_role_of_a_model_counts():
    assert role_of_model()["Scopia#bowl"] == "kitchen prop"
    assert "Scopia#bowl" in roles()["dining prop"].models
