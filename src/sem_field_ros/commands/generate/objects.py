"""`sem-field generate objects`: chairs and tables with part labels, seen from all around."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sem_field_ros.commands.argument_types import at_least, positive, processors
from sem_field_ros.commands.progress import counting_progress
from sem_field_ros.errors import SettingError
from sem_field_ros.exit_codes import DONE, FAILED

if TYPE_CHECKING:
    from sem_field_synth.objects.object_specs import ObjectSpec

CLASSES = ("chair", "table")
SOURCES = ("parametric", "catalogue", "psb")


def add_objects(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    objects = kinds.add_parser("objects", help="chairs and tables with part labels, seen from all around")
    target = objects.add_mutually_exclusive_group(required=True)
    target.add_argument("--out", type=Path, help="folder to write to; one that holds objects is gone on with")
    target.add_argument("--sheet", type=Path, metavar="FILE", help="only a picture to look at (.png or .jpg)")
    objects.add_argument(
        "--classes", nargs="+", choices=CLASSES, default=list(CLASSES), help="which things (default: both)"
    )
    objects.add_argument(
        "--sources", nargs="+", choices=SOURCES, default=["parametric", "catalogue"],
        help="parametric: our own generator; catalogue: models of Debian's sweethome3d-furniture; psb: meshes of the "
        "Princeton segmentation benchmark, needs --psb (default: parametric catalogue)",
    )  # fmt: skip
    for name, split, count in (("train", "training", 200), ("val", "validation", 20), ("test", "test", 40)):
        text = f"parametric {split} objects of each class (default {count})"
        objects.add_argument(f"--{name}", type=at_least(0, int), default=count, metavar="N", help=text)
    objects.add_argument("--views", type=positive, default=50, help="random views of each object (default 50)")
    objects.add_argument(
        "--test-views", type=positive, default=251, help="views of each test object, on a spiral (default 251)"
    )
    objects.add_argument("--size", type=positive, default=128, help="width and height in pixels (default 128)")
    objects.add_argument(
        "--lowest", type=float, default=-30.0, metavar="DEG",
        help="elevation of the lowest random view; -90: from all over the sphere (default -30)",
    )  # fmt: skip
    objects.add_argument("--points", type=positive, default=20_000, help="labelled surface points (default 20000)")
    objects.add_argument("--seed", type=int, default=0, help="another seed, other parametric objects (default 0)")
    objects.add_argument(
        "--workers",
        type=positive,
        default=processors(),
        help="objects drawn at a time (default: one a processor)",
    )
    objects.add_argument("--columns", type=positive, default=3, help="objects side by side in a --sheet (default 3)")
    objects.add_argument(
        "--assets", type=Path, help="folder of Debian's sweethome3d files (default /usr/share/sweethome3d)"
    )
    objects.add_argument("--psb", type=Path, metavar="DIR", help="folder of PSB meshes: off/ and labels/")
    objects.set_defaults(generate=run_objects)


def run_objects(args: argparse.Namespace) -> int:
    """Draw the objects, or the sheet."""
    from sem_field_synth.objects.object_specs import list_objects

    if not -90 <= args.lowest < 85:
        raise SettingError(f"--lowest must lie in -90 to 85 degrees, got {args.lowest:g}")
    counts = {"training": args.train, "validation": args.val, "test": args.test}
    specs = list_objects(args.classes, args.sources, counts, args.seed, args.assets, args.psb)
    if not specs:
        raise SettingError("no object asked for: give --train, --val or --test above 0, or another source")
    return _sheet(args, specs) if args.sheet else _draw(args, specs)


def _draw(args: argparse.Namespace, specs: list[ObjectSpec]) -> int:
    from sem_field_synth.objects.write import ViewSettings, draw_all, write_lists

    settings = ViewSettings(args.views, args.test_views, args.size, args.lowest, args.points)
    started = time.monotonic()
    failed = fresh = 0
    with counting_progress() as progress:
        bar = progress.add_task("objects", total=len(specs))
        for result in draw_all(specs, args.out, settings, args.workers):
            progress.advance(bar)
            fresh += result.fresh and not result.error
            if result.error:
                failed += 1
                text = f"{result.spec.kind}/{result.spec.name}: left out: {result.error}"
                progress.console.print(text, style="red", highlight=False, markup=False)
    lists = write_lists(args.out)
    print(
        f"{args.out}: {len(specs) - failed} of {len(specs)} objects complete, {fresh} drawn now in "
        f"{(time.monotonic() - started) / 60:.1f} min; " + ", ".join(f"{n} {name}" for name, n in lists.items())
    )
    return FAILED if failed else DONE


def _sheet(args: argparse.Namespace, specs: list[ObjectSpec]) -> int:
    from rich.progress import Progress

    from sem_field_ros.datasets.image_files import write_color
    from sem_field_synth.objects.sheet import objects_sheet

    if args.sheet.suffix not in (".png", ".jpg"):
        raise SettingError(f"{args.sheet}: the picture's name must end in .png or .jpg")
    with Progress() as progress:
        bar = progress.add_task("objects", total=len(specs))
        picture = objects_sheet(specs, args.columns, args.size, lambda: progress.advance(bar))
    write_color(args.sheet, picture)
    print(f"{args.sheet}: {len(specs)} objects, {picture.shape[1]}x{picture.shape[0]}")
    return 0
