"""What a command that fails leaves of its output folder: nothing that is empty, everything that is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from sem_field_ros import cli
from sem_field_ros.commands.output_folders import no_empty_folders

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "room"


def test_new_and_empty_folders_go_when_the_block_fails(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    with pytest.raises(ValueError, match="boom"), no_empty_folders([out]):
        (out / "logs" / "deep").mkdir(parents=True)
        raise ValueError("boom")
    assert list(tmp_path.iterdir()) == []


def test_what_was_written_stays(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    with pytest.raises(KeyboardInterrupt), no_empty_folders([out]):
        (out / "logs").mkdir(parents=True)
        (out / "empty").mkdir()
        (out / "logs" / "node.log").write_text("x")
        raise KeyboardInterrupt
    assert [path.name for path in out.iterdir()] == ["logs"] and (out / "logs" / "node.log").is_file()


def test_folders_that_were_there_stay(tmp_path: Path) -> None:
    (tmp_path / "out" / "old").mkdir(parents=True)
    with pytest.raises(ValueError, match="boom"), no_empty_folders([tmp_path / "out"]):
        (tmp_path / "out" / "new").mkdir()
        raise ValueError("boom")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["old"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "empty").mkdir(parents=True)
    with pytest.raises(ValueError, match="boom"), no_empty_folders([tmp_path / "out"]):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "link").symlink_to(tmp_path / "elsewhere")
        raise ValueError("boom")
    assert (tmp_path / "elsewhere" / "empty").is_dir()


def test_success_keeps_everything(tmp_path: Path) -> None:
    with no_empty_folders([tmp_path / "out"]):
        (tmp_path / "out" / "empty").mkdir(parents=True)
    assert (tmp_path / "out" / "empty").is_dir()


@pytest.mark.parametrize(
    "command",
    [
        "map {no_sequence} --out {out}",
        "map {sample} --out {out} --segmenter onnx:no.onnx",
        "map {sample} --out {out} --label-set no-such-set",
        "demo --seq {no_sequence} --out {out}",
        "demo --seq {sample} --out {out} --segmenter nothing",
        "bag {no_sequence} --out {out}/file.mcap",
        "generate subset {no_sequence} --out {out}",
        "generate objects --sheet {out}/sheet.tiff",
        "generate objects --assets {no_sequence} --sources catalogue --out {out}",
        "generate homes --assets {no_sequence} --renderer raster --out {out}",
        "generate sheet {no_sequence} --out {out}/sheet.png",
        "evaluate sequences {no_sequence} --out {out}/rows.json",
        "evaluate picture {no_sequence} --out {out}/picture.png",
        "evaluate novel-views {no_sequence} --out {out}/rows.json --picture {out}/picture.png",
        "evaluate votes {no_sequence} --votes {out}/votes --out {out}/rows.json",
        "train segmenter --data {no_sequence} --out {out}",
        "train segmenter --data {no_sequence} --out {out} --resume",
        "train depth --data {no_sequence} --out {out}",
        "train export {no_sequence} {out}/model",
    ],
)
def test_a_failed_command_leaves_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    words = [word.format(out=tmp_path / "out", no_sequence=empty, sample=SAMPLE) for word in command.split()]
    code = cli.main(words)
    assert code in (1, 2), capsys.readouterr()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty"] and not list(empty.iterdir())
