"""The Python examples of README.md and docs/python.md run, and print what the documents say they print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NUMBER = re.compile(r"-?\d+\.\d+")


def snippets(name: str) -> list[str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, flags=re.S)


def check_same(printed: str, documented: str) -> None:
    """Words are equal, numbers nearly: processors round differently."""
    assert NUMBER.sub("#", printed.strip()) == NUMBER.sub("#", documented.strip())
    ours, theirs = [list(map(float, NUMBER.findall(text))) for text in (printed, documented)]
    assert ours == pytest.approx(theirs, abs=0.05)


def test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("samples", "models"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    first, *others = snippets("docs/python.md")
    names: dict[str, object] = {}
    exec(first, names)
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    documented = re.search(r"```text\n(.*?)```", page, flags=re.S)
    assert documented is not None
    check_same(capsys.readouterr().out, documented[1])
    for snippet in others:
        exec(snippet, names)
    assert (tmp_path / "out" / "mesh.ply").is_file()
    view = names["view"]
    assert view.rgb.shape == (240, 320, 3) and view.covered.mean() > 0.9  # type: ignore[attr-defined]


def test_readme_has_the_first_example() -> None:
    (example,) = snippets("README.md")
    lines = [line.split("  #")[0] for line in example.splitlines()]
    assert lines == [line.split("  #")[0] for line in snippets("docs/python.md")[0].splitlines()]
    readme, page = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/python.md")]
    printed = re.search(r"prints `([^`]+)`", readme)
    assert printed is not None and printed[1] in page
