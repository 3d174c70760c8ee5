"""Former names of `sem-field train`'s kinds and flags: taken with a warning, or told in one line where they moved."""

from __future__ import annotations

from pathlib import Path

import pytest

from sem_field_ros import cli


def failed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines on stderr of a call that ends with exit code 2."""
    code = cli.main(["train", *arguments])
    captured = capsys.readouterr()
    assert code == 2 and captured.out == ""
    return captured.err.splitlines()


def test_train_field_is_train_gnesf_with_one_line_of_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = failed(["field", "--data", str(tmp_path), "--out", str(tmp_path / "run"), "--no-ask-views"], capsys)
    assert lines[0].startswith("sem-field train gnesf: --no-ask-views is called --no-image-based now; ")
    assert lines[1].startswith("sem-field train: train field is called train gnesf now; ")
    assert "no scene in" in lines[2] and len(lines) == 3


@pytest.mark.parametrize("flag", ["--training", "--validation", "--pooling=log", "--spoilt-views", "--copies"])
def test_the_former_flags_of_train_gnesf_say_where_they_are_now(capsys: pytest.CaptureFixture[str], flag: str) -> None:
    (line,) = failed(["gnesf", flag, "x", "--out", "run"], capsys)
    assert line == (
        "sem-field train gnesf: the map's fusion is trained by `sem-field train fusion` now, "
        "and `train gnesf` trains the field"
    )


def test_former_kinds_are_not_listed(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = failed(["fusoin"], capsys)
    assert "none of segmenter, rooms, fusion, context, gnesf, gsnerf, depth, export; did you mean fusion?" in line
    assert " field" not in cli.command_parser("train").format_help()
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    assert "\n    field" not in capsys.readouterr().out


def test_the_vote_is_trained_with_its_former_flag_of_corrupt_views() -> None:
    arguments = ["fusion", "--training", "a", "--validation", "b", "--out", "run", "--spoilt-views", "0.1"]
    assert cli.command_parser("train").parse_args(arguments).corrupt_share == 0.1
