"""Map files: what was saved is what is loaded; damage, attacks, full disks and kills never cost the previous map."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load_file, save_file

from sem_field_ros.errors import MapFileError
from sem_field_ros.mapping import map_manifest
from sem_field_ros.mapping.map_file import MapState, list_maps, load_map, save_map
from sem_field_ros.mapping.safetensors_stream import DTYPES

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


# ---------------------------------------------------------------------------------------------- save, load, list


def test_saved_is_loaded_and_only_the_newest_payload_stays(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "maps"
    manifest = save_map(directory, NAME, example(1))
    assert manifest == directory / "kitchen.semmap.json"
    save_map(directory, NAME, example(2))
    assert_same(load_map(directory, NAME), example(2))
    assert len(files(directory)) == 2
    save_map(directory, NAME, example(2))  # the same content again has the same payload name
    assert_same(load_map(directory, NAME), example(2))
    assert len(files(directory)) == 2


def test_the_payload_is_an_ordinary_safetensors_file(tmp_path: Path) -> None:
    save_map(tmp_path, NAME, example())
    for name, array in load_file(payload_of(tmp_path)).items():
        np.testing.assert_array_equal(array, example().arrays[name])


def test_names_that_begin_alike_do_not_touch_each_other(tmp_path: Path) -> None:
    names = ["a", "a.b", "a.0123456789abcdef", "a.payload", "a.semmap.json", "a-1"]
    for number, name in enumerate(names):
        save_map(tmp_path, name, example(number))
    for number, name in enumerate(names):
        save_map(tmp_path, name, example(number))
    assert list_maps(tmp_path) == sorted(names)
    for number, name in enumerate(names):
        assert_same(load_map(tmp_path, name), example(number))


def test_list_maps_of_no_folder_is_empty_and_missing_maps_name_those_there(tmp_path: Path) -> None:
    assert list_maps(tmp_path / "no") == []
    with pytest.raises(MapFileError, match="no map 'kitchen' in .*; maps there: none"):
        load_map(tmp_path, NAME)
    save_map(tmp_path, "hall", example())
    with pytest.raises(MapFileError, match="maps there: hall"):
        load_map(tmp_path, NAME)


@settings(max_examples=40, deadline=None)
@given(
    arrays=st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(lambda s: s != "__metadata__"),
        st.sampled_from(sorted(DTYPES)).flatmap(
            lambda d: hnp.arrays(
                np.dtype(d).newbyteorder(">"), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
            )
        ),
        max_size=3,
    ),
    header=st.dictionaries(st.text(max_size=5), st.integers() | st.floats(allow_nan=False, allow_infinity=False)),
)
def test_any_arrays_and_header_come_back(tmp_path_factory: Any, arrays: dict, header: dict) -> None:
    directory = tmp_path_factory.mktemp("any")
    state = MapState({k: a.T for k, a in arrays.items()}, header)
    save_map(directory, NAME, state)
    assert_same(load_map(directory, NAME), state)


def test_header_keys_and_tuples_come_back_as_json_has_them(tmp_path: Path) -> None:
    save_map(tmp_path, NAME, MapState({}, {"a": (1, 2), "b": {10: "x", 9: "y"}}))
    assert load_map(tmp_path, NAME).header == {"a": [1, 2], "b": {"10": "x", "9": "y"}}


def test_state_array_checks_presence_dtype_and_shape() -> None:
    state = example()
    assert state.array("points", np.float32, (None, 3)).shape == (10, 3)
    for name, dtype, shape in [("no", np.float32, (1,)), ("points", np.float64, (None, 3)), ("points", "f4", (10, 4))]:
        with pytest.raises(MapFileError, match=name):
            state.array(name, dtype, shape)
    with pytest.raises(MapFileError, match="any"):
        state.array("points", np.float32, (None,))


def test_a_state_that_cannot_be_saved_leaves_the_previous_map(tmp_path: Path) -> None:
    save_map(tmp_path, NAME, example(1))
    before = files(tmp_path)
    for bad in (MapState({"x": np.array([1j])}, {}), MapState({}, {"x": float("nan")}), MapState({}, {"x": object()})):
        with pytest.raises((TypeError, ValueError)):
            save_map(tmp_path, NAME, bad)
    assert files(tmp_path) == before
    assert_same(load_map(tmp_path, NAME), example(1))


# ---------------------------------------------------------------------------------------------- confinement

BAD_NAMES = ["", ".", "..", "../up", "/etc/passwd", "a/b", "a\\b", ".hidden", "a b", "a\n", "ä", "a\0", "-rf", "x" * 65]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_leave_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    for call in (lambda: save_map(tmp_path, name, example()), lambda: load_map(tmp_path, name)):
        with pytest.raises(MapFileError, match="not allowed") as error:
            call()
        one_line(error)
    assert list(tmp_path.iterdir()) == []


def test_links_in_the_folder_are_not_followed(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    save_map(outside, NAME, example(1))
    inside.mkdir()
    for path in outside.iterdir():
        (inside / path.name).symlink_to(path)
    before = {p.name: p.read_bytes() for p in outside.iterdir()}
    with pytest.raises(MapFileError):
        load_map(inside, NAME)
    assert list_maps(inside) == []
    with pytest.raises(MapFileError):  # the lock is a link too
        save_map(inside, NAME, example(2))
    (inside / ".semmap.lock").unlink()
    save_map(inside, NAME, example(2))
    assert_same(load_map(inside, NAME), example(2))
    assert {p.name: p.read_bytes() for p in outside.iterdir()} == before


def test_a_payload_that_is_a_link_a_folder_or_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    save_map(tmp_path, NAME, example())
    payload = payload_of(tmp_path)
    elsewhere = payload.rename(tmp_path / "elsewhere")
    for make in (lambda: payload.symlink_to(elsewhere), payload.mkdir, lambda: os.mkfifo(payload)):
        make()
        with pytest.raises(MapFileError) as error:
            load_map(tmp_path, NAME)
        one_line(error)
        payload.rmdir() if payload.is_dir() and not payload.is_symlink() else payload.unlink()


# ---------------------------------------------------------------------------------------------- damage and malice


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("intact")
    save_map(directory, NAME, example())
    return directory


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(), which=st.sampled_from(["payload", "manifest"]), how=st.sampled_from(["flip", "cut", "add", "gap"])
)
def test_any_damage_is_refused_or_harmless(intact: Path, data: st.DataObject, which: str, how: str) -> None:
    path = payload_of(intact) if which == "payload" else intact / f"{NAME}.semmap.json"
    good = path.read_bytes()
    at = data.draw(st.integers(0, len(good) - 1), label="at")
    if how == "flip":
        bad = good[:at] + bytes([good[at] ^ (1 << data.draw(st.integers(0, 7), label="bit"))]) + good[at + 1 :]
    elif how == "cut":
        bad = good[:at]
    elif how == "add":
        bad = good + data.draw(st.binary(min_size=1, max_size=20), label="added")
    else:
        bad = good[:at] + b"\0" * min(64, len(good) - at) + good[at + 64 :]
    path.write_bytes(bad)
    try:
        state = load_map(intact, NAME)
    except MapFileError as error:
        assert "\n" not in str(error) and NAME in str(error)
    else:  # white space in the manifest, zeros over zeros
        assert bad == good or which == "manifest"
        assert_same(state, example())
    finally:
        path.write_bytes(good)


def test_a_missing_payload_says_so(tmp_path: Path) -> None:
    save_map(tmp_path, NAME, example())
    payload_of(tmp_path).unlink()
    with pytest.raises(MapFileError, match="payload .* is missing .*map again"):
        load_map(tmp_path, NAME)


def forge(directory: Path, **changes: Any) -> None:
    """Rewrite the manifest with a valid seal, as somebody who knows the format would."""
    path = directory / f"{NAME}.semmap.json"
    content = json.loads(path.read_text())
    content.pop("manifest_sha256")
    content.update(changes)
    path.write_text(json.dumps({**content, "manifest_sha256": map_manifest._seal(content)}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"payload": "../secret.0123456789abcdef.safetensors"}, "names no payload"),
        ({"payload": "/etc/passwd"}, "names no payload"),
        ({"payload": 3}, "names no payload"),
        ({"name": ["x"]}, "names no payload"),
        ({"arrays": []}, "names no payload"),
        ({"size": 10**15}, "instead of 1000000000000000"),
        ({"sha256": "0" * 64}, "damaged"),
        ({"arrays": {}}, "not in its manifest"),
        ({"version": 2}, "format version 2"),
        ({"version": "\n" * 500}, "format version"),
        ({"format": "other"}, "not a map"),
        ({"surprise": 1}, "sha256 differs"),
    ],
)
def test_forged_manifests_are_refused(tmp_path: Path, changes: dict, message: str) -> None:
    save_map(tmp_path, NAME, example())
    forge(tmp_path, **changes)
    with pytest.raises(MapFileError, match=message) as error:
        load_map(tmp_path, NAME)
    assert len(one_line(error)) < 500


def test_forged_payloads_are_refused(tmp_path: Path) -> None:
    save_map(tmp_path, NAME, example())
    payload = payload_of(tmp_path)

    def swap(content: bytes) -> None:
        payload.write_bytes(content)
        forge(tmp_path, size=len(content), sha256=map_manifest.hashlib.sha256(content).hexdigest())

    def tensors(header: str, data: bytes = b"") -> bytes:
        return len(header).to_bytes(8, "little") + header.encode() + data

    other = tmp_path / "other"
    save_file({"points": np.zeros((10, 3), np.float64)}, other)
    bf16 = '{"points":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    huge = '{"points":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,4]}}'
    for content in (
        b"",
        b"\xff" * 64,
        other.read_bytes(),
        tensors(bf16, b"1234"),
        tensors(huge, b"1234"),
        b"\x80\x04cos\nsystem\n",
    ):
        swap(content)
        with pytest.raises(MapFileError) as error:
            load_map(tmp_path, NAME)
        one_line(error)


def test_a_manifest_that_is_nested_deeply_or_huge_is_refused(tmp_path: Path) -> None:
    save_map(tmp_path, NAME, example())
    manifest = tmp_path / f"{NAME}.semmap.json"
    for content in ("[" * 200_000, "[]", '"x"', "{}", " " * (map_manifest.MAX_BYTES + 1)):
        manifest.write_text(content)
        with pytest.raises(MapFileError, match="damaged"):
            load_map(tmp_path, NAME)


def test_a_manifest_copied_under_another_name_says_which_it_is(tmp_path: Path) -> None:
    save_map(tmp_path, NAME, example())
    (tmp_path / f"{NAME}.semmap.json").rename(tmp_path / "hall.semmap.json")
    with pytest.raises(MapFileError, match="belongs to map 'kitchen'"):
        load_map(tmp_path, "hall")


# ---------------------------------------------------------------------------------------------- failing disks


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
    from sem_field_ros.mapping import map_folder

    monkeypatch.setattr(map_folder, "LOCK_TIMEOUT_S", 0.1)
    with map_folder.MapFolder(tmp_path).lock(), pytest.raises(MapFileError, match="another save") as error:
        save_map(tmp_path, NAME, example())
    one_line(error)
    save_map(tmp_path, NAME, example())
