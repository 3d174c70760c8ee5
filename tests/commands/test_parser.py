"""Mistakes on the command line: one line with the nearest name, exit code 2, well under a second; negative axes."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from sem_field_ros import cli
from sem_field_ros.commands.parser import CommandParser, join_negative_axes
from sem_field_ros.errors import did_you_mean


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("demoo", ["no command 'demoo'", "did you mean demo?"]),
        ("map SEQ --out x --voxl 3", ["sem-field map: unknown flag --voxl;", "did you mean --voxel-size-m?"]),
        ("map --voxl=3", ["unknown flag --voxl;", "--voxel-size-m?"]),
        ("map SEQ --out x --voxel-size-m 0", ["--voxel-size-m", "must be 0.002 to 1, got 0.0"]),
        ("map SEQ --out x --views-per-voxel many", ["--views-per-voxel", "must be a whole number, got 'many'"]),
        ("map SEQ --out x --fusion bayesain", ["--fusion", "one of gnesf, bayesian", "did you mean bayesian?"]),
        ("map SEQ --out x --segmenter homs", ["--segmenter", "'homs' is unknown", "did you mean homes?"]),
        ("map SEQ", ["sem-field map: ", "required: --out"]),
        ("evaluate novle-views SEQ", ["'novle-views' is none of sequences, bag", "did you mean novel-views?"]),
        ("train fusion --stps 3", ["sem-field train fusion: unknown flag --stps;", "did you mean --steps?"]),
        ("up bringup viev:=true", ["unknown argument viev", "did you mean view?"]),
        ("view --up-axis up", ["--up-axis", "one of auto, x, y, z, -x, -y, -z", "got 'up'"]),
    ],
)
def test_a_mistake_is_one_line(capsys: pytest.CaptureFixture[str], command: str, words: list[str]) -> None:
    code = cli.main(command.split())
    captured = capsys.readouterr()
    assert code == 2 and captured.out == "" and captured.err.count("\n") == 1
    assert all(word in captured.err for word in words), captured.err


@pytest.mark.parametrize(
    "command",
    ["demoo", "map SEQ --out x --voxl 3", "train fusion --stps 3", "view --up-axis -w", "evaluate votes --weigths 3"],
)
def test_a_typo_costs_no_seconds(command: str) -> None:
    """Processor time, which other work on the machine does not change much."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    code = f"import sys; from sem_field_ros.cli import main; sys.exit(main({command.split()!r}))"
    before = os.times()
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    took = os.times()
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    used = took.children_user + took.children_system - before.children_user - before.children_system
    assert used < 1.0, f"{used:.2f} s of processor time, {time.monotonic() - started:.2f} s on the clock"


@pytest.mark.parametrize("axis", ["x", "y", "z", "-x", "-y", "-z"])
@pytest.mark.parametrize("form", ["--up-axis {}", "--up-axis={}"])
def test_axes_with_a_minus_are_values(axis: str, form: str) -> None:
    args = cli.command_parser("view").parse_args([*form.format(axis).split(), "--port", "9000"])
    assert (args.up_axis, args.port) == (axis, 9000)


def test_the_former_spelling_of_an_axis_is_understood() -> None:
    assert cli.command_parser("view").parse_args(["--up-axis", "+y"]).up_axis == "y"


def test_only_values_of_flags_are_joined() -> None:
    assert join_negative_axes(["-y", "SEQ", "-z", "--a", "-x", "--b=1", "-x", "--", "-z"]) == [
        "-y", "SEQ", "-z", "--a=-x", "--b=1", "-x", "--", "-z",
    ]  # fmt: skip


def test_what_comes_after_a_remainder_or_two_dashes_is_not_looked_at() -> None:
    args = cli.command_parser("view").parse_args(["--ros-args", "--log-level", "debug", "-r", "a:=b"])
    assert args.ros_args == ["--log-level", "debug", "-r", "a:=b"]
    parser = CommandParser(prog="p")
    parser.add_argument("words", nargs="*")
    assert parser.parse_args(["--", "--not-a-flag"]).words == ["--not-a-flag"]


def test_abbreviations_of_flags_are_known_flags() -> None:
    assert cli.command_parser("map").parse_args(["SEQ", "--out", "x", "--voxel", "0.02"]).voxel_size_m == 0.02


@pytest.mark.parametrize(
    ("word", "known", "found"),
    [
        ("--voxl", ["--voxel-size-m", "--views-per-voxel"], "; did you mean --voxel-size-m?"),
        ("mpa", ["demo", "map", "up"], "; did you mean map?"),
        ("zzz", ["demo", "map"], ""),
        ("demo", [], ""),
    ],
)
def test_the_nearest_name(word: str, known: list[str], found: str) -> None:
    assert did_you_mean(word, known) == found
