"""One room in several formats on disk scores the same: numbers do not depend on the layout they were measured in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sem_field_ros import cli
from tests.tiny_room import tiny_room

COMMON = [
    "--segmenter",
    "external",
    "--fusion",
    "gnesf",
    "--voxel-size-m",
    "0.1",
    "--min-weight",
    "1",
    "--benchmark",
    "b",
]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_room(tmp_path_factory.mktemp("formats"), frames=6, width=96)


def as_scannet(room: Path, out: Path) -> Path:
    """The layout of scannet_frames_25k: 4x4 intrinsics of two cameras, labels in NYU-40 ids, as ScanNet-20's are."""
    for kind in ("color", "depth", "pose", "label"):
        shutil.copytree(room / kind, out / kind)
    K = np.eye(4)
    K[:3, :3] = np.loadtxt(room / "intrinsics.txt")
    for camera in ("color", "depth"):  # both images have one size here
        np.savetxt(out / f"intrinsics_{camera}.txt", K)
    return out


def rows(command: str, sequence: str, out: Path) -> dict[tuple[str, str, str], float]:
    assert cli.main(["evaluate", command, sequence, *COMMON, "--out", str(out)]) == 0
    content = {(r["benchmark"], r["method"], r["metric"]): r["value"] for r in json.loads(out.read_text())}
    return {key: value for key, value in content.items() if key[2] != "ms_per_image"}


@pytest.mark.parametrize("command", ["sequences", "novel-views"])
def test_scannets_layout_scores_as_a_folder_does(room: Path, tmp_path: Path, command: str) -> None:
    scan = as_scannet(room, tmp_path / "scene0000_00")
    folder = {k: v for k, v in rows(command, str(room), tmp_path / "a.json").items() if k[2].endswith("2d")}
    found = rows(command, f"scannet:{scan}", tmp_path / "b.json")
    assert ("b/external/scannet20" if command == "sequences" else "b, novel views/external/scannet20") in {
        benchmark for benchmark, _, _ in folder
    }
    assert folder and {key: found[key] for key in folder} == pytest.approx(folder, abs=0.02)
    assert any(value > 0 for (_, method, metric), value in found.items() if (method, metric) == ("gnesf", "miou_2d"))
