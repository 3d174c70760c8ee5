"""Map files: what was saved is what is loaded, and nothing outside their folder is touched."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load_file

from sem_field_ros.errors import MapFileError
from sem_field_ros.mapping.files.map_file import MapState, list_maps, load_map, save_map
from sem_field_ros.mapping.files.safetensors_stream import DTYPES
from tests.mapping.files.map_files import NAME, assert_same, example, files, one_line, payload_of


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
