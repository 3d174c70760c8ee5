"""The training loop's interface to a model: its Recipe. Small enough to read beside the paper it follows.

Imports nothing heavy, as the recipes do: the command line reads the settings in them before it knows whether a command
is right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn


class Samples(Protocol):
    """An endless stream of training samples, addressed by number.

    `self[n]` must depend on n alone (and the recipe's seed): then a run can be resumed at any step and split over any
    number of processes and loader workers, and still sees the same samples. `random_for(seed, n)` helps.
    """

    def __getitem__(self, n: int) -> Any: ...

    def collate(self, samples: list[Any]) -> Any:
        """Consecutive samples -> a batch: nested dicts, lists and tuples of tensors."""
        ...


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that share a learning rate (times `lr_scale`) and a weight decay (times `decay_scale`)."""

    parameters: list[nn.Parameter]
    lr_scale: float = 1.0
    decay_scale: float = 1.0


class Recipe(Protocol):
    """The training of one model. The loop owns the rest: seeds, steps, optimizer, checkpoints, devices, processes.

    Randomness inside build_model and loss must come from torch's generators, which the loop seeds before every step.
    """

    name: str  # the kind on the card of its weights, e.g. "segmenter"

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
        """The training samples."""
        ...

    def loss(self, model: nn.Module, batch: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean loss of a batch (on the model's device) and scalars to log, by name.

        Call `model(...)` itself, not its parts: it may be wrapped in DistributedDataParallel.
        """
        ...

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Scores of the model (in eval mode, no gradients), among them `score`: the highest chooses the best weights.

        Names with a slash are logged but not printed.
        """
        ...

    def save(self, model: nn.Module, path: Path, facts: dict[str, Any]) -> None:
        """Write the weights, see model_card.save_trained; `facts`: step, commands, git_revision, validation ..."""
        ...


def random_for(*numbers: int) -> np.random.Generator:
    """A generator that depends on the given numbers alone, e.g. (seed, sample number)."""
    import numpy as np

    return np.random.default_rng(numbers)


def decayed(parameters: Iterable[nn.Parameter], lr_scale: float = 1.0) -> list[ParameterGroup]:
    """Weight decay for matrices and kernels, none for biases and norms."""
    wanted = [p for p in parameters if p.requires_grad]
    weights, rest = [p for p in wanted if p.ndim > 1], [p for p in wanted if p.ndim <= 1]
    return [ParameterGroup(weights, lr_scale), ParameterGroup(rest, lr_scale, 0.0)]
