"""Draws objects into folders, each completely or not at all: folder format, part_points.ply, meta.json."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from sem_field_ros.atomic import atomic_write, write_failure, write_json
from sem_field_ros.errors import OutputError, SemFieldError
from sem_field_ros.geometry.ply import write_ply
from sem_field_ros.labels import LabelSet
from sem_field_synth.catalogue.class_table import SPLITS
from sem_field_synth.objects.cameras import DISTANCE, object_camera, random_views, spiral_views
from sem_field_synth.objects.object_specs import ObjectSpec, build_object, credit
from sem_field_synth.objects.part_mesh import PartMesh
from sem_field_synth.objects.render import PartRenderer, View

VERSION = 1  # version of the drawings: another version is another data set


@dataclass(frozen=True)
class ViewSettings:
    """How objects are drawn: pictures of `size` pixels; random views to train and validate, a spiral of test views.

    lowest_deg  elevation of the lowest random view      points  on the surface, in part_points.ply
    """

    views: int = 50
    test_views: int = 251
    size: int = 128
    lowest_deg: float = -30.0
    points: int = 20_000


@dataclass(frozen=True)
class ObjectResult:
    """Result for an object: `error` is empty if its folder is complete; `fresh`: drawn now, not found."""

    spec: ObjectSpec
    error: str = ""
    fresh: bool = True


def draw_all(specs: list[ObjectSpec], out: Path, settings: ViewSettings, workers: int) -> Iterator[ObjectResult]:
    """Draw all objects, `workers` at a time; yields results as they come. One that fails does not end the run."""
    if workers <= 1:
        yield from (draw_object(spec, out, settings) for spec in specs)
        return
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker)
    try:
        futures = [pool.submit(draw_object, spec, out, settings) for spec in specs]
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool as error:
        raise OutputError("a worker was killed (out of memory?); continue with fewer --workers") from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _start_worker() -> None:
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Workers of a killed run would wait for work forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def draw_object(spec: ObjectSpec, out: Path, settings: ViewSettings) -> ObjectResult:
    """Draw one object into OUT/CLASS/NAME unless it exists, drawn with the same settings."""
    folder = out / spec.kind / spec.name
    try:
        if (folder / "meta.json").is_file():
            _check_same(folder, spec, settings)
            return ObjectResult(spec, fresh=False)
        mesh = build_object(spec)
        _write_folder(folder, spec, mesh, settings)
    except SemFieldError as error:
        return ObjectResult(spec, str(error))
    return ObjectResult(spec)


def _check_same(folder: Path, spec: ObjectSpec, settings: ViewSettings) -> None:
    drawn = json.loads((folder / "meta.json").read_text(encoding="utf-8")).get("drawn")
    if drawn != _request(spec, settings):
        raise OutputError(f"{folder} was drawn with other settings ({drawn}); choose another folder")


def _request(spec: ObjectSpec, settings: ViewSettings) -> dict[str, Any]:
    request: dict[str, Any] = {"version": VERSION, **asdict(settings)}
    request.pop("views" if spec.split == "test" else "test_views")
    return request


def _write_folder(folder: Path, spec: ObjectSpec, mesh: PartMesh, settings: ViewSettings) -> None:
    """Everything goes to a folder beside the final one, which is then renamed: a folder that exists is complete."""
    work = folder.parent / f".{folder.name}.partial"
    try:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        normal = mesh.normalised()
        rng = object_rng(spec)
        poses = spiral_views(settings.test_views) if spec.split == "test" else None
        if poses is None:
            poses = random_views(settings.views, rng, settings.lowest_deg)
        _write_views(work, normal, spec.labels, poses, settings.size)
        _write_points(work / "part_points.ply", normal, spec.labels, settings.points, rng)
        write_json(work / "meta.json", _meta(spec, mesh, normal, len(poses), settings))
        os.replace(work, folder)
    except OSError as error:
        raise OutputError(write_failure(folder, error)) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def object_rng(spec: ObjectSpec) -> np.random.Generator:
    """The random numbers of an object: the same for the same class and name, independent of other objects."""
    digest = hashlib.sha1(f"{spec.kind}/{spec.name}".encode()).hexdigest()
    return np.random.default_rng(int(digest[:12], 16))


def _write_views(folder: Path, mesh: PartMesh, labels: LabelSet, poses: np.ndarray, size: int) -> None:
    renderer = PartRenderer(mesh, labels)
    camera = object_camera(size)
    for name in ("color", "depth", "label", "mask", "pose"):
        (folder / name).mkdir()
    (folder / "intrinsics.txt").write_text(_matrix_text(camera.matrix), encoding="utf-8")
    for number, pose in enumerate(poses):
        _write_view(folder, f"{number:06d}", renderer.view(camera, pose))
        (folder / "pose" / f"{number:06d}.txt").write_text(_matrix_text(pose), encoding="utf-8")


def _write_view(folder: Path, name: str, view: View) -> None:
    images = {
        "color": np.ascontiguousarray(view.color[..., ::-1]),
        "depth": np.round(view.depth * 1000).astype(np.uint16),
        "label": view.label,
        "mask": np.where(view.depth > 0, np.uint8(255), np.uint8(0)),
    }
    for kind, image in images.items():
        _, content = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 6])
        (folder / kind / f"{name}.png").write_bytes(content.tobytes())


def _write_points(path: Path, mesh: PartMesh, labels: LabelSet, count: int, rng: np.random.Generator) -> None:
    positions, normals, part, _ = mesh.sample(count, rng)
    columns = {name: positions[:, i].astype(np.float32) for i, name in enumerate("xyz")}
    columns |= {f"n{name}": normals[:, i].astype(np.float32) for i, name in enumerate("xyz")}
    color = labels.to_color(part)
    columns |= {name: color[:, i] for i, name in enumerate(("red", "green", "blue"))}
    write_ply(path, columns | {"label": labels.to_id(part)}, np.zeros((0, 3), np.int64))


def _meta(spec: ObjectSpec, mesh: PartMesh, normal: PartMesh, views: int, settings: ViewSettings) -> dict[str, Any]:
    names = spec.labels.names
    return {
        "label_set": spec.labels.name,
        "name": spec.name,
        "class": spec.kind,
        "source": spec.source,
        "asset": spec.asset,
        "split": spec.split,
        "parts": [names[i] for i in np.unique(mesh.part[mesh.part >= 0])],
        "metres_per_unit": normal.metres,
        "size_m": mesh.size.tolist(),
        "views": views,
        "camera_distance": DISTANCE,
        **credit(spec),
        "drawn": _request(spec, settings),
    }


def _matrix_text(matrix: np.ndarray) -> str:
    return "".join(" ".join(f"{value:.9g}" for value in row) + "\n" for row in matrix)


def write_lists(out: Path) -> dict[str, int]:
    """Write CLASS_SPLIT.txt (the names of each split) and ATTRIBUTION.txt; returns their sizes."""
    complete = [p for p in sorted(out.glob("*/*/meta.json")) if not p.parent.name.startswith(".")]
    metas = [json.loads(p.read_text(encoding="utf-8")) for p in complete]
    counts: dict[str, int] = {}
    for kind in sorted({meta["class"] for meta in metas}):
        for split in SPLITS:
            names = [m["name"] for m in metas if m["class"] == kind and m["split"] == split]
            counts[f"{kind}_{split}"] = len(names)
            _write_text(out / f"{kind}_{split}.txt", "".join(f"{name}\n" for name in names))
    lines = ["Objects drawn here, with author and licence.\n\n"]
    own = sum(m["source"] == "parametric" for m in metas)
    if own:
        lines.append(f"{own} parametric objects: made by sem-field generate objects, Apache-2.0\n")
    for meta in metas:
        if meta["source"] != "parametric":
            lines.append(f"{meta['class']}/{meta['name']}: {meta['title']}, by {meta['creator']}; {meta['license']}\n")
    _write_text(out / "ATTRIBUTION.txt", "".join(lines))
    return counts


def _write_text(path: Path, text: str) -> None:
    with atomic_write(path) as file:
        file.write(text.encode("utf-8"))
