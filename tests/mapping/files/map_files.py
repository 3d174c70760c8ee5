"""What the tests of map files share: a small map, comparing and finding its files, a saver to be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from sem_field_ros.errors import MapFileError
from sem_field_ros.mapping.files.map_file import MapState

SAVER = Path(__file__).with_name("map_saver.py")
NAME = "kitchen"


def example(number: int = 1) -> MapState:
    arrays = {
        "points": np.arange(30, dtype=np.float32).reshape(10, 3) * number,
        "mask": np.array([True, False]),
        "nothing": np.zeros((0, 4), np.float16),
    }
    return MapState(arrays, {"labels": ["Stuhl", "椅子"], "frame_id": "map", "scale": 0.1, "number": number})


def assert_same(state: MapState, wanted: MapState) -> None:
    assert state.header == wanted.header
    assert set(state.arrays) == set(wanted.arrays)
    for name, array in wanted.arrays.items():
        found = state.arrays[name]
        assert found.dtype == array.dtype.newbyteorder("=") and found.shape == array.shape
        np.testing.assert_array_equal(found, array)


def files(directory: Path) -> list[str]:
    return sorted(p.name for p in directory.iterdir() if p.name != ".semmap.lock")


def payload_of(directory: Path) -> Path:
    (payload,) = directory.glob(f"{NAME}.*.safetensors")
    return payload


def one_line(error: pytest.ExceptionInfo[MapFileError]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


class saver:
    """map_saver.py as a process: `tell(command, ...)` returns (child's pid, lines printed until it ended)."""

    def __enter__(self) -> tuple[Callable[..., tuple[int, list[str]]], Callable[..., Iterator[None]]]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        self.process = subprocess.Popen(
            [sys.executable, str(SAVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        return self.tell, self.start

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        assert self.process.wait(timeout=20) == 0
        self.process.stdout.close()

    def start(self, *command: object) -> int:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(" ".join(map(str, command)) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def finish(self) -> list[str]:
        assert self.process.stdout
        lines = [self.process.stdout.readline().strip()]
        while not lines[-1].startswith(("exit", "signal")):
            lines.append(self.process.stdout.readline().strip())
        return lines

    def tell(self, *command: object) -> tuple[int, list[str]]:
        return self.start(*command), self.finish()


def check_numbered(state: MapState) -> int:
    number = int(state.header["number"])
    assert set(state.arrays) == {"votes", "blocks"}
    assert state.arrays["votes"].shape == (400, 1000 + number % 7)
    assert all((array == number).all() for array in state.arrays.values())
    return number
