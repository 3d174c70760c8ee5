"""The parser of every command: a mistake is one line with the nearest name, and `-y` can be a value: `--up-axis -y`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from sem_field_ros.errors import UsageError, did_you_mean
from sem_field_ros.geometry.axes import AXES


class CommandParser(argparse.ArgumentParser):
    """An ArgumentParser that raises UsageError with one line, without the usage: a page for most commands."""

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self.moved: dict[str, str] = {}  # flags that another command has now -> the line that says so

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        words = join_negative_axes(sys.argv[1:] if args is None else list(args))
        self._refuse_unknown_flags(words)  # first: argparse would rather ask for what is missing
        return super().parse_known_args(words, namespace)

    def error(self, message: str) -> NoReturn:
        raise UsageError(self.prog, f"{message} (`{self.prog} --help` lists all arguments)")

    def _refuse_unknown_flags(self, words: Sequence[str]) -> None:
        flags = self._option_string_actions
        for word in words:
            name = word.partition("=")[0]
            if word == "--" or (name in flags and flags[name].nargs == argparse.REMAINDER):
                return
            if self._subparsers is not None and not word.startswith("-"):
                return  # the rest is the subcommand's
            if name in self.moved:
                raise UsageError(self.prog, self.moved[name])
            if name.startswith("--") and not any(flag.startswith(name) for flag in flags):
                self.error(f"unknown flag {name}{did_you_mean(name, shown_flags(self))}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        names = shown_kinds(action) if isinstance(action, argparse._SubParsersAction) else map(str, action.choices)
        known = list(names)
        line = f"'{value}' is none of {', '.join(known)}{did_you_mean(str(value), known)}"
        raise argparse.ArgumentError(action, line)


def join_negative_axes(words: list[str]) -> list[str]:
    """`--up-axis -y` as `--up-axis=-y`: argparse takes a word with a leading dash for a flag."""
    out: list[str] = []
    for word in words:
        follows_flag = bool(out) and out[-1].startswith("--") and "=" not in out[-1] and len(out[-1]) > 2
        if word in AXES and word.startswith("-") and follows_flag:
            out[-1] += f"={word}"
        else:
            out.append(word)
    return out


def shown_flags(parser: argparse.ArgumentParser) -> Iterator[str]:
    """The flags that --help lists."""
    for flag, action in parser._option_string_actions.items():
        if action.help != argparse.SUPPRESS:
            yield flag


def shown_kinds(action: argparse._SubParsersAction[Any]) -> list[str]:
    """The subcommands that --help lists: those that were given a help."""
    return [str(choice.dest) for choice in action._choices_actions]


def add_former_kind(kinds: argparse._SubParsersAction[Any], old: str, new: str) -> None:
    """Let a subcommand still be called by its former name, which --help does not list; the caller warns."""
    kinds._name_parser_map[old] = kinds._name_parser_map[new]


def move_flags(source: argparse.ArgumentParser, target: argparse.ArgumentParser, line: str) -> None:
    """Let flags that only `target` has be answered by `line` where they are given to `source`, which had them once."""
    assert isinstance(source, CommandParser)
    source.moved |= dict.fromkeys(target._option_string_actions.keys() - source._option_string_actions.keys(), line)
