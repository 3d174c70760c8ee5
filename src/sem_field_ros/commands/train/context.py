"""`sem-field train context`: trains the network that corrects a map's labels by height, shape and surroundings."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sem_field_ros.commands.argument_types import folder
from sem_field_ros.commands.train.training_run import add_training_arguments, set_threads, train_recipe
from sem_field_ros.context.registry import NONE
from sem_field_ros.segmentation.registry import check_segmenter
from sem_field_ros.training.recipes.context import ContextRecipe, ContextTraining

if TYPE_CHECKING:
    from sem_field_ros.labels import LabelSet
    from sem_field_ros.segmentation.segmenter import Segmenter
    from sem_field_ros.training.samples.context_scenes import ContextScene

HELP = "the network that corrects a map's labels by height, shape and surroundings, on labelled sequences"
_SEGMENTERS = ("homes", "ade20k", "ade20k_deeplab")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    for split, what in (("training", "to learn from"), ("validation", "to choose the best weights by")):
        add(f"--{split}", type=folder, nargs="+", required=True, metavar="SEQ",
            help=f"labelled RGB-D sequences {what}")  # fmt: skip
    add("--out", type=Path, required=True, metavar="RUN", help="folder of the run")
    add("--resume", action="store_true", help="go on with the run in RUN")
    add("--segmenters", nargs="+", default=list(_SEGMENTERS), metavar="NAME", help="whose predictions are to be "
        f"corrected, each on the images as they are and degraded (default {' '.join(_SEGMENTERS)})")  # fmt: skip
    add("--label-set", default="scannet20", metavar="NAME", help="classes of the maps (default scannet20)")
    add("--surfaces", type=Path, metavar="DIR", help="keep the mapped scenes here (default: RUN/surfaces)")
    add("--voxel-size-m", type=float, default=0.05, metavar="FLOAT", help="of the maps (default 0.05)")
    add_training_arguments(parser, ContextTraining)


def run(args: argparse.Namespace) -> int:
    """Map the scenes, train."""
    for name in args.segmenters:
        check_segmenter(name)  # before the slow imports, which a wrong name need not wait for
    from sem_field_ros.labels import load_label_set
    from sem_field_ros.settings import settings_from_arguments

    set_threads(args)
    labels = load_label_set(args.label_set)
    kept = args.surfaces or args.out / "surfaces"
    scenes = {split: collected(args, getattr(args, split), labels, kept) for split in ("training", "validation")}
    data = {
        split: {"scenes": [s.name for s in of_split], "voxels": sum(map(len, of_split)), "sources": args.segmenters}
        for split, of_split in scenes.items()
    }
    config = settings_from_arguments(ContextTraining, args)
    return train_recipe(ContextRecipe(config, labels, scenes["training"], scenes["validation"], data), args)


def collected(args: argparse.Namespace, paths: Sequence[Path], labels: LabelSet, kept: Path) -> list[ContextScene]:
    """Every sequence as mapped surface: from the files of an earlier collection in `kept`, or mapped now."""
    from rich.console import Console
    from rich.progress import Progress

    from sem_field_ros.datasets.open_sequence import open_sequence
    from sem_field_ros.mapping.config import MapConfig
    from sem_field_ros.training.samples.context_scenes import (
        collect_context_scene,
        load_context_scene,
        save_context_scene,
    )
    from sem_field_ros.training.samples.vote_files import content_of, votes_path

    # the few frames of a generated home see much of it once only: that counts as well
    config = MapConfig(voxel_size_m=args.voxel_size_m, min_weight=1.0, context=NONE)
    made_from = {
        "segmenters": " ".join(args.segmenters),
        "label_set": args.label_set,
        "voxel_size_m": str(args.voxel_size_m),
    }
    nets: dict[str, Segmenter] = {}
    scenes = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("mapping scenes", total=len(paths) * 2 * len(args.segmenters))
        for number, path in enumerate(path.resolve() for path in paths):
            origin = {**made_from, "sequence": str(path), "content": content_of(path)}
            file = votes_path(kept, path, f"{path.name}.surface")
            scene = load_context_scene(file, origin)
            if scene is None:
                nets = nets or _nets(args.segmenters, args.label_set)
                sources = _sources(nets, number)
                scene = collect_context_scene(
                    open_sequence(path), labels, sources, config, lambda: progress.advance(task)
                )
                save_context_scene(file, scene, origin)
            else:
                progress.advance(task, 2 * len(args.segmenters))
            scenes.append(scene)
    return scenes


def _nets(names: Sequence[str], label_set: str) -> dict[str, Segmenter]:
    from sem_field_ros.segmentation.registry import make_segmenter

    return {name: make_segmenter(name, label_set) for name in names}


def _sources(nets: dict[str, Segmenter], number: int) -> dict[str, Segmenter]:
    """Every net twice: on the images as they are, and on degraded ones."""
    from sem_field_ros.training.samples.retouched import DegradedSegmenter

    return {**nets, **{f"{name} degraded": DegradedSegmenter(net, number) for name, net in nets.items()}}
