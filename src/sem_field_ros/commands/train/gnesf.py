"""`sem-field train gnesf`: trains a whole GNeSF on posed RGB-D sequences: maps from RGB alone, or novel views."""

from __future__ import annotations

import argparse

from sem_field_ros.commands.argument_types import add_segmenter
from sem_field_ros.commands.train.data import add_data_arguments, progress_of, scene_folders, scenes_description
from sem_field_ros.commands.train.training_run import add_training_arguments, set_threads, train_recipe
from sem_field_ros.training.recipes.gnesf import GnesfRecipe, GnesfTraining

HELP = "a whole GNeSF (geometry from RGB, votes, rendering), on posed RGB-D sequences"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add_data_arguments(parser)
    add_segmenter(parser, "homes")
    parser.add_argument("--label-set", metavar="NAME", help="classes (default: the segmenter's)")
    add_training_arguments(parser, GnesfTraining)


def run(args: argparse.Namespace) -> int:
    """Read the scenes, train."""
    from sem_field_ros.segmentation.registry import make_segmenter
    from sem_field_ros.settings import settings_from_arguments
    from sem_field_ros.training.samples.posed_scenes import read_scenes

    set_threads(args)
    config = settings_from_arguments(GnesfTraining, args)
    segmenter = make_segmenter(args.segmenter, args.label_set, label_width=config.image_width // 4)
    folders = scene_folders(args, config.kind)
    with progress_of(folders) as on_progress:
        scenes = {
            split: read_scenes(paths, segmenter.labels, segmenter, config.image_width, on_progress)
            for split, paths in folders.items()
        }
    data = scenes_description(args, scenes)
    recipe = GnesfRecipe(config, segmenter.labels, scenes["training"], scenes["validation"], data, args.init)
    return train_recipe(recipe, args)
