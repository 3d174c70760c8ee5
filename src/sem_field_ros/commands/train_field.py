"""`sem-field train field`: trains a whole GNeSF on posed RGB-D sequences: maps from RGB alone, or novel views."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sem_field_ros.training.gnesf_windows import PosedScene
    from sem_field_ros.training.loop import TrainingResult

HELP = "a whole GNeSF (geometry from RGB, votes, rendering), on posed RGB-D sequences"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    from sem_field_ros.settings import add_settings_arguments
    from sem_field_ros.training.config import LoopConfig
    from sem_field_ros.training.gnesf_settings import FieldTraining

    add_data_arguments(parser)
    parser.add_argument(
        "--segmenter", default="homes", metavar="NAME", help="2-D class probabilities of the sources (default homes)"
    )
    parser.add_argument("--label-set", metavar="NAME", help="classes (default: the segmenter's)")
    add_settings_arguments(parser, FieldTraining)
    add_settings_arguments(parser, LoopConfig, skip=("seed",))


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """What every training on folders of scenes is told."""
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        required=True,
        metavar="DIR",
        help="folders with train/SCENE and val/SCENE (not all need to have both)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on with the run in RUN, on the scenes it began with")
    parser.add_argument("--init", type=Path, metavar="FILE", help="weights (.safetensors) to start from")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="threads of torch (default: all cores)")


def train_field(args: argparse.Namespace) -> TrainingResult:
    """Read the scenes, train."""
    import torch

    from sem_field_ros.fields.gnesf.model import KIND
    from sem_field_ros.segmentation.registry import make_segmenter
    from sem_field_ros.settings import settings_from_arguments
    from sem_field_ros.training.config import LoopConfig
    from sem_field_ros.training.gnesf import FieldRecipe
    from sem_field_ros.training.gnesf_settings import FieldTraining
    from sem_field_ros.training.gnesf_windows import read_scenes
    from sem_field_ros.training.loop import train

    if args.threads:
        torch.set_num_threads(args.threads)
    config = settings_from_arguments(FieldTraining, args)
    segmenter = make_segmenter(args.segmenter, args.label_set, label_width=config.image_width // 4)
    folders = scene_folders(args, KIND)
    with progress_of(folders) as tick:
        scenes = {
            split: read_scenes(paths, segmenter.labels, segmenter, config.image_width, tick)
            for split, paths in folders.items()
        }
    data = scenes_description(args, scenes)
    recipe = FieldRecipe(config, segmenter.labels, scenes["training"], scenes["validation"], data, args.init)
    return train(recipe, settings_from_arguments(LoopConfig, args), args.out, resume=args.resume)


def scene_folders(args: argparse.Namespace, kind: str) -> dict[str, list[Path]]:
    """Folders by split: all that are there, or those that the run began with. Raises DataError, TrainingError."""
    from sem_field_ros.errors import DataError
    from sem_field_ros.training.labelled_frames import TRAINING, VALIDATION, scenes_of
    from sem_field_ros.training.run_folder import RunFolder

    began: dict[str, Any] = RunFolder(args.out).read()["settings"][kind] if args.resume else {}
    found = {split: scenes_of(args.data, split) for split in (TRAINING, VALIDATION)}
    for split, paths in found.items():
        wanted = began.get(f"{split}_scenes")
        if wanted is not None:
            found[split] = [path for path in paths if path.name in wanted]
            gone = set(wanted) - {path.name for path in paths}
            if gone:
                raise DataError(f"{len(gone)} scenes that the run began with are gone, e.g. {min(gone)}")
    return found


@contextlib.contextmanager
def progress_of(folders: Mapping[str, Sequence[Path]]) -> Iterator[Callable[[], None]]:
    """A progress bar of scenes that are read; gives what is to be called after each."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading scenes", total=sum(map(len, folders.values())))
        yield lambda: progress.advance(task)


def scenes_description(args: argparse.Namespace, scenes: Mapping[str, Sequence[PosedScene]]) -> dict[str, Any]:
    """What the weights' card says about the data."""
    folders = [folder.name for folder in args.data]
    return {
        split: {"folders": folders, "scenes": [s.name for s in of_split], "frames": sum(map(len, of_split))}
        for split, of_split in scenes.items()
    }
