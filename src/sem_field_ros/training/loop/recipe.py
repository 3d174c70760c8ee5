"""What the loop needs to know of a model: a Recipe. Small enough to read beside the paper it follows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import Tensor, nn

Logs = dict[str, Tensor]  # scalars to write down, by name


class Samples(Protocol):
    """An endless stream of training samples, addressed by number.

    `self[n]` must depend on n alone (and the recipe's seed): then a run can be resumed at any step, split over any
    number of processes and loader workers, and still sees the same samples. `random_for(seed, n)` helps.
    """

    def __getitem__(self, n: int) -> Any: ...


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that share a learning rate (times `lr_scale`) and a weight decay (times `decay_scale`)."""

    parameters: list[nn.Parameter]
    lr_scale: float = 1.0
    decay_scale: float = 1.0


class Recipe(Protocol):
    """One model's training. The loop owns the rest: seeds, steps, optimizer, checkpoints, devices, processes.

    Randomness inside build_model and loss must come from torch's generators, which the loop seeds for every step.
    """

    name: str  # e.g. "segmenter"

    def settings(self) -> dict[str, Any]:
        """Plain JSON values that define this training; a run is only resumed with equal ones."""
        ...

    def build_model(self) -> nn.Module:
        """The network, initialised."""
        ...

    def parameter_groups(self, model: nn.Module) -> list[ParameterGroup]:
        """All parameters to train; `decayed` makes the usual groups."""
        ...

    def samples(self) -> Samples:
        """Training samples; a batch is made of consecutive ones by `collate`."""
        ...

    def collate(self, samples: list[Any]) -> Any:
        """Samples -> a batch: nested dicts, lists and tuples of tensors."""
        ...

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, Logs]:
        """Mean loss of a batch (on the model's device) and scalars to log. Call `model(...)` itself: it may be DDP."""
        ...

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Scores of the model (in eval mode, no gradients), `score` among them: the highest chooses the best weights.

        Names with a slash are written down but not printed.
        """
        ...

    def save(self, model: nn.Module, path: Path, facts: dict[str, Any]) -> None:
        """Write the weights with weights.save_weights; `facts`: step, commands, git_revision, validation ..."""
        ...


def random_for(*numbers: int) -> np.random.Generator:
    """A generator that depends on the given numbers alone, e.g. (seed, sample number)."""
    return np.random.default_rng(numbers)


def decayed(parameters: Iterable[nn.Parameter], lr_scale: float = 1.0) -> list[ParameterGroup]:
    """Weight decay for matrices and kernels, none for biases and norms."""
    wanted = [p for p in parameters if p.requires_grad]
    weights, rest = [p for p in wanted if p.ndim > 1], [p for p in wanted if p.ndim <= 1]
    return [ParameterGroup(weights, lr_scale), ParameterGroup(rest, lr_scale, 0.0)]


def map_tensors(batch: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """Apply `function` to every tensor of nested dicts, lists and tuples."""
    if isinstance(batch, Tensor):
        return function(batch)
    if isinstance(batch, dict):
        return {key: map_tensors(value, function) for key, value in batch.items()}
    if isinstance(batch, (list, tuple)):
        return type(batch)(map_tensors(value, function) for value in batch)
    return batch
