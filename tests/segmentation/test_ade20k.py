"""The nets trained on photographs: torch against the published TFLite files, layer by layer and as a whole."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from sem_field_ros.datasets.folder import FolderSequence
from sem_field_ros.errors import WeightsError
from sem_field_ros.labels import load_label_set
from sem_field_ros.resources import resource_path
from sem_field_ros.segmentation import deeplab, mosaic
from sem_field_ros.segmentation.architectures import build_network, load_segmenter
from sem_field_ros.segmentation.mobile_backbone import enlarged, tiled
from sem_field_ros.segmentation.registry import make_segmenter
from sem_field_ros.segmentation.tflite import load_interpreter
from sem_field_ros.segmentation.tflite_weights import dequantised, read_state
from sem_field_ros.segmentation.trained import SHIPPED_MODELS
from sem_field_ros.weights import load_card, load_weights

from .frames import check_probabilities, frame_of

ADE = load_label_set("ade20k31")
TINY = {"mosaic": mosaic.tiny(7), "deeplab": deeplab.tiny(7)}
PUBLISHED = {
    "ade20k": "mosaic_r4_ade20k31_uint8.tflite",
    "ade20k_deeplab": "deeplabv3plus_mnv2_ade20k31_uint8.tflite",
}

_SPP = "spatial_pyramid_pooling_multikernel_conv"
_JOINED = {f"{_SPP}/concat_projection", "decoder/decoder_feature_conv_0", "decoder/decoder_conv0_depthwise"}


def astronaut(width: int = 512, height: int = 512) -> np.ndarray:
    image = cv2.imread(str(Path(__file__).parent / "photo" / "astronaut.jpg"))
    return np.ascontiguousarray(cv2.resize(image, (width, height))[..., ::-1])


def pictures() -> list[np.ndarray]:
    room = FolderSequence(resource_path("samples/living_room"))
    return [astronaut(), *(cv2.resize(room.read(i).color, (512, 512)) for i in (5, 30))]


def as_input(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255


class Published:
    """A published file, run on one picture."""

    def __init__(self, name: str) -> None:
        self.path = resource_path(f"models/segmenter_ade20k/{PUBLISHED[name]}")
        self.interpreter = load_interpreter(self.path, threads=1)
        self.details: list[dict[str, Any]] = self.interpreter.get_tensor_details()

    def run(self, image: np.ndarray) -> np.ndarray:
        self.interpreter.set_tensor(self.interpreter.get_input_details()[0]["index"], image[None])
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.interpreter.get_output_details()[0]["index"])[0]

    def twin(self, name: str) -> Any:
        """The torch network with the file's weights, not rounded to 16 bits as those that are shipped."""
        net = build_network(load_card(resource_path(SHIPPED_MODELS[name])).architecture)
        net.load_state_dict(read_state(self.interpreter, net, net.tflite_scopes()))
        return net.eval()

    def named(self, start: str) -> Mapping[str, Any]:
        """The only map [1, h, w, C] whose name starts so, of those after the operations that were merged into it."""
        last = ((d["name"].split(";")[-1], d) for d in self.details if len(d["shape"]) == 4)
        found = [d for text, d in last if text.startswith(start) and "weights_quant" not in text]
        assert len(found) == 1, (start, [d["name"] for d in found])
        return found[0]

    def values(self, detail: Mapping[str, Any]) -> torch.Tensor:
        """What that map holds after `run`, [1, C, h, w]."""
        return torch.from_numpy(dequantised(self.interpreter, detail)).permute(0, 3, 1, 2)


@pytest.fixture(scope="module", params=PUBLISHED)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def published(name: str) -> Iterator[Published]:
    yield Published(name)


def feed_published_sums_and_means(name: str, net: torch.nn.Module, published: Published) -> None:
    """Give the layers after residual sums and pooling the published net's own values, which it rounds once more."""
    scope = "MobilenetV3" if name == "ade20k" else "MobilenetV2"
    for i, block in enumerate(net.get_submodule("backbone.blocks").children()):
        if block._adds:
            given = published.values(published.named(f"{scope}/expanded_conv{f'_{i}' if i else ''}/add"))
            block.register_forward_hook(lambda _module, _inputs, own, given=given: (given, own[1]))
    pools = {"image_pool": "AvgPool2D/AvgPool"}
    if name == "ade20k":
        pools = {f"pooled.{i}": f"{_SPP}/AvgPool{f'_{i}' if i else ''}" for i in range(3)}
    for module, pool in pools.items():
        exact = [d for d in published.details if d["name"] == pool]
        given = published.values(exact[0])
        net.get_submodule(module).register_forward_pre_hook(lambda _module, _inputs, given=given: (given,))


@torch.inference_mode()
def test_every_layer_gives_what_the_published_one_gives(name: str, published: Published) -> None:
    """Each convolution reads the published net's own values; its result lies within a step of their 8 bits."""
    net = published.twin(name)
    image = pictures()[1]
    published.run(image)
    compared = []

    def comparing(scope: str) -> Any:
        def hook(_module: torch.nn.Module, _inputs: Any, own: torch.Tensor) -> torch.Tensor:
            detail = published.named(f"{scope}/")
            scale, zero = detail["quantization"]
            given = published.values(detail)
            steps = (own.clamp((0 - zero) * scale, (255 - zero) * scale) - given).abs() / scale
            # what reads enlarged and joined maps: the published net rounded those, too
            limit = 5.0 if scope in _JOINED else 1.0
            assert float(steps.max()) < limit and float(steps.mean()) < 0.4, (scope, steps.max(), steps.mean())
            compared.append(scope)
            return given

        return hook

    feed_published_sums_and_means(name, net, published)
    scopes = net.tflite_scopes()
    for module, scope in scopes.items():
        net.get_submodule(module).register_forward_hook(comparing(scope))
    net(as_input(image))
    assert sorted(compared) == sorted(scopes.values()) and len(compared) >= 60


@torch.inference_mode()
def test_the_whole_net_agrees_with_the_published_one(name: str, published: Published) -> None:
    net, _ = load_segmenter(resource_path(SHIPPED_MODELS[name]))
    agreements = []
    for image in pictures():
        scores = net(as_input(image))
        whole = enlarged(scores, 4, torch.empty(1, 1, 512, 512))
        agreements.append(float((whole.argmax(dim=1)[0].numpy() == published.run(image)).mean()))
    assert min(agreements) > 0.92 and np.mean(agreements) > 0.95, agreements


def test_the_shipped_weights_are_those_of_the_published_file(name: str, published: Published) -> None:
    path = resource_path(SHIPPED_MODELS[name])
    stored, _ = load_weights(path, "segmenter")
    net = published.twin(name)
    state = net.state_dict()
    assert state.keys() == stored.keys()
    for key, value in state.items():
        assert torch.equal(value.half(), stored[key]), key
    assert path.stat().st_size < 4.6e6


def test_the_script_writes_what_is_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path(__file__).parents[2] / "scripts" / "import_ade20k.py"
    spec = importlib.util.spec_from_file_location("import_ade20k", file)
    assert spec and spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for published_file in PUBLISHED.values():
        (tmp_path / published_file).symlink_to(script.FOLDER / published_file)
    monkeypatch.setattr(script, "FOLDER", tmp_path)
    script.main()
    for shipped in (resource_path(SHIPPED_MODELS[n]) for n in PUBLISHED):
        assert load_card(tmp_path / shipped.name) == load_card(shipped)
        assert shipped.stem != "segmenter_ade20k" or load_card(shipped).sha256[:12] in (
            shipped.with_name("README.md").read_text(encoding="utf-8")
        )


@pytest.mark.parametrize("wrong", [deeplab.tiny(32), mosaic.tiny(32)], ids=["deeplab", "mosaic"])
def test_a_file_of_another_network_is_refused(wrong: Any) -> None:
    other = Published("ade20k" if isinstance(wrong, deeplab.DeepLabConfig) else "ade20k_deeplab")
    net = build_network(wrong.as_dict())
    with pytest.raises(WeightsError, match="the TFLite file and the network differ in") as error:
        read_state(other.interpreter, net, net.tflite_scopes())
    assert "\n" not in str(error.value)


def test_it_finds_what_is_in_pictures(name: str) -> None:
    segmenter = make_segmenter(name)
    assert segmenter.labels.name == "ade20k31"
    out = segmenter.segment(frame_of(astronaut(240, 240)))
    check_probabilities(out, 32, 160, 160)
    assert float((out.label_index() == ADE.index_of("person")).float().mean()) > 0.35
    assert out.encoder == load_card(resource_path(SHIPPED_MODELS[name])).sha256[:12]
    room = FolderSequence(resource_path("samples/living_room")).read(5)
    in_rooms = make_segmenter(name, "scannet20").segment(room)
    check_probabilities(in_rooms, 20, 160, 120)
    assert in_rooms.features is not None and in_rooms.features.shape == (
        (64, 36, 48) if name == "ade20k" else (256, 72, 96)
    )


@pytest.mark.parametrize("network", TINY)
@pytest.mark.parametrize(("height", "width"), [(64, 96), (61, 83), (33, 32)])
def test_tiny_nets_run_at_any_size_and_learn(network: str, height: int, width: int) -> None:
    torch.manual_seed(0)
    net = build_network(json.loads(json.dumps(TINY[network].as_dict())))
    assert net.config == TINY[network] and sum(p.numel() for p in net.parameters()) < 10_000
    scores, features = net.scores_and_features(torch.rand(2, 3, height, width))
    of_scores, of_features = net.corner_strides
    assert scores.shape == (2, 7, -(-height // of_scores), -(-width // of_scores))
    assert features.shape[2:] == (-(-height // of_features), -(-width // of_features))
    scores.square().sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_unknown_networks_and_broken_cards_are_one_line() -> None:
    with pytest.raises(WeightsError, match="'vit' is unknown; this version has pyramid, mosaic, deeplabv3plus"):
        build_network({"network": "vit"})
    for kind in ("mosaic", "deeplabv3plus"):
        with pytest.raises(WeightsError, match="not the architecture") as error:
            build_network({"network": kind, "classes": 3})
        assert "\n" not in str(error.value)
    with pytest.raises(WeightsError, match="activation"):
        content = mosaic.tiny(3).as_dict()
        build_network({**content, "backbone": {**content["backbone"], "activation": "tanh"}})


def test_enlarged_by_hand() -> None:
    """First cells coincide, the last value goes on: half the steps between 0 and 4, then 4 again; cut to fit."""
    x = torch.tensor([0.0, 4.0]).view(1, 1, 1, 2)
    assert enlarged(x, 2, torch.empty(1, 1, 2, 4))[0, 0].tolist() == [[0, 2, 4, 4]] * 2
    assert enlarged(x, 4, torch.empty(1, 1, 1, 6))[0, 0].tolist() == [[0, 1, 2, 3, 4, 4]]


def test_tiled_reads_where_the_pixels_are() -> None:
    """Cells whose value is the pixel they lie on, asked for the middle of each tile."""
    columns = torch.arange(0, 40, 4.0).expand(1, 1, 8, 10)  # of an image 32 x 40
    found = tiled(columns, 4, (32, 40), (4, 5))[0, 0]
    assert torch.allclose(found, torch.tensor([3.5, 11.5, 19.5, 27.5, 35.5]).expand(4, 5), atol=1e-4)
    rows = torch.arange(0, 32, 4.0)[:, None].expand(1, 1, 8, 10)
    assert torch.allclose(tiled(rows, 4, (32, 40), (2, 3))[0, 0], torch.tensor([[7.5] * 3, [23.5] * 3]), atol=1e-4)
