"""`sem-field`: the table of commands, one-line errors, exit codes, and parsers that cost no heavy import."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from sem_field_ros import __version__, cli
from sem_field_ros.cli_reference import reference
from sem_field_ros.errors import DataError

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def fake_command(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A command `fake` whose `run` raises what `fake_command.error` holds, else returns its --code."""
    module = types.ModuleType("fake_command")
    module.HELP = "nothing"  # type: ignore[attr-defined]
    module.error = None  # type: ignore[attr-defined]
    module.add_arguments = lambda parser: parser.add_argument("--code", type=int, default=0)  # type: ignore[attr-defined]

    def run(args: object) -> int:
        if module.error:
            raise module.error
        return args.code  # type: ignore[attr-defined]

    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fake_command", module)
    monkeypatch.setitem(cli.COMMANDS, "fake", "fake_command")
    return module


def interrupted_import() -> ImportError:
    """What a compiled package raises when Ctrl-C comes while it is loaded."""
    error = ImportError("initialization failed")
    error.__cause__ = KeyboardInterrupt()
    return error


def test_help_lists_every_command_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--help"])
    assert end.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    for name, module in cli.COMMANDS.items():
        source = ROOT / "src" / (module.replace(".", "/") + ".py")
        (line,) = [line for line in lines if line.startswith(f"  {name} ")]
        assert len(line.split()) > 3, f"{name} has no HELP line in {source}"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0 and capsys.readouterr().out == f"sem-field {__version__}\n"


def test_no_command_shows_the_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "commands:" in capsys.readouterr().err


def test_an_unknown_command_is_one_line_that_names_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["mpa"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "no command 'mpa'" in error and "map" in error and "view" in error


def test_a_command_gets_its_arguments_and_gives_its_exit_code(fake_command: types.ModuleType) -> None:
    assert cli.main(["fake", "--code", "7"]) == 7


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (DataError("x has no images; give a sequence"), 2, "sem-field: x has no images; give a sequence"),
        (KeyboardInterrupt(), 130, "sem-field: interrupted"),
        (interrupted_import(), 130, "sem-field: interrupted"),
        (ModuleNotFoundError("No module named 'rclpy'", name="rclpy"), 2, "sem-field: the Python package 'rclpy' is"),
    ],
)
def test_errors_are_one_line(
    fake_command: types.ModuleType, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, line: str
) -> None:
    fake_command.error = error
    assert cli.main(["fake"]) == code
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith(line) and captured.err.count("\n") == 1


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), ImportError("cannot import name"), ModuleNotFoundError("x", name="sem_field_ros.x")]
)
def test_our_own_mistakes_keep_their_traceback(fake_command: types.ModuleType, error: Exception) -> None:
    fake_command.error = error
    with pytest.raises(type(error)):
        cli.main(["fake"])


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_the_parser_of_a_command_needs_no_ros_and_no_torch(name: str) -> None:
    code = f"""
import sys
from sem_field_ros.cli import command_parser
command_parser({name!r}).format_help()
heavy = {{"torch", "open3d", "rclpy"}} & set(sys.modules)
sys.exit(f"imports {{heavy}}" if heavy else 0)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_help_is_found_without_an_import_whatever_its_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i, source in enumerate(["HELP = 'a' ' b'", "import nowhere\nHELP: str = 'a b'", "x = 1"]):
        (tmp_path / f"command_{i}.py").write_text(source)
        assert ast.parse(source)
        monkeypatch.setitem(cli.COMMANDS, f"c{i}", f"command_{i}")
    monkeypatch.syspath_prepend(tmp_path)
    assert [cli.command_help(f"c{i}") for i in range(3)] == ["a b", "a b", ""]


def test_the_reference_in_docs_is_what_the_commands_say() -> None:
    found = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert found == reference(), "run: python -m sem_field_ros.cli_reference > docs/cli.md"
