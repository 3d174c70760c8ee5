"""Phrases that were removed from the documents stay out; pages render alike on a forge and on the site."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("samples/*.md"), *ROOT.glob("models/*/README.md")]
)
BANNED = (
    r"of our own\b",
    r"\b(?:is|are) no (?!longer|more)\w",  # "is no sequence folder"
    r"\bheeds?\b",
    r"so manieth",
    r"(?:is|are) to be had",
    r"nobody wants",
    r"more right than",
    r"scripts that were not kept",
    r"taken up again",
    r"\bspoil(?:t|s|ed)?\b",  # corrupt
    r"\b(?:voxel|view|card|map|table|data set|it)s? (?:says? that|knows? of|tells? that)\b",
    r"\bin context of\b",  # smoothed
    r"--ask-views|--context-m\b|\bcontext_m\b|\bgeometry_weights\b|train field\b",  # former names
)
FACTS = re.compile(r"<!-- facts.*?<!-- end of facts -->", flags=re.S)  # commands as they were given then


def prose(path: Path) -> str:
    """A document without recorded commands; the changelog describes what changed, former names among it."""
    return FACTS.sub("", path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if d.name != "CHANGELOG.md"], ids=name_of)
def test_banned_phrases_stay_out(document: Path) -> None:
    text = re.sub(r"\s+", " ", prose(document))
    found = [match.group() for phrase in BANNED for match in re.finditer(phrase, text, flags=re.I)]
    assert not found


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_lists_begin_after_an_empty_line(document: Path) -> None:
    """The site's Markdown joins a list to the paragraph right above it; a forge does not."""
    lines = re.sub(r"^```.*?^```", "", prose(document), flags=re.M | re.S).splitlines()
    item = re.compile(r"\s*(?:[-*]|\d+\.) ")
    for above, line in zip(lines, lines[1:], strict=False):
        if item.match(line) and above.strip() and not item.match(above) and not above.startswith((" ", "#")):
            pytest.fail(f"{document.name}: {line}")


def test_every_term_of_the_glossary_is_defined_once() -> None:
    section = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Glossary")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in row.split("|")[1:3]] for row in section.splitlines() if row.startswith("| ")]
    terms = [term for names, _ in rows[1:] for term in names.split(", ")]
    assert len(terms) == len(set(terms)) and all(meaning for _, meaning in rows)
    wanted = {"keyframe", "view", "vote", "fusion", "fused", "smoothed", "corrupt view", "recipe", "scene", "field"}
    assert wanted | {"segmenter", "label set", "submap", "class index", "class id"} <= set(terms)
    first = [names.split(", ")[0] for names, _ in rows[1:]]
    assert first == sorted(first, key=str.lower)
