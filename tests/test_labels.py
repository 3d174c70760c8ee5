"""Label sets: ids and colours of the standards, index/id conversion, and groupings that name real classes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sem_field_ros.errors import LabelSetError
from sem_field_ros.labels import LabelClass, LabelSet, label_set_from_dict, label_set_to_dict, load_label_set

SHIPPED = ("scannet20", "nyu40", "voc", "replica19", "ade20k31")
TARGETS_ALONE = {"nyu12", "stanford13"}  # nothing is grouped from these here


@pytest.mark.parametrize(
    ("name", "count"),
    [("scannet20", 20), ("nyu40", 40), ("voc", 21), ("replica19", 19), ("ade20k31", 32), ("nyu12", 12)],
)
def test_shipped_sets_load_and_survive_a_round_trip(name: str, count: int) -> None:
    labels = load_label_set(name)
    assert labels.name == name and len(labels) == count
    assert label_set_from_dict(yaml.safe_load(yaml.safe_dump(label_set_to_dict(labels)))) == labels
    assert len({c.color for c in labels.classes}) == count  # no two look alike
    assert (labels.colors.max(axis=1) > 60).all()  # none looks black, i.e. like nothing


def test_ids_and_colours_of_the_standards() -> None:
    scannet, nyu, voc = (load_label_set(name) for name in SHIPPED[:3])
    assert scannet.ids.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 24, 28, 33, 34, 36, 39]
    assert nyu.ids.tolist() == list(range(1, 41)) and voc.ids.tolist() == list(range(21))
    for own, other in zip(scannet.classes, nyu.classes[:12], strict=False):
        assert own == other  # ScanNet-20 is a subset of NYU-40, in ids, names and colours
    assert scannet.classes[scannet.index_of("chair")] == LabelClass(5, "chair", (188, 189, 34))
    assert nyu.classes[nyu.index_of("ceiling")].id == 22
    for c in voc.classes[1:]:  # the VOC colour map: bits of the id, spread over R, G and B
        expected = [sum(((c.id >> (3 * bit + channel)) & 1) << (7 - bit) for bit in range(8)) for channel in range(3)]
        assert list(c.color) == expected
    assert min(voc.classes[0].color) > 150


@pytest.mark.parametrize(("source", "target"), list(itertools.permutations(SHIPPED, 2)))
def test_every_grouped_name_exists_in_both_sets(source: str, target: str) -> None:
    own, other = load_label_set(source), load_label_set(target)
    assert set(own.groupings) <= (set(SHIPPED) | TARGETS_ALONE) - {source}
    for name, counterpart in own.groupings[target].items():
        assert name in own.names, f"{source} groups '{name}', which it does not have"
        assert counterpart in other.names, f"{source} groups '{name}' into '{counterpart}', which {target} lacks"
        assert name != counterpart, "equal names need no grouping"
    table = own.regroup(other)
    assert table.shape == (len(own),) and table.max() < len(other) and (table >= 0).sum() >= 4


def test_regroup_by_hand() -> None:
    scannet, nyu, voc = (load_label_set(name) for name in SHIPPED[:3])
    to_scannet = voc.regroup(scannet)
    assert to_scannet[voc.index_of("diningtable")] == scannet.index_of("table")
    assert to_scannet[voc.index_of("sofa")] == scannet.index_of("sofa")
    assert to_scannet[voc.index_of("background")] == -1  # background may be anything: it does not vote
    assert nyu.regroup(scannet)[nyu.index_of("ceiling")] == -1
    back = nyu.regroup(scannet)[scannet.regroup(nyu)]
    assert back.tolist() == list(range(20))  # into NYU-40 and back loses nothing


def test_all_shipped_sets_reach_the_twelve_common_classes() -> None:
    common = load_label_set("nyu12")
    for name in (*SHIPPED, "stanford13"):
        own = load_label_set(name)
        for class_name, counterpart in own.groupings["nyu12"].items():
            assert class_name in own.names and counterpart in common.names and class_name != counterpart
    reached = {name: set(load_label_set(name).regroup(common).tolist()) - {-1} for name in SHIPPED}
    assert all(len(reached[name]) == 12 for name in ("scannet20", "nyu40", "ade20k31"))
    ade = load_label_set("ade20k31")
    assert ade.regroup(common)[ade.index_of("armchair")] == common.index_of("chair")
    assert ade.regroup(common)[ade.index_of("ceiling")] == -1


@given(st.lists(st.integers(-5, 70000), min_size=1, max_size=30))
def test_ids_become_indices_and_back_or_unlabelled(ids: list[int]) -> None:
    labels = load_label_set("scannet20")
    known = set(labels.ids.tolist())
    index = labels.to_index(np.array(ids))
    assert labels.to_id(index).tolist() == [i if i in known else 255 for i in ids]
    assert ((index >= 0) == [i in known for i in ids]).all()


def test_wide_sets_use_sixteen_bits() -> None:
    wide = LabelSet("wide", (LabelClass(3, "a", (1, 2, 3)), LabelClass(700, "b", (4, 5, 6))))
    assert wide.to_id(np.array([0, 1, -1])).tolist() == [3, 700, 65535]
    assert wide.to_color(np.array([1, -1])).tolist() == [[4, 5, 6], [64, 64, 64]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"name": "x", "classes": []}, "no classes"),
        ({"name": "x", "classes": [{"id": 1, "name": "a", "color": [0, 0, 0]}] * 2}, "unique"),
        ({"name": "x", "classes": [{"id": 255, "name": "a", "color": [0, 0, 0]}]}, "255"),
    ],
)
def test_bad_sets_are_refused(content: dict, message: str) -> None:
    with pytest.raises(LabelSetError, match=message):
        label_set_from_dict(content)


def test_unknown_and_damaged_files_say_what_to_do(tmp_path) -> None:
    shipped = "ade20k31, chair_parts, nyu12, nyu40, replica19, scannet20, stanford13, table_parts, voc"
    with pytest.raises(LabelSetError, match=f"one of {shipped}"):
        load_label_set("imagenet")
    (tmp_path / "bad.yaml").write_text("name: x\nclasses: [{id: 1}]")
    with pytest.raises(LabelSetError, match="class 0 needs id, name and color"):
        load_label_set(tmp_path / "bad.yaml")
    with pytest.raises(LabelSetError, match="it has: wall, floor"):
        load_label_set("scannet20").index_of("bicycle")


CHAIR = "{id: 5, name: chair, color: [1, 2, 3]}"


@pytest.mark.parametrize(
    ("color", "expected"),
    [
        *((text, None) for text in ("[300, 0, 0]", "[-1, 0, 0]", "[1, 0]", "red", "[a, 1, 2]", "[.inf, 0, 0]")),
        ("[true, 0, 0]", None),
        ("[1.0, 0.5, 0.0]", (255, 128, 0)),
        ("[1, 2, 3, 255]", (1, 2, 3)),
        ("[0, 0, 1]", (0, 0, 1)),
        ("'#ff8000'", (255, 128, 0)),
    ],
)
def test_colours_are_checked_when_loaded(tmp_path, color: str, expected: tuple | None) -> None:
    path = tmp_path / "set.yaml"
    path.write_text(f"classes:\n  - {CHAIR}\n  - {{id: 7, name: table, color: {color}}}\n")
    if expected is None:
        with pytest.raises(LabelSetError, match=r"class 7 \(table\) has the color .*: give three numbers 0 to 255"):
            load_label_set(path)
    else:
        labels = load_label_set(path)
        assert labels.classes[1].color == expected and labels.name == "set"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"classes: [{CHAIR}]", "it has one class"),
        (f"classes: [{CHAIR}, {{id: 1.5, name: a, color: [1, 2, 3]}}]", "class 1 has the id 1.5"),
        (f"classes: [{CHAIR}, {{id: 1, name: no, color: [1, 2, 3]}}]", "class 1 has the name False.*quotes"),
        (f"classes: [{CHAIR}, {CHAIR}]", "must be unique"),
        (f"classes: [{CHAIR}, {{id: 255, name: a, color: [1, 2, 3]}}]", "not be 255"),
        (f"- {CHAIR}", "expected `name` and a list"),
        ("just text", "expected `name` and a list"),
        ("", "expected `name` and a list"),
        ("name: a\nclasses:\n\t- {id: 5}", "cannot be read as YAML"),
        ("classes: [" * 3000, "cannot be read as YAML"),
    ],
)
def test_label_sets_that_are_none(tmp_path, text: str, says: str) -> None:
    (tmp_path / "set.yaml").write_text("\ufeff" + text, encoding="utf-8")
    with pytest.raises(LabelSetError, match=says) as error:
        load_label_set(tmp_path / "set.yaml")
    assert "\n" not in str(error.value)


def test_sets_are_compared_by_their_classes() -> None:
    """A set that keeps a shipped name with a class left out is not that set: floor stays floor."""
    shipped = load_label_set("scannet20")
    without_wall = LabelSet("scannet20", shipped.classes[1:])
    assert not shipped.has_classes_of(without_wall)
    table = shipped.regroup(without_wall)
    assert table[shipped.index_of("floor")] == without_wall.index_of("floor") == 0
    assert shipped.without_counterpart(without_wall) == ("wall",)
    copy = LabelSet("mine", shipped.classes)
    assert copy.has_classes_of(shipped) and (copy.regroup(shipped) == np.arange(20)).all()
    fruit = LabelSet("voc", (LabelClass(1, "apple", (1, 2, 3)), LabelClass(2, "chair", (4, 5, 6))))
    assert shipped.regroup(fruit)[shipped.index_of("chair")] == 1  # though voc's groupings name other classes
    assert shipped.without_counterpart(fruit) == tuple(n for n in shipped.names if n != "chair")
