"""The loop: learns, resumes bit for bit, also after kill -9, splits over processes, reports mistakes in one line."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch

from sem_field_ros.errors import TrainingError
from sem_field_ros.training.loop.loop import train
from sem_field_ros.training.loop.run_folder import command_line
from sem_field_ros.weights import load_weights

from .toy import ToyRecipe, toy_config

SCRIPT = Path(__file__).with_name("toy.py")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def tensors(path: Path) -> dict[str, torch.Tensor]:
    """The checkpoint's tensors: model, average, optimizer."""
    return safetensors.torch.load_file(path / "checkpoint.safetensors")


def assert_same(a: Path, b: Path) -> None:
    left, right = tensors(a), tensors(b)
    assert left.keys() == right.keys() and len(left) > 12
    for name, value in left.items():
        assert torch.equal(value, right[name]), name


def lines(path: Path) -> list[dict]:
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


class StopAt(ToyRecipe):
    """Interrupts the run, as Ctrl-C does, in the middle of step `at`, counted from 1."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def loss(self, model, batch):  # noqa: ANN001, ANN201
        self.at -= 1
        if self.at == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return super().loss(model, batch)


def test_the_loss_falls_and_the_best_weights_are_kept(tmp_path: Path) -> None:
    result = train(ToyRecipe(dropout=0.0), toy_config(100, lr=3e-2, ema=0.8), tmp_path)
    assert result.reason == "done" and result.step == 100
    losses = [row["loss"] for row in lines(tmp_path) if "loss" in row]
    assert sum(losses[-20:]) < 0.3 * sum(losses[:20])
    scores = {row["step"]: row["validation/score"] for row in lines(tmp_path) if "validation/score" in row}
    assert set(scores) == set(range(10, 101, 10)) and result.best == max(scores.values())
    _, card = load_weights(tmp_path / "best.safetensors", "toy")
    assert scores[card.training["step"]] == result.best == card.training["validation"]["score"]


@pytest.mark.parametrize("workers", [0, 1])
def test_an_interrupted_and_resumed_run_is_bit_identical(tmp_path: Path, workers: int) -> None:
    config = toy_config(workers=workers)
    assert train(ToyRecipe(), config, tmp_path / "whole").reason == "done"
    stopped = train(StopAt(7), config, tmp_path / "parts")
    assert stopped.reason == "interrupted" and stopped.step == 7
    for at in (6, 1):
        train(StopAt(at), config, tmp_path / "parts", resume=True)
    assert train(ToyRecipe(), config, tmp_path / "parts", resume=True).reason == "done"
    assert_same(tmp_path / "whole", tmp_path / "parts")
    assert lines(tmp_path / "whole") == lines(tmp_path / "parts")
    for name in ("best", "last"):
        whole, parts = (load_weights(tmp_path / run / f"{name}.safetensors", "toy")[1] for run in ("whole", "parts"))
        assert whole.sha256 == parts.sha256
    run = json.loads((tmp_path / "parts" / "run.json").read_text())
    assert len(run["commands"]) == 4


def test_a_killed_run_continues_from_its_checkpoint(tmp_path: Path) -> None:
    config = toy_config(12, checkpoint_every=3)
    command = [sys.executable, str(SCRIPT), str(tmp_path / "killed"), "12", "0", "0.2"]
    process = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    while not (tmp_path / "killed" / "checkpoint.safetensors").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert train(ToyRecipe(dropout=0.0), config, tmp_path / "killed", resume=True).step == 12
    train(ToyRecipe(dropout=0.0), config, tmp_path / "whole")
    assert_same(tmp_path / "whole", tmp_path / "killed")
    assert lines(tmp_path / "whole") == lines(tmp_path / "killed")


def test_two_processes_compute_what_one_does(tmp_path: Path) -> None:
    """Through torchrun and gloo; equal up to the order of additions."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    arguments = [str(tmp_path / "two"), "12", "0"]
    done = subprocess.run([sys.executable, *torchrun, str(SCRIPT), *arguments], env=ENVIRONMENT, capture_output=True)
    assert done.returncode == 0, done.stderr[-3000:].decode()
    train(ToyRecipe(dropout=0.0), toy_config(12, checkpoint_every=3), tmp_path / "one")
    one, two = tensors(tmp_path / "one"), tensors(tmp_path / "two")
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert torch.allclose(value, two[name], atol=1e-5), name
    assert len(lines(tmp_path / "two")) == len(lines(tmp_path / "one"))  # only one of them writes


def test_accumulated_parts_make_the_same_step(tmp_path: Path) -> None:
    for parts in (1, 2, 4):
        train(ToyRecipe(dropout=0.0), toy_config(10, accumulate=parts), tmp_path / str(parts))
    for parts in ("2", "4"):
        for name, value in tensors(tmp_path / "1").items():
            assert torch.allclose(value, tensors(tmp_path / parts)[name], atol=1e-5), name


def test_every_sample_is_seen_once_and_in_order(tmp_path: Path) -> None:
    recipe = ToyRecipe()
    train(recipe, toy_config(10, accumulate=2), tmp_path)
    assert recipe.seen == list(range(40))


def test_the_time_limit_stops_and_resuming_continues(tmp_path: Path) -> None:
    limited = train(ToyRecipe(pause_s=0.02), toy_config(20, max_minutes=1e-4), tmp_path)
    assert limited.reason == "time" and limited.step == 1
    assert train(ToyRecipe(), toy_config(20), tmp_path, resume=True).step == 20


def test_gradients_are_clipped(tmp_path: Path) -> None:
    class Steep(ToyRecipe):
        def loss(self, model, batch):  # noqa: ANN001, ANN202
            loss, logs = super().loss(model, batch)
            return loss * 1e6, logs

    config = toy_config(1, ema=0.0, warmup=0, clip=0.5)
    train(Steep(dropout=0.0), config, tmp_path)
    squares = sum(v.square().sum() for k, v in tensors(tmp_path).items() if k.endswith("exp_avg"))
    assert float(squares.sqrt()) == pytest.approx(0.1 * 0.5, rel=1e-3)  # Adam's first moment: (1 - 0.9) x gradient
    assert lines(tmp_path)[0]["gradient_norm"] > 1e4


def test_a_loss_of_nan_ends_the_run(tmp_path: Path) -> None:
    class Broken(ToyRecipe):
        def loss(self, model, batch):  # noqa: ANN001, ANN202
            return super().loss(model, batch)[0] * float("nan"), {}

    with pytest.raises(TrainingError, match="nan at step 0: lower --lr"):
        train(Broken(), toy_config(), tmp_path)


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    train(ToyRecipe(), toy_config(2), tmp_path / "run")
    cases = [
        (ToyRecipe(), toy_config(2), False, "already holds a run: continue it with --resume"),
        (ToyRecipe(), toy_config(3), True, "other settings: loop.steps was 2, now 3"),
        (ToyRecipe(seed=2), toy_config(2), True, "toy.seed was 1, now 2"),
        (ToyRecipe(), toy_config(2, accumulate=3), True, "cannot be split into 3"),
        (ToyRecipe(), toy_config(2, device="nowhere"), True, "device 'nowhere'"),
        (ToyRecipe(), toy_config(2, precision="fp16"), True, "needs a GPU"),
    ]
    for recipe, config, resume, message in cases:
        with pytest.raises(TrainingError, match=message) as error:
            train(recipe, config, tmp_path / "run", resume=resume)
        assert "\n" not in str(error.value)
    with pytest.raises(TrainingError, match="holds no training run"):
        train(ToyRecipe(), toy_config(2), tmp_path / "none", resume=True)
    (tmp_path / "run" / "checkpoint.safetensors").write_bytes(b"broken")
    with pytest.raises(TrainingError, match="cannot be read"):
        train(ToyRecipe(), toy_config(2), tmp_path / "run", resume=True)


def test_settings_without_effect_on_the_result_may_change_when_resuming(tmp_path: Path) -> None:
    train(StopAt(2), toy_config(4), tmp_path)
    config = toy_config(4, workers=1, log_every=2, checkpoint_every=1)
    assert train(ToyRecipe(), config, tmp_path, resume=True).step == 4


def test_half_precision_trains_on_the_cpu_too(tmp_path: Path) -> None:
    assert train(ToyRecipe(), toy_config(3, precision="bf16"), tmp_path).step == 3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_trains_on_a_gpu(tmp_path: Path, precision: str) -> None:
    train(ToyRecipe(dropout=0.0), toy_config(200, lr=3e-2, precision=precision, device="cuda"), tmp_path)
    losses = [row["loss"] for row in lines(tmp_path) if "loss" in row]
    assert sum(losses[-20:]) < 0.3 * sum(losses[:20])


def test_tensorboard_gets_the_scalars(tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="needs tensorboard")
    train(ToyRecipe(), toy_config(4), tmp_path)
    read = events.EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    assert {"loss", "lr", "validation/score"} <= set(read.Tags()["scalars"])
    assert [event.step for event in read.Scalars("loss")] == [1, 2, 3, 4]


def test_learning_rate_by_hand() -> None:
    config = dataclasses.replace(toy_config(15), lr=1.0, warmup=5, final_lr=0.1)
    rates = [config.lr_at(step) for step in range(15)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[5] == pytest.approx(1.0) and rates[14] == pytest.approx(0.1)
    assert config.lr_at(5 + 3) == pytest.approx(0.1 + 0.9 * 0.75)  # a third of the way: (1 + cos 60 deg) / 2


def test_commands_are_stored_without_the_folders_of_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/opt/bin/sem-field", "train", "--data", str(Path.home() / "homes"), "two words"])
    assert command_line() == "sem-field train --data ~/homes 'two words'"
