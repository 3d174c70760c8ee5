"""The snippets in docs/map_files.md do what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.files.map_file import load_map
from sem_field_ros.mapping.mapper import Mapper
from tests.mapping.scene import LABELS, wall_frame, wall_probabilities

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "map_files.md"


class WallSegmenter:
    labels = LABELS

    def segment(self, frame):
        return wall_probabilities(frame)


def test_snippets_and_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    mapper = Mapper(MapConfig(min_weight=1.0), WallSegmenter())
    for i in range(3):
        mapper.register_frame(wall_frame(0.2 * i, stamp_ns=i))
    monkeypatch.chdir(tmp_path)
    save_and_load, plain = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names = {"semantic_map": mapper.map}
    exec(save_and_load, names)
    assert capsys.readouterr().out == "['kitchen']\n"
    assert len(names["semantic_map"].surface()) == len(mapper.map.surface())
    exec(plain, {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and all(line.split()[-1] in ("left", "right", "unlabelled") for line in lines)
    table = text[text.index("## The arrays") : text.index("## Reading one")]
    assert set(
        re.findall(r"`(\w+)`(?=[,` |])", "\n".join(row.split("|")[1] for row in table.splitlines() if "| `" in row))
    )
    for name, array in load_map(tmp_path / "maps", "kitchen").arrays.items():
        (row,) = [row for row in table.splitlines() if row.startswith("|") and f"`{name}`" in row.split("|")[1]]
        assert str(array.dtype) in row, row
        assert row.split("[")[1].split("]")[0].count(",") + 1 == array.ndim, row
