"""Damaged and forged map files are refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from sem_field_ros.errors import MapFileError
from sem_field_ros.mapping.files import map_manifest
from sem_field_ros.mapping.files.map_file import load_map, save_map
from tests.mapping.files.map_files import NAME, assert_same, example, one_line, payload_of


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
