"""Headers of saved maps: those of the release before are read as they were meant."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sem_field_ros.errors import MapFileError
from sem_field_ros.labels import label_set_to_dict
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.files.map_file import MapState, load_map, save_map
from sem_field_ros.mapping.files.map_state import read_header
from sem_field_ros.mapping.semantic_map import SemanticMap
from tests.mapping.scene import LABELS, wall_frame, wall_probabilities

FORMER = {"depth_source": "geometry", "depth_weights": "geometry_weights", "smoothing_cell_m": "context_m"}
CONFIG = MapConfig(
    depth_source="predicted", depth_weights="plane_sweep", smoothing_cell_m=0.3, fusion="bayesian", voxel_size_m=0.04
)


def former_header(config: MapConfig = CONFIG, **more: Any) -> dict[str, Any]:
    """A header as the release before the renaming wrote it."""
    content = {FORMER.get(name, name): value for name, value in asdict(config).items()}
    return {"label_set": label_set_to_dict(LABELS), "config": content | more, "keyframes": 3, "frames": 9, "voter": ""}


def test_former_names_are_read_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    header = former_header()
    assert set(FORMER.values()) <= set(header["config"]) and not set(FORMER) & set(header["config"])
    found = read_header(header)
    assert found.config == CONFIG and (found.keyframes, found.frames) == (3, 9)
    assert capfd.readouterr() == ("", "")


def test_the_running_configuration_still_steers_a_former_map() -> None:
    found = read_header(former_header(), MapConfig(smoothing_cell_m=0.0))
    assert found.config == replace(MapConfig(smoothing_cell_m=0.0), voxel_size_m=0.04)


def test_settings_that_this_version_does_not_know_are_left_out() -> None:
    assert read_header(former_header(gone_setting=1)).config == CONFIG


def test_former_and_present_name_at_odds_are_refused_in_one_line() -> None:
    with pytest.raises(MapFileError, match="smoothing_cell_m is 0.5, but context_m") as caught:
        read_header(former_header(smoothing_cell_m=0.5))
    assert "\n" not in str(caught.value)


def test_a_map_file_with_a_former_header_gives_the_same_map(tmp_path: Path) -> None:
    config = MapConfig(fusion="bayesian", smoothing_cell_m=0.3, min_weight=1.0)
    semantic_map = SemanticMap(config, LABELS)
    for x in (0.0, 0.1, -0.1):
        semantic_map.integrate(frame := wall_frame(x))
        semantic_map.vote(frame, wall_probabilities(frame))
    state = semantic_map.state()
    header = former_header(config) | {"keyframes": 3, "frames": 3}
    save_map(tmp_path, "wall", MapState(state.arrays, header))
    again = SemanticMap.from_state(load_map(tmp_path, "wall"))
    assert again.config == config
    found, expected = again.surface(), semantic_map.surface()
    np.testing.assert_array_equal(np.sort(found.labels), np.sort(expected.labels))
    np.testing.assert_allclose(np.sort(found.confidence), np.sort(expected.confidence), atol=1e-3)


def test_maps_from_before_context_stay_without() -> None:
    header = former_header()
    del header["config"]["context"]
    assert read_header(header).config.context == "none"
    assert read_header(header, MapConfig(context="auto")).config.context == "auto", "unless the reader wants it"
