"""The state of a run in one safetensors file, written atomically: model, optimizer, average, step, best score."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from torch import Tensor

from sem_field_ros.atomic import atomic_write
from sem_field_ros.errors import TrainingError
from sem_field_ros.training.loop.ema import MovingAverage
from sem_field_ros.weights import load_into, tensor_bytes

_KEY = "sem_field_ros.run"


@dataclass
class RunState:
    """Everything that the next step depends on. (Random numbers and samples depend on the seed and the step alone.)

    step     optimizer steps done            best  best validation score so far, None before the first validation
    seconds  time spent, over all parts of the run
    """

    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    average: MovingAverage | None
    step: int = 0
    best: float | None = None
    seconds: float = 0.0

    def save(self, path: Path) -> None:
        """Write the checkpoint. Raises OutputError if that fails."""
        tensors: dict[str, Tensor] = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        if self.average is not None:
            tensors |= {f"average.{k}": v for k, v in self.average.state.items()}
        for i, values in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{k}": v for k, v in values.items()}
        facts = {
            "step": self.step,
            "best": self.best,
            "seconds": self.seconds,
            "updates": self.average.updates if self.average else 0,
            "scaler": self.scaler.state_dict(),
        }
        with atomic_write(path) as file:
            file.write(tensor_bytes(tensors, {_KEY: json.dumps(facts)}))

    def load(self, path: Path) -> None:
        """Read a checkpoint into this state. Raises TrainingError or WeightsError if it does not fit."""
        try:
            with safetensors.safe_open(str(path), "pt") as file:
                facts: dict[str, Any] = json.loads(file.metadata()[_KEY])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
        except (OSError, safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
            raise TrainingError(f"checkpoint {path} cannot be read ({str(error) or type(error).__name__})") from error
        load_into(self.model, _part(tensors, "model."), str(path))
        if self.average is not None:
            average = _part(tensors, "average.")
            if average.keys() != self.average.state.keys():
                raise TrainingError(
                    f"checkpoint {path} has no moving average of this model: resume with the settings of the run"
                )
            for name, value in average.items():
                self.average.state[name].copy_(value)
            self.average.updates = int(facts["updates"])
        self._load_optimizer(_part(tensors, "optimizer."))
        self.scaler.load_state_dict(facts["scaler"])
        self.step, self.best, self.seconds = int(facts["step"]), facts["best"], float(facts["seconds"])

    def _load_optimizer(self, tensors: dict[str, Tensor]) -> None:
        states: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            index, _, key = name.partition(".")
            states.setdefault(int(index), {})[key] = value
        groups = self.optimizer.state_dict()["param_groups"]  # these come from the settings and are not stored
        self.optimizer.load_state_dict({"state": states, "param_groups": groups})


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
