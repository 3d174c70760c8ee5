"""Runs the Cycles process (cycles.py) for a home scene: starts it, sends poses, receives images, ends it."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from sem_field_ros.errors import DataError
from sem_field_synth.rendering.ground_truth import cutout_mask
from sem_field_synth.rendering.scene_mesh import SceneMesh
from sem_field_synth.scene import Finish, HomeScene

INSTALL = "pip install --no-deps bpy==5.0.1"  # as in requirements/generate.txt
LIBRARIES = "apt install libxrender1 libxfixes3 libxi6 libxkbcommon0"


def cycles_missing() -> str:
    """Why Cycles cannot be used here, in one line; empty if it can."""
    if importlib.util.find_spec("bpy") is not None:
        return ""
    if sys.version_info[:2] != (3, 11):
        mine = f"{sys.version_info.major}.{sys.version_info.minor}"
        return f"Blender's wheel bpy is made for Python 3.11 alone and this is {mine}: use --renderer raster"
    return f"Blender's wheel bpy is not installed: run `{INSTALL}`, or use --renderer raster"


class CyclesRenderer:
    """Draws frames of one scene, with files in `folder`. A context manager: ends Blender and removes the folder."""

    def __init__(
        self, scene: HomeScene, mesh: SceneMesh, folder: Path, samples: int = 4, threads: int = 1, seed: int = 0
    ) -> None:
        reason = cycles_missing()
        if reason:
            raise DataError(reason)
        self._folder = folder
        shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
        folder.mkdir(parents=True)
        np.savez(self._folder / "scene.npz", corners=mesh.corners, normals=mesh.normals, uv=mesh.uv, finish=mesh.finish)
        job = _job(scene, mesh, samples, threads, seed)
        (self._folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        self._log = (self._folder / "log.txt").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sem_field_synth.rendering.cycles", str(self._folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True, env=_environment(),
        )  # fmt: skip
        self._answer("ready")

    def __enter__(self) -> CyclesRenderer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def ask(self, name: str, T_world_camera: np.ndarray) -> None:
        """Request a frame; returns at once."""
        request = {"name": name, "T_world_camera": np.asarray(T_world_camera).reshape(-1).tolist()}
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # `take` raises with the reason
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()

    def take(self, name: str) -> np.ndarray:
        """The requested image: [H, W, 3] float32 linear RGB. Raises DataError if Blender ended."""
        self._answer("done")
        file = self._folder / f"{name}.npy"
        picture = np.load(file, allow_pickle=False).astype(np.float32)
        file.unlink()
        return picture

    def _answer(self, word: str) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith(word):
            self._log.flush()
            lines = (self._folder / "log.txt").read_text(errors="replace").strip().splitlines()
            why = lines[-1] if lines else "no word of why"
            if "shared object file" in why:
                why += f"; {LIBRARIES} gives what it needs on Debian and Ubuntu"
            raise DataError(f"Blender ended ({self._process.wait()}): {why}")
        return line


def _environment() -> dict[str, str]:
    source = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path}


def _job(scene: HomeScene, mesh: SceneMesh, samples: int, threads: int, seed: int) -> dict[str, Any]:
    camera = scene.camera
    return {
        "camera": {name: getattr(camera, name) for name in ("fx", "fy", "cx", "cy", "width", "height")},
        "sky": [list(scene.sky[0]), float(scene.sky[1])],
        "lamps": [
            {
                "kind": lamp.kind,
                "position": np.asarray(lamp.position, dtype=float).tolist(),
                "power": float(lamp.power),
                "size_m": float(lamp.size_m),
                "color": list(lamp.color),
            }
            for lamp in scene.lamps
        ],
        "finishes": [_finish(finish) for finish in mesh.finishes],
        "samples": samples,
        "threads": threads,
        "seed": seed & 0x7FFFFFFF,
    }


def _finish(finish: Finish) -> dict[str, Any]:
    return {
        "color": list(finish.color),
        "texture": str(finish.texture) if finish.texture else "",
        "cutout": cutout_mask(finish.texture) is not None,
        "shininess": finish.shininess,
        "opacity": finish.opacity,
        "emission": finish.emission,
    }
