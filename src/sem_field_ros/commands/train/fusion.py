"""`sem-field train gnesf`: trains the map's learned vote on what a segmenter says about labelled sequences."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sem_field_ros.commands import vote_collection

if TYPE_CHECKING:
    from sem_field_ros.training.loop.loop import TrainingResult

HELP = "the map's learned vote (GNeSF, RGB-D mode), on what a segmenter says about labelled sequences"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    from sem_field_ros.settings import add_settings_arguments
    from sem_field_ros.training.loop.config import LoopConfig
    from sem_field_ros.training.recipes.fusion import FusionTraining

    for split, what in (("training", "to learn from: not those that the segmenter was trained on"),
                        ("validation", "to choose the best weights by")):  # fmt: skip
        parser.add_argument(f"--{split}", type=Path, nargs="+", required=True, metavar="SEQ",
                            help=f"labelled RGB-D sequences {what}")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on with the run in RUN")
    vote_collection.add_arguments(parser, "RUN/votes")
    parser.add_argument("--copies", type=int, default=4, metavar="N", help="learn from each training sequence N times "
                        "more, in other light and by another camera (default 4)")  # fmt: skip
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="threads of torch (default: all cores)")
    add_settings_arguments(parser, FusionTraining)
    add_settings_arguments(parser, LoopConfig, skip=("seed",))


def train_gnesf(args: argparse.Namespace) -> TrainingResult:
    """Collect the votes, train."""
    import torch

    from sem_field_ros.segmentation.registry import make_segmenter
    from sem_field_ros.settings import settings_from_arguments
    from sem_field_ros.training.loop.config import LoopConfig
    from sem_field_ros.training.loop.loop import train
    from sem_field_ros.training.recipes.fusion import FusionRecipe, FusionTraining

    if args.threads:
        torch.set_num_threads(args.threads)
    segmenter = make_segmenter(args.segmenter, args.label_set)
    folder = args.votes or args.out / "votes"
    votes = {
        split: vote_collection.collected(args, segmenter, getattr(args, split), folder, f"votes for {split}", copies)
        for split, copies in (("training", max(0, args.copies)), ("validation", 0))
    }
    data = {
        split: {"scenes": [v.name for v in scenes], "voxels": sum(map(len, scenes))} for split, scenes in votes.items()
    }
    config = settings_from_arguments(FusionTraining, args)
    source = vote_collection.source_of(args, segmenter)
    recipe = FusionRecipe(config, segmenter.labels, votes["training"], votes["validation"], data, source)
    return train(recipe, settings_from_arguments(LoopConfig, args), args.out, resume=args.resume)
