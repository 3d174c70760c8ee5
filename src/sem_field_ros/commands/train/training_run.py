"""What every training shares: the flags of its settings and of the loop, and how the run is started and told."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sem_field_ros.exit_codes import DONE, INTERRUPTED
from sem_field_ros.settings import add_settings_arguments, settings_from_arguments
from sem_field_ros.training.loop.config import LoopConfig

if TYPE_CHECKING:
    from sem_field_ros.training.loop.loop import TrainingResult
    from sem_field_ros.training.loop.recipe import Recipe

_ENDS = {"done": "done", "time": "time limit: go on with --resume", "interrupted": "interrupted: go on with --resume"}


def add_training_arguments(parser: argparse.ArgumentParser, settings: type) -> None:
    """Declare the flags of a recipe's `settings` and of the loop; the recipe's seed is the loop's too."""
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="threads of torch (default: all cores)")
    add_settings_arguments(parser, settings)
    add_settings_arguments(parser, LoopConfig, skip=("seed",))


def set_threads(args: argparse.Namespace) -> None:
    """Limit torch to --threads."""
    import torch

    if args.threads:
        torch.set_num_threads(args.threads)


def train_recipe(recipe: Recipe, args: argparse.Namespace) -> int:
    """Train to the end, the time limit or Ctrl-C, print how it ended, and return the exit code."""
    from sem_field_ros.training.loop.loop import train
    from sem_field_ros.training.loop.run_folder import RunFolder

    if args.resume and not RunFolder(args.out).checkpoint.exists():
        print(f"{args.out} has no checkpoint yet: training starts anew", file=sys.stderr)
    result = train(recipe, settings_from_arguments(LoopConfig, args), args.out, resume=args.resume)
    print(_ending(result, args.out))
    return INTERRUPTED if result.reason == "interrupted" else DONE


def _ending(result: TrainingResult, out: Path) -> str:
    best = "" if result.best is None else f", best score {result.best:.4f} in {out / 'best.safetensors'}"
    return f"{out}: step {result.step}, {_ENDS[result.reason]}{best}"
