"""`sem-field generate subset` on the bundled sample."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from sem_field_ros.commands.generate.subset import _OPTIONAL, add_subset
from sem_field_ros.datasets.folder import FolderSequence
from sem_field_ros.errors import DataError
from sem_field_synth.subset import OPTIONAL

ROOM = Path(__file__).resolve().parents[2] / "samples" / "room"


def _run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_subset(parser.add_subparsers())
    args = parser.parse_args(["subset", *arguments])
    return int(args.generate(args))


def test_subset_of_the_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(str(ROOM), "--out", str(tmp_path / "a"), "--frames", "4") == 0
    assert _run(str(ROOM), "--out", str(tmp_path / "b"), "--every", "15", "--keep") == 0
    assert [f.name for f in FolderSequence(tmp_path / "a" / "room")] == ["000000", "000013", "000026", "000039"]
    bare = FolderSequence(tmp_path / "b" / "room")
    assert len(bare) == 3 and bare.labels is None and not bare.has_depth
    assert (tmp_path / "b" / "room" / "mesh_labels.ply").is_file()
    assert "4 of 40 frames" in capsys.readouterr().out
    with pytest.raises(DataError, match="at least 1"):
        _run(str(ROOM), "--out", str(tmp_path / "c"), "--frames", "0")


def test_the_flags_choices_are_what_the_writer_knows() -> None:
    assert _OPTIONAL == OPTIONAL
