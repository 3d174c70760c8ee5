"""Child processes of the demo: output kept, endings told, nobody left behind; no ROS in here."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sem_field_ros.commands.child_processes import (
    Child,
    StatusLine,
    fresh_folder,
    node_environment,
    private_domain,
    problem_of,
)
from sem_field_ros.errors import OutputError
from sem_field_ros.nodes.graph import NodeSpec


def python_child(tmp_path: Path, code: str, lines: list[str] | None = None) -> Child:
    """A `node` that runs Python code."""
    heard = [] if lines is None else lines
    spec = NodeSpec(sys.executable, "talker", package="elsewhere", arguments=("-c", code))
    return Child(spec, tmp_path / "talker.log", dict(os.environ), lambda name, line: heard.append(f"{name}: {line}"))


def wait(child: Child) -> None:
    child.process.wait(20)


def test_output_goes_to_the_log_and_line_by_line_to_us(tmp_path: Path) -> None:
    lines: list[str] = []
    child = python_child(tmp_path, "import sys; print('one'); print(); print('two', file=sys.stderr)", lines)
    wait(child)
    assert child.end_line() == f"talker ended with code 0: two (its whole output: {tmp_path / 'talker.log'})"
    assert lines == ["talker: one", "talker: two"]
    assert child.log.read_text().split() == ["one", "two"]


def test_death_by_signal_is_told(tmp_path: Path) -> None:
    child = python_child(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    wait(child)
    assert child.end_line().startswith("talker ended with signal SIGKILL (")


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_a_child_does_not_outlive_a_parent_that_was_killed(tmp_path: Path) -> None:
    code = f"""
import os, sys, time
from pathlib import Path
from sem_field_ros.commands.child_processes import Child
from sem_field_ros.nodes.graph import NodeSpec
spec = NodeSpec(sys.executable, "talker", package="elsewhere", arguments=("-c", "import time; time.sleep(60)"))
child = Child(spec, Path({str(tmp_path / "log")!r}), dict(os.environ), lambda name, line: None)
print(child.process.pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_running(pid)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(pid)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("[WARN] [1795237225.203] [semantic_mapper]: frame lost: x", "semantic_mapper: frame lost: x"),
        ("[ERROR] [1.0] [a.b]: no", "a.b: no"),
        ("[INFO] [1795237225.203] [semantic_mapper]: all is well", None),
        ("Traceback (most recent call last):", None),
    ],
)
def test_warnings_and_errors_of_ros_logs_are_found(line: str, problem: str | None) -> None:
    assert problem_of(line) == problem


def test_two_demos_have_two_domains_and_give_them_back() -> None:
    with private_domain() as first, private_domain() as second:
        assert first != second
        assert {first, second} <= set(range(215, 232))
    with private_domain() as again:
        assert again == first


def test_nodes_talk_on_this_machine_only() -> None:
    environment = node_environment(217)
    assert environment["ROS_DOMAIN_ID"] == "217"
    assert environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"


def test_old_results_are_removed_and_other_files_kept(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    fresh_folder(tmp_path, ("report.json", "mesh.ply"))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(OutputError, match="cannot write into .*choose another folder"):
        fresh_folder(tmp_path / "notes.txt" / "below", ())


def test_progress_overwrites_itself_on_a_terminal_and_is_thinned_elsewhere() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        status = StatusLine(stream)
        for i in range(6):
            status.update(str(i))
        status.say("done")
        status.close()
    assert terminal.getvalue() == "".join(f"\r\x1b[K{i}" for i in range(6)) + "\r\x1b[Kdone\n"
    assert file.getvalue() == "0\n5\ndone\n"
