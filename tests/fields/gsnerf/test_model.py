"""The field: views at source poses, any number and order of sources, masks, labels, exposures, the fast renderer."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from sem_field_ros.errors import WeightsError
from sem_field_ros.evaluation.image_metrics import psnr
from sem_field_ros.fields.common.posed_images import SceneOptions
from sem_field_ros.fields.common.rays import camera_rays
from sem_field_ros.fields.gsnerf.config import GsnerfConfig, compact, config_from_dict, paper, tiny
from sem_field_ros.fields.gsnerf.model import Gsnerf
from sem_field_ros.fields.gsnerf.scene import GsnerfScene
from sem_field_ros.fields.registry import load_field_weights, make_model, open_named, open_scene
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import label_set_to_dict, load_label_set
from sem_field_ros.scene import Bounded, Online, Preparing, Queryable, Renderable
from sem_field_ros.surface import RenderedView
from sem_field_ros.weights import WeightsCard, save_weights

from .walls import CAMERA, CLASSES, PLACES, frame, pose, view

Places = tuple[tuple[float, float], ...]


def model(seed: int = 0, random: bool = False, **changes: object) -> Gsnerf:
    """A tiny field; with `random`, its residuals are not zero."""
    torch.manual_seed(seed)
    net = Gsnerf(dataclasses.replace(tiny(CLASSES), **changes)).eval()
    if random:
        for layer in (net.volume_renderer.density, net.volume_renderer.share, net.semantic_renderer.weight):
            torch.nn.init.normal_(layer.weight, std=0.3)
    return net


def scene(net: Gsnerf | None = None, depth: str = "sensor", places: Places = PLACES, views: int = 8) -> GsnerfScene:
    found = GsnerfScene(net or model(), CLASSES, views, CAMERA.width, SceneOptions(CAMERA.width, target_depth=depth))
    for place in places:
        found.add(*frame(*place))
    return found


def rendered(of: GsnerfScene, place: tuple[float, float], camera: Intrinsics = CAMERA) -> RenderedView:
    found = of.render(camera, pose(*place))
    assert found.rgb is not None and found.depth is not None and found.labels is not None
    return found


@pytest.mark.parametrize("random", [False, True], ids=["untrained", "random"])
def test_a_view_at_a_source_pose_is_that_source(random: bool) -> None:
    found = rendered(scene(model(random=random)), PLACES[1])
    color, depth, labels = view(*PLACES[1])
    assert psnr(found.rgb, color) > (38 if not random else 24)
    right = np.abs(found.depth - depth) < 0.05
    assert right.mean() > 0.99 and (found.labels == labels).mean() > 0.97


def test_a_new_view_has_colours_depth_labels_and_confidence() -> None:
    found = rendered(scene(), (0.05, 0.1))
    color, depth, labels = view(0.05, 0.1)
    assert psnr(found.rgb, color) > 30
    assert (np.abs(found.depth - depth) < 0.05).mean() > 0.98 and (found.labels == labels).mean() > 0.96
    assert found.confidence is not None and 0.4 < float(np.median(found.confidence)) <= 1


@pytest.mark.parametrize("depth", ["sensor", "predicted"])
def test_an_untrained_network_equals_the_hand_made_part(depth: str) -> None:
    """Learned values are residuals that start at zero: no training starts worse than the hand-made field."""
    a, b = (rendered(scene(model(learned=learned), depth), (0.05, 0.1)) for learned in (True, False))
    assert np.abs(a.rgb.astype(int) - b.rgb).max() <= 1 and np.allclose(a.depth, b.depth, atol=1e-4)
    assert (a.labels == b.labels).mean() > 0.999


def test_the_hand_made_field_needs_no_weights() -> None:
    of = open_named("gsnerf", load_label_set("voc"), SceneOptions(CAMERA.width, depth=True))
    for place in PLACES:
        of.add(frame(*place)[0])
    found = of.render(CAMERA, pose(0.05, 0.1))
    assert found.rgb is not None and psnr(found.rgb, view(0.05, 0.1)[0]) > 30
    with pytest.raises(WeightsError, match="there is no semantic decoder"):
        GsnerfConfig(3, learned=False, semantics="decoder")


def test_predicted_depth_draws_a_new_view() -> None:
    found = rendered(scene(depth="predicted"), (0.05, 0.1))
    color, depth, labels = view(0.05, 0.1)
    assert psnr(found.rgb, color) > 20 and (np.abs(found.depth / depth - 1) < 0.1).mean() > 0.7
    assert (found.labels == labels).mean() > 0.8


def test_depth_of_a_map_is_a_third_source() -> None:
    class Wall:
        def render(self, camera: Intrinsics, T_world_camera: np.ndarray) -> RenderedView:
            return RenderedView(view(*T_world_camera[:2, 3], camera=camera)[1])

    of = scene(depth="map")
    of.use_map(Wall())
    found = rendered(of, (0.05, 0.1))
    assert (np.abs(found.depth - view(0.05, 0.1)[1]) < 0.05).mean() > 0.98
    assert psnr(found.rgb, view(0.05, 0.1)[0]) > 30


def test_the_order_of_the_sources_does_not_matter() -> None:
    a = rendered(scene(model(random=True)), (0.02, 0.03))
    b = rendered(scene(model(random=True), places=PLACES[::-1]), (0.02, 0.03))
    assert np.abs(a.rgb.astype(int) - b.rgb).max() <= 1 and np.allclose(a.depth, b.depth, atol=1e-3)
    assert (a.labels == b.labels).mean() > 0.999


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_one_set_of_weights_renders_from_any_number_of_sources(count: int) -> None:
    found = rendered(scene(model(random=True), places=PLACES[:count], views=count), PLACES[0])
    assert psnr(found.rgb, view(*PLACES[0])[0]) > 24


def test_a_hole_is_filled_from_the_sources_or_left_without_depth() -> None:
    of = scene(places=((0.0, 0.0),))
    found = rendered(of, (1.5, 0.0))  # half of the view is beyond the only source's image
    beyond = found.depth == 0
    assert 0.3 < beyond.mean() < 0.95 and (found.labels[beyond] == -1).all()
    assert not found.covered[beyond].any() and found.rgb[beyond].std() < 60


def test_different_exposures_leave_no_seams() -> None:
    of = GsnerfScene(model(), CLASSES, 8, CAMERA.width, SceneOptions(CAMERA.width, target_depth="sensor"))
    for place, gain in zip(PLACES, (1.0, 0.75, 1.2, 0.85, 1.15), strict=True):
        of.add(*frame(*place, gain=gain))
    color = view(*PLACES[0])[0]
    assert psnr(rendered(of, (-0.28, 0.0)).rgb, view(-0.28, 0.0)[0]) > 28
    assert psnr(rendered(of, PLACES[0]).rgb, color) > 32


def test_occluded_sources_have_no_share() -> None:
    """Behind the box the wall's colour comes from the sources that see it; without masks the box's is mixed in."""
    place = (-0.1, -0.05)
    color = view(*place)[0]
    with_masks = model(sampling="guided", samples=1)
    assert psnr(rendered(scene(with_masks), place).rgb, color) > 30


def test_points_are_labelled_on_surfaces_alone() -> None:
    found = scene().query(np.array([[0, 0, 1.2], [0.8, 0.4, 2.0], [0, 0, 0.5], [0, 0, 3.0], [np.nan, 0, 1]]))
    assert found.labels.tolist() == [2, 1, -1, -1, -1]
    assert found.confidence[:2].min() > 0.4 and (found.confidence[2:] == 0).all()


def test_keyframes_are_forgotten_one_by_one() -> None:
    of = scene()
    before = rendered(of, (0.05, 0.1))
    full = of.memory_bytes
    assert full > 5 * 128 * 96 * (3 + 3 + 4)
    of.remove(1)
    assert of.memory_bytes == pytest.approx(full * 4 / 5) and isinstance(of, Bounded)
    kept = rendered(of, (0.05, 0.1))
    others = scene(places=(PLACES[0], *PLACES[2:]))
    assert np.array_equal(kept.rgb, rendered(others, (0.05, 0.1)).rgb) and not np.array_equal(kept.rgb, before.rgb)


def test_no_sources_no_view() -> None:
    empty = scene(places=())
    found = rendered(empty, (0.0, 0.0))
    assert not found.covered.any() and (found.labels == -1).all()
    assert empty.query(np.zeros((2, 3))).labels.tolist() == [-1, -1]
    of = scene()
    of.reset()
    assert not rendered(of, (0.0, 0.0)).covered.any()


def test_the_fast_renderer_agrees_with_its_readable_twin() -> None:
    of = scene(model(stride=2, samples=5, spread_known=0.002))
    T = pose(0.05, 0.1)
    order = of.keyframes.nearest(T)
    encoded = of.keyframes.encoded(order, T)
    rays = camera_rays(CAMERA, torch.eye(4))
    target = torch.from_numpy(view(0.05, 0.1)[1])
    with torch.inference_mode():
        slow = of.model.render_rays(encoded, rays, target.flatten(), known=True)
    fast = rendered(of, (0.05, 0.1))
    assert psnr((slow.rgb.reshape(*target.shape, 3).clamp(0, 1).numpy() * 255).astype(np.uint8), fast.rgb) > 32
    assert np.median(np.abs(slow.depth.reshape(target.shape).numpy() - fast.depth)) < 0.005
    assert torch.allclose(slow.weights.sum(dim=1), torch.ones(len(rays)), atol=1e-4)


@pytest.mark.parametrize(
    "changes", [{"sampling": "uniform", "samples": 48}, {"labels_at": "ray"}, {"masks": False}, {"stride": 1}]
)
def test_ablations_render(changes: dict[str, object]) -> None:
    found = rendered(scene(model(**changes)), (0.05, 0.1))
    color, _, labels = view(0.05, 0.1)
    assert psnr(found.rgb, color) > 17 and (found.labels == labels).mean() > 0.85


def test_weights_are_opened_as_a_scene_of_any_label_set(tmp_path: Path) -> None:
    path = save(tmp_path / "a.safetensors", tiny(20), "scannet20")
    for name in ("scannet20", "voc"):
        opened = open_scene(path, load_label_set(name), SceneOptions(CAMERA.width))
        assert isinstance(opened, Queryable) and isinstance(opened, Renderable) and isinstance(opened, Online)
    state, config = load_field_weights(path)
    assert config == tiny(20) and set(make_model(config).state_dict()) == set(state)


def test_the_decoder_has_its_own_classes(tmp_path: Path) -> None:
    path = save(tmp_path / "b.safetensors", dataclasses.replace(tiny(20), semantics="decoder"), "scannet20")
    opened = open_scene(path, load_label_set("scannet20"), SceneOptions(CAMERA.width, target_depth="sensor"))
    opened.add(frame(0.0, 0.0)[0])
    assert opened.render(CAMERA, pose(0.0, 0.0)).probabilities is not None
    with pytest.raises(WeightsError, match="decodes classes of scannet20; the segmenter's are voc"):
        open_scene(path, load_label_set("voc"))


@pytest.mark.parametrize("size", [tiny, compact, paper])
def test_configurations_survive_their_card(size: object) -> None:
    config = size(20)  # type: ignore[operator]
    assert config_from_dict(config.as_dict()) == config
    with pytest.raises(WeightsError, match="not the architecture of a GSNeRF"):
        config_from_dict({"classes": 3})
    with pytest.raises(WeightsError, match="sampling must be one of guided, uniform, got 'none'"):
        GsnerfConfig(3, sampling="none")


def save(path: Path, config: GsnerfConfig, labels: str) -> Path:
    output = {"views": 8, "image_width": CAMERA.width}
    card = WeightsCard("gsnerf_field", config.as_dict(), label_set_to_dict(load_label_set(labels)), output)
    save_weights(path, Gsnerf(config).state_dict(), card)
    return path


@pytest.mark.parametrize("depth", ["sensor", "predicted"])
def test_keyframes_can_be_encoded_before_a_view_needs_them(depth: str) -> None:
    ready, lazy = scene(depth=depth), scene(depth=depth)
    assert isinstance(ready, Preparing)
    assert [ready.prepare() for _ in range(len(PLACES) + 1)] == [True] * len(PLACES) + [False]
    assert np.array_equal(rendered(ready, PLACES[1]).rgb, rendered(lazy, PLACES[1]).rgb)
