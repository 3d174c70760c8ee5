"""`sem-field train`: trains the models; each run is a folder that can be resumed to the exact step."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sem_field_ros.commands.train import depth as train_depth
from sem_field_ros.commands.train import fusion as train_gnesf
from sem_field_ros.commands.train import gnesf as train_field
from sem_field_ros.commands.train.data import add_data_arguments

if TYPE_CHECKING:
    from sem_field_ros.training.loop.loop import TrainingResult
    from sem_field_ros.training.recipes.segmenter import SegmenterRecipe

HELP = "train a model: 2-D segmenter, the map's vote, depth from RGB, a whole field; or export a run's weights"
INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare one subcommand per model, and export."""
    from sem_field_ros.settings import add_settings_arguments
    from sem_field_ros.training.loop.config import LoopConfig
    from sem_field_ros.training.recipes.segmenter import SegmenterTraining

    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    segmenter = kinds.add_parser("segmenter", help="the 2-D segmenter, on labelled homes")
    add_data_arguments(segmenter)
    segmenter.add_argument("--label-set", default="scannet20", metavar="NAME", help="classes (default scannet20)")
    add_settings_arguments(segmenter, SegmenterTraining)
    add_settings_arguments(segmenter, LoopConfig, skip=("seed",))
    segmenter.set_defaults(train=_segmenter)
    train_gnesf.add_arguments(gnesf := kinds.add_parser("gnesf", help=train_gnesf.HELP))
    gnesf.set_defaults(train=lambda args: _ending(train_gnesf.train_gnesf(args), args.out))
    train_field.add_arguments(field := kinds.add_parser("field", help=train_field.HELP))
    field.set_defaults(train=lambda args: _ending(train_field.train_field(args), args.out))
    train_depth.add_arguments(depth := kinds.add_parser("depth", help=train_depth.HELP))
    depth.set_defaults(train=lambda args: _ending(train_depth.train_depth(args), args.out))
    export = kinds.add_parser("export", help="write a run's best weights as a model to ship")
    export.add_argument("folder", metavar="RUN", type=Path, help="folder of a run")
    export.add_argument(
        "out",
        metavar="DIR",
        type=Path,
        help="folder NAME to write NAME.safetensors, NAME.json and the facts in README.md to",
    )
    export.add_argument("--last", action="store_true", help="the last validated weights instead of the best ones")
    export.add_argument("--full", action="store_true", help="float32 instead of float16, twice the size")
    export.set_defaults(train=_export)


def run(args: argparse.Namespace) -> int:
    """Run the chosen subcommand."""
    return int(args.train(args))


def _segmenter(args: argparse.Namespace) -> int:
    import torch

    from sem_field_ros.settings import settings_from_arguments
    from sem_field_ros.training.loop.config import LoopConfig
    from sem_field_ros.training.loop.loop import train

    if args.threads:
        torch.set_num_threads(args.threads)
    config = settings_from_arguments(LoopConfig, args)
    recipe = _segmenter_recipe(args)
    result = train(recipe, config, args.out, resume=args.resume)
    return _ending(result, args.out)


def _segmenter_recipe(args: argparse.Namespace) -> SegmenterRecipe:
    """Read the frames: all that are there, or those that the run began with."""
    from rich.console import Console
    from rich.progress import Progress

    from sem_field_ros.labels import load_label_set
    from sem_field_ros.settings import settings_from_arguments
    from sem_field_ros.training.loop.run_folder import RunFolder
    from sem_field_ros.training.recipes.segmenter import SegmenterRecipe, SegmenterTraining
    from sem_field_ros.training.samples.labelled_frames import TRAINING, VALIDATION, read_frames, scenes_of

    labels = load_label_set(args.label_set)
    began: dict[str, Any] = RunFolder(args.out).read()["settings"]["segmenter"] if args.resume else {}
    scenes = {split: scenes_of(args.data, split) for split in (TRAINING, VALIDATION)}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading frames", total=sum(map(len, scenes.values())))
        frames = {
            split: read_frames(
                folders, labels, only=began.get(f"{split}_frames"), on_progress=lambda: progress.advance(task)
            )
            for split, folders in scenes.items()
        }
    data = {split: _description(args.data, frames[split]) for split in frames}
    config = settings_from_arguments(SegmenterTraining, args)
    recipe = SegmenterRecipe(config, labels, frames[TRAINING], frames[VALIDATION], data, args.init)
    return recipe


def _description(data: list[Path], frames: list[Any]) -> dict[str, Any]:
    scenes = sorted({frame.name.partition("/")[0] for frame in frames})
    return {"folders": [folder.name for folder in data], "scenes": scenes, "frames": len(frames)}


def _ending(result: TrainingResult, out: Path) -> int:
    best = "" if result.best is None else f", best score {result.best:.4f} in {out / 'best.safetensors'}"
    how = {"done": "done", "time": "time limit: go on with --resume", "interrupted": "interrupted: go on with --resume"}
    print(f"{out}: step {result.step}, {how[result.reason]}{best}")
    return INTERRUPTED if result.reason == "interrupted" else 0


def _export(args: argparse.Namespace) -> int:
    from sem_field_ros.training.loop.run_folder import RunFolder
    from sem_field_ros.training.model_card import write_facts
    from sem_field_ros.weights import load_card, load_weights, save_weights

    folder = RunFolder(args.folder)
    source = folder.last if args.last else folder.best
    state, card = load_weights(source, load_card(source).kind)
    path = args.out / f"{args.out.resolve().name}.safetensors"
    card = save_weights(path, state, card, half=not args.full)
    write_facts(args.out / "README.md", path, card)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, step {card.training.get('step')}")
    return 0
