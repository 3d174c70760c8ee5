"""Draws a home scene frame by frame into a sequence folder; finished frames of a killed run are kept."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from sem_field_ros.atomic import atomic_write, write_json
from sem_field_ros.datasets.folder_writer import FolderWriter
from sem_field_ros.errors import OutputError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import load_label_set
from sem_field_synth.rendering.depth_noise import noisy_depth
from sem_field_synth.rendering.ground_truth import TruthCaster
from sem_field_synth.rendering.home_mesh import write_home_mesh
from sem_field_synth.rendering.photo import PhotoCamera, draw_camera
from sem_field_synth.rendering.scene_mesh import SceneMesh, scene_mesh
from sem_field_synth.scene import HomeScene

_PROBES = 5  # images that set the camera's exposure


class ColorRenderer(Protocol):
    """Draws linear RGB [H, W, 3] float32. `ask` may start drawing, `take` gives pictures in the order asked for."""

    def ask(self, name: str, T_world_camera: np.ndarray) -> None: ...

    def take(self, name: str) -> np.ndarray: ...


@dataclass(frozen=True)
class DrawSettings:
    """renderer  `cycles` or `raster`; samples  light paths a pixel; threads  of Cycles; seed  of camera and noise."""

    renderer: str = "cycles"
    samples: int = 4
    threads: int = 1
    seed: int = 0


def draw_home(
    scene: HomeScene,
    folder: Path,
    settings: DrawSettings,
    meta: dict[str, Any],
    attribution: str,
    on_progress: Callable[[int], None] = lambda frames: None,
) -> None:
    """Draw a scene into `folder`, which appears when the last frame is done (until then it is `.NAME.part` beside it).

    `on_progress` is called for every finished frame, including those found finished. Raises SemFieldError in one line.
    """
    if is_drawn(folder, meta):
        on_progress(len(scene.stamps_ns))
        return
    about = {"label_set": "scannet20", "name": scene.name, **meta, "renderer": settings.renderer}
    about |= {"samples": settings.samples, "instances": {str(i): name for i, name in scene.instances.items()}}
    part = folder.with_name(f".{folder.name}.part")
    if _drawn_with(part) != about:  # begun with other settings or by another version
        shutil.rmtree(part, ignore_errors=True)
        write_json(part / "meta.json", about)
    names = [f"{i:06d}" for i in range(len(scene.stamps_ns))]
    mesh = scene_mesh(scene)
    caster = TruthCaster(mesh)
    writer = FolderWriter(part, resume=True)
    missing = [i for i, name in enumerate(names) if not writer.written(name)]
    on_progress(len(names) - len(missing))
    if missing:
        _draw_frames(scene, mesh, caster, writer, missing, names, settings, on_progress)
    if not (part / "mesh_labels.ply").is_file():
        write_home_mesh(part / "mesh_labels.ply", scene, mesh, caster)
    with atomic_write(part / "ATTRIBUTION.txt") as file:
        file.write(attribution.encode("utf-8"))
    writer.close(about, dict(zip(names, (int(s) for s in scene.stamps_ns), strict=True)))
    try:
        part.rename(folder)
    except OSError as error:
        raise OutputError(f"cannot move {part} to {folder}: {error.strerror}") from error


def is_drawn(folder: Path, meta: dict[str, Any]) -> bool:
    """Whether a folder exists. Raises OutputError if it was drawn with other settings."""
    if not folder.exists():
        return False
    if _drawn_with(folder).get("generator") != meta.get("generator"):
        raise OutputError(f"{folder} was drawn with other settings; remove it or give another --out")
    return True


def _drawn_with(folder: Path) -> dict[str, Any]:
    """The drawing settings that meta.json of a folder records."""
    try:
        return dict(json.loads((folder / "meta.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _draw_frames(
    scene: HomeScene,
    mesh: SceneMesh,
    caster: TruthCaster,
    writer: FolderWriter,
    missing: list[int],
    names: list[str],
    settings: DrawSettings,
    on_progress: Callable[[int], None],
) -> None:
    poses = scene.T_world_camera
    finish = _Finisher(scene, caster, writer, settings.seed)
    with ExitStack() as stack:
        renderer = stack.enter_context(open_renderer(scene, mesh, caster, settings, writer.directory / "scratch"))
        # the same images set the camera, however often the run was resumed
        probes = np.unique(np.linspace(0, len(names) - 1, _PROBES).round().astype(int)).tolist()
        order = probes + [i for i in missing if i not in probes]
        for i in order[: len(probes) + 1]:  # one ahead: drawn while others are written
            renderer.ask(names[i], poses[i])
        pictures = {i: renderer.take(names[i]) for i in probes}
        finish.set_camera(list(pictures.values()))
        for place, i in enumerate(order):
            picture = pictures.pop(i) if place < len(probes) else renderer.take(names[i])
            if place >= len(probes) and place + 1 < len(order):
                renderer.ask(names[order[place + 1]], poses[order[place + 1]])
            if i in missing:
                finish.frame(i, names[i], picture)
                on_progress(1)


class _Finisher:
    """Writes linear images as frames, with depth, labels, instances and poses."""

    def __init__(self, scene: HomeScene, caster: TruthCaster, writer: FolderWriter, seed: int) -> None:
        self._scene, self._caster, self._writer = scene, caster, writer
        digest = hashlib.sha256(f"{seed} {scene.name}".encode()).digest()
        self._seed = int.from_bytes(digest[:8], "little")
        self._nyu40, self._scannet20 = load_label_set("nyu40"), load_label_set("scannet20")
        self._camera: PhotoCamera | None = None

    def set_camera(self, probes: list[np.ndarray]) -> None:
        self._camera = draw_camera(probes, np.random.default_rng(self._seed), self._scene.exposure)
        self._writer.jpeg_quality = self._camera.jpeg_quality

    def frame(self, index: int, name: str, picture: np.ndarray) -> None:
        assert self._camera is not None
        rng = np.random.default_rng([self._seed, index])
        pose = self._scene.T_world_camera[index]
        truth = self._caster.cast(self._scene.camera, pose)
        frame = PosedFrame(
            stamp_ns=int(self._scene.stamps_ns[index]),
            color=self._camera.take(picture, rng),
            camera=self._scene.camera,
            T_world_camera=pose,
            depth=noisy_depth(truth.depth, rng),
            labels=self._scannet20.to_id(truth.scannet20),
            name=name,
            extra={
                "depth_clean": truth.depth,
                "label_nyu40": self._nyu40.to_id(truth.nyu40),
                "instance": truth.instance,
            },
        )
        self._writer.write(frame)


def open_renderer(
    scene: HomeScene, mesh: SceneMesh, caster: TruthCaster, settings: DrawSettings, scratch: Path
) -> AbstractContextManager[ColorRenderer]:
    """The renderer that the settings name. Raises DataError if it is not installed."""
    if settings.renderer == "cycles":
        from sem_field_synth.rendering.cycles_job import CyclesRenderer

        return CyclesRenderer(scene, mesh, scratch, settings.samples, settings.threads, settings.seed)
    from sem_field_synth.rendering.raster_color import RasterRenderer

    return RasterRenderer(scene, mesh, caster)
