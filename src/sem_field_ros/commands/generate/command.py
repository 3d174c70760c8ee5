"""`sem-field generate`: makes labelled data in the folder format."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.progress import track

from sem_field_ros.commands.argument_types import at_least, positive
from sem_field_ros.commands.generate.homes import add_homes
from sem_field_ros.commands.generate.objects import add_objects
from sem_field_ros.commands.generate.subset import add_subset
from sem_field_ros.commands.generate.truth import add_truth

HELP = "make labelled data: a synthetic room, furnished homes, objects with part labels"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare one subcommand per kind of data."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    room = kinds.add_parser("room", help="one small furnished room seen by a hand-held RGB-D camera")
    room.add_argument("--out", type=Path, required=True, help="folder to write; must not hold a sequence yet")
    room.add_argument("--seed", type=int, default=7, help="same seed, same room, camera path and noise (default 7)")
    room.add_argument("--frames", type=positive, default=40, help="how many frames (default 40)")
    room.add_argument(
        "--width", type=at_least(32, int), default=320, help="image width in pixels; height is 3/4 of it (default 320)"
    )
    room.add_argument(
        "--rate-hz", type=at_least(0.1, float), default=10.0, help="frames per second of the stamps (default 10)"
    )
    room.add_argument("--clean", action="store_true", help="no sensor noise: exact depth, noise-free colour")
    room.add_argument("--fast", action="store_true", help="one ray per pixel: rougher pictures in a tenth of the time")
    room.set_defaults(generate=_room)
    add_homes(kinds)
    add_objects(kinds)
    add_subset(kinds)
    add_truth(kinds)


def run(args: argparse.Namespace) -> int:
    """Run the chosen subcommand."""
    return int(args.generate(args))


def _room(args: argparse.Namespace) -> int:
    from sem_field_ros.datasets.folder_writer import write_sequence
    from sem_field_synth.rooms.mesh import write_labelled_mesh
    from sem_field_synth.rooms.render import FAST, Quality
    from sem_field_synth.rooms.room import RoomConfig, SyntheticRoom

    config = RoomConfig(
        seed=args.seed,
        frames=args.frames,
        width=args.width,
        height=args.width * 3 // 4,
        rate_hz=args.rate_hz,
        noise=not args.clean,
        quality=FAST if args.fast else Quality(),
    )
    room = SyntheticRoom(config)
    command = f"sem-field generate room --seed {args.seed} --frames {args.frames} --width {args.width}"
    command += f" --rate-hz {args.rate_hz:g}" + " --clean" * args.clean + " --fast" * args.fast
    meta = {"label_set": room.labels.name, "name": room.name, "generator": command}
    count = write_sequence(args.out, track(room, description="ray casting", total=len(room)), meta)
    write_labelled_mesh(args.out / "mesh_labels.ply", room)
    print(f"{args.out}: {count} frames, {config.width}x{config.height}, labels {room.labels.name}, mesh_labels.ply")
    return 0
