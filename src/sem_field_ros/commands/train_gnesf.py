"""`sem-field train gnesf`: trains the map's learned vote on what a segmenter says about labelled sequences."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sem_field_ros.commands.argument_types import positive

if TYPE_CHECKING:
    from sem_field_ros.mapping.config import MapConfig
    from sem_field_ros.segmentation.segmenter import Segmenter
    from sem_field_ros.training.loop import TrainingResult
    from sem_field_ros.training.map_votes import SceneVotes

HELP = "the map's learned vote (GNeSF, RGB-D mode), on what a segmenter says about labelled sequences"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    from sem_field_ros.settings import add_settings_arguments
    from sem_field_ros.training.config import LoopConfig
    from sem_field_ros.training.map_voter_settings import MapVoterTraining

    for split, what in (("training", "to learn from: not those that the segmenter was trained on"),
                        ("validation", "to choose the best weights by")):  # fmt: skip
        parser.add_argument(f"--{split}", type=Path, nargs="+", required=True, metavar="SEQ",
                            help=f"labelled RGB-D sequences {what}")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on with the run in RUN")
    parser.add_argument("--segmenter", default="homes", metavar="NAME", help="whose votes (default homes)")
    parser.add_argument("--label-set", metavar="NAME", help="classes of the map (default: the segmenter's)")
    parser.add_argument("--votes", type=Path, metavar="DIR", help="keep collected votes here (default: RUN/votes)")
    parser.add_argument("--max-views", type=positive, default=16, metavar="N", help="views of a voxel that are "
                        "collected (default 16)")  # fmt: skip
    parser.add_argument("--max-voxels", type=positive, default=6000, metavar="N", help="voxels of a scene that are "
                        "collected (default 6000)")  # fmt: skip
    parser.add_argument("--visibility", default="depth", choices=("depth", "sdf", "none"), help="how it is decided "
                        "which views see a voxel: their depth images, the map's signed distance, not at all (default "
                        "depth, as the live map)")  # fmt: skip
    parser.add_argument("--voxel-size-m", type=float, default=0.05, metavar="FLOAT", help="of the maps (default 0.05)")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="threads of torch (default: all cores)")
    add_settings_arguments(parser, MapVoterTraining)
    add_settings_arguments(parser, LoopConfig, skip=("seed",))


def train_gnesf(args: argparse.Namespace) -> TrainingResult:
    """Collect the votes, train."""
    import torch

    from sem_field_ros.segmentation.registry import make_segmenter
    from sem_field_ros.settings import settings_from_arguments
    from sem_field_ros.training.config import LoopConfig
    from sem_field_ros.training.loop import train
    from sem_field_ros.training.map_voter import MapVoterRecipe
    from sem_field_ros.training.map_voter_settings import MapVoterTraining

    if args.threads:
        torch.set_num_threads(args.threads)
    segmenter = make_segmenter(args.segmenter, args.label_set)
    source = {"segmenter": args.segmenter, "encoder": getattr(segmenter, "encoder", "")}
    votes = {
        split: _votes(args, segmenter, source, getattr(args, split), split) for split in ("training", "validation")
    }
    data = {
        split: {"scenes": [v.name for v in scenes], "voxels": sum(map(len, scenes))} for split, scenes in votes.items()
    }
    config = settings_from_arguments(MapVoterTraining, args)
    recipe = MapVoterRecipe(config, segmenter.labels, votes["training"], votes["validation"], data, source)
    return train(recipe, settings_from_arguments(LoopConfig, args), args.out, resume=args.resume)


def _votes(
    args: argparse.Namespace, segmenter: Segmenter, source: dict[str, Any], paths: list[Path], split: str
) -> list[SceneVotes]:
    """The votes of every sequence: read from the files of an earlier collection, or collected now."""
    from rich.console import Console
    from rich.progress import Progress

    from sem_field_ros.data.open_sequence import open_sequence
    from sem_field_ros.mapping.config import MapConfig
    from sem_field_ros.training.map_votes import collect_votes
    from sem_field_ros.training.vote_files import load_votes, save_votes

    # the few frames of a generated home see much of it once only: that counts as well
    config = MapConfig(voxel_size_m=args.voxel_size_m, min_weight=1.0)
    folder = args.votes or args.out / "votes"
    scenes = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"votes for {split}", total=len(paths))
        for path in paths:
            file = folder / f"{path.resolve().name}.safetensors"
            origin = _origin(args, source, config, path)
            votes = load_votes(file, origin)
            if votes is None:
                how = {"max_views": args.max_views, "max_voxels": args.max_voxels, "visibility": args.visibility}
                votes = replace(collect_votes(open_sequence(path), segmenter, config, **how), name=file.stem)
                save_votes(file, votes, origin)
            scenes.append(votes)
            progress.advance(task)
    return scenes


def _origin(args: argparse.Namespace, source: dict[str, Any], config: MapConfig, path: Path) -> dict[str, str]:
    made_from = {**source, "label_set": args.label_set, "sequence": str(path.resolve()), **asdict(config)}
    how = {"max_views": args.max_views, "max_voxels": args.max_voxels, "visibility": args.visibility}
    return {name: str(value) for name, value in (made_from | how).items()}
