"""scripts/env.sh in the shells people have, make's commands, and setup.sh's one clear line when it cannot go on."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
VENV = Path(os.environ.get("VENV") or ROOT / ".venv")
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
        ({"GPU": "cuda"}, "GPU=cuda: give 1 for torch with CUDA, 0 for its CPU build"),
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


@pytest.fixture()
def torch_setup(tmp_path: Path) -> Callable[..., tuple[subprocess.CompletedProcess[str], list[str]]]:
    """Run setup.sh with an environment whose pip only notes what it is asked for; returns that too.

    found     what scripts/torch_build.py prints before pip was called
    brings    the requirement (with the index, if one is given) that pip succeeds with; afterwards `found_then` is there
    """

    def run(found: str = "", brings: str = "-", found_then: str = "", **environment: str):
        venv, calls = tmp_path / "venv", tmp_path / "calls"
        (venv / ".sem_field").mkdir(parents=True)
        (venv / "bin").mkdir()
        (venv / ".sem_field" / "venv.stamp").write_text(f"{ROOT}|{sys.executable}|wheels\n")
        (tmp_path / "torch").write_text(found)
        (venv / "bin" / "python").write_text(
            f"""#!/bin/sh
            case "$*" in
              *torch_build.py) cat {tmp_path}/torch ;;
              "-c import pip") ;;
              *) echo "$*" >>{calls}
                 case "$*" in *"{brings}") echo "{found_then}" >{tmp_path}/torch ;; *) exit 1 ;; esac ;;
            esac
            """
        )
        (venv / "bin" / "python").chmod(0o755)
        environment |= {"VENV": str(venv), "PYTHON": sys.executable, "ROS_SETUP": "wheels"}
        out = shell(str(ROOT / "scripts" / "setup.sh"), **environment)
        asked = [c.removeprefix("-m pip install --no-input ") for c in calls.read_text().splitlines()]
        return out, asked

    return run


PIN = re.findall(r"^torch==(.+)$", (ROOT / "requirements" / "constraints.txt").read_text(), flags=re.M)[0]
CPU_INDEX = (
    "-i " + re.findall(r'^cpu_torch_index="(https://.+?)"', (ROOT / "scripts" / "setup.sh").read_text(), flags=re.M)[0]
)


def test_setup_stops_without_a_cpu_build_of_torch(torch_setup: Callable) -> None:
    """It looks in two places and never takes CUDA for want of anything else."""
    out, asked = torch_setup()
    assert asked == [f"--no-deps torch=={PIN}+cpu", f"--no-deps {CPU_INDEX} torch=={PIN}+cpu"]
    assert out.returncode == 1 and len(out.stderr.splitlines()) == 1
    assert "TORCH_INDEX=URL" in out.stderr and "GPU=1" in out.stderr


@pytest.mark.parametrize(
    ("environment", "brings"),
    [
        ({}, f"--no-deps torch=={PIN}+cpu"),
        ({}, f"{CPU_INDEX} torch=={PIN}+cpu"),
        ({"TORCH_INDEX": "file:///mine"}, f"-i file:///mine torch=={PIN}+cpu"),
        ({"GPU": "1"}, f"--no-deps torch==={PIN}"),
        ({"GPU": "1", "TORCH_INDEX": "file:///mine"}, f"-i file:///mine torch=={PIN}"),
    ],
)
def test_setup_takes_the_build_of_torch_that_was_asked_for(
    torch_setup: Callable, environment: dict[str, str], brings: str
) -> None:
    kind = "cuda" if "GPU" in environment else "cpu"
    _, asked = torch_setup(brings=brings, found_then=f"{PIN} {kind} own", **environment)
    assert asked[-2].endswith(brings) and "-r" in asked[-1], "then the other requirements"


@pytest.mark.parametrize(
    ("found", "gpu", "kept"),
    [
        (f"{PIN}+cpu cpu own", "", True),
        (f"{PIN} cuda own", "", True),  # the choice of an earlier GPU=1
        (f"{PIN} cuda own", "0", False),
        (f"{PIN}+cpu cpu own", "1", False),
        ("2.7.0 cpu own", "", False),
        ("2.7.0a0+git cuda system", "", True),  # installed beside the ROS of the robot
        ("2.7.0a0+git cuda system", "0", False),
        ("1.13.1 cpu system", "", False),  # Debian 12's, too old
    ],
)
def test_setup_keeps_a_torch_that_fits(torch_setup: Callable, tmp_path: Path, found: str, gpu: str, kept: bool) -> None:
    _, asked = torch_setup(found=found, GPU=gpu)
    assert ("-r" in asked[0]) == kept
    constraints = (tmp_path / "venv" / ".sem_field" / "constraints.txt").read_text()
    if kept and "system" in found:
        assert constraints.endswith("torch==2.7.0a0+git\n") and "\nnvidia-" not in constraints
    else:
        assert constraints == (ROOT / "requirements" / "constraints.txt").read_text()


def test_torch_build_of_this_environment() -> None:
    probe = "import torch; print(torch.version.cuda)"
    cuda = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout.strip()
    build = [sys.executable, str(ROOT / "scripts" / "torch_build.py")]
    version, kind, _ = subprocess.run(build, capture_output=True, text=True, check=True).stdout.split()
    assert version == importlib.metadata.version("torch") and kind == ("cpu" if cuda == "None" else "cuda")


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
