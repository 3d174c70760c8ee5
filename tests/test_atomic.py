"""Atomic writing: whole or not at all, and JSON without NaN."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from sem_field_ros.atomic import atomic_write, write_json
from sem_field_ros.errors import OutputError


def test_the_file_appears_when_the_block_ends_and_the_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "x.bin"
    with atomic_write(path) as file:
        file.write(b"123")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == b"123" and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_what_was_there_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_write(path) as file:
        file.write(b"new")
        raise error
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_failing_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    message = f"cannot write {tmp_path}/x: No space left on device; free"
    with pytest.raises(OutputError, match=message) as caught, atomic_write(tmp_path / "x") as file:
        file.write(b"1")
    assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == []


def test_rights_follow_the_umask_and_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    outside, link = tmp_path / "outside", tmp_path / "link"
    outside.write_bytes(b"keep")
    link.symlink_to(outside)
    before = os.umask(0o027)
    try:
        with atomic_write(link) as file:
            file.write(b"new")
    finally:
        os.umask(before)
    assert outside.read_bytes() == b"keep" and not link.is_symlink() and link.read_bytes() == b"new"
    assert stat.S_IMODE(link.stat().st_mode) == 0o640


def test_the_data_is_on_the_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, real=real, name=name: (calls.append(name), real(*a))[1])
    with atomic_write(tmp_path / "x") as file:
        file.write(b"1")
    assert calls == ["fsync", "replace", "fsync"]  # the data, the name, the folder


def test_json_takes_numpy_and_turns_nan_into_null(tmp_path: Path) -> None:
    content = {"a": np.float32(0.5), "b": [np.int64(3), float("nan"), -np.inf], "c": (1, {"ü": None}), 4: True}
    write_json(tmp_path / "x.json", content)
    assert json.loads((tmp_path / "x.json").read_text()) == {
        "a": 0.5, "b": [3, None, None], "c": [1, {"ü": None}], "4": True,
    }  # fmt: skip
