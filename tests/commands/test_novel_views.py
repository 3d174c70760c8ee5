"""`sem-field evaluate novel-views` on a tiny room: rows, picture, one-line mistakes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import pytest
import torch

from sem_field_ros import cli
from sem_field_ros.evaluation.novel_views import MAP_COLORS, NEAREST, WARPED
from sem_field_ros.evaluation.results import IMAGES
from sem_field_ros.fields.gsnerf.config import tiny
from sem_field_ros.fields.gsnerf.model import Gsnerf
from sem_field_ros.fusion.registry import FUSIONS, GNESF_MODEL
from sem_field_ros.resources import resource_path
from sem_field_ros.weights import WeightsCard, save_weights
from tests.tiny_room import tiny_room

SMALL = ["--voxel-size-m", "0.1", "--min-weight", "1"]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_room(tmp_path_factory.mktemp("rooms"), frames=24, width=96)


def test_rows_and_picture(room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, picture, vote = tmp_path / "rows.json", tmp_path / "views.png", tmp_path / "other" / "vote.safetensors"
    vote.parent.mkdir()
    shipped = resource_path(GNESF_MODEL)
    for suffix in (".safetensors", ".json"):
        shutil.copy(shipped.with_suffix(suffix), vote.with_suffix(suffix))
    command = [
        "evaluate",
        "novel-views",
        str(room),
        str(room),
        "--segmenter",
        "external",
        "--max-frames",
        "8",
        "--hold-out",
        "3",
    ]
    more = ["--fusion-weights", str(vote), "--out", str(out), "--picture", str(picture)]
    assert cli.main([*command, *SMALL, *more]) == 0
    rows = {(r["benchmark"], r["method"], r["metric"]): r["value"] for r in json.loads(out.read_text())}
    assert {benchmark for benchmark, _, _ in rows} == {"tiny, novel views/external/scannet20"}
    assert {method for _, method, _ in rows} == {*FUSIONS, "other", IMAGES}
    values = {key[1:]: value for key, value in rows.items()}
    assert values["other", "miou_2d"] == values["gnesf", "miou_2d"] > 0.3  # the same weights
    assert values[IMAGES, "accuracy_2d"] > 0.97 > values["gnesf", "accuracy_2d"]
    printed = capsys.readouterr()
    assert "novel views" in printed.out and "covered mIoU" in printed.out and "needs a label image" in printed.err
    assert cv2.imread(str(picture)).shape[1] == 6 * 204 - 4


@pytest.mark.parametrize("source", ["sensor", "map"])
def test_target_depth_of_a_field_is_a_flag(room: Path, tmp_path: Path, source: str) -> None:
    out, weights = tmp_path / "rows.json", tmp_path / "untrained" / "untrained.safetensors"
    weights.parent.mkdir()
    torch.manual_seed(0)
    card = WeightsCard("gsnerf_field", tiny(20).as_dict(), output={"views": 8, "image_width": 96})
    save_weights(weights, Gsnerf(tiny(20)).state_dict(), card)
    command = ["evaluate", "novel-views", str(room), "--max-frames", "8", "--hold-out", "3", *SMALL]
    flags = ["--fusion", "bayesian", "--segmenter", "external", "--field", str(weights), "--field-width", "96"]
    more = ["--field-target-depth", source, "--field-views", "6", "--field-samples", "3", "--out", str(out)]
    assert cli.main([*command, *flags, *more]) == 0
    values = {(r["method"], r["metric"]): r["value"] for r in json.loads(out.read_text())}
    assert values["untrained", "psnr_covered"] > 21 and values["untrained", "accuracy_2d"] > 0.7


def test_mistakes_are_told_in_one_line(room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = str(resource_path(GNESF_MODEL))
    for arguments, message in (
        (["--hold-out", "5", "--max-frames", "2"], "none of its 2 frames is held out"),
        (["--fusion-weights", weights, weights], "could not be told apart"),
        (["--field", weights], "holds a 'gnesf_map', which is not a field"),
        (["--picture", str(tmp_path / "x.gif")], "must end in .png or .jpg"),
    ):
        assert cli.main(["evaluate", "novel-views", str(room), "--segmenter", "external", *SMALL, *arguments]) == 2
        lines = capsys.readouterr().err.strip().splitlines()
        assert message in lines[-1] and lines[-1].startswith("sem-field:")
    assert cli.main(["evaluate", "novel-views", str(room), "--hold-out", "1"]) == 2
    assert "must be at least 2" in capsys.readouterr().err


def test_without_label_images_colours_alone_are_scored(
    room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, out, picture = tmp_path / "plain", tmp_path / "rows.json", tmp_path / "views.png"
    shutil.copytree(room, plain)
    shutil.rmtree(plain / "label")
    command = ["evaluate", "novel-views", str(plain), "--max-frames", "8", "--hold-out", "3", *SMALL]
    assert cli.main([*command, "--out", str(out), "--picture", str(picture)]) == 0
    values = {(r["benchmark"], r["method"], r["metric"]): r["value"] for r in json.loads(out.read_text())}
    metrics = ("psnr", "psnr_covered", "ssim")
    assert set(values) == {("plain, novel views", name, m) for name in (MAP_COLORS, WARPED, NEAREST) for m in metrics}
    blurred, warped = (values["plain, novel views", name, "psnr_covered"] for name in (MAP_COLORS, WARPED))
    assert 20 < blurred < warped < 60
    printed = capsys.readouterr().out
    assert "PSNR" in printed and "SSIM" in printed and "mIoU" not in printed
    assert cv2.imread(str(picture)).shape[1] == 6 * 204 - 4


def test_the_colours_are_scored_alike_with_and_without_labels(room: Path, tmp_path: Path) -> None:
    def psnr(name: str) -> float:
        out = tmp_path / f"{name}.json"
        command = ["evaluate", "novel-views", str(room), "--max-frames", "8", "--hold-out", "3", *SMALL]
        assert cli.main([*command, "--fusion", "bayesian", "--segmenter", name, "--out", str(out)]) == 0
        return next(
            r["value"] for r in json.loads(out.read_text()) if r["method"].endswith(WARPED) and r["metric"] == "psnr"
        )

    assert psnr("homes") == psnr("none")


def test_what_needs_labels_says_so_without_them(room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = tmp_path / "plain"
    shutil.copytree(room, plain)
    shutil.rmtree(plain / "label")
    weights = str(resource_path("models/gnesf_field_homes/gnesf_field_homes.safetensors"))
    for arguments, message in (
        (["--segmenter", "external"], "nothing to score: "),
        (["--segmenter", "none", "--field", weights], "--field needs a segmenter"),
    ):
        command = ["evaluate", "novel-views", str(plain), "--max-frames", "8", *SMALL, *arguments]
        assert cli.main(command) == 2
        assert message in capsys.readouterr().err.splitlines()[-1]
