"""`sem-field`: one table of commands; only the called one is imported.

A command is a module with `HELP: str`, `add_arguments(parser)` and `run(args) -> exit code`.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sem_field_ros import __version__
from sem_field_ros.errors import SemFieldError, UsageError, did_you_mean
from sem_field_ros.exit_codes import DONE, INTERRUPTED, REFUSED

# name -> module; add a command here
COMMANDS: dict[str, str] = {
    "bag": "sem_field_ros.commands.bag",
    "demo": "sem_field_ros.commands.demo",
    "evaluate": "sem_field_ros.commands.evaluate.command",
    "export": "sem_field_ros.commands.export",
    "generate": "sem_field_ros.commands.generate.command",
    "map": "sem_field_ros.commands.map",
    "train": "sem_field_ros.commands.train.command",
    "up": "sem_field_ros.commands.up",
    "view": "sem_field_ros.commands.view",
}


def command_help(name: str) -> str:
    """The HELP line of a command, read without importing the module (torch, rclpy and viser take seconds)."""
    spec = importlib.util.find_spec(COMMANDS[name])
    if spec is None or spec.origin is None:
        return ""
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "HELP" and isinstance(node, (ast.Assign, ast.AnnAssign)):
            return str(ast.literal_eval(node.value)) if node.value else ""
    return ""


def top_parser() -> argparse.ArgumentParser:
    """The parser of `sem-field` without a command: --help lists the commands."""
    width = max(map(len, COMMANDS)) + 2
    table = "\n".join(f"  {name:<{width}}{command_help(name)}" for name in sorted(COMMANDS))
    parser = argparse.ArgumentParser(
        prog="sem-field",
        usage="sem-field [-h] [--version] COMMAND ...",
        description="Live semantic maps from a robot's RGB-D stream.",
        epilog=f"commands:\n{table}\n\n`sem-field COMMAND --help` describes one.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sem-field {__version__}")
    return parser


def command_parser(name: str) -> argparse.ArgumentParser:
    """Import one command and return its parser; the parsed namespace carries the command's `run`."""
    from sem_field_ros.commands.parser import CommandParser

    module = importlib.import_module(COMMANDS[name])
    parser = CommandParser(prog=f"sem-field {name}", description=module.HELP)
    module.add_arguments(parser)
    parser.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0 done, 2 a mistake told in one line, 130 interrupted."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if not argv or argv[0].startswith("-"):
        parser = top_parser()
        parser.parse_args(argv)  # --help and --version end here
        parser.print_help(sys.stderr)
        return REFUSED
    try:
        return _run_command(argv[0], argv[1:])
    except UsageError as error:
        return _fail(str(error), REFUSED, error.command)
    except SemFieldError as error:
        return _fail(str(error), REFUSED)
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)
    except ImportError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):  # Ctrl-C while a compiled package is being loaded
            return _fail("interrupted", INTERRUPTED)
        if not isinstance(error, ModuleNotFoundError) or (error.name or "").startswith("sem_field_ros"):
            raise  # no missing package: a mistake of ours
        advice = "run `make setup`, then `source scripts/env.sh`"
        return _fail(f"the Python package '{error.name}' is missing: {advice}", REFUSED)
    except BrokenPipeError:  # `sem-field ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED


def _run_command(name: str, arguments: list[str]) -> int:
    if name not in COMMANDS:
        names = sorted(COMMANDS)
        raise SemFieldError(f"no command '{name}' among {', '.join(names)}{did_you_mean(name, names)}")
    from sem_field_ros.commands.output_folders import no_empty_folders, targets_of

    args = command_parser(name).parse_args(arguments)
    with no_empty_folders(targets_of(args)) as folders:
        code = int(args.run(args))
        if code != DONE:
            folders.remove_empty()
    return code


def _fail(line: str, code: int, command: str = "sem-field") -> int:
    print(f"{command}: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
