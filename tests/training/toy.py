"""A recipe that trains in milliseconds, for the tests of the loop; also a script for separate processes.

python toy.py OUT STEPS RESUME(0|1) [SECONDS A STEP]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sem_field_ros.training.loop.config import LoopConfig
from sem_field_ros.training.loop.loop import train
from sem_field_ros.training.loop.recipe import ParameterGroup, decayed, random_for
from sem_field_ros.weights import WeightsCard, save_weights


class ToyRecipe:
    """Fits y = sin(1.5 x) with a small net; `dropout` makes each step depend on torch's generator, too."""

    name = "toy"

    def __init__(self, dropout: float = 0.2, pause_s: float = 0.0, seed: int = 1) -> None:
        self.dropout, self.pause_s, self.seed = dropout, pause_s, seed
        self.seen: list[int] = []

    def settings(self) -> dict[str, Any]:
        return {"dropout": self.dropout, "seed": self.seed}

    def build_model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Dropout(self.dropout), nn.Linear(16, 1))

    def parameter_groups(self, model: nn.Module) -> list[ParameterGroup]:
        return decayed(model.parameters())

    def samples(self) -> ToyRecipe:
        return self

    def __getitem__(self, n: int) -> dict[str, Tensor]:
        self.seen.append(n)
        x = torch.from_numpy(random_for(self.seed, n).uniform(-1, 1, 1)).float()
        return {"x": x, "y": torch.sin(1.5 * x)}

    def collate(self, samples: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        return {k: torch.stack([s[k] for s in samples]) for k in samples[0]}

    def loss(self, model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        time.sleep(self.pause_s)
        error = model(batch["x"]) - batch["y"]
        return error.square().mean(), {"error": error.detach().abs().mean()}

    def validate(self, model: nn.Module) -> dict[str, float]:
        x = torch.linspace(-1, 1, 50)[:, None]
        error = float((model(x) - torch.sin(1.5 * x)).square().mean())
        return {"score": -error}

    def save(self, model: nn.Module, path: Path, facts: dict[str, Any]) -> None:
        save_weights(path, model.state_dict(), WeightsCard("toy", {}, training=facts))


def toy_config(steps: int = 20, **settings: Any) -> LoopConfig:
    fixed = {"batch": 4, "warmup": 5, "lr": 1e-2, "ema": 0.9, "validate_every": 10, "log_every": 1, "device": "cpu"}
    return LoopConfig(steps=steps, **{**fixed, **settings})


if __name__ == "__main__":
    torch.set_num_threads(1)
    pause = float(sys.argv[4]) if len(sys.argv) > 4 else 0.0
    # without dropout: processes draw different masks
    train(
        ToyRecipe(0.0, pause),
        toy_config(int(sys.argv[2]), checkpoint_every=3),
        Path(sys.argv[1]),
        resume=sys.argv[3] == "1",
    )
