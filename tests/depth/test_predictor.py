"""Maps without a depth camera: the window of keyframes, the mapper behind it, weights of the estimators."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sem_field_ros.depth.network import StereoNet
from sem_field_ros.depth.network import tiny as tiny_network
from sem_field_ros.depth.predictor import WindowConfig, WindowedDepth, make_depth_predictor
from sem_field_ros.errors import DataError, SettingError, WeightsError
from sem_field_ros.fields.gnesf.config import tiny as tiny_field
from sem_field_ros.fields.gnesf.model import Gnesf
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.mapper import Mapper
from sem_field_ros.mapping.semantic_map import SemanticMap
from sem_field_ros.mapping.sequence_mapping import map_sequence
from sem_field_ros.weights import WeightsCard, save_weights
from sem_field_synth.rooms.room import RoomConfig, SyntheticRoom
from tests.mapping.scene import LABELS, wall_frame, wall_probabilities

WINDOW = WindowConfig(views=5, later=1, distance_m=0.05, angle_deg=5.0, baseline_m=0.08)


class Ruler:
    """A ViewEstimator of a wall 2 m away that records its calls: stamp of the reference, number of frames."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def prepare(self, frame):
        return frame.stamp_ns

    def depth(self, reference, frames, prepared):
        assert [frame.stamp_ns for frame in frames] == list(prepared)
        self.calls.append((prepared[reference], len(frames)))
        return np.full((6, 8), 2.0, np.float32)


def feed(predictor: WindowedDepth, places: list[float]) -> list[int | None]:
    found = [predictor.add(replace(wall_frame(x, stamp_ns=i), depth=None)) for i, x in enumerate(places)]
    return [None if frame is None else frame.stamp_ns for frame in found]


def test_the_frame_before_the_newest_gets_the_depth() -> None:
    ruler = Ruler()
    assert feed(WindowedDepth(ruler, WINDOW), [0.0, 0.06, 0.15, 0.16, 0.21]) == [None, None, 1, None, 2]
    assert ruler.calls == [(1, 3), (2, 4)]


def test_the_window_is_bounded_and_a_jump_starts_a_new_one() -> None:
    ruler = Ruler()
    places = [0.1 * i for i in range(8)] + [5.0, 5.1, 5.2]
    assert feed(WindowedDepth(ruler, WINDOW), places) == [None, None, 1, 2, 3, 4, 5, 6, None, None, 9]
    assert max(count for _, count in ruler.calls) == WINDOW.views


def test_at_the_end_the_last_frames_get_their_depth_too() -> None:
    predictor = WindowedDepth(Ruler(), replace(WINDOW, later=2))
    assert feed(predictor, [0.0, 0.1, 0.2, 0.3]) == [None, None, 0, 1]
    assert [frame.stamp_ns for frame in predictor.finish()] == [2, 3]
    assert predictor.finish() == []
    feed(predictor, [0.0, 0.1])
    assert predictor.finish() == []  # two views are too few


def test_rotation_alone_gives_no_depth() -> None:
    predictor = WindowedDepth(Ruler(), WINDOW)
    for i in range(5):
        frame = wall_frame(0.0, stamp_ns=i)
        c, s = np.cos(0.2 * i), np.sin(0.2 * i)
        T = np.array([[c, 0, s, 0], [0, 1, 0, 0], [-s, 0, c, 0], [0, 0, 0, 1]])
        assert predictor.add(replace(frame, T_world_camera=T)) is None


def test_predicted_frames_are_mapped_like_measured_ones() -> None:
    mapper = Mapper(MapConfig(min_weight=1.0), None)
    assert mapper.depth_predictor is None
    mapper.depth_predictor = WindowedDepth(Ruler(), WINDOW)
    results = [mapper.register_frame(replace(wall_frame(0.1 * i, stamp_ns=i), depth=None)) for i in range(4)]
    assert [r.mapped.stamp_ns if r.mapped else None for r in results] == [None, None, 1, 2]
    surface = mapper.map.surface()
    assert len(surface) > 100 and np.abs(surface.vertices[:, 2] - 2.0).max() < 0.05
    mapper.reset()
    assert mapper.register_frame(replace(wall_frame(0.4), depth=None)).mapped is None


def test_frames_with_predicted_depth_need_no_predictor() -> None:
    config = MapConfig(depth_source="predicted", depth_weights="nowhere.safetensors", min_weight=1.0)
    mapper = Mapper(config, None, predicts_depth=False)
    assert mapper.register_frame(wall_frame()).mapped is not None and len(mapper.map.surface()) > 100


def test_predicted_depth_may_be_less_exact_for_a_vote() -> None:
    """A view whose depth is 15 cm off votes on the wall with predicted depth, not with measured."""
    for depth_source, labelled in (("depth", False), ("predicted", True)):
        semantic_map = SemanticMap(MapConfig(depth_source=depth_source, min_weight=1.0), LABELS)
        semantic_map.integrate(wall_frame())
        off = wall_frame()
        off = replace(off, depth=off.depth + 0.15)
        semantic_map.vote(off, wall_probabilities(off))
        assert (semantic_map.surface().labels >= 0).any() == labelled


def save_field(path: Path, geometry: str = "sdf") -> Path:
    torch.manual_seed(0)
    config = replace(tiny_field(20), representation=geometry)
    card = WeightsCard("gnesf_field", config.as_dict(), output={"image_width": 64})
    save_weights(path, Gnesf(config).state_dict(), card)
    return path


def save_network(path: Path) -> Path:
    torch.manual_seed(0)
    model = StereoNet(tiny_network())
    torch.nn.init.constant_(model.spread.bias, -3.0)  # certain of every pixel
    save_weights(
        path, model.state_dict(), WeightsCard("stereo_depth", model.config.as_dict(), output={"image_width": 64})
    )
    return path


@pytest.mark.parametrize("save", [save_field, save_network])
def test_weights_of_either_kind_map_a_sequence_without_depth(tmp_path: Path, save) -> None:
    room = SyntheticRoom(RoomConfig(frames=8, width=80, height=60, noise=False))
    config = MapConfig(depth_source="predicted", depth_weights=str(save(tmp_path / "w.safetensors")), voxel_size_m=0.1)

    class Colors:
        name, labels = "colors", room.labels

        def __len__(self):
            return len(room)

        def __iter__(self):
            return (replace(frame, depth=None) for frame in room)

    mapper = Mapper(config, None, room.labels)
    run = map_sequence(mapper, Colors())
    assert run.frames_mapped >= 5 and run.waited == 8 - run.frames_mapped == 8 - len(run.poses)
    with pytest.raises(DataError, match="depth_source: predicted needs none"):
        map_sequence(Mapper(MapConfig(), None, room.labels), Colors())


def test_weights_that_predict_no_depth_are_refused(tmp_path: Path) -> None:
    def predictor(path: Path):
        return make_depth_predictor(str(path))

    with pytest.raises(WeightsError, match="representation sdf"):
        predictor(save_field(tmp_path / "density.safetensors", "density"))
    save_weights(tmp_path / "other.safetensors", {"x": torch.zeros(1)}, WeightsCard("segmenter", {}))
    with pytest.raises(WeightsError, match="'segmenter', which predicts no depth"):
        predictor(tmp_path / "other.safetensors")
    with pytest.raises(WeightsError):
        predictor(tmp_path / "missing.safetensors")
    with pytest.raises(SettingError):
        MapConfig(depth_source="guessed")
