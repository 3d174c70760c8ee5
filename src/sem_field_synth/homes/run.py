"""Draws many homes over several processes; a home that cannot be drawn is reported and does not end the run."""

from __future__ import annotations

import multiprocessing
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sem_field_ros.errors import SemFieldError
from sem_field_synth.catalogue.attribution import attributions
from sem_field_synth.catalogue.catalogue import Assets
from sem_field_synth.homes.home_plan import SceneSpec
from sem_field_synth.homes.home_scenes import build_scene
from sem_field_synth.rendering.home_writer import DrawSettings, draw_home, is_drawn
from sem_field_synth.scene import HomeScene

_POLL_S = 0.2


@dataclass(frozen=True)
class HomeJob:
    """One home to draw. `build` (a picklable function) returns the scene and its attribution text."""

    name: str
    folder: Path
    build: Callable[[], tuple[HomeScene, str]]
    settings: DrawSettings
    meta: dict[str, Any]
    frames: int
    bag: bool = False


def build_home(spec: SceneSpec, frames: int, size: tuple[int, int], source: Path | None) -> tuple[HomeScene, str]:
    """The scene of one entry of a plan, and its attribution text."""
    assets = Assets(source)
    scene = build_scene(assets, spec.home, spec.room, spec.seed, frames, size, spec.split)
    return scene, attributions(assets, [scene])


@dataclass(frozen=True)
class HomeResult:
    """Result of a job: `error` is empty if the folder is complete."""

    name: str
    error: str
    seconds: float


def draw_all(
    jobs: list[HomeJob], workers: int, on_progress: Callable[[int], None] = lambda frames: None
) -> Iterator[HomeResult]:
    """Draw all jobs, `workers` at a time, and yield results as they come; `on_progress`: of finished frames."""
    if workers <= 1:
        for job in jobs:
            yield _draw(job, on_progress)
        return
    threads = max(1, (os.cpu_count() or 1) // workers)
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        ticks = manager.Queue()
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with, initargs=(os.getpid(),))
        try:
            shared = [replace(job, settings=replace(job.settings, threads=threads)) for job in jobs]
            running = {pool.submit(_draw_remote, job, ticks): job for job in shared}
            while running:
                _pass_on(ticks, on_progress)
                for future in [f for f in running if f.done()]:
                    yield _result(future, running.pop(future))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _end_with(parent: int) -> None:
    """End this process with its parent, even a killed one, so that a new run alone writes to the folders."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_S)
        os._exit(1)  # Blender ends when its input ends

    threading.Thread(target=watch, daemon=True).start()


def _pass_on(ticks: Any, on_progress: Callable[[int], None]) -> None:
    try:
        on_progress(ticks.get(timeout=_POLL_S))
        while True:
            on_progress(ticks.get_nowait())
    except queue.Empty:
        return


def _result(future: Future[HomeResult], job: HomeJob) -> HomeResult:
    try:
        return future.result()
    except BrokenProcessPool:
        return HomeResult(job.name, "its process was killed (out of memory?); run again to continue", 0.0)


def _draw_remote(job: HomeJob, ticks: Any) -> HomeResult:
    return _draw(job, ticks.put)


def _draw(job: HomeJob, on_progress: Callable[[int], None]) -> HomeResult:
    started = time.perf_counter()
    try:
        if is_drawn(job.folder, job.meta):
            on_progress(job.frames)
        else:
            scene, attribution = job.build()
            draw_home(scene, job.folder, job.settings, job.meta, attribution, on_progress)
        if job.bag:
            _write_bag(job.folder)
    except SemFieldError as error:
        return HomeResult(job.name, str(error), time.perf_counter() - started)
    except Exception as error:  # noqa: BLE001 - a broken model or home must not end the others
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return HomeResult(job.name, text, time.perf_counter() - started)
    return HomeResult(job.name, "", time.perf_counter() - started)


def _write_bag(folder: Path) -> None:
    """The same as NAME.mcap beside the folder (a folder with a bag in it would be taken for a bag)."""
    from sem_field_ros.datasets.bag.writer import write_bag
    from sem_field_ros.datasets.folder import FolderSequence

    path = folder.with_suffix(".mcap")
    if not path.exists():
        write_bag(path, FolderSequence(folder), jpeg=True)
