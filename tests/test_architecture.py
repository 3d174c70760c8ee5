"""Imports go one way, floor by floor, and only ros/ and nodes/ know ROS."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "src"
SOURCE = ROOT / "sem_field_ros"
SYNTH = ROOT / "sem_field_synth"
FLOORS = (
    {"errors", "parallel", "measurements", "exit_codes"},
    {"settings", "atomic", "resources"},
    {"geometry"},
    {"labels"},
    {"frame", "weights"},
    {"surface"},
    {"scene"},
    {"camera_stream"},
    {"datasets", "ros"},
    {"segmentation", "results"},
    {"fields"},
    {"fusion", "depth", "context"},
    {"mapping"},
    {"evaluation", "viewer"},
    {"training"},
    {"nodes"},
    {"commands"},
    {"cli"},
    {"cli_reference"},
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
CORE_OF_SYNTH = {"errors", "parallel", "settings", "atomic", "resources", "geometry", "labels", "frame", "datasets"}
MAX_LINES, MAX_MODULES = 300, 20
MESSAGE_PACKAGES = ("_msgs", "_srvs", "_interfaces")
MODULES = sorted(SOURCE.rglob("*.py"))
SYNTH_MODULES = sorted(SYNTH.rglob("*.py"))


def name_of(path: Path) -> str:
    """`mapping.surface` for mapping/surface.py."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


@cache
def imports_of(path: Path, in_functions: bool = True) -> frozenset[str]:
    """Every module a file imports, with or without those inside functions, but not those for type checkers alone."""
    return frozenset(_walk(ast.parse(path.read_text(encoding="utf-8")), in_functions))


def _walk(node: ast.AST, in_functions: bool) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) and not in_functions:
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield from _walk(child, in_functions)


def own_imports(path: Path, in_functions: bool = True) -> set[str]:
    """Modules of this package that a file imports, without the package's name."""
    imports = imports_of(path, in_functions)
    names = {name.partition(".")[2] for name in imports if name.startswith("sem_field_ros.")}
    return {name for name in names if name.partition(".")[0] in FLOOR_OF}


def test_every_room_has_its_floor() -> None:
    rooms = {p.stem for p in SOURCE.iterdir() if p.suffix == ".py" or p.is_dir() and any(p.glob("*.py"))}
    assert rooms - {"__init__", "__pycache__"} == set(FLOOR_OF)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_down(path: Path) -> None:
    room = name_of(path).partition(".")[0]
    if room == "__init__":
        return
    for name in own_imports(path):
        target = name.partition(".")[0]
        if target == room:
            continue
        assert FLOOR_OF[target] < FLOOR_OF[room], f"{name_of(path)} imports {name}: same floor or above"


@pytest.mark.parametrize("path", SYNTH_MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_generators_use_the_lower_floors_of_the_core(path: Path) -> None:
    rooms = {name.split(".")[1] for name in imports_of(path) if name.startswith("sem_field_ros.")}
    assert rooms <= CORE_OF_SYNTH


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_commands_know_the_generators(path: Path) -> None:
    if not name_of(path).startswith("commands.generate."):
        assert not [name for name in imports_of(path) if name.startswith("sem_field_synth")]


@pytest.mark.parametrize("path", MODULES + SYNTH_MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_are_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_folders_are_small() -> None:
    folders = {path.parent for path in MODULES + SYNTH_MODULES}
    sizes = {folder.relative_to(ROOT).as_posix(): len(list(folder.glob("*.py"))) for folder in folders}
    assert not {name: size for name, size in sizes.items() if size > MAX_MODULES + 1}  # and __init__


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_ros_and_nodes_know_ros(path: Path) -> None:
    if name_of(path).partition(".")[0] in ("ros", "nodes"):
        return
    roots = {name.partition(".")[0] for name in imports_of(path)}
    ros = {root for root in roots if root in ("rclpy", "tf2_ros", "launch") or root.endswith(MESSAGE_PACKAGES)}
    assert not ros, f"{name_of(path)} imports {ros}"


def test_no_circles_between_modules() -> None:
    """An import inside a function (of one of several implementations, say) is none when the module is loaded."""
    graph = {name_of(path): own_imports(path, in_functions=False) for path in MODULES}

    def modules(name: str) -> Iterator[str]:
        yield from (m for m in (name, name.rpartition(".")[0], f"{name}.__init__") if m in graph)

    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail[trail.index(module) :], module))
        if module in done:
            return
        for name in graph[module]:
            for target in modules(name):
                if target != module:
                    visit(target, (*trail, module))
        done.add(module)

    for module in graph:
        visit(module, ())
