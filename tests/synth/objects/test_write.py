"""Objects on disk: complete, repeatable, resumable; and read back as what was drawn."""

from __future__ import annotations

import json
import os
from concurrent.futures import ProcessPoolExecutor as Pool
from pathlib import Path

import cv2
import numpy as np
import pytest

from sem_field_ros.datasets.part_objects import PartObjects
from sem_field_ros.errors import DataError, OutputError
from sem_field_ros.geometry.camera import project
from sem_field_ros.geometry.poses import inverse, transform_points
from sem_field_synth.catalogue.class_table import split_of
from sem_field_synth.objects import write
from sem_field_synth.objects.cameras import DISTANCE, object_camera
from sem_field_synth.objects.object_specs import ObjectSpec, build_object, list_objects
from sem_field_synth.objects.write import ViewSettings, draw_all, draw_object, write_lists

SMALL = ViewSettings(views=3, test_views=5, size=32, points=500)
COUNTS = {"training": 2, "validation": 1, "test": 1}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("objects")
    specs = list_objects(["chair", "table"], ["parametric"], COUNTS)
    assert [r.error for r in draw_all(specs, out, SMALL, 1)] == [""] * 8
    write_lists(out)
    return out


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_every_view_has_its_images_and_the_lists_name_every_object(drawn: Path) -> None:
    assert (drawn / "chair_training.txt").read_text() == "parametric_0000000\nparametric_0000001\n"
    assert (drawn / "table_test.txt").read_text() == "parametric_0700000\n"
    folder = drawn / "chair" / "parametric_0000000"
    for kind in ("color", "depth", "label", "mask", "pose"):
        assert len(list((folder / kind).iterdir())) == 3
    assert len(list((drawn / "chair" / "parametric_0700000" / "color").iterdir())) == 5
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["label_set"] == "chair_parts" and meta["split"] == "training" and meta["license"] == "Apache-2.0"
    assert "seat" in meta["parts"] and 0.2 < meta["metres_per_unit"] < 3
    assert "8 parametric objects" in (drawn / "ATTRIBUTION.txt").read_text()


def test_drawing_again_gives_the_same_bytes_in_any_company(drawn: Path, tmp_path: Path) -> None:
    spec = list_objects(["table"], ["parametric"], {"validation": 1})[0]
    assert draw_object(spec, tmp_path, SMALL).error == ""
    assert content(tmp_path / "table" / spec.name) == content(drawn / "table" / spec.name)


def test_what_is_complete_is_kept_and_what_is_not_is_drawn(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = list_objects(["chair"], ["parametric"], {"training": 2})
    built: list[str] = []

    def build(spec: ObjectSpec) -> object:
        built.append(spec.name)
        if spec == specs[1] and len(built) == 2:
            raise KeyboardInterrupt
        return build_object(spec)

    monkeypatch.setattr(write, "build_object", build)
    with pytest.raises(KeyboardInterrupt):
        list(draw_all(specs, tmp_path, SMALL, 1))
    results = list(draw_all(specs, tmp_path, SMALL, 1))
    assert [r.fresh for r in results] == [False, True]
    assert built == [specs[0].name, specs[1].name, specs[1].name]
    for spec in specs:
        assert content(tmp_path / "chair" / spec.name) == content(drawn / "chair" / spec.name)


def test_an_interrupted_object_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = list_objects(["chair"], ["parametric"], {"training": 1})[0]
    monkeypatch.setattr(write, "_write_points", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        draw_object(spec, tmp_path, SMALL)
    assert list((tmp_path / "chair").iterdir()) == []


def _die(*args: object) -> None:
    os._exit(1)


def test_a_worker_that_dies_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "ProcessPoolExecutor", lambda *args, **kw: Pool(2, initializer=_die))
    with pytest.raises(OutputError, match="fewer --workers"):
        list(draw_all(list_objects(["chair"], ["parametric"], {"training": 2}), tmp_path, SMALL, 2))


def test_other_settings_are_not_mixed_in(drawn: Path) -> None:
    specs = list_objects(["chair"], ["parametric"], COUNTS)
    more = ViewSettings(views=4, test_views=5, size=32, points=500)
    results = list(draw_all(specs, drawn, more, 1))
    assert ["other settings" in r.error for r in results] == [True, True, True, False]  # test views are the same


def test_objects_read_back_as_they_were_drawn(drawn: Path) -> None:
    objects = PartObjects(drawn, "chair", "training")
    assert len(objects) == 2 and objects.labels.name == "chair_parts"
    views = objects.views(1)
    assert len(views) == 3 and views.color.shape == (3, 32, 32, 3) and views.camera == object_camera(32)
    assert np.array_equal(views.mask, views.parts != objects.labels.index_of("background"))
    assert np.linalg.norm(views.T_world_camera[:, :3, 3], axis=1) == pytest.approx(DISTANCE)
    stored = [cv2.imread(str(objects.path(1) / "mask" / f"{i:06d}.png"), cv2.IMREAD_UNCHANGED) for i in range(3)]
    assert np.array_equal(views.mask, np.array(stored) == 255)
    two = objects.views(1, [2, 0])
    assert np.array_equal(two.parts, views.parts[[2, 0]])
    with pytest.raises(DataError, match="views 0 to 2, not 3"):
        objects.views(1, [3])


def test_points_lie_where_the_views_see_their_part(drawn: Path) -> None:
    objects = PartObjects(drawn, "table", "test")
    points, views = objects.points(0), objects.views(0)
    assert points.positions.shape == points.normals.shape == (500, 3)
    assert np.linalg.norm(points.positions, axis=1).max() <= 0.5 + 1e-6
    agree = total = 0
    for i in range(len(views)):
        pixel, z = project(transform_points(inverse(views.T_world_camera[i]), points.positions), views.camera)
        u, v = np.rint(pixel).astype(int).T
        seen = np.abs(views.depth[i, v, u] - z) < 0.02
        agree += int((views.parts[i, v, u] == points.parts)[seen].sum())
        total += int(seen.sum())
    assert total > 300 and agree > 0.85 * total  # the rest lies within a pixel of another part


def test_missing_lists_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="sem-field generate objects"):
        PartObjects(tmp_path, "chair", "training")
    (tmp_path / "chair_test.txt").write_text("")
    with pytest.raises(DataError, match="names no object"):
        PartObjects(tmp_path, "chair", "test")


def test_splits_share_no_object_and_seeds_share_none_either() -> None:
    counts = {"training": 300, "validation": 100, "test": 100}
    first, second = (list_objects(["chair"], ["parametric"], counts, seed) for seed in (0, 1))
    names = [spec.name for spec in first + second]
    assert len(set(names)) == len(names) == 1000
    assert {spec.split for spec in first} == {"training", "validation", "test"}


def test_psb_shapes_stand_and_face_the_front(tmp_path: Path) -> None:
    """A chair of three boxes, y up, its back towards +x: read, turned, scaled, split by its name."""
    from sem_field_synth.objects.solids import box

    parts = [box((1, 1, 0.2), (0, 0, 1)), box((0.2, 1, 1), (0.4, 0, 1.6)), box((0.2, 0.2, 0.9), (0, 0, 0.45))]
    start = np.cumsum([0] + [len(p.vertices) for p in parts])
    points = np.concatenate([p.vertices for p in parts])[:, [0, 2, 1]] * [1, 1, -1]  # z up -> y up
    faces = np.concatenate([p.faces + s for p, s in zip(parts, start, strict=False)])
    for folder in ("off", "labels"):
        (tmp_path / folder).mkdir()
    lines = ["OFF", f"{len(points)} {len(faces)} 0"] + [" ".join(map(str, p)) for p in points.tolist()]
    (tmp_path / "off" / "7.off").write_text("\n".join(lines + [f"3 {a} {b} {c}" for a, b, c in faces.tolist()]))
    numbers = [str(i) for i, part in enumerate(parts) for _ in part.faces]
    (tmp_path / "labels" / "7.txt").write_text("\n".join(numbers))
    (tmp_path / "labels" / "meta.json").write_text(json.dumps({"7": {"category": "chair", "up": [0, 1, 0]}}))
    (spec,) = list_objects(["chair", "table"], ["psb"], {}, psb=tmp_path)
    assert spec.split == split_of("psb/7")
    mesh = build_object(spec)
    back = mesh.corners[mesh.part == spec.labels.index_of("back")].reshape(-1, 3)
    assert mesh.size[2] == pytest.approx(0.9) and mesh.corners[..., 2].min() == pytest.approx(0)
    middle = (mesh.corners.reshape(-1, 3).max(0) + mesh.corners.reshape(-1, 3).min(0)) / 2
    assert back[:, 1].mean() > middle[1] + 0.1 and abs(back[:, 0].mean() - middle[0]) < 0.01
    with pytest.raises(DataError, match="--psb DIR"):
        list_objects(["chair"], ["psb"], {})
