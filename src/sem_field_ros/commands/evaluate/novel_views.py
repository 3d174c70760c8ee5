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
from sem_field_ros.exit_codes import DONE
from sem_field_ros.fusion.registry import ALL, FUSIONS, chosen_fusions
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.segmentation.registry import NO_SEGMENTER, SEGMENTERS, labels_pixels
from sem_field_ros.settings import add_settings_arguments, settings_from_arguments

if TYPE_CHECKING:
    from sem_field_ros.evaluation.novel_views import NovelViewEvaluation
    from sem_field_ros.evaluation.sequence_evaluation import Scope
    from sem_field_ros.frame import SequenceReader
    from sem_field_ros.labels import LabelSet
    from sem_field_ros.scene import FieldScene
    from sem_field_ros.segmentation.segmenter import Segmenter

_SEGMENTER = "homes"  # the default
TARGET_DEPTHS = ("predicted", "sensor", "map")
HELP = "score maps, fields and segmented renderings in views that are held out (semantic view synthesis)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    add(
        "sequences",
        nargs="+",
        type=Path,
        metavar="SEQ",
        help="sequences, RGB-D or with --depth-source predicted; without label images colours alone are scored",
    )
    text = f"what labels the images: {', '.join(SEGMENTERS)} (default: {_SEGMENTER} where there are label images or a "
    add_segmenter(parser, None, help=text + "--field, else none)")
    add("--label-set", metavar="NAME", help="classes of the map: a shipped set or a YAML file")
    add("--sequence-label-set", metavar="NAME", help="classes of the label images, if they do not say")
    add("--hold-out", type=at_least(2, int), default=5, metavar="N", help="the middle one of every N frames is held "
        "out (default 5)")  # fmt: skip
    add("--fusion", default=ALL, choices=(ALL, *FUSIONS), help="of the maps (default all)")
    add("--fusion-weights", nargs="+", type=Path, default=[], metavar="FILE", help="more learned votes (.safetensors), "
        "named after their folder; one trained with `--pooling direct` predicts directly")  # fmt: skip
    add("--field", nargs="+", type=Path, default=[], metavar="FILE", help="whole fields that `sem-field train gnesf` "
        "or `gsnerf` made (.safetensors), named after their folder, or names of fields, e.g. `gsnerf`")  # fmt: skip
    add("--field-width", type=at_least(8, int), default=160, metavar="PIXELS", help="fields are rendered this wide, "
        "then enlarged (default 160)")  # fmt: skip
    add("--field-depth", action="store_true", help="fields are given the sources' depth images as well")
    add("--field-target-depth", choices=TARGET_DEPTHS, default="", help="GSNeRF: where depth comes from (default: "
        "sensor with --field-depth, else predicted); map: the map is ray cast")  # fmt: skip
    add("--field-views", type=at_least(1, int), default=0, metavar="K", help="source views of a rendered view "
        "(default: the field's)")  # fmt: skip
    add("--field-samples", type=at_least(1, int), default=0, metavar="N", help="GSNeRF: samples per ray (default: the "
        "field's)")  # fmt: skip
    add("--every", type=positive, default=1, metavar="N", help="use every N-th frame (default 1)")
    add("--max-frames", type=positive, metavar="N", help="at most N frames of each (default: all)")
    add("--benchmark", metavar="NAME", help="name in the results (default: of the first sequence)")
    add("--out", type=Path, metavar="FILE", help="also write the rows as JSON")
    add("--picture", type=Path, metavar="FILE", help="also draw held-out views of at most six sequences (.png, .jpg)")
    add_settings_arguments(parser, MapConfig, skip=("fusion", "fusion_weights"))
    parser.set_defaults(evaluate=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate, print the table, write rows and picture."""
    from sem_field_ros.errors import SegmenterError, SettingError

    if args.picture and args.picture.suffix not in (".png", ".jpg"):
        raise SettingError(f"{args.picture}: the picture's name must end in .png or .jpg")
    sequences = _open(args)  # before the slow imports, which a wrong path need not wait for

    from sem_field_ros.datasets.image_files import write_color
    from sem_field_ros.evaluation.novel_view_picture import draw_novel_views
    from sem_field_ros.evaluation.novel_views import NovelViewEvaluation, novel_view_rows
    from sem_field_ros.evaluation.results import print_rows
    from sem_field_ros.evaluation.sequence_evaluation import Scope

    fusions = chosen_fusions(args.fusion)
    config = settings_from_arguments(MapConfig, args, fusion=fusions[0], fusion_weights="")
    maps = {name: replace(config, fusion=name) for name in fusions}
    votes = _named(args.fusion_weights, "--fusion-weights", taken=maps)
    maps |= {name: replace(config, fusion="gnesf", fusion_weights=str(path)) for name, path in votes.items()}
    labelled = any(getattr(sequence, "has_labels", sequence.labels is not None) for sequence in sequences)
    name = args.segmenter or (_SEGMENTER if labelled or args.field else NO_SEGMENTER)
    segmenter, labels = _make_segmenter(args, name, config, sequences[0].labels)
    if segmenter is None:
        maps = {fusions[0]: maps[fusions[0]]}  # without labels all are the same
    evaluation = NovelViewEvaluation(segmenter, maps, _fields(args, labels, maps), args.hold_out, labels)
    _evaluate(evaluation, sequences, Scope(args.every, args.max_frames))
    rows = novel_view_rows(evaluation, args.benchmark or sequences[0].name, name)
    if not rows:
        raise SegmenterError(f"nothing to score: {evaluation.problems[-1]}")
    print_rows(rows, Console(), args.out)
    if args.picture:
        write_color(args.picture, draw_novel_views(evaluation.pictures, evaluation.labels))
        print(args.picture)
    return DONE


def _make_segmenter(
    args: argparse.Namespace, name: str, config: MapConfig, source: LabelSet | None
) -> tuple[Segmenter | None, LabelSet]:
    """The segmenter, None for `none`, and the classes. Raises SettingError where a field would have no segmenter."""
    from sem_field_ros.errors import SettingError
    from sem_field_ros.labels import load_label_set
    from sem_field_ros.segmentation.registry import make_segmenter

    if labels_pixels(name):
        segmenter = make_segmenter(name, args.label_set, config.label_width, config.device, source=source)
        return segmenter, segmenter.labels
    if args.field:
        raise SettingError(f"--field needs a segmenter, got --segmenter {name}: fields are given class probabilities")
    return None, load_label_set(args.label_set) if args.label_set else source or load_label_set("scannet20")


def _open(args: argparse.Namespace) -> list[SequenceReader]:
    from sem_field_ros.datasets.open_sequence import open_sequence

    return [open_sequence(path, label_set=args.sequence_label_set) for path in args.sequences]


def _named(paths: Sequence[Path], flag: str, taken: Sequence[str] | dict[str, MapConfig]) -> dict[str, Path]:
    """Files by the name of their folder. Raises SettingError where two results could not be told apart."""
    from sem_field_ros.errors import SettingError

    files = {path.resolve().parent.name if path.suffix else path.name: path for path in paths}
    if len(files) < len(paths) or files.keys() & set(taken):
        raise SettingError(f"{flag}: folders of the same name, or named as a fusion: results could not be told apart")
    return files


def _fields(args: argparse.Namespace, labels: LabelSet, maps: dict[str, MapConfig]) -> dict[str, FieldScene]:
    from sem_field_ros.fields.common.posed_images import SceneOptions
    from sem_field_ros.fields.registry import open_named

    files = _named(args.field, "--field", taken=maps)
    given = args.field_target_depth, args.field_views, args.field_samples
    options = SceneOptions(args.field_width, args.field_depth, args.device, *given)
    return {name: open_named(str(path), labels, options) for name, path in files.items()}


def _evaluate(evaluation: NovelViewEvaluation, sequences: Sequence[SequenceReader], scope: Scope) -> None:
    console = Console(stderr=True)
    with counting_progress(console) as progress:
        task = progress.add_task("", total=sum(scope.frames_of(sequence) for sequence in sequences))
        for sequence in sequences:
            progress.update(task, description=sequence.name)
            evaluation.add(sequence, scope, lambda: progress.advance(task))
    if evaluation.problems:
        line = f"{len(evaluation.problems)} frames without a prediction, the last: {evaluation.problems[-1]}"
        console.print(line, soft_wrap=True)
