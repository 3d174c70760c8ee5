"""`sem-field train export`: a run's weights as a model to ship, with its card and the facts of its README."""

from __future__ import annotations

import argparse
from pathlib import Path

from sem_field_ros.exit_codes import DONE

HELP = "write a run's best weights as a model to ship"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("folder", metavar="RUN", type=Path, help="folder of a run")
    parser.add_argument(
        "out",
        metavar="DIR",
        type=Path,
        help="folder NAME to write NAME.safetensors, NAME.json and the facts in README.md to",
    )
    parser.add_argument("--last", action="store_true", help="the last validated weights instead of the best ones")
    parser.add_argument("--full", action="store_true", help="float32 instead of float16, twice the size")


def run(args: argparse.Namespace) -> int:
    """Write the weights, their card and the README's facts."""
    from sem_field_ros.measurements import size_text
    from sem_field_ros.training.loop.run_folder import RunFolder
    from sem_field_ros.training.model_card import write_facts
    from sem_field_ros.weights import load_card, load_weights, save_weights

    folder = RunFolder(args.folder)
    source = folder.last if args.last else folder.best
    state, card = load_weights(source, load_card(source).kind)
    path = args.out / f"{args.out.resolve().name}.safetensors"
    card = save_weights(path, state, card, half=not args.full)
    write_facts(args.out / "README.md", path, card)
    print(f"{path}: {size_text(path.stat().st_size)}, step {card.training.get('step')}")
    return DONE
