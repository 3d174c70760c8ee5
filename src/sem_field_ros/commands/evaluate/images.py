"""`sem-field evaluate images`: segmenters on labelled photographs, in classes that they have in common."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from sem_field_ros.commands.argument_types import at_least, folder, segmenter_name
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.segmentation.registry import SEGMENTERS

HELP = "score segmenters on a folder of labelled photographs, in classes that they have in common"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    add("folder", type=folder, metavar="FOLDER", help="NAME.png or NAME.jpg, each with NAME_mask.png")
    text = f"what labels the images: {', '.join(SEGMENTERS)}; may be given again"
    add("--segmenter", type=segmenter_name, action="append", required=True, metavar="NAME", help=text)
    add("--classes", default="nyu12", metavar="NAME", help="label set that is scored; masks and segmenters are grouped "
        "into it (default nyu12)")  # fmt: skip
    add("--mask-label-set", default="nyu40", metavar="NAME", help="label set of the masks (default nyu40)")
    add("--mask-id-offset", type=int, default=0, metavar="N", help="added to the ids of the masks: 1 where they count "
        "from 0 what the label set counts from 1 (default 0)")  # fmt: skip
    add("--label-width", type=at_least(8, int), default=MapConfig.label_width, metavar="PIXELS", help="width of the "
        f"segmenters' answers (default {MapConfig.label_width}, as in maps)")  # fmt: skip
    add("--device", default="cpu", help="torch device of the segmenters (default cpu)")
    add("--out", type=Path, metavar="FILE", help="also write the rows as JSON")
    parser.set_defaults(evaluate=run)


def run(args: argparse.Namespace) -> int:
    """Score every segmenter on every photograph, print the tables."""
    from sem_field_ros.datasets.labelled_photos import LabelledPhotos
    from sem_field_ros.evaluation.image_evaluation import ImageEvaluation
    from sem_field_ros.evaluation.results import class_table, print_rows
    from sem_field_ros.labels import load_label_set
    from sem_field_ros.segmentation.registry import make_segmenter

    photos = LabelledPhotos(args.folder, load_label_set(args.mask_label_set), args.mask_id_offset)
    rows = []
    for name in args.segmenter:
        evaluation = ImageEvaluation(make_segmenter(name, args.classes, args.label_width, args.device, photos.labels))
        for frame in photos:
            evaluation.add(frame, photos.labels)
        rows += evaluation.rows(photos.name, name)
    console = Console()
    print_rows(rows, console, args.out)
    console.print(class_table(rows, "iou_2d"), soft_wrap=True)
    return 0
