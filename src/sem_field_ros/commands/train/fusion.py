"""`sem-field train fusion`: trains the map's learned fusion on a segmenter's predictions in labelled sequences."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from sem_field_ros.commands import vote_collection
from sem_field_ros.commands.argument_types import segmenter_name
from sem_field_ros.commands.train.training_run import add_training_arguments, set_threads, train_recipe
from sem_field_ros.training.recipes.fusion import FusionRecipe, FusionTraining

if TYPE_CHECKING:
    from sem_field_ros.training.samples.votes import SceneVotes

HELP = "the map's learned fusion (GNeSF, RGB-D mode), on a segmenter's predictions in labelled sequences"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    for split, what in (("training", "to learn from: not those that the segmenter was trained on"),
                        ("validation", "to choose the best weights by")):  # fmt: skip
        parser.add_argument(f"--{split}", type=Path, nargs="+", required=True, metavar="SEQ",
                            help=f"labelled RGB-D sequences {what}")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on with the run in RUN")
    vote_collection.add_arguments(parser, "RUN/votes")
    parser.add_argument("--also", nargs="+", default=[], type=segmenter_name, metavar="NAME", help="other segmenters, "
                        "also combined ones, whose votes to learn from as well (with --pooling residual)")  # fmt: skip
    parser.add_argument("--copies", type=int, default=4, metavar="N", help="learn from each training sequence N times "
                        "more, in other light and by another camera (default 4)")  # fmt: skip
    add_training_arguments(parser, FusionTraining)


def run(args: argparse.Namespace) -> int:
    """Collect the votes, train."""
    from sem_field_ros.datasets.open_sequence import open_sequence
    from sem_field_ros.errors import SettingError

    for path in (*args.training, *args.validation):
        open_sequence(path)  # before the slow imports, which a wrong path need not wait for

    from sem_field_ros.segmentation.registry import make_segmenter
    from sem_field_ros.settings import settings_from_arguments

    config = settings_from_arguments(FusionTraining, args)
    if args.also and config.pooling != "residual":
        raise SettingError(f"--pooling {config.pooling} learns from one segmenter, not from --also: use residual")
    set_threads(args)
    segmenter = make_segmenter(args.segmenter, args.label_set)
    votes: dict[str, list[SceneVotes]] = {"training": [], "validation": []}
    for name in (args.segmenter, *args.also):
        other = segmenter if name == args.segmenter else make_segmenter(name, segmenter.labels.name)
        by_it = argparse.Namespace(**{**vars(args), "segmenter": name})
        folder = (args.votes or args.out / "votes") / re.sub(r"\W+", "_", name)
        for split, copies in (("training", max(0, args.copies)), ("validation", 0)):
            what = f"votes of {name} for {split}"
            votes[split] += vote_collection.collected(by_it, other, getattr(args, split), folder, what, copies)
    data = {
        split: {"scenes": [v.name for v in scenes], "voxels": sum(map(len, scenes))} for split, scenes in votes.items()
    }
    source = vote_collection.source_of(args, segmenter) | ({"also": args.also} if args.also else {})
    recipe = FusionRecipe(config, segmenter.labels, votes["training"], votes["validation"], data, source)
    return train_recipe(recipe, args)
