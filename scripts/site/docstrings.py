"""A griffe extension that turns docstrings into Markdown: aligned columns keep their layout, shapes are no links."""

from __future__ import annotations

import re
from typing import Any

import griffe

COLUMNS = re.compile(r"\S {2,}\S")  # two spaces inside a line
CODE = re.compile(r"(`[^`]*`)")
TWO_BRACKETS = re.compile(r"\](\s?)\[")  # Markdown takes `[N] [C]` for a link


class PlainDocstrings(griffe.Extension):
    """Prepares every docstring before it is rendered."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = "\n\n".join(map(markdown, re.split(r"\n\s*\n", obj.docstring.value)))


def markdown(paragraph: str) -> str:
    """A paragraph with everything from its first to its last aligned line (and what continues it) as a text block."""
    lines = paragraph.split("\n")
    aligned = [i for i, line in enumerate(lines) if COLUMNS.search(line)]
    if not aligned:
        return escaped(paragraph)
    first, last = aligned[0], aligned[-1]
    while last + 1 < len(lines) and lines[last + 1].startswith(" "):
        last += 1
    block = "\n".join(["```text", *lines[first : last + 1], "```"])
    parts = (escaped("\n".join(lines[:first])), block, escaped("\n".join(lines[last + 1 :])))
    return "\n\n".join(part for part in parts if part)


def escaped(text: str) -> str:
    """The text without accidental links outside of code."""
    pieces = CODE.split(text)
    return "".join(p if i % 2 else TWO_BRACKETS.sub(r"]\1\\[", p) for i, p in enumerate(pieces))
