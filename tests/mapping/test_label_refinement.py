"""Context inside a map: nothing before training, changed blocks as the whole map, saved maps, up and floor."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sem_field_ros.context.network import ContextConfig, ContextNet
from sem_field_ros.context.room_context import KIND
from sem_field_ros.errors import MapFileError, WeightsError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import label_set_to_dict, load_label_set
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.files.map_file import MapState
from sem_field_ros.mapping.gravity import Gravity
from sem_field_ros.mapping.mapper import Mapper
from sem_field_ros.mapping.semantic_map import SemanticMap
from sem_field_ros.mapping.submaps import Submaps
from sem_field_ros.segmentation.external import ExternalSegmenter
from sem_field_ros.surface import merge_surfaces
from sem_field_ros.weights import WeightsCard, save_weights
from sem_field_synth.rooms.room import RoomConfig, SyntheticRoom
from tests.mapping.test_label_smoother import by_place

LABELS = load_label_set("scannet20")


@pytest.fixture(scope="module")
def frames() -> list[PosedFrame]:
    room = SyntheticRoom(RoomConfig(seed=3, frames=6, width=64, height=48, noise=False))
    return list(room)


def config(folder: Path, *, trained: bool = True, **changes: object) -> MapConfig:
    """Of a map with the context of a tiny network, random or untrained."""
    torch.manual_seed(0)
    net = ContextNet(ContextConfig(len(LABELS), width=8, wide=8))
    if trained:
        torch.nn.init.normal_(net.last.weight, std=8.0)
    path = folder / "net.safetensors"
    save_weights(path, net.state_dict(), WeightsCard(KIND, net.config.as_dict(), label_set_to_dict(LABELS)))
    base = MapConfig(voxel_size_m=0.08, min_weight=1.0, context="rooms", context_weights=str(path))
    return replace(base, **changes)  # type: ignore[arg-type]


def mapped(settings: MapConfig, frames: list[PosedFrame], publish: bool = False) -> tuple[SemanticMap, dict]:
    """The map of the frames and, with `publish`, the blocks as a subscriber has them."""
    found, segmenter, published = SemanticMap(settings, LABELS), ExternalSegmenter(LABELS), {}
    for frame in frames:
        found.integrate(frame)
        found.vote(frame, segmenter.segment(frame))
        if publish:
            update = found.update_surface()
            published |= update.changed
            for block in update.removed:
                published.pop(block, None)
    return found, published


@pytest.mark.parametrize("smoothing_cell_m", [0.0, 0.2])
def test_untrained_it_changes_nothing(frames: list[PosedFrame], tmp_path: Path, smoothing_cell_m: float) -> None:
    settings = config(tmp_path, trained=False, smoothing_cell_m=smoothing_cell_m)
    context, _ = mapped(settings, frames)
    plain, _ = mapped(replace(settings, context="none"), frames)
    np.testing.assert_allclose(by_place(context.surface()), by_place(plain.surface()), atol=1e-5)
    assert plain.votes.corrected.shape[1] == 0, "no memory for what is not used"


@pytest.mark.parametrize("smoothing_cell_m", [0.0, 0.2])
def test_changed_blocks_alone_give_what_the_whole_map_gives(
    frames: list[PosedFrame], tmp_path: Path, smoothing_cell_m: float
) -> None:
    """A loaded map is made anew as a whole; it also keeps up and floor."""
    settings = config(tmp_path, smoothing_cell_m=smoothing_cell_m)
    grown, published = mapped(settings, frames, publish=True)
    surface = grown.surface()
    plain, _ = mapped(replace(settings, context="none"), frames)
    labels = by_place(surface)[:, 3]
    assert (labels != by_place(plain.surface())[:, 3]).mean() > 0.2, "the random network changes many labels"
    np.testing.assert_allclose(by_place(merge_surfaces(list(published.values()))), by_place(surface), atol=1e-3)
    before = grown.votes.corrected.clone()
    grown._refinement.touch(grown.volume.keys()[0])
    grown.surface()
    torch.testing.assert_close(grown.votes.corrected, before, atol=2e-4, rtol=0)
    whole = SemanticMap.from_state(grown.state())
    asked = grown.query(surface.vertices), whole.query(surface.vertices)
    # stored distances have 16 bits: a point may change its cell
    assert (asked[0].labels == asked[1].labels).mean() > 0.98
    assert np.median(np.abs(asked[0].confidence - asked[1].confidence)) < 1e-3
    assert whole._refinement.gravity.as_header() == grown._refinement.gravity.as_header()


def test_the_floor_of_a_room_is_found(frames: list[PosedFrame], tmp_path: Path) -> None:
    found, _ = mapped(config(tmp_path), frames)
    found.surface()
    gravity = found._refinement.gravity
    assert gravity.floor_m == pytest.approx(0.0, abs=0.03) and gravity.up.tolist() == [0, 0, 1] and not gravity.tilted


def test_submaps_have_a_context_of_their_own(frames: list[PosedFrame], tmp_path: Path) -> None:
    settings = config(tmp_path, keyframe_distance_m=0.0)
    submaps = Submaps(Mapper(settings, ExternalSegmenter(LABELS)), max_frozen=2)
    for frame in frames[:3]:
        submaps.mapper.register_frame(frame)
    submaps.begin_submap()
    for frame in frames[3:]:
        submaps.mapper.register_frame(frame)
    again = Submaps.of(submaps.state(), "cpu")
    for map_, loaded in ((submaps.active, again.active), (submaps._frozen[0].map, again._frozen[0].map)):
        assert map_.context is not None and loaded.context is not None
        points = map_.surface().vertices
        assert (map_.query(points).labels == loaded.query(points).labels).mean() > 0.98


def test_weights_for_other_classes(tmp_path: Path) -> None:
    settings, voc = config(tmp_path), load_label_set("voc")
    assert SemanticMap(replace(settings, context="auto"), voc).context is None
    with pytest.raises(WeightsError, match="is for the classes of scannet20, the map has those of voc"):
        SemanticMap(settings, voc)


def table(height: float, floor: float | None = None) -> SimpleNamespace:
    """Votes of a room [n]: a floor of 2 x 2 m or none, and a table top; normals are exact."""
    xy = torch.cartesian_prod(torch.arange(40), torch.arange(40)) * 0.05
    levels = [(height, xy[(xy < 0.8).all(dim=1)])] + ([(floor, xy)] if floor is not None else [])
    position = torch.cat([torch.cat([p, torch.full((len(p), 1), z)], dim=1) for z, p in levels])
    return votes_of(position, torch.tensor([0.0, 0.0, 1.0]).expand(len(position), 3))


def votes_of(position: torch.Tensor, normal: torch.Tensor) -> SimpleNamespace:
    class Votes(SimpleNamespace):
        def __len__(self) -> int:
            return len(self.voxel)

    return Votes(voxel=torch.arange(len(position)), position=position, normal=normal)


def test_the_floor_comes_into_sight_later() -> None:
    gravity = Gravity("auto", 0.05)
    assert not gravity.update(table(0.75), []) and gravity.floor_m is None
    assert gravity.update(table(0.75, 0.02), []) and gravity.floor_m == pytest.approx(0.02)
    assert not gravity.update(table(0.75, 0.02), []), "the surface has not changed"
    gravity._points = 0
    assert not gravity.update(table(0.75, 0.04), []) and gravity.floor_m == pytest.approx(0.02), "2 cm are ignored"
    gravity._points = 0
    assert gravity.update(table(0.75, 0.06), []) and gravity.floor_m == pytest.approx(0.06)


def test_up_is_taken_from_the_cameras_or_as_given() -> None:
    """Worlds of data sets have y down: cameras are upright there, and the floor's normal makes up exact."""
    votes = table(0.75, 0.0)
    tilt = math.radians(5)
    R = np.array([[1, 0, 0], [0, -math.sin(tilt), -math.cos(tilt)], [0, math.cos(tilt), -math.sin(tilt)]])
    turned = votes_of(*(part @ torch.from_numpy(R.T.astype(np.float32)) for part in (votes.position, votes.normal)))
    gravity = Gravity("auto", 0.05)
    assert gravity.update(turned, [np.eye(4)] * 3) and gravity.tilted  # optical frames: y is down
    np.testing.assert_allclose(gravity.up, R @ [0, 0, 1], atol=1e-5)
    assert gravity.floor_m == pytest.approx(0.0, abs=1e-4)
    np.testing.assert_allclose(gravity.rotation @ gravity.up, [0, 0, 1], atol=1e-6)
    given = Gravity("-y", 0.05)
    given.update(turned, [np.eye(4)])
    assert given.up.tolist() == [0, -1, 0] and not given.tilted


def test_headers(frames: list[PosedFrame], tmp_path: Path) -> None:
    found, _ = mapped(config(tmp_path), frames[:2])
    found.surface()
    state = found.state()
    assert state.header["gravity"]["up"] == [0, 0, 1]
    damaged = MapState(state.arrays, {**state.header, "gravity": {"up": [0, 0, 3], "floor_m": 0, "surface_voxels": 1}})
    with pytest.raises(MapFileError, match=r"the map's header cannot be read \(gravity: up \[0.0, 0.0, 3.0\]"):
        SemanticMap.from_state(damaged)
    older = {key: value for key, value in state.header.items() if key != "gravity"}
    assert len(SemanticMap.from_state(MapState(state.arrays, older)).surface()) == len(found.surface())
