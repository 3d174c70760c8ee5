"""The training loop of all models, each given by its Recipe. Seeded, resumable to the exact step, on one GPU or many.

Step s trains on samples s * batch ... (s + 1) * batch - 1 of the recipe's stream, and its random numbers are seeded
with (seed, s, rank): a run that was interrupted or killed and then resumed ends with the same weights as one that was
not.
"""

from __future__ import annotations

import contextlib
import math
import random
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from sem_field_ros.errors import TrainingError
from sem_field_ros.training.loop.checkpoint import RunState
from sem_field_ros.training.loop.config import LoopConfig
from sem_field_ros.training.loop.ema import MovingAverage
from sem_field_ros.training.loop.processes import Processes, joined, unwrapped
from sem_field_ros.training.loop.progress import StepProgress
from sem_field_ros.training.loop.recipe import Recipe, Samples
from sem_field_ros.training.loop.run_folder import RunFolder, TensorBoard
from sem_field_ros.weights import copy_weights


@dataclass(frozen=True)
class TrainingResult:
    """How a call of `train` ended. `reason`: "done", "time" (max_minutes is over) or "interrupted"."""

    step: int
    best: float | None
    reason: str


def train(recipe: Recipe, config: LoopConfig, out: Path, *, resume: bool = False) -> TrainingResult:
    """Train until config.steps, the time limit or an interruption (Ctrl-C, SIGTERM); each leaves a checkpoint in `out`.

    Raises TrainingError if the run cannot start or continue.
    """
    with joined(config.device) as processes:
        return _Loop(recipe, config, RunFolder(out), processes).run(resume)


class _Loop:
    def __init__(self, recipe: Recipe, config: LoopConfig, folder: RunFolder, processes: Processes) -> None:
        self.recipe, self.config, self.folder, self.processes = recipe, config, folder, processes
        share = processes.world * config.accumulate
        if config.batch % share:
            raise TrainingError(
                f"batch {config.batch} cannot be split into {share} equal parts (processes x accumulate)"
            )
        self.part = config.batch // share
        self.precision = _precision(config.precision, processes.device)

    def run(self, resume: bool) -> TrainingResult:
        settings = {"loop": self.config.defining(), self.recipe.name: self.recipe.settings()}
        if self.processes.first:
            self.run_facts = self.folder.begin(settings, resume=resume)
        self.processes.wait()
        self._build()
        if resume and self.folder.checkpoint.exists():
            self.state.load(self.folder.checkpoint)
        if self.processes.first:
            self.folder.forget_after(self.state.step)
        board = TensorBoard(self.folder.path / "tensorboard", self.state.step, self.processes.first)
        try:
            with (
                StepProgress(self.recipe.name, self.config.steps, self.processes.first) as progress,
                _stop_signal() as stop,
            ):
                return self._steps(board, progress, stop)
        finally:
            board.close()

    def _build(self) -> None:
        _seed(self.config.seed)
        model = self.processes.wrap(self.recipe.build_model())
        self.model, own = model, unwrapped(model)
        groups = [
            {"params": g.parameters, "lr_scale": g.lr_scale, "weight_decay": g.decay_scale * self.config.weight_decay}
            for g in self.recipe.parameter_groups(own)
            if g.parameters
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.config.lr)
        scaler = torch.amp.GradScaler(self.processes.device.type, enabled=self.precision is torch.float16)
        average = MovingAverage(own, self.config.ema) if self.config.ema else None
        self.state = RunState(own, optimizer, scaler, average)

    def _steps(self, board: TensorBoard, progress: StepProgress, stop: threading.Event) -> TrainingResult:
        config, state = self.config, self.state
        begin = saved = time.monotonic()
        seconds = state.seconds
        batches = self._batches()
        log = _MeanLog()
        reason = "done"
        while state.step < config.steps:
            logs = self._step(batches)
            log.add(logs)
            now = time.monotonic()
            state.seconds = seconds + now - begin
            validates = config.validate_every and state.step % config.validate_every == 0
            if state.step % config.log_every == 0 or state.step == config.steps:
                self._write(board, log.take(), lr=config.lr_at(state.step - 1))
            progress.show(state.step, logs["loss"])
            if validates or state.step == config.steps:
                self._validate(board, progress)
            reason = self._stop_reason(stop.is_set(), 0 < config.max_minutes * 60 <= now - begin)
            old = state.step % config.checkpoint_every == 0 or now - saved > config.checkpoint_minutes * 60
            if reason != "done" or validates or state.step == config.steps or old:
                self._save()
                saved = time.monotonic()
            if reason != "done":
                break
        self.processes.wait()
        return TrainingResult(state.step, state.best, reason)

    def _stop_reason(self, interrupted: bool, late: bool) -> str:
        if self.state.step == self.config.steps:
            return "done"
        if self.processes.any(interrupted):
            return "interrupted"
        return "time" if self.processes.any(late) else "done"

    def _step(self, batches: Iterator[Any]) -> dict[str, float]:
        """One optimizer step. Returns the mean of the loss and of the recipe's logs over the parts of the batch."""
        config, state = self.config, self.state
        _seed(config.seed, state.step + 1, self.processes.rank)
        self.model.train()
        log = _MeanLog()
        for group in state.optimizer.param_groups:
            group["lr"] = config.lr_at(state.step) * group["lr_scale"]
        for i in range(config.accumulate):
            batch = self.processes.to_device(next(batches))
            last = i == config.accumulate - 1
            with contextlib.nullcontext() if last else self.processes.without_sync(self.model):
                with torch.autocast(self.processes.device.type, self.precision, self.precision is not torch.float32):
                    loss, logs = self.recipe.loss(self.model, batch)
                state.scaler.scale(loss / config.accumulate).backward()
            log.add({"loss": float(loss.detach()), **{name: float(value) for name, value in logs.items()}})
        values = log.take()
        if not math.isfinite(values["loss"]):
            raise TrainingError(
                f"the loss is {values['loss']} at step {state.step}: lower --lr; the last checkpoint is kept"
            )
        if config.clip:
            state.scaler.unscale_(state.optimizer)
            trained = [p for group in state.optimizer.param_groups for p in group["params"]]
            values["gradient_norm"] = float(nn.utils.clip_grad_norm_(trained, config.clip))
        state.scaler.step(state.optimizer)
        state.scaler.update()
        state.optimizer.zero_grad(set_to_none=True)
        state.step += 1
        if state.average is not None:
            state.average.update(state.model)
        return values

    def _batches(self) -> Iterator[Any]:
        """The parts of the batches that this process trains on, from the current step on."""
        config, rank = self.config, self.processes.rank
        batch, share = config.batch, config.batch // self.processes.world
        numbers = [
            [step * batch + rank * share + i * self.part + j for j in range(self.part)]
            for step in range(self.state.step, config.steps)
            for i in range(config.accumulate)
        ]
        samples = self.recipe.samples()
        loader = DataLoader(
            _Stream(samples, config.steps * batch),
            batch_sampler=numbers,
            collate_fn=samples.collate,
            num_workers=config.workers,
            pin_memory=self.processes.device.type == "cuda",
            worker_init_fn=_begin_worker,
        )
        return iter(loader)

    def _validate(self, board: TensorBoard, progress: StepProgress) -> None:
        """Score the averaged weights (or the last, without --ema) and save them; only the first process does."""
        state = self.state
        if self.processes.first:
            progress.note("validating")
            average = state.average.applied_to(state.model) if state.average else contextlib.nullcontext()
            with average, torch.inference_mode():
                state.model.eval()
                scores = self.recipe.validate(state.model)
                facts = {
                    "step": state.step,
                    "seconds": round(state.seconds, 1),
                    "commands": self.run_facts["commands"],
                    "git_revision": self.run_facts["git_revision"],
                    "loop": self.config.defining(),
                    "validation": scores,
                }
                self.recipe.save(state.model, self.folder.last, facts)
                if state.best is None or scores["score"] > state.best:
                    state.best = scores["score"]
                    copy_weights(self.folder.last, self.folder.best)
            self._write(board, {f"validation/{name}": value for name, value in scores.items()})
            shown = {name: value for name, value in scores.items() if "/" not in name}
            progress.print(f"step {state.step}: " + ", ".join(f"{name} {value:.4g}" for name, value in shown.items()))
        self.processes.wait()

    def _write(self, board: TensorBoard, values: dict[str, float], **more: float) -> None:
        if self.processes.first:
            values = {**values, **more}
            self.folder.append({"step": self.state.step, "seconds": round(self.state.seconds, 1), **values})
            board.add(values, self.state.step)

    def _save(self) -> None:
        if self.processes.first:
            self.state.save(self.folder.checkpoint)


class _Stream(Dataset[Any]):
    """The samples of a recipe as a torch Dataset."""

    def __init__(self, samples: Samples, count: int) -> None:
        self._samples, self._count = samples, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, n: int) -> Any:
        return self._samples[n]


class _MeanLog:
    """The mean of each scalar since the last `take`."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[float, int]] = {}

    def add(self, values: dict[str, float]) -> None:
        for name, value in values.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = (total + value, count + 1)

    def take(self) -> dict[str, float]:
        means = {name: total / count for name, (total, count) in self._sums.items()}
        self._sums = {}
        return means


def _seed(*numbers: int) -> None:
    """Seed all global random generators with a hash of `numbers`, e.g. (seed, step, rank)."""
    value = int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
    torch.manual_seed(value & (2**63 - 1))
    random.seed(value)
    np.random.seed(value & (2**32 - 1))  # noqa: NPY002  for libraries that still use the global generator


def _begin_worker(worker: int) -> None:
    """Loader workers use one thread each and leave Ctrl-C to the training process."""
    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def _precision(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    if name == "fp16" and device.type == "cpu":
        raise TrainingError("precision fp16 needs a GPU: choose fp32 or bf16 on the CPU")
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[name]


@contextlib.contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set: the step is finished and saved. A second Ctrl-C interrupts at once."""
    event = threading.Event()

    def stop(number: int, frame: Any) -> None:
        if event.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        event.set()

    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    old = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
