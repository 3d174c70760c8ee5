"""`sem-field up`: nodes as child processes; stand-ins (small Python scripts) take the place of the nodes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sem_field_ros import cli
from sem_field_ros.commands import up
from sem_field_ros.errors import SettingError
from sem_field_ros.nodes.graph import NodeSpec

STAYS = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); open('{mark}', 'w'); time.sleep(60)"


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> dict[str, subprocess.Popen[bytes]]:
    """Start `NodeSpec.executable` as Python code; returns the processes that were started, by node name."""
    started: dict[str, subprocess.Popen[bytes]] = {}

    def start(spec: NodeSpec) -> subprocess.Popen[bytes]:
        started[spec.name] = subprocess.Popen([sys.executable, "-S", "-c", spec.executable], start_new_session=True)
        return started[spec.name]

    monkeypatch.setattr(up, "start_node", start)
    return started


def test_a_dying_node_ends_everything_and_is_told(stand_ins: dict, capfd: pytest.CaptureFixture[str]) -> None:
    code = up.run_nodes([NodeSpec(STAYS, "mapper"), NodeSpec("raise SystemExit(3)", "viewer")])
    assert code == 1
    assert "viewer died with code 3" in capfd.readouterr().err
    assert stand_ins["mapper"].poll() is not None


def test_a_replay_that_is_over_ends_everything_well(stand_ins: dict) -> None:
    assert up.run_nodes([NodeSpec(STAYS, "mapper"), NodeSpec("pass", "player", ends_graph=True)]) == 0
    assert stand_ins["mapper"].poll() is not None


def test_a_player_that_leaves_alone_ends_nothing(stand_ins: dict) -> None:
    start = time.monotonic()
    assert up.run_nodes([NodeSpec("import time; time.sleep(1)", "mapper"), NodeSpec("pass", "player")]) == 0
    assert time.monotonic() - start >= 1.0, "stayed until the last node left"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_interrupting_stops_all_nodes_and_is_no_failure(stand_ins: dict, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    threading.Timer(0.7, os.kill, (os.getpid(), number)).start()
    assert up.run_nodes([NodeSpec(STAYS, "mapper"), NodeSpec(STAYS, "viewer")]) == 0
    assert all(p.poll() is not None for p in stand_ins.values())
    assert signal.getsignal(number) is before


def test_a_node_that_does_not_listen_is_killed(
    stand_ins: dict, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(up, "_GRACE_S", 0.5)
    mark = tmp_path / "ignores SIGINT"
    ends = f"import os, time\nwhile not os.path.exists('{mark}'): time.sleep(0.05)"
    specs = [NodeSpec(STUBBORN.format(mark=mark), "mapper"), NodeSpec(ends, "player", ends_graph=True)]
    assert up.run_nodes(specs) == 0
    assert stand_ins["mapper"].returncode == -signal.SIGKILL
    assert "killed" in capfd.readouterr().err


def test_arguments_are_parsed_as_ros2_launch_does() -> None:
    assert up.parse_arguments(["path:=/a:=b", "namespace:="]) == {"path": "/a:=b", "namespace": ""}
    with pytest.raises(SettingError, match="key:=value"):
        up.parse_arguments(["path=/a"])


def test_show_args_lists_every_argument(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["up", "replay", "--show-args"]) == 0
    out = capsys.readouterr().out
    for name in ("namespace", "use_sim_time", "params_file", "autostart", "log_level", "path", "rate"):
        assert f"  {name} " in out


def test_mistakes_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["up", "replay"]) == 2
    assert cli.main(["up", "bringup", "voxel_size:=0.1"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "replay needs path:=" in lines[0] and "unknown argument voxel_size" in lines[1]


def test_a_missing_program_is_told() -> None:
    with pytest.raises(SettingError, match="rviz9 is not installed"):
        up.start_node(NodeSpec("rviz9", "rviz9", package="rviz9"))


def test_nodes_get_the_dds_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FASTDDS_DEFAULT_PROFILES_FILE", raising=False)
    monkeypatch.delenv("FASTRTPS_DEFAULT_PROFILES_FILE", raising=False)
    script = tmp_path / "node"
    script.write_text('#!/bin/sh\necho "$FASTDDS_DEFAULT_PROFILES_FILE"\n')
    script.chmod(0o755)
    process = up.start_node(NodeSpec(str(script), "node", package="other"), stdout=subprocess.PIPE)
    out, _ = process.communicate(timeout=10)
    assert Path(out.decode().strip()).is_file()
