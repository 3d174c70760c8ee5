"""`sem-field evaluate sequences`, `bag` and `models`: segmenters, the maps made with them, and their geometry."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from sem_field_ros.commands.argument_types import add_segmenter, positive
from sem_field_ros.commands.progress import counting_progress
from sem_field_ros.context.registry import CONTEXTS, NONE
from sem_field_ros.errors import DataError, SegmenterError
from sem_field_ros.exit_codes import DONE
from sem_field_ros.fusion.registry import ALL, FUSIONS, chosen_fusions
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.segmentation.registry import (
    DEFAULT_SEGMENTER,
    EXTERNAL,
    NO_SEGMENTER,
    SEGMENTERS,
    SHIPPED,
    labels_pixels,
)
from sem_field_ros.settings import add_settings_arguments, settings_from_arguments, settings_of

if TYPE_CHECKING:
    from sem_field_ros.evaluation.results import Row
    from sem_field_ros.frame import SequenceReader
    from sem_field_ros.labels import LabelSet
    from sem_field_ros.segmentation.segmenter import Segmenter

MINI_BENCHMARK = "samples/homes_test"
# the mini benchmark is about the models: the map is as it is by default, but what one of its few frames saw counts
_MINI_MIN_WEIGHT = 1.0
_FIXED_FOR_MODELS = tuple(s.name for s in settings_of(MapConfig) if s.name not in ("voxel_size_m", "device"))


def add_kinds(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommands `sequences`, `bag` and `models`."""
    sequences = kinds.add_parser("sequences", help="recorded sequences in any format that is read, pooled")
    sequences.add_argument("sequences", nargs="+", type=Path, metavar="SEQ", help="sequence folder, .sens file or bag")
    sequences.add_argument(
        "--benchmark", metavar="NAME", help="name in the results (default: of the sequence's folder)"
    )
    bag = kinds.add_parser("bag", help="a recorded bag with label images")
    bag.add_argument("sequences", nargs=1, type=Path, metavar="BAG", help="MCAP or sqlite3 bag")
    bag.add_argument("--benchmark", metavar="NAME", help="name in the results (default: the bag's)")
    bag.add_argument("--world-frame", metavar="FRAME", help="TF frame of the map (default: map, odom or world)")
    models = kinds.add_parser("models", help="every shipped segmenter on the mini benchmark of this repository")
    models.add_argument("sequences", nargs="*", type=Path, metavar="SEQ", help=f"default: those in {MINI_BENCHMARK}")
    models.add_argument("--benchmark", default="mini", metavar="NAME", help="name in the results (default mini)")
    models.set_defaults(segmenter=None, mesh=None, sequence_label_set=None)
    for kind in (sequences, bag):
        _add_segmenter_arguments(kind)
    for kind in (sequences, bag, models):
        kind.add_argument("--fusion", default=ALL, choices=(ALL, *FUSIONS), help="of the maps (default all)")
        kind.add_argument("--contexts", nargs="+", default=[], choices=tuple(CONTEXTS), metavar="CONTEXT",
                          help=f"of the maps, to compare: {', '.join(CONTEXTS)} (default: --context)")  # fmt: skip
        kind.add_argument("--every", type=positive, default=1, metavar="N", help="use every N-th frame (default 1)")
        kind.add_argument("--max-frames", type=positive, metavar="N", help="at most N frames of each (default: all)")
        kind.add_argument("--out", type=Path, metavar="FILE", help="also write the rows as JSON")
        fixed = _FIXED_FOR_MODELS if kind is models else ("fusion",)
        add_settings_arguments(kind, MapConfig, skip=fixed)
        kind.set_defaults(evaluate=run)


def _add_segmenter_arguments(kind: argparse.ArgumentParser) -> None:
    text = f"what labels the images: {', '.join(SEGMENTERS)}; may be given again "
    text += "(default: external, the true labels, where there are label images, else none)"
    add_segmenter(kind, None, action="append", help=text)
    kind.add_argument("--mesh", type=Path, metavar="PLY", help="the labelled true mesh (default: found beside SEQ)")
    kind.add_argument("--label-set", metavar="NAME", help="classes of the map: a shipped set or a YAML file")
    kind.add_argument("--sequence-label-set", metavar="NAME", help="classes of the label images, if they do not say")


def run(args: argparse.Namespace) -> int:
    """Evaluate each segmenter on all sequences, print the tables, write the rows."""
    args.sequences = args.sequences or _mini_benchmark()
    sequences = _open(args)  # before the slow imports, which a wrong path need not wait for

    from sem_field_ros.evaluation.results import print_rows

    labelled = all(getattr(sequence, "has_labels", sequence.labels is not None) for sequence in sequences)
    # the true labels first: the best that any segmenter could do for the map
    segmenters = [EXTERNAL, DEFAULT_SEGMENTER, *SHIPPED] if args.kind == "models" else args.segmenter
    segmenters = segmenters or [EXTERNAL if labelled else NO_SEGMENTER]
    rows: list[Row] = []
    for name in segmenters:
        rows += [row for row in _evaluate(args, name, sequences) if row not in rows]
    if not rows:
        raise DataError("nothing to score: the sequences have neither depth, label images nor a labelled mesh")
    print_rows(rows, Console(), args.out)
    return DONE


def _open(args: argparse.Namespace) -> list[SequenceReader]:
    from sem_field_ros.datasets.open_sequence import is_bag, open_sequence

    sequences = []
    for path in args.sequences:
        if args.kind == "bag" and path.exists() and not is_bag(path):
            raise DataError(f"{path} is not a bag; `sem-field evaluate sequences` takes folders")
        world_frame = getattr(args, "world_frame", None)
        sequence = open_sequence(path, label_set=args.sequence_label_set, world_frame=world_frame)
        if args.mesh:
            if not args.mesh.is_file():
                raise DataError(f"--mesh {args.mesh} is not a file")
            sequence.mesh_path = args.mesh  # type: ignore[attr-defined]
        sequences.append(sequence)
    sets = {sequence.labels.name for sequence in sequences if sequence.labels is not None}
    if len(sets) > 1:
        raise DataError(f"the sequences have label sets {', '.join(sorted(sets))}: evaluate those of one set together")
    return sequences


def _mini_benchmark() -> list[Path]:
    from sem_field_ros.resources import resource_path

    return [path for path in sorted(resource_path(MINI_BENCHMARK).iterdir()) if path.is_dir()]


def _evaluate(args: argparse.Namespace, name: str, sequences: Sequence[SequenceReader]) -> list[Row]:
    from sem_field_ros.evaluation.results import rows_of
    from sem_field_ros.evaluation.sequence_evaluation import Scope, SequenceEvaluation
    from sem_field_ros.evaluation.variants import with_contexts

    fusions = chosen_fusions(args.fusion)
    # of the fusions alone: context corrects the worse ones more
    fixed = {"min_weight": _MINI_MIN_WEIGHT, "context": NONE} if args.kind == "models" else {}
    config = settings_from_arguments(MapConfig, args, fusion=fusions[0], **fixed)
    segmenter, labels = _make_segmenter(args, name, config, sequences[0].labels)
    evaluation = SequenceEvaluation(segmenter, labels, config, with_contexts(fusions, args.contexts))
    scope = Scope(args.every, args.max_frames)
    console = Console(stderr=True)
    with counting_progress(console) as progress:
        task = progress.add_task(name, total=sum(scope.frames_of(sequence) for sequence in sequences))
        for sequence in sequences:
            progress.update(task, description=f"{name}: {sequence.name}")
            evaluation.add(sequence, scope, lambda: progress.advance(task))
    if segmenter and not evaluation.segment_ms:
        raise SegmenterError(evaluation.problems[-1])
    if evaluation.problems:
        console.print(f"{name}: {len(evaluation.problems)} frames left out, the last: {evaluation.problems[-1]}")
    benchmark = args.benchmark or sequences[0].name
    return rows_of(evaluation, benchmark, name)


def _make_segmenter(
    args: argparse.Namespace, name: str, config: MapConfig, source: LabelSet | None
) -> tuple[Segmenter | None, LabelSet]:
    from sem_field_ros.labels import load_label_set
    from sem_field_ros.segmentation.registry import make_segmenter

    label_set = getattr(args, "label_set", None)
    if not labels_pixels(name):
        return None, load_label_set(label_set) if label_set else source or load_label_set("scannet20")
    segmenter = make_segmenter(name, label_set, label_width=config.label_width, device=config.device, source=source)
    return segmenter, segmenter.labels
