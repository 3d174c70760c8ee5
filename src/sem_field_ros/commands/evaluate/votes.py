"""`sem-field evaluate votes`: scores ways to fuse views on the same votes: weights, visibilities, corrupt views."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from sem_field_ros.commands import vote_collection
from sem_field_ros.commands.argument_types import at_least, positive
from sem_field_ros.settings import add_former_flags

HELP = "score fusions on collected votes of surface voxels: learned weights, visibilities, corrupt views"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    add("sequences", nargs="+", type=Path, metavar="SEQ", help="labelled RGB-D sequences")
    add("--weights", nargs="+", type=Path, default=[], metavar="FILE", help="learned votes beside the hand-made "
        "fusions, named after their folder (default: the shipped one)")  # fmt: skip
    corrupt = add(
        "--corrupt-fraction", nargs="+", type=at_least(0.0, float), default=[0.0], metavar="SHARE",
        help="share of the views whose labels are corrupt: swapped, bursts of one class, flat, sure of another "
        "(default 0)",
    )  # fmt: skip
    add_former_flags(parser, corrupt, "--spoilt")
    add("--seeds", type=positive, default=3, metavar="N", help="corrupt in N ways and take the mean (default 3)")
    add("--views", type=positive, default=8, metavar="K", help="the K best views vote (default 8)")
    add("--benchmark", metavar="NAME", help="name in the results (default: of the first sequence)")
    add("--out", type=Path, metavar="FILE", help="also write the rows as JSON")
    vote_collection.add_arguments(parser, "nowhere")
    parser.set_defaults(evaluate=run)


def run(args: argparse.Namespace) -> int:
    """Collect the votes, score every fusion at every share, print the tables."""
    from sem_field_ros.datasets.open_sequence import open_sequence
    from sem_field_ros.errors import SettingError

    files = {path.resolve().parent.name: path for path in args.weights}
    if len(files) < len(args.weights):
        raise SettingError("--weights of one folder's name: their results could not be told apart")
    for path in args.sequences:
        open_sequence(path)  # before the slow imports, which a wrong path need not wait for

    from sem_field_ros.evaluation.results import Row, print_rows
    from sem_field_ros.fusion.learned import load_fusion
    from sem_field_ros.fusion.registry import GNESF_MODEL
    from sem_field_ros.resources import resource_path
    from sem_field_ros.segmentation.registry import make_segmenter
    from sem_field_ros.training.validation.vote_scores import learned, score_fusions

    segmenter = make_segmenter(args.segmenter, args.label_set)
    encoder = vote_collection.source_of(args, segmenter)["encoder"]
    fusions = {name: load_fusion(path)[0] for name, path in files.items()}
    fusions = fusions or {"gnesf": load_fusion(resource_path(GNESF_MODEL))[0]}
    for name, fusion in fusions.items():
        bound = fusion.voter.config.classes
        if bound and bound != len(segmenter.labels):
            raise SettingError(f"{name} only votes on {bound} classes, the segmenter has {len(segmenter.labels)}")
    voters = {name: learned(f.voter, encoder != "" and f.encoder == encoder) for name, f in fusions.items()}
    scenes = vote_collection.collected(args, segmenter, args.sequences, args.votes, "votes")
    rows = []
    name = f"{args.benchmark or args.sequences[0].resolve().name}/{args.segmenter}/{segmenter.labels.name}"
    if args.visibility != "depth":
        name += f", visibility {args.visibility}"
    for share in args.corrupt_fraction:
        seeds = range(args.seeds if share else 1)
        tallies = [
            score_fusions(scenes, len(segmenter.labels), voters, views=args.views, corrupt=share, seed=seed)
            for seed in seeds
        ]
        benchmark = f"{name}, {share:.0%} corrupt" if share else name
        for method in tallies[0]:
            scores = [tally[method].scores() for tally in tallies]
            rows.append(Row(benchmark, method, "miou_3d", sum(s.miou for s in scores) / len(scores)))
            rows.append(Row(benchmark, method, "accuracy_3d", sum(s.accuracy for s in scores) / len(scores)))
    print_rows(rows, Console(), args.out)
    return 0
