"""One or more training processes: torchrun's environment, torch's process group, and what the ranks agree on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from sem_field_ros.errors import TrainingError


@dataclass(frozen=True)
class Processes:
    """This process among those of a run. Rank 0 writes files, validates and shows progress."""

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model on its device; in DistributedDataParallel if there are several processes."""
        model = model.to(self.device)
        if self.world == 1:
            return model
        if self.device.type == "cuda":  # batch statistics over all processes: CUDA only
            return DistributedDataParallel(nn.SyncBatchNorm.convert_sync_batchnorm(model), [self.device.index])
        return DistributedDataParallel(model)

    def without_sync(self, model: nn.Module) -> Any:
        """A context in which backward() does not exchange gradients between the processes; a later one does."""
        return model.no_sync() if isinstance(model, DistributedDataParallel) else nullcontext()

    def any(self, flag: bool) -> bool:
        """Whether `flag` is set in any process."""
        if self.world == 1:
            return flag
        value = torch.tensor(float(flag), device=self.device)
        dist.all_reduce(value, op=dist.ReduceOp.MAX)
        return bool(value.item())

    def wait(self) -> None:
        """Wait until all processes have called this."""
        if self.world > 1:
            dist.barrier()

    def to_device(self, batch: Any) -> Any:
        """A batch (nested dicts, lists and tuples of tensors) on this process's device."""
        if isinstance(batch, torch.Tensor):
            return batch.to(self.device, non_blocking=True)
        if isinstance(batch, dict):
            return {key: self.to_device(value) for key, value in batch.items()}
        if isinstance(batch, (list, tuple)):
            return type(batch)(self.to_device(value) for value in batch)
        return batch


def unwrapped(model: nn.Module) -> nn.Module:
    """The recipe's own module, without DistributedDataParallel around it."""
    return model.module if isinstance(model, DistributedDataParallel) else model


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Join the processes that torchrun started, if any, and leave them at the end.

    device  auto, cpu, cuda, cuda:1 ... Raises TrainingError if it cannot be used.
    """
    world, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
    name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    try:
        chosen = torch.device(name, local) if world > 1 and name == "cuda" else torch.device(name)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise TrainingError(f"device '{device}' cannot be used: {str(error).splitlines()[0]}") from error
    if world == 1:
        yield Processes(0, 1, chosen)
        return
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    # the timeout is long because the other processes wait while the first one validates
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=timedelta(hours=2))
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), chosen)
    finally:
        dist.destroy_process_group()
