"""docs/cli.md, made from the commands' parsers: `python -m sem_field_ros.cli_reference > docs/cli.md`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from sem_field_ros.cli import COMMANDS, command_parser

INTRODUCTION = """\
# Command line

Made from the commands themselves: `python -m sem_field_ros.cli_reference > docs/cli.md`; a test holds it to them.

`sem-field --help` lists the commands, `sem-field COMMAND --help` describes one, `sem-field --version` tells the
version. Exit codes: 0 done; 2 a mistake, told in one line on stderr; 130 interrupted by Ctrl-C.
"""


def reference() -> str:
    """The whole document as Markdown."""
    return "\n".join([INTRODUCTION, *(line for name in sorted(COMMANDS) for line in _command(name))]).rstrip() + "\n"


def _command(name: str) -> Iterator[str]:
    parser = command_parser(name)
    yield from (f"## sem-field {name}", "", f"{_sentence(parser.description or '')}", "")
    yield from _table(parser)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for choice in action._choices_actions:  # former names have none
                yield from (f"### sem-field {name} {choice.dest}", "", _sentence(choice.help or ""), "")
                yield from _table(action.choices[choice.dest])


def _table(parser: argparse.ArgumentParser) -> Iterator[str]:
    expand = parser._get_formatter()._expand_help
    rows = [
        (_spelling(action), expand(action).replace("|", "\\|"))
        for action in parser._actions
        if not isinstance(action, (argparse._HelpAction, argparse._SubParsersAction))
        and action.help not in (None, argparse.SUPPRESS)
    ]
    if rows:
        yield from ("| argument | meaning |", "|---|---|", *(f"| {spelling} | {text} |" for spelling, text in rows), "")


def _spelling(action: argparse.Action) -> str:
    """How an argument is written, e.g. `--voxel-size-m FLOAT` or `SEQ`."""
    value = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if action.choices:
        value = "{" + ",".join(map(str, action.choices)) + "}"
    if not action.option_strings:
        return f"`{action.metavar or value}`"
    takes_value = "" if action.nargs == 0 else f" {value}"
    return " ".join(f"`{option}{takes_value}`" for option in action.option_strings)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


if __name__ == "__main__":
    print(reference(), end="")
