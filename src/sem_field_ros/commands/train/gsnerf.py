"""`sem-field train gsnerf`: trains a GSNeRF on posed RGB-D sequences, or fine-tunes one on a single scene."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sem_field_ros.commands.argument_types import add_segmenter, folder
from sem_field_ros.commands.train.data import add_data_arguments, progress_of, scene_folders, scenes_description
from sem_field_ros.commands.train.training_run import add_training_arguments, set_threads, train_recipe
from sem_field_ros.training.recipes.gsnerf import KIND, GsnerfRecipe, GsnerfTraining

if TYPE_CHECKING:
    from sem_field_ros.training.samples.posed_scenes import PosedScene

HELP = "a GSNeRF (colour, classes and depth of any view), on posed RGB-D sequences"
_HOLD_OUT = 5  # as `evaluate novel-views` holds out


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add_data_arguments(parser, required=False)
    parser.add_argument(
        "--finetune",
        type=folder,
        metavar="SCENE",
        help="in place of --data: go on with the weights of --init on this scene alone, without the frames that "
        "`evaluate novel-views` holds out",
    )
    add_segmenter(parser, "homes")
    parser.add_argument("--label-set", metavar="NAME", help="classes (default: the segmenter's)")
    add_training_arguments(parser, GsnerfTraining)


def run(args: argparse.Namespace) -> int:
    """Read the scenes, train."""
    from sem_field_ros.errors import SettingError
    from sem_field_ros.segmentation.registry import make_segmenter
    from sem_field_ros.settings import settings_from_arguments
    from sem_field_ros.training.samples.posed_scenes import read_scenes

    if bool(args.data) == bool(args.finetune):
        raise SettingError("give either --data DIR... or --finetune SCENE")
    if args.finetune and not (args.init or args.resume):
        raise SettingError("--finetune needs --init FILE, the weights to go on with")
    set_threads(args)
    config = settings_from_arguments(GsnerfTraining, args)
    folders = _folders(args)
    segmenter = make_segmenter(args.segmenter, args.label_set, label_width=config.image_width // 2)
    with progress_of(folders) as on_progress:
        scenes = {
            split: read_scenes(paths, segmenter.labels, segmenter, config.image_width, on_progress)
            for split, paths in folders.items()
        }
    if args.finetune:
        scenes["training"] = [_sources_of(scene) for scene in scenes["training"]]
    data = _description(args, scenes)
    recipe = GsnerfRecipe(config, segmenter.labels, scenes["training"], scenes["validation"], data, args.init)
    return train_recipe(recipe, args)


def _folders(args: argparse.Namespace) -> dict[str, list[Path]]:
    if args.finetune:
        return {"training": [args.finetune], "validation": [args.finetune]}
    return scene_folders(args, KIND)


def _sources_of(scene: PosedScene) -> PosedScene:
    """A scene without its held-out frames."""
    from sem_field_ros.evaluation.novel_views import is_held_out
    from sem_field_ros.training.samples.posed_scenes import subset

    return subset(scene, [i for i in range(len(scene)) if not is_held_out(i, _HOLD_OUT)])


def _description(args: argparse.Namespace, scenes: dict[str, list[PosedScene]]) -> dict[str, object]:
    if not args.finetune:
        return scenes_description(args, scenes)
    return {"finetuned": {"scenes": [args.finetune.name], "frames": sum(map(len, scenes["training"]))}}
