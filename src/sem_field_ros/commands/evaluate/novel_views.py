"""`sem-field evaluate novel-views`: Table 1 of GNeSF, classes of views that nothing was made from."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from sem_field_ros.commands.argument_types import add_segmenter, at_least, positive
from sem_field_ros.commands.progress import counting_progress
from sem_field_ros.fusion.registry import ALL, FUSIONS, chosen_fusions
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.settings import add_settings_arguments, settings_from_arguments

if TYPE_CHECKING:
    from sem_field_ros.evaluation.novel_views import NovelViewEvaluation
    from sem_field_ros.evaluation.sequence_evaluation import Scope
    from sem_field_ros.frame import SequenceReader
    from sem_field_ros.labels import LabelSet
    from sem_field_ros.scene import FieldScene

HELP = "score maps, fields and segmented renderings in views that are held out (semantic view synthesis)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    add(
        "sequences",
        nargs="+",
        type=Path,
        metavar="SEQ",
        help="labelled sequences, RGB-D or with --depth-source predicted",
    )
    add_segmenter(parser, "homes")
    add("--label-set", metavar="NAME", help="classes of the map: a shipped set or a YAML file")
    add("--sequence-label-set", metavar="NAME", help="classes of the label images, if they do not say")
    add("--hold-out", type=at_least(2, int), default=5, metavar="N", help="the middle one of every N frames is held "
        "out (default 5)")  # fmt: skip
    add("--fusion", default=ALL, choices=(ALL, *FUSIONS), help="of the maps (default all)")
    add("--fusion-weights", nargs="+", type=Path, default=[], metavar="FILE", help="more learned votes (.safetensors), "
        "named after their folder; one trained with `--pooling direct` predicts directly")  # fmt: skip
    add("--field", nargs="+", type=Path, default=[], metavar="FILE", help="whole fields that `sem-field train gnesf` "
        "made (.safetensors), named after their folder")  # fmt: skip
    add("--field-width", type=at_least(8, int), default=160, metavar="PIXELS", help="fields are rendered this wide, "
        "then enlarged (default 160)")  # fmt: skip
    add("--field-depth", action="store_true", help="fields are given the sources' depth images as well")
    add("--every", type=positive, default=1, metavar="N", help="use every N-th frame (default 1)")
    add("--max-frames", type=positive, metavar="N", help="at most N frames of each (default: all)")
    add("--benchmark", metavar="NAME", help="name in the results (default: of the first sequence)")
    add("--out", type=Path, metavar="FILE", help="also write the rows as JSON")
    add("--picture", type=Path, metavar="FILE", help="also draw held-out views of at most six sequences (.png, .jpg)")
    add_settings_arguments(parser, MapConfig, skip=("fusion", "fusion_weights"))
    parser.set_defaults(evaluate=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate, print the table, write rows and picture."""
    from sem_field_ros.datasets.image_files import write_color
    from sem_field_ros.errors import SettingError
    from sem_field_ros.evaluation.novel_view_picture import draw_novel_views
    from sem_field_ros.evaluation.novel_views import NovelViewEvaluation, novel_view_rows
    from sem_field_ros.evaluation.results import print_rows
    from sem_field_ros.evaluation.sequence_evaluation import Scope
    from sem_field_ros.segmentation.registry import make_segmenter

    if args.picture and args.picture.suffix not in (".png", ".jpg"):
        raise SettingError(f"{args.picture}: the picture's name must end in .png or .jpg")
    sequences = _open(args)
    fusions = chosen_fusions(args.fusion)
    config = settings_from_arguments(MapConfig, args, fusion=fusions[0], fusion_weights="")
    maps = {name: replace(config, fusion=name) for name in fusions}
    votes = _named(args.fusion_weights, "--fusion-weights", taken=maps)
    maps |= {name: replace(config, fusion="gnesf", fusion_weights=str(path)) for name, path in votes.items()}
    segmenter = make_segmenter(
        args.segmenter, args.label_set, config.label_width, config.device, source=sequences[0].labels
    )
    evaluation = NovelViewEvaluation(segmenter, maps, _fields(args, segmenter.labels, maps), args.hold_out)
    _evaluate(evaluation, sequences, Scope(args.every, args.max_frames))
    benchmark = args.benchmark or sequences[0].name
    print_rows(novel_view_rows(evaluation, benchmark, args.segmenter), Console(), args.out)
    if args.picture:
        write_color(args.picture, draw_novel_views(evaluation.pictures, evaluation.labels))
        print(args.picture)
    return 0


def _open(args: argparse.Namespace) -> list[SequenceReader]:
    from sem_field_ros.datasets.open_sequence import open_sequence

    return [open_sequence(path, label_set=args.sequence_label_set) for path in args.sequences]


def _named(paths: Sequence[Path], flag: str, taken: Sequence[str] | dict[str, MapConfig]) -> dict[str, Path]:
    """Files by the name of their folder. Raises SettingError where two results could not be told apart."""
    from sem_field_ros.errors import SettingError

    files = {path.resolve().parent.name: path for path in paths}
    if len(files) < len(paths) or files.keys() & set(taken):
        raise SettingError(f"{flag}: folders of the same name, or named as a fusion: results could not be told apart")
    return files


def _fields(args: argparse.Namespace, labels: LabelSet, maps: dict[str, MapConfig]) -> dict[str, FieldScene]:
    from sem_field_ros.fields.common.posed_images import SceneOptions
    from sem_field_ros.fields.registry import open_scene

    files = _named(args.field, "--field", taken=maps)
    options = SceneOptions(args.field_width, args.field_depth, args.device)
    return {name: open_scene(path, labels, options) for name, path in files.items()}


def _evaluate(evaluation: NovelViewEvaluation, sequences: Sequence[SequenceReader], scope: Scope) -> None:
    console = Console(stderr=True)
    with counting_progress(console) as progress:
        task = progress.add_task("", total=sum(scope.frames_of(sequence) for sequence in sequences))
        for sequence in sequences:
            progress.update(task, description=sequence.name)
            evaluation.add(sequence, scope, lambda: progress.advance(task))
    if evaluation.problems:
        line = f"{len(evaluation.problems)} times nothing could be said, the last: {evaluation.problems[-1]}"
        console.print(line, soft_wrap=True)
