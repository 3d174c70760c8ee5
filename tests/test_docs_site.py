"""The site builds without warnings, has every page, search and API reference, and loads nothing from elsewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mkdocs", reason="requirements/docs.txt is not installed (make setup-dev)")
pytestmark = pytest.mark.timeout(300)  # the build counts for the first test
ROOT = Path(__file__).resolve().parents[1]
LOADED = re.compile(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"'](https?:[^\"']+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0 and "WARNING" not in built.stderr, built.stderr
    return folder


def test_every_document_is_a_page(site: Path) -> None:
    documents = [path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")]
    cards = [Path("models", path.parent.name + ".html") for path in ROOT.glob("models/*/README.md")]
    missing = [page for page in (*documents, *cards, Path("contributing.html")) if not (site / page).is_file()]
    assert len(cards) > 3 and not missing


def test_every_page_is_in_the_navigation(site: Path) -> None:
    page = (site / "index.html").read_text(encoding="utf-8")
    sections = re.findall(r'class="md-tabs__link">\s*([^<]+?)\s*<', page)
    assert {"Home", "Get started", "On a robot", "Data", "Files and API", "For developers"} <= set(sections)
    named = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:")[1]
    for document in (ROOT / "docs").rglob("*.md"):
        place = document.relative_to(ROOT / "docs").as_posix()
        assert place == "api/index.md" or f": {place}\n" in named, f"{place} is not in mkdocs.yml"


def test_the_api_reference_has_signatures_and_docstrings(site: Path) -> None:
    page = (site / "api/sem_field_ros/mapping/mapper.html").read_text(encoding="utf-8")
    text = re.sub(r"<[^>]+>", "", page)
    assert "register_frame" in text and "PosedFrame" in text and 'id="sem_field_ros.mapping.mapper.Mapper"' in page
    index = (site / "api/index.html").read_text(encoding="utf-8")
    assert "sem_field_ros/mapping/mapper.html" in index and "sem_field_synth/rooms/room.html" in index
    assert not (site / "api/sem_field_ros/cli.html").exists()


def test_the_search_finds_pages_and_names(site: Path) -> None:
    entries = json.loads((site / "search/search_index.json").read_text(encoding="utf-8"))["docs"]
    places = {entry["location"].partition("#")[0] for entry in entries}
    assert {"fusion.html", "contributing.html", "api/sem_field_ros/mapping/config.html"} <= places
    assert not any(place.startswith("source/") for place in places)
    assert (site / "search/search_index.js").is_file()  # for pages opened from a folder


def test_pages_load_nothing_from_other_servers(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 100
    loaded = {url for page in pages for url in LOADED.findall(page.read_text(encoding="utf-8"))}
    assert not loaded
