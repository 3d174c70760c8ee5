"""Settings of the training loop, the same for every model, and the learning-rate schedule."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from sem_field_ros.settings import check_settings, setting

# may differ between the parts of one run without changing what it computes
MAY_CHANGE = ("workers", "device", "log_every", "checkpoint_every", "checkpoint_minutes", "max_minutes")


@dataclass(frozen=True)
class LoopConfig:
    """How long and how fast to train. `batch` counts the samples of one optimizer step, over all processes."""

    steps: int = setting(10_000, "optimizer steps of the whole run, over all its parts", minimum=1)
    batch: int = setting(8, "samples an optimizer step, over all processes and accumulated parts", minimum=1)
    accumulate: int = setting(1, "parts that the batch of one process is split into, to save memory", minimum=1)
    lr: float = setting(1e-3, "peak learning rate (AdamW)", minimum=0.0)
    warmup: int = setting(100, "steps over which the learning rate rises from 0", minimum=0)
    final_lr: float = setting(0.01, "learning rate of the last step as a share of the peak (cosine)", minimum=0.0)
    weight_decay: float = setting(0.01, "AdamW's weight decay", minimum=0.0)
    clip: float = setting(1.0, "largest gradient norm; 0 does not clip", minimum=0.0)
    ema: float = setting(0.0, "decay of the moving average of the weights that is kept; 0 keeps none", minimum=0.0)
    precision: str = setting(
        "auto", "auto is bf16 on GPUs that have it, else fp32", choices=("auto", "fp32", "bf16", "fp16")
    )
    seed: int = setting(0, "same seed, same run", minimum=0)
    validate_every: int = setting(500, "steps between validations; 0 validates only at the end", minimum=0)
    checkpoint_every: int = setting(200, "at most so many steps between checkpoints", minimum=1)
    checkpoint_minutes: float = setting(5.0, "at most so many minutes between checkpoints", minimum=0.0)
    log_every: int = setting(20, "steps between lines of metrics.jsonl", minimum=1)
    max_minutes: float = setting(0.0, "stop after so long, to be resumed later; 0 does not stop", minimum=0.0)
    workers: int = setting(0, "processes that prepare samples; 0 prepares them in the training process", minimum=0)
    device: str = setting("auto", "torch device; auto is cuda where there is one, else cpu")

    def __post_init__(self) -> None:
        check_settings(self)

    def defining(self) -> dict[str, Any]:
        """The settings that decide what is computed."""
        return {k: v for k, v in dataclasses.asdict(self).items() if k not in MAY_CHANGE}

    def lr_at(self, step: int) -> float:
        """Learning rate of step 0, 1, ...: linear warm-up, then a cosine down to final_lr * lr at the last step."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        done = (step - self.warmup) / max(self.steps - 1 - self.warmup, 1)
        cosine = (1 + math.cos(math.pi * min(done, 1.0))) / 2
        return self.lr * (self.final_lr + (1 - self.final_lr) * cosine)
