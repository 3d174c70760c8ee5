"""What the trainings on folders of scenes share: their flags, the scenes of a run, and how the card describes them."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sem_field_ros.commands.argument_types import folder

if TYPE_CHECKING:
    from sem_field_ros.training.samples.posed_scenes import PosedScene


def add_data_arguments(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """What every training on folders of scenes is told."""
    parser.add_argument(
        "--data",
        type=folder,
        nargs="+",
        required=required,
        metavar="DIR",
        help="folders with train/SCENE and val/SCENE (not all need to have both)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on with the run in RUN, on the scenes it began with")
    parser.add_argument("--init", type=Path, metavar="FILE", help="weights (.safetensors) to start from")


def scene_folders(args: argparse.Namespace, kind: str) -> dict[str, list[Path]]:
    """Folders by split: all that are there, or those that the run began with. Raises DataError, TrainingError."""
    from sem_field_ros.errors import DataError
    from sem_field_ros.training.loop.run_folder import RunFolder
    from sem_field_ros.training.samples.labelled_frames import TRAINING, VALIDATION, scenes_of

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
