"""`sem-field train depth`: trains depth from posed colour images, for maps without a depth camera."""

from __future__ import annotations

import argparse

from sem_field_ros.commands.train.data import add_data_arguments, progress_of, scene_folders, scenes_description
from sem_field_ros.commands.train.training_run import add_training_arguments, set_threads, train_recipe
from sem_field_ros.training.recipes.depth import DepthRecipe, DepthTraining

HELP = "depth from posed colour images, for maps without a depth camera, on posed RGB-D sequences"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add_data_arguments(parser)
    add_training_arguments(parser, DepthTraining)


def run(args: argparse.Namespace) -> int:
    """Read the scenes, train."""
    from sem_field_ros.depth.network import KIND
    from sem_field_ros.labels import load_label_set
    from sem_field_ros.settings import settings_from_arguments
    from sem_field_ros.training.samples.posed_scenes import read_scenes

    set_threads(args)
    config = settings_from_arguments(DepthTraining, args)
    folders = scene_folders(args, KIND)
    with progress_of(folders) as on_progress:
        labels = load_label_set("scannet20")  # not learned from
        scenes = {
            split: read_scenes(paths, labels, None, config.image_width, on_progress) for split, paths in folders.items()
        }
    data = scenes_description(args, scenes)
    recipe = DepthRecipe(config, scenes["training"], scenes["validation"], data, args.init)
    return train_recipe(recipe, args)
