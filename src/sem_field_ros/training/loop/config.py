"""Settings of the training loop, the same for all models, and the learning-rate schedule."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from sem_field_ros.settings import check_settings, setting

# settings that may change when a run is resumed: they do not change its result
MAY_CHANGE = ("workers", "device", "log_every", "checkpoint_every", "checkpoint_minutes", "max_minutes")


@dataclass(frozen=True)
class LoopConfig:
    """How long and how fast to train. `batch` counts the samples of one optimizer step, over all processes."""

    steps: int = setting(10_000, "optimizer steps of the whole run, resumed parts included", minimum=1)
    batch: int = setting(8, "samples per optimizer step, over all processes and accumulated parts", minimum=1)
    accumulate: int = setting(1, "parts into which the batch of a process is split, to save memory", minimum=1)
    lr: float = setting(1e-3, "peak learning rate (AdamW)", minimum=0.0)
    warmup: int = setting(100, "steps over which the learning rate rises from 0", minimum=0)
    final_lr: float = setting(0.01, "learning rate of the last step as a share of the peak (cosine)", minimum=0.0)
    weight_decay: float = setting(0.01, "weight decay of AdamW", minimum=0.0)
    clip: float = setting(1.0, "largest gradient norm; 0 = no clipping", minimum=0.0)
    ema: float = setting(
        0.0, "decay of the moving average of the weights that is validated and saved; 0 = none", minimum=0.0
    )
    precision: str = setting(
        "auto", "auto: bf16 on GPUs that support it, else fp32", choices=("auto", "fp32", "bf16", "fp16")
    )
    seed: int = setting(0, "seed of initial weights and dropout", minimum=0)
    validate_every: int = setting(500, "steps between validations; 0 = only at the end", minimum=0)
    checkpoint_every: int = setting(200, "maximum number of steps between checkpoints", minimum=1)
    checkpoint_minutes: float = setting(5.0, "maximum time between checkpoints, minutes", minimum=0.0)
    log_every: int = setting(20, "steps between lines of metrics.jsonl", minimum=1)
    max_minutes: float = setting(0.0, "stop after this many minutes, to resume later; 0 = no limit", minimum=0.0)
    workers: int = setting(0, "processes that prepare samples; 0 = the training process does", minimum=0)
    device: str = setting("auto", "torch device; auto: cuda if available, else cpu")

    def __post_init__(self) -> None:
        check_settings(self)

    def defining(self) -> dict[str, Any]:
        """The settings that determine the result."""
        return {k: v for k, v in dataclasses.asdict(self).items() if k not in MAY_CHANGE}

    def lr_at(self, step: int) -> float:
        """Learning rate of step 0, 1, ...: linear warm-up, then a cosine down to final_lr * lr at the last step."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        done = (step - self.warmup) / max(self.steps - 1 - self.warmup, 1)
        cosine = (1 + math.cos(math.pi * min(done, 1.0))) / 2
        return self.lr * (self.final_lr + (1 - self.final_lr) * cosine)
