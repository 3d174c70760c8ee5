"""Full disks, kills and savers at the same time never cost the previous map."""

from __future__ import annotations

import errno
import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sem_field_ros.errors import MapFileError
from sem_field_ros.mapping.files.map_file import load_map, save_map
from tests.mapping.files.map_files import NAME, assert_same, check_numbered, example, files, one_line, saver


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EACCES])
@pytest.mark.parametrize("call", ["open", "fsync", "replace", "close"])
def test_every_failing_call_leaves_the_previous_or_the_new_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    save_map(tmp_path, NAME, example(1))
    before = files(tmp_path)
    real, failures = getattr(os, call), 0
    for step in range(1, 12):
        count = 0

        def failing(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += 1
            if count == step:  # noqa: B023 (used within this turn of the loop)
                if call == "close":
                    real(*args)
                raise OSError(code, os.strerror(code))
            return real(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(os, call, failing)
            try:
                save_map(tmp_path, NAME, example(2))
            except MapFileError as error:
                failures += 1
                assert os.strerror(code) in str(error) and "previous map is untouched" in str(error)
        number = load_map(tmp_path, NAME).header["number"]
        assert_same(load_map(tmp_path, NAME), example(number))
        if number == 1:
            assert files(tmp_path) == before, f"{call} {step} left something behind"
        if count < step:
            break
        save_map(tmp_path, NAME, example(1))
    else:
        pytest.fail("the save never succeeded")
    assert failures


def test_a_failing_write_leaves_the_previous_map_and_no_temporary_file(tmp_path: Path) -> None:
    with saver() as (tell, _):
        directory = tmp_path / "maps"
        save_map(directory, NAME, example(1))
        before = files(directory)
        for size in (0, 100, 4096, 1_000_000):
            _, lines = tell("limit", directory, 5, size)
            assert lines[0].startswith("MapFileError cannot save map 'kitchen'") and lines[1] == "exit 0", lines
            assert "File too large" in lines[0]
            assert files(directory) == before
            assert_same(load_map(directory, NAME), example(1))
        assert tell("limit", directory, 5, 10_000_000)[1] == ["exit 0"]
        assert load_map(directory, NAME).header == {"number": 5}


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(MapFileError, match="cannot save map 'kitchen' in .*file/maps") as error:
        save_map(tmp_path / "file" / "maps", NAME, example())
    one_line(error)


def test_old_files_that_cannot_be_removed_do_not_fail_the_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    save_map(tmp_path, NAME, example(1))

    def refuse(path: str, **kwargs: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        save_map(tmp_path, NAME, example(2))
    assert "cannot remove the old map file" in caplog.text
    assert_same(load_map(tmp_path, NAME), example(2))
    save_map(tmp_path, NAME, example(3))
    assert len(files(tmp_path)) == 2


# ---------------------------------------------------------------------------------------------- kill -9


def test_killed_before_any_file_call_the_previous_or_the_new_map_loads(tmp_path: Path) -> None:
    """Exhaustive: one kill before each call that touches a file, until a save gets through."""
    directory = tmp_path / "maps"
    outcomes = []
    with saver() as (tell, _):
        assert tell("limit", directory, 0, 10_000_000)[1] == ["exit 0"]
        for step in range(1, 60):
            _, lines = tell("die", directory, step, step)
            number = check_numbered(load_map(directory, NAME))
            outcomes.append(number == step)
            assert number in (0, step)
            if lines == ["exit 0"]:
                break
            assert lines == [f"signal {signal.SIGKILL.value}"]
            # back to a known previous map; this save also removes what the killed one left
            assert tell("limit", directory, 0, 10_000_000)[1] == ["exit 0"]
            assert check_numbered(load_map(directory, NAME)) == 0
            assert len(files(directory)) == 2
        else:
            pytest.fail("the save never got through")
    assert len(outcomes) > 8 and not outcomes[0] and outcomes[-1]
    assert outcomes == sorted(outcomes), "once committed, always committed"


def test_killed_at_random_moments_a_map_always_loads(tmp_path: Path) -> None:
    directory, chance = tmp_path / "maps", random.Random(0)
    killer = saver()
    seen, previous = set(), -1
    with killer:
        assert killer.tell("limit", directory, 0, 10_000_000)[1] == ["exit 0"]
        for _ in range(60):
            pid = killer.start("loop", directory, previous + 1)
            time.sleep(chance.uniform(0.0, 0.12))
            os.kill(pid, signal.SIGKILL)
            assert killer.finish() == [f"signal {signal.SIGKILL.value}"]
            number = check_numbered(load_map(directory, NAME))
            log = tmp_path / "saved"
            finished = int(log.read_text().split()[-1]) if log.is_file() and log.stat().st_size else 0
            assert finished <= number, "a save that returned is there"
            assert previous <= number <= max(finished, previous) + 1, "at most one more was committed than returned"
            seen.add(number)
            previous = number
        assert killer.tell("limit", directory, previous + 1, 10_000_000)[1] == ["exit 0"]
    assert len(files(directory)) == 2, "what killed saves left is gone after the next save"
    assert len(seen) > 20, "the kills were no test: too few saves got through"


# ---------------------------------------------------------------------------------------------- at the same time


def test_savers_and_loaders_at_the_same_time_never_see_half_a_map(tmp_path: Path) -> None:
    errors: list[Exception] = []

    def save(start: int) -> None:
        try:
            for number in range(start, start + 25):
                save_map(tmp_path, NAME, example(number))
        except Exception as error:  # noqa: BLE001 (reported by the test)
            errors.append(error)

    save_map(tmp_path, NAME, example(0))
    threads = [threading.Thread(target=save, args=(100 * i,)) for i in range(1, 4)]
    for thread in threads:
        thread.start()
    loads = 0
    while any(thread.is_alive() for thread in threads):
        state = load_map(tmp_path, NAME)
        assert_same(state, example(state.header["number"]))
        loads += 1
    assert not errors and loads > 5
    assert len(files(tmp_path)) == 2


def test_a_save_waits_for_the_lock_and_gives_up_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sem_field_ros.mapping.files import map_folder

    monkeypatch.setattr(map_folder, "LOCK_TIMEOUT_S", 0.1)
    with map_folder.MapFolder(tmp_path).lock(), pytest.raises(MapFileError, match="another save") as error:
        save_map(tmp_path, NAME, example())
    one_line(error)
    save_map(tmp_path, NAME, example())
