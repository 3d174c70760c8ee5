"""`sem-field demo` end to end: real nodes as processes over real DDS, on a wall whose labels are known by hand."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from sem_field_ros.datasets.folder_writer import write_sequence
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.ply import read_ply
from sem_field_ros.segmentation.registry import DEFAULT_SEGMENTER, label_source

CAMERA = Intrinsics(80.0, 80.0, 39.5, 29.5, 80, 60)
CHAIR, TABLE = 5, 7  # ids of scannet20: the wall's left and right half
FRAMES = 12
KEYS = {
    "frames_in", "frames_mapped", "drops", "fps", "latency_ms", "cloud_points", "mesh_triangles", "points_per_class",
    "peak_rss_mb", "miou", "accuracy", "sequence", "segmenter", "label_set",
}  # fmt: skip


@pytest.fixture(scope="module")
def wall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder sequence: a camera that moves sideways in front of a wall at 1.5 m, red left of x = 0, blue right."""
    folder = tmp_path_factory.mktemp("wall") / "wall"
    write_sequence(folder, (wall_frame(i) for i in range(FRAMES)), {"label_set": "scannet20", "name": "wall"})
    return folder


def wall_frame(i: int) -> PosedFrame:
    x = 0.04 * i - 0.2
    T = np.array([[1.0, 0, 0, x], [0, 0, 1, 0], [0, -1, 0, 1], [0, 0, 0, 1]])  # looks along y, z is up
    right = np.broadcast_to(x + (np.arange(80) - CAMERA.cx) / CAMERA.fx * 1.5 > 0, (60, 80))
    color = np.where(right[..., None], np.uint8([0, 0, 255]), np.uint8([255, 0, 0])).astype(np.uint8)
    labels = np.where(right, TABLE, CHAIR).astype(np.uint8)
    stamp_ns = 5_000_000_000 + i * 200_000_000
    return PosedFrame(stamp_ns, color, CAMERA, T, np.full((60, 80), 1.5, np.float32), labels)


def start_demo(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sem_field_ros.cli", "demo", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def children_of(pid: int) -> list[int]:
    """Process ids of the direct children that are running."""
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue  # it ended meanwhile
        if int(parent) == pid and state != "Z":
            children.append(int(stat.parent.name))
    return children


def test_the_demo_maps_a_sequence_and_leaves_the_four_files(wall: Path, tmp_path: Path) -> None:
    demo = start_demo("--seq", str(wall), "--out", str(tmp_path / "demo"), "--segmenter", "external")
    output, _ = demo.communicate(timeout=100)
    assert demo.returncode == 0, output
    assert output.startswith("wall: 12 frames, played at 1x; ground-truth labels (ROS_DOMAIN_ID=")
    report = json.loads((tmp_path / "demo" / "report.json").read_text())
    assert report.keys() >= KEYS
    assert (report["sequence"], report["segmenter"], report["label_set"]) == ("wall", "external", "scannet20")
    assert report["frames_in"] == FRAMES
    assert report["frames_mapped"] + sum(report["drops"].values()) == FRAMES
    assert report["frames_mapped"] > 3
    assert report["miou"] > 0.8  # pixels at the rim of the map and where the halves meet count as wrong
    assert set(report["points_per_class"]) <= {"chair", "table", "unlabelled"}
    assert min(report["points_per_class"][name] for name in ("chair", "table")) > 100
    assert report["latency_ms"]["p95"] >= report["latency_ms"]["p50"] > 0
    assert report["peak_rss_mb"] > 50
    assert report["config"]["voxel_size_m"] == 0.05
    assert "notes" not in report
    assert f"mIoU against the labels of the sequence {report['miou']:.3f}" in output
    assert report["label_source"] == "ground-truth labels" and "labels   ground-truth" in output
    check_files(tmp_path / "demo", report)


def test_by_default_labels_are_predicted_and_frames_without_time_stamps_wait_to_be_mapped(
    wall: Path, tmp_path: Path
) -> None:
    untimed = tmp_path / "untimed"
    shutil.copytree(wall, untimed)
    (untimed / "timestamps.txt").unlink()
    demo = start_demo("--seq", str(untimed), "--out", str(tmp_path / "demo"))
    output, _ = demo.communicate(timeout=100)
    assert demo.returncode == 0, output
    report = json.loads((tmp_path / "demo" / "report.json").read_text())
    assert (report["frames_in"], report["frames_mapped"], report["drops"]) == (FRAMES, FRAMES, {})
    assert (report["segmenter"], report["label_source"]) == (DEFAULT_SEGMENTER, label_source(DEFAULT_SEGMENTER))
    assert "because they have no time stamps" in output and "labels   predicted by homes and ade20k" in output
    assert 0 <= report["miou"] < 0.8, "a plain wall is not what the net knows: scored, and badly"


def check_files(folder: Path, report: dict) -> None:
    """The files agree with the report and with the wall."""
    cloud, _ = read_ply(folder / "semantic_cloud.ply")
    assert len(cloud["x"]) == report["cloud_points"]
    side = np.abs(cloud["x"]) > 0.1  # away from where the two halves meet
    known = side & (cloud["label"] != 255)
    np.testing.assert_array_equal(cloud["label"][known], np.where(cloud["x"][known] > 0, TABLE, CHAIR))
    assert known.sum() > 0.8 * side.sum()
    assert np.abs(cloud["y"] - 1.5).max() < 0.05
    mesh, faces = read_ply(folder / "mesh.ply")
    assert len(faces) == report["mesh_triangles"] > 200
    assert len(mesh["x"]) >= report["cloud_points"]
    assert cv2.imread(str(folder / "preview.png")).shape[2] == 3


def test_a_mapper_that_cannot_start_ends_the_demo_with_one_clear_line(wall: Path, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("of an earlier run")
    demo = start_demo("--seq", str(wall), "--out", str(tmp_path), "--segmenter", "onnx:/nowhere.onnx")
    output, _ = demo.communicate(timeout=60)
    assert demo.returncode == 1
    lines = output.strip().splitlines()
    assert lines[-1].startswith("sem-field demo: semantic_mapper could not be configured")
    assert any("/nowhere.onnx" in line for line in lines[1:-1]), output
    assert not (tmp_path / "report.json").exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_no_process(wall: Path, tmp_path: Path, how: signal.Signals) -> None:
    demo = start_demo("--seq", str(wall), "--out", str(tmp_path))
    nodes = wait_for_children(demo.pid, 3)
    os.kill(demo.pid, how)
    output, _ = demo.communicate(timeout=30)
    assert demo.returncode == 130, output
    assert "interrupted" in output
    assert not [pid for pid in nodes if runs(pid)]


def test_a_node_that_dies_ends_the_demo(wall: Path, tmp_path: Path) -> None:
    demo = start_demo("--seq", str(wall), "--out", str(tmp_path))
    nodes = wait_for_children(demo.pid, 3)
    mapper = next(pid for pid in nodes if b"semantic_mapper" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(mapper, signal.SIGKILL)
    output, _ = demo.communicate(timeout=30)
    assert demo.returncode == 1
    assert "sem-field demo: semantic_mapper ended with signal SIGKILL" in output


def runs(pid: int) -> bool:
    """Whether a process is there and not just waiting to be reaped, which is init's work."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for_children(pid: int, count: int) -> list[int]:
    deadline = time.monotonic() + 30
    while len(nodes := children_of(pid)) < count:
        assert time.monotonic() < deadline, "the demo did not start its nodes"
        time.sleep(0.05)
    return nodes
