"""What `train fusion` and `evaluate votes` share: votes of sequences, from files or collected now."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sem_field_ros.commands.argument_types import add_segmenter, positive
from sem_field_ros.context.registry import NONE
from sem_field_ros.fusion.registry import VISIBILITIES

if TYPE_CHECKING:
    from sem_field_ros.segmentation.segmenter import Segmenter
    from sem_field_ros.training.samples.votes import SceneVotes


def add_arguments(parser: argparse.ArgumentParser, votes: str) -> None:
    """Declare the flags; `votes` says where they are kept without --votes."""
    add = parser.add_argument
    add_segmenter(parser, "homes")
    add("--label-set", metavar="NAME", help="classes of the map (default: the segmenter's)")
    add("--votes", type=Path, metavar="DIR", help=f"keep collected votes here (default: {votes})")
    add("--visibility", default="depth", choices=VISIBILITIES, help="how it is decided which views see a voxel: their "
        "depth images, the map's signed distance, not at all (default depth, as the live map)")  # fmt: skip
    add("--max-views", type=positive, default=16, metavar="N", help="views of a voxel that are collected (default 16)")
    add("--max-voxels", type=positive, default=6000, metavar="N", help="voxels of a scene that are collected "
        "(default 6000)")  # fmt: skip
    add("--voxel-size-m", type=float, default=0.05, metavar="FLOAT", help="of the maps (default 0.05)")


def source_of(args: argparse.Namespace, segmenter: Segmenter) -> dict[str, Any]:
    """Whose votes they are: what weights trained on them are good for."""
    return {"segmenter": args.segmenter, "encoder": getattr(segmenter, "encoder", "")}


def collected(
    args: argparse.Namespace,
    segmenter: Segmenter,
    paths: Sequence[Path],
    folder: Path | None,
    what: str,
    copies: int = 0,
) -> list[SceneVotes]:
    """The votes of every sequence: from the files of an earlier collection in `folder`, or collected now.

    copies  how often each is collected once more, from images in other light and of another camera
    """
    from rich.console import Console
    from rich.progress import Progress

    from sem_field_ros.datasets.open_sequence import open_sequence
    from sem_field_ros.mapping.config import MapConfig
    from sem_field_ros.training.samples.retouched import RetouchedSegmenter
    from sem_field_ros.training.samples.vote_files import content_of, load_votes, save_votes, votes_path
    from sem_field_ros.training.samples.votes import collect_votes

    # the few frames of a generated home see much of it once only: that counts as well
    config = MapConfig(voxel_size_m=args.voxel_size_m, min_weight=1.0, context=NONE)
    how = {"max_views": args.max_views, "max_voxels": args.max_voxels, "visibility": args.visibility}
    made_from = {**source_of(args, segmenter), "label_set": args.label_set, **asdict(config), **how}
    scenes = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=len(paths) * (1 + copies))
        for number, copy in product(range(len(paths)), range(-1, copies)):
            path = paths[number].resolve()
            name = path.name if copy < 0 else f"{path.name}.copy{copy}"
            origin = {key: str(value) for key, value in made_from.items()} | {"sequence": str(path)}
            origin |= {"content": content_of(path)} if folder else {}
            origin |= {} if copy < 0 else {"copy": f"{copy} of number {number}"}
            file = votes_path(folder, path, f"{name}.{args.visibility}") if folder else None
            votes = load_votes(file, origin) if file else None
            if votes is None:
                variant = segmenter if copy < 0 else RetouchedSegmenter(segmenter, number, copy)
                votes = collect_votes(open_sequence(path), variant, config, **how)
                if file:
                    save_votes(file, votes, origin)
            scenes.append(replace(votes, name=name))
            progress.advance(task)
    return scenes
