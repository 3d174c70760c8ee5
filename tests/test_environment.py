"""scripts/env.sh in the shells people have, make's commands, and setup.sh's one clear line when it cannot go on."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
VENV = Path(os.environ.get("VENV", ROOT / ".venv"))
ENV = ROOT / "scripts" / "env.sh"
BARE = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", "VENV": str(VENV)}

needs_venv = pytest.mark.skipif(not (VENV / ".sem_field" / "pythonpath").is_file(), reason="not set up by setup.sh")


def shell(script: str, shell: str = "bash", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a shell that knows nothing of this one."""
    return subprocess.run([shell, "-c", script], cwd="/", env={**BARE, **environment}, capture_output=True, text=True)


@needs_venv
@pytest.mark.parametrize("options", ["set -e", "set -eu", "set -euo pipefail"])
def test_env_gives_a_working_python_from_any_folder(options: str) -> None:
    probe = "import sys, rclpy.node, sem_field_msgs.srv, tf2_msgs.msg, vision_msgs.msg; print(sys.prefix)"
    out = shell(f'{options}; . "{ENV}"; python -c "{probe}"; command -v sem-field; echo $-')
    assert out.stderr == ""
    prefix, command, flags = out.stdout.splitlines()
    assert prefix == str(VENV) and command == str(VENV / "bin" / "sem-field")
    assert ("u" in flags) == ("u" in options), "the shell's options are left as they are"


@needs_venv
def test_env_twice_changes_nothing_and_leaves_no_traces() -> None:
    once = shell(f'. "{ENV}"; env | sort; compgen -v | grep _sf_; declare -F | grep _sf_')
    twice = shell(f'. "{ENV}"; . "{ENV}"; env | sort; compgen -v | grep _sf_; declare -F | grep _sf_')
    assert once.stdout == twice.stdout
    assert "_sf_" not in once.stdout


@needs_venv
def test_env_survives_what_else_is_active(tmp_path: Path) -> None:
    """A foreign PYTHONPATH with a broken numpy, a PYTHONHOME, another middleware, the mark of other ROS wheels."""
    if (VENV / ".sem_field" / "ros").read_text().strip() != "wheels":
        pytest.skip("an installed ROS 2 owns these variables")
    (tmp_path / "numpy.py").write_text("raise ImportError('the wrong numpy')")
    foreign = {
        "PYTHONPATH": str(tmp_path),
        "PYTHONHOME": str(tmp_path),
        "RMW_IMPLEMENTATION": "rmw_other",
        "AMENT_PREFIX_PATH": str(tmp_path),
        "_ROS_WHEELS_BOOTSTRAP_COMPLETE": "1",
        "ROS_DOMAIN_ID": "99",
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }
    script = "import rclpy; rclpy.init(); print(rclpy.create_node('probe').get_name())"
    out = shell(f'. "{ENV}"; python -c "{script}"', **foreign)
    assert out.stdout == "probe\n" and out.stderr == ""


@needs_venv
def test_env_names_a_profile_that_exists_and_keeps_the_users() -> None:
    chosen = shell(f'. "{ENV}"; echo $FASTDDS_DEFAULT_PROFILES_FILE').stdout.strip()
    assert Path(chosen).parent == ROOT / "config" / "dds" and Path(chosen).is_file()
    kept = shell(f'. "{ENV}"; echo $FASTDDS_DEFAULT_PROFILES_FILE', FASTDDS_DEFAULT_PROFILES_FILE="/mine.xml")
    assert kept.stdout.strip() == "/mine.xml"


def test_env_without_a_set_up_says_what_to_do(tmp_path: Path) -> None:
    out = shell(f'. "{ENV}"; echo "status $?"', VENV=str(tmp_path / "none"))
    assert out.stdout == "status 1\n"
    assert "make setup" in out.stderr and len(out.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        ({"ROS_SETUP": "/nowhere/setup.bash"}, "ROS_SETUP=/nowhere/setup.bash does not exist"),
        ({"PYTHON": "python2.1"}, "PYTHON=python2.1 does not exist"),
        ({"PYTHON": "/bin/true"}, "is not a Python 3.10 to 3.14"),
    ],
)
def test_setup_refuses_in_one_line(tmp_path: Path, environment: dict[str, str], complaint: str) -> None:
    if "PYTHON" in environment and environment["PYTHON"] == "/bin/true":
        (tmp_path / "python").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "python").chmod(0o755)
        environment = {"PYTHON": str(tmp_path / "python")}
    out = shell(str(ROOT / "scripts" / "setup.sh"), VENV=str(tmp_path / "venv"), **environment)
    assert out.returncode == 1
    assert complaint in out.stderr and len(out.stderr.splitlines()) == 1
    assert not (tmp_path / "venv").exists()


def test_setup_leaves_a_foreign_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "thesis.tex").write_text("years of work")
    out = shell(str(ROOT / "scripts" / "setup.sh"), VENV=str(tmp_path / "venv"), ROS_SETUP="wheels")
    assert out.returncode == 1 and "was not made by this script" in out.stderr
    assert [p.name for p in (tmp_path / "venv").iterdir()] == ["thesis.tex"]


def make(*arguments: str) -> str:
    """What make would run."""
    out = subprocess.run(["make", "-n", *arguments], cwd=ROOT, env=BARE, capture_output=True, text=True, check=True)
    return out.stdout


def test_make_demo_passes_its_variables_on() -> None:
    assert "sem-field demo --out 'out/demo'" in " ".join(make("demo").split())
    assert "sem-field demo --depth-source predicted --out" in " ".join(make("demo", "MODE=rgb").split())
    line = make("demo", "SEQ=/data/my kitchen's", "OUT=/tmp/a b", "ARGS=--voxel-size-m 0.02")
    assert r"--seq '/data/my kitchen'\''s' --out '/tmp/a b'" in line and line.rstrip().endswith("--voxel-size-m 0.02")


def test_make_help_lists_the_commands() -> None:
    out = subprocess.run(["make"], cwd=ROOT, env=BARE, capture_output=True, text=True, check=True)
    for target in ("setup", "demo", "test", "lint", "bench", "clean"):
        assert f"make {target} " in out.stdout


@pytest.mark.parametrize(
    "script", sorted([*(ROOT / "scripts").glob("*.sh"), ROOT / ".ci" / "run"]), ids=lambda p: p.name
)
def test_scripts_parse_and_can_be_run(script: Path) -> None:
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0
    assert os.access(script, os.X_OK) or script.name == "env.sh"
