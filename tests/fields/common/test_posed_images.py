"""A field as a scene, with tiny random weights: its window of sources, any label set, depth only where asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sem_field_ros.errors import WeightsError
from sem_field_ros.fields.common.posed_images import PosedImageScene, SceneOptions
from sem_field_ros.fields.common.tensors import FieldSamples, SourceImages
from sem_field_ros.fields.gnesf.config import KIND, tiny
from sem_field_ros.fields.gnesf.model import Gnesf
from sem_field_ros.fields.registry import open_scene
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import LabelSet, label_set_to_dict, load_label_set
from sem_field_ros.segmentation.segmenter import ClassProbabilities
from sem_field_ros.weights import WeightsCard, save_weights
from sem_field_synth.rooms.room import RoomConfig, SyntheticRoom

SCANNET, VOC = load_label_set("scannet20"), load_label_set("voc")


def weights(folder: Path, geometry: str = "sdf", semantics: str = "probabilities", **output: int) -> Path:
    torch.manual_seed(0)
    config = replace(tiny(len(SCANNET)), representation=geometry, semantics=semantics)
    card = WeightsCard(KIND, config.as_dict(), label_set_to_dict(SCANNET), output or {"image_width": 32, "views": 3})
    path = folder / f"{geometry}_{semantics}.safetensors"
    save_weights(path, Gnesf(config).state_dict(), card)
    return path


@pytest.fixture(scope="module")
def frames() -> list[PosedFrame]:
    room = SyntheticRoom(RoomConfig(seed=1, frames=40, width=64, height=48, noise=False))
    return [room.frame(i) for i in range(5)]


def sure_of(index: int, labels: LabelSet) -> ClassProbabilities:
    values = torch.zeros(len(labels), 6, 8)
    values[index] = 1
    return ClassProbabilities(values)


@pytest.mark.parametrize("geometry", ["sdf", "density"])
def test_it_votes_on_the_classes_of_any_segmenter(frames, tmp_path: Path, geometry: str) -> None:
    renderer = open_scene(weights(tmp_path, geometry), VOC, SceneOptions(width=16))
    for frame in frames:
        renderer.add(frame, sure_of(20, VOC))  # an index that ScanNet's classes do not have
    camera = frames[2].camera
    view = renderer.render(camera, frames[2].T_world_camera)
    assert view.labels is not None and view.rgb is not None
    assert view.labels.shape == view.covered.shape == (48, 64) and view.rgb.shape == (48, 64, 3)
    assert view.rgb.dtype == np.uint8 and view.covered.any()
    assert set(np.unique(view.labels[view.covered])) == {20} and (view.labels[~view.covered] == -1).all()
    renderer.reset()
    empty = renderer.render(camera, frames[2].T_world_camera)
    assert not empty.covered.any() and empty.labels is not None and (empty.labels == -1).all()


def test_the_nearest_sources_are_encoded_with_depth_where_asked_for(frames, tmp_path: Path, monkeypatch) -> None:
    path = weights(tmp_path)
    given: list[SourceImages] = []
    encode = Gnesf.encode
    monkeypatch.setattr(Gnesf, "encode", lambda self, seen, center: (given.append(seen), encode(self, seen, center))[1])
    for depth in (False, True):
        renderer = open_scene(path, SCANNET, SceneOptions(width=16, depth=depth))
        for frame in frames:
            renderer.add(frame, sure_of(0, SCANNET))
        renderer.add(replace(frames[4]), None)  # nothing is known about it: no source
        renderer.render(frames[4].camera, frames[4].T_world_camera)
    plain, deep = given
    assert plain.images.shape == (3, 3, 24, 32) and plain.depth is None
    newest = torch.from_numpy(frames[4].color).permute(2, 0, 1).float() / 255
    reduced = torch.nn.functional.avg_pool2d(newest[None], 2)[0]
    torch.testing.assert_close(plain.images[0], reduced, atol=2 / 255, rtol=0)  # the camera's own frame comes first
    assert deep.depth is not None and deep.depth.shape == (3, 12, 16)
    assert frames[4].depth is not None and deep.depth[0, 0, 0] == frames[4].depth[2, 2]


def test_weights_that_cannot_be_used_are_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="predicts classes of scannet20 directly; the segmenter's are voc"):
        open_scene(weights(tmp_path, semantics="direct"), VOC)
    open_scene(weights(tmp_path, semantics="direct"), SCANNET)
    with pytest.raises(WeightsError, match="no image_width or views"):
        open_scene(weights(tmp_path, image_width=32), SCANNET)


class InTurn:
    """A network that gives each window the next of some answers at one point: class probability, signed distance."""

    def __init__(self, *answers: tuple[float, float]) -> None:
        self._answers = iter(answers)

    def encode_window(self, observations: SourceImages) -> tuple[float, float]:
        return next(self._answers)

    def query(self, scene: tuple[float, float], points: torch.Tensor) -> FieldSamples:
        classes, sdf = (torch.full((len(points),), value) for value in scene)
        return FieldSamples(classes[:, None], classes, sdf=sdf)


@pytest.mark.parametrize(
    ("answers", "confidence", "sdf"),
    [
        (((0.0, 0.1), (0.0, np.nan)), 0.0, 0.1),  # a window beside the point does not take away what is known
        (((0.0, np.nan), (0.0, 0.2)), 0.0, 0.2),
        (((0.0, 0.1), (0.7, 0.3)), 0.7, 0.3),
        (((0.7, 0.1), (0.9, 0.3)), 0.7, 0.1),
    ],
)
def test_later_windows_fill_in_what_earlier_ones_left_open(frames, answers, confidence: float, sdf: float) -> None:
    scene = PosedImageScene(InTurn(*answers), 1, 1, 16, SceneOptions())
    for frame in frames[:2]:
        scene.add(frame, ClassProbabilities(torch.ones(1, 6, 8)))
    point = frames[0].T_world_camera[:3, 3] + 0.5 * frames[0].T_world_camera[:3, 2]
    found = scene.query(point[None])
    assert found.confidence[0] == pytest.approx(confidence) and found.sdf[0] == pytest.approx(sdf)
