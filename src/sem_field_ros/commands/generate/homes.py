"""`sem-field generate homes` and `generate sheet`: furnished homes as labelled sequences, and a look at them."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sem_field_ros.commands.argument_types import positive, processors
from sem_field_ros.commands.progress import counting_progress
from sem_field_ros.errors import SettingError
from sem_field_ros.exit_codes import DONE, FAILED

if TYPE_CHECKING:
    from sem_field_synth.homes.run import HomeJob

SPLITS = {"train": "training", "val": "validation", "test": "test"}


def add_homes(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommands."""
    homes = kinds.add_parser("homes", help="furnished homes seen by a moving RGB-D camera, in path-traced light")
    homes.add_argument(
        "--out", type=Path, required=True, help="folder to write to; one that holds homes is gone on with"
    )
    homes.add_argument("--scenes", type=positive, default=1, help="how many scenes (default 1)")
    homes.add_argument("--frames", type=positive, default=40, help="how many frames each (default 40)")
    homes.add_argument("--size", type=_size, default=(320, 240), metavar="WxH", help="of the images (default 320x240)")
    homes.add_argument("--seed", type=int, default=0, help="same seed, same homes, camera paths and noise (default 0)")
    homes.add_argument(
        "--split", choices=tuple(SPLITS), default="train", help="which homes and furniture to take (default train)"
    )
    homes.add_argument(
        "--first", type=int, default=0, help="number of the first scene, to add to those of a run before (default 0)"
    )
    homes.add_argument(
        "--renderer", choices=("cycles", "raster"), default="cycles",
        help="cycles: light that bounces, needs Blender's wheel bpy; raster: without shadows, in a tenth of the time "
        "(default cycles)",
    )  # fmt: skip
    homes.add_argument("--samples", type=positive, default=4, help="light paths a pixel, then denoised (default 4)")
    homes.add_argument(
        "--workers",
        type=positive,
        default=processors(),
        help="scenes drawn at a time (default: one a processor)",
    )
    homes.add_argument("--bag", action="store_true", help="also NAME.mcap beside each folder: camera topics and TF")
    homes.add_argument(
        "--assets", type=Path, help="folder of Debian's sweethome3d files (default /usr/share/sweethome3d)"
    )
    homes.set_defaults(generate=_homes)
    sheet = kinds.add_parser("sheet", help="a picture of sequences to look at: colour, labels, depth")
    sheet.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="sequence folders")
    sheet.add_argument("--out", type=Path, required=True, help="PNG or JPEG file to write")
    sheet.add_argument("--frames", type=positive, default=2, help="frames of each folder (default 2)")
    sheet.add_argument("--columns", type=positive, default=2, help="folders side by side (default 2)")
    sheet.add_argument("--width", type=positive, default=240, help="width of each image in pixels (default 240)")
    sheet.set_defaults(generate=_sheet)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) >= 32 and int(height) >= 32):
        raise argparse.ArgumentTypeError(f"must be WIDTHxHEIGHT in pixels, at least 32x32, got {text}")
    return int(width), int(height)


def _homes(args: argparse.Namespace) -> int:
    from sem_field_synth.homes.run import draw_all
    from sem_field_synth.rendering.cycles_job import cycles_missing

    if args.renderer == "cycles" and cycles_missing():
        raise SettingError(cycles_missing())
    jobs = _jobs(args)
    started = time.monotonic()
    failures = []
    with counting_progress() as progress:
        bar = progress.add_task(f"{args.split} homes, frames", total=len(jobs) * args.frames)
        for result in draw_all(jobs, args.workers, lambda frames: progress.advance(bar, frames)):
            if result.error:
                failures.append(result)
                progress.console.print(f"{result.name}: left out: {result.error}", style="red", highlight=False)
    made = len(jobs) - len(failures)
    print(
        f"{args.out}: {made} of {len(jobs)} {args.split} scenes complete, {args.frames} frames each, "
        f"in {(time.monotonic() - started) / 60:.1f} min"
    )
    return FAILED if failures else DONE


def _jobs(args: argparse.Namespace) -> list[HomeJob]:
    from functools import partial

    from sem_field_synth.catalogue.catalogue import Assets
    from sem_field_synth.homes.home_plan import scene_plan
    from sem_field_synth.homes.run import HomeJob, build_home
    from sem_field_synth.rendering.home_writer import DrawSettings

    width, height = args.size
    settings = DrawSettings(args.renderer, args.samples, processors(), args.seed)
    command = f"sem-field generate homes --split {args.split} --seed {args.seed} --frames {args.frames} "
    command += f"--size {width}x{height} --renderer {args.renderer} --samples {args.samples}"
    jobs = []
    plan = scene_plan(Assets(args.assets), args.seed, args.first + args.scenes, SPLITS[args.split])
    for spec in plan[args.first :]:
        build = partial(build_home, spec, args.frames, (width, height), args.assets)
        meta = {"generator": command, "seed": args.seed, "home": spec.home, "split": args.split}
        jobs.append(HomeJob(spec.name, args.out / args.split / spec.name, build, settings, meta, args.frames, args.bag))
    return jobs


def _sheet(args: argparse.Namespace) -> int:
    from sem_field_ros.datasets.image_files import write_color
    from sem_field_synth.rendering.sheet import contact_sheet

    if args.out.suffix not in (".png", ".jpg"):
        raise SettingError(f"{args.out}: the picture's name must end in .png or .jpg")
    picture = contact_sheet(args.folders, args.frames, args.columns, args.width)
    write_color(args.out, picture)
    print(f"{args.out}: {len(args.folders)} sequences, {picture.shape[1]}x{picture.shape[0]}")
    return 0
