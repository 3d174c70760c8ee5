"""Every `sem-field` and `make` command in the documents exists, with the flags that it is given there."""

from __future__ import annotations

import argparse
import re
import shlex
from functools import cache
from pathlib import Path

import pytest

from sem_field_ros.cli import COMMANDS, command_parser

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("samples/*.md"), *ROOT.glob("models/*/README.md")]
)
FACTS = re.compile(r"<!-- facts.*?<!-- end of facts -->", flags=re.S)  # commands as they were given then
BLOCK = re.compile(r"^```.*?^```|(?:^    (?! *[-*|] )[^\n]*\n)+", flags=re.M | re.S)


def texts(document: Path) -> tuple[str, str]:
    """A document's code blocks, and the rest."""
    text = FACTS.sub("", document.read_text(encoding="utf-8"))
    return "\n".join(match.group() for match in BLOCK.finditer(text)), BLOCK.sub("\n\n", text)


def calls(document: Path, program: str) -> list[list[str]]:
    """The arguments of every call of `program`: in blocks, one a line; in the text, what is in backticks."""
    blocks, text = texts(document)
    lines = re.sub(r"\\\n\s*", " ", blocks).splitlines()
    spans = [re.sub(r"\s+", " ", span) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", text)]
    found = []
    for line in lines + [span for span in spans if span.startswith(program)]:
        line = re.split(r"\s#", line)[0]
        for match in re.finditer(rf"(?:^|[\s;&]){program}\s([^;&|]*)", line):
            found.append(shlex.split(match[1].replace("[", "").replace("]", "")))
    return found


@cache
def parsers(command: str) -> dict[str, argparse.ArgumentParser]:
    """The parser of a command under "", and those of its subcommands."""
    parser = command_parser(command)
    subs = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return {"": parser, **{name: sub for choices in subs for name, sub in choices.items()}}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if d.name != "CHANGELOG.md"], ids=name_of)
def test_commands_have_the_flags_they_are_given(document: Path) -> None:
    for words in calls(document, "sem-field"):
        if not words or words[0].startswith("-") or words[0].isupper():
            continue
        command, *rest = words
        assert command in COMMANDS, words
        known = parsers(command)
        if len(known) > 1 and rest and not rest[0].startswith("-") and rest[0].islower():
            assert rest[0] in known, words
            parser = known[rest.pop(0)]
        else:
            parser = known[""]
        options = set(parser._option_string_actions)
        if "--ros-args" in rest:  # what follows is for ROS
            rest = rest[: rest.index("--ros-args")]
        flags = {word.partition("=")[0] for word in rest if word.startswith("--")}
        assert flags <= options, (words, flags - options)
        if command == "up" and rest and ":=" in " ".join(rest):
            check_launch_arguments(rest)


def check_launch_arguments(words: list[str]) -> None:
    from sem_field_ros.nodes.graph import arguments_of

    known = {argument.name for argument in arguments_of(words[0])}
    assert {word.partition(":=")[0] for word in words[1:] if ":=" in word} <= known, words


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_launch_files_and_their_arguments_exist(document: Path) -> None:
    for words in calls(document, "ros2 launch sem_field_ros"):
        if words[0].endswith(".launch.py"):
            assert (ROOT / "launch" / words[0]).is_file(), words
            check_launch_arguments([words[0].removesuffix(".launch.py"), *words[1:]])


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_make_targets_exist(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.M))
    variables = set(re.findall(r"^([A-Z]+) \?=|\$\(([A-Z]+)\)", makefile, flags=re.M))
    known = {name for pair in variables for name in pair if name} | {"VENV", "GPU", "PYTHON", "ROS_SETUP"}
    for words in calls(document, "make"):
        if words and re.fullmatch(r"[a-z-]+", words[0]):
            assert words[0] in targets, words
            assert {word.partition("=")[0] for word in words[1:] if "=" in word} <= known, words


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_scripts_exist(document: Path) -> None:
    for words in calls(document, "python"):
        if words and words[0].endswith(".py") and "/" in words[0]:
            assert (ROOT / words[0]).is_file(), words


def test_calls_are_found(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(
        "Run `sem-field map\nSEQ --out X`.\n\n    sem-field up rgb \\\n        view:=true  # a comment\n\n"
        "```bash\nfor S in 1; do sem-field bag $S --out a; done && sem-field demo\n```\n"
    )
    assert calls(document, "sem-field") == [
        ["up", "rgb", "view:=true"],
        ["bag", "$S", "--out", "a"],
        ["demo"],
        ["map", "SEQ", "--out", "X"],
    ]
