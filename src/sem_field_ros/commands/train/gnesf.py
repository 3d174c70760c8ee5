"""`sem-field train field`: trains a whole GNeSF on posed RGB-D sequences: maps from RGB alone, or novel views."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from sem_field_ros.commands.train.data import add_data_arguments, progress_of, scene_folders, scenes_description

if TYPE_CHECKING:
    from sem_field_ros.training.loop.loop import TrainingResult

HELP = "a whole GNeSF (geometry from RGB, votes, rendering), on posed RGB-D sequences"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    from sem_field_ros.settings import add_settings_arguments
    from sem_field_ros.training.loop.config import LoopConfig
    from sem_field_ros.training.recipes.gnesf import GnesfTraining

    add_data_arguments(parser)
    parser.add_argument(
        "--segmenter", default="homes", metavar="NAME", help="2-D class probabilities of the sources (default homes)"
    )
    parser.add_argument("--label-set", metavar="NAME", help="classes (default: the segmenter's)")
    add_settings_arguments(parser, GnesfTraining)
    add_settings_arguments(parser, LoopConfig, skip=("seed",))


def train_field(args: argparse.Namespace) -> TrainingResult:
    """Read the scenes, train."""
    import torch

    from sem_field_ros.fields.gnesf.model import KIND
    from sem_field_ros.segmentation.registry import make_segmenter
    from sem_field_ros.settings import settings_from_arguments
    from sem_field_ros.training.loop.config import LoopConfig
    from sem_field_ros.training.loop.loop import train
    from sem_field_ros.training.recipes.gnesf import GnesfRecipe, GnesfTraining
    from sem_field_ros.training.samples.posed_scenes import read_scenes

    if args.threads:
        torch.set_num_threads(args.threads)
    config = settings_from_arguments(GnesfTraining, args)
    segmenter = make_segmenter(args.segmenter, args.label_set, label_width=config.image_width // 4)
    folders = scene_folders(args, KIND)
    with progress_of(folders) as on_progress:
        scenes = {
            split: read_scenes(paths, segmenter.labels, segmenter, config.image_width, on_progress)
            for split, paths in folders.items()
        }
    data = scenes_description(args, scenes)
    recipe = GnesfRecipe(config, segmenter.labels, scenes["training"], scenes["validation"], data, args.init)
    return train(recipe, settings_from_arguments(LoopConfig, args), args.out, resume=args.resume)
