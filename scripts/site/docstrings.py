"""A griffe extension: lines of a docstring that are aligned in columns keep their layout on the site."""

from __future__ import annotations

import re
from typing import Any

import griffe

COLUMNS = re.compile(r"\S {2,}\S")  # two spaces inside a line


class AlignedColumns(griffe.Extension):
    """Fences every paragraph's run of aligned lines, which Markdown would join into one."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = "\n\n".join(map(fence, re.split(r"\n\s*\n", obj.docstring.value)))


def fence(paragraph: str) -> str:
    """The paragraph with everything from its first to its last aligned line (and what continues it) as text."""
    lines = paragraph.split("\n")
    aligned = [i for i, line in enumerate(lines) if COLUMNS.search(line)]
    if not aligned:
        return paragraph
    first, last = aligned[0], aligned[-1]
    while last + 1 < len(lines) and lines[last + 1].startswith(" "):
        last += 1
    block = "\n".join(["```text", *lines[first : last + 1], "```"])
    return "\n\n".join(part for part in ("\n".join(lines[:first]), block, "\n".join(lines[last + 1 :])) if part)
