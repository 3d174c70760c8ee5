"""Hugging Face models: tiny random ones (semantic, universal, OneFormer), and fakes with known output."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sem_field_ros.errors import SegmenterError
from sem_field_ros.labels import load_label_set
from sem_field_ros.segmentation.huggingface import HuggingFaceSegmenter, _assignment, _own_label_set

from .frames import check_probabilities, frame_of, red_and_blue

transformers = pytest.importorskip("transformers")
pytest.importorskip("PIL")
NAMES = {0: "wall", 1: "Chairs", 2: "couch, sofa", 3: "spaceship"}
LABELS = {"id2label": NAMES, "label2id": {v: k for k, v in NAMES.items()}}
SWIN = {
    "image_size": 32, "embed_dim": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2], "window_size": 2,
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
}  # fmt: skip
MASKS = {"hidden_dim": 32, "num_attention_heads": 2, "dim_feedforward": 16, "encoder_feedforward_dim": 16}


@pytest.fixture(scope="module")
def segformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("hub") / "tiny-segformer"
    config = transformers.SegformerConfig(
        depths=[1] * 4, hidden_sizes=[8, 8, 16, 16], num_attention_heads=[1, 1, 2, 2], decoder_hidden_size=16, **LABELS
    )
    transformers.SegformerForSemanticSegmentation(config).save_pretrained(path)
    transformers.SegformerImageProcessor(size={"height": 64, "width": 64}).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def mask2former(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("hub") / "tiny-mask2former"
    backbone = transformers.SwinConfig(**SWIN)
    config = transformers.Mask2FormerConfig(
        backbone_config=backbone, feature_size=32, mask_feature_size=32, encoder_layers=1, decoder_layers=2,
        num_queries=5, **MASKS, **LABELS,
    )  # fmt: skip
    transformers.Mask2FormerForUniversalSegmentation(config).save_pretrained(path)
    size = {"shortest_edge": 64, "longest_edge": 128}
    transformers.Mask2FormerImageProcessor(size=size).save_pretrained(path)
    return path


def test_semantic_model_with_its_own_classes(segformer: Path) -> None:
    segmenter = HuggingFaceSegmenter(str(segformer), label_width=40)
    assert segmenter.labels.name == "tiny-segformer" and segmenter.labels.names == tuple(NAMES.values())
    frame = frame_of(np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8))
    out = segmenter.segment(frame)
    check_probabilities(out, 4, 40, 30)
    assert torch.equal(out.values, segmenter.segment(frame).values)  # no dropout at work


def test_universal_model_into_a_given_set(mask2former: Path) -> None:
    scannet = load_label_set("scannet20")
    frame = frame_of(np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8))
    own = HuggingFaceSegmenter(str(mask2former), label_width=32)
    into = HuggingFaceSegmenter(str(mask2former), scannet, label_width=32)
    check_probabilities(into.segment(frame), 20, 32, 24)
    nowhere = own.segment(frame).label_index() == 3  # the spaceship is in no room
    assert torch.equal(into.segment(frame).label_index() == -1, nowhere)
    into._model.class_predictor.bias.data[3] -= 9
    out = into.segment(frame)
    known = [scannet.index_of(n) for n in ("wall", "chair", "sofa")]
    assert float(out.values[known].sum(dim=0).min()) > 0.99


def test_one_former_gets_its_task(tmp_path: Path) -> None:
    torch.manual_seed(0)
    words = [
        "<|startoftext|>",
        "<|endoftext|>",
        *"abcdefghijklmnopqrstuvwxyz",
        *(f"{c}</w>" for c in "abcdefghijklmnopqrstuvwxyz"),
    ]
    (tmp_path / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer(
        vocab=json.loads((tmp_path / "vocab.json").read_text()), merges=[], vocab_file=str(tmp_path / "vocab.json"),
        merges_file=str(tmp_path / "merges.txt"),
    )  # fmt: skip
    (tmp_path / "classes.json").write_text(json.dumps({str(i): {"name": n, "isthing": 0} for i, n in NAMES.items()}))
    images = transformers.OneFormerImageProcessor(
        size={"shortest_edge": 64, "longest_edge": 128}, repo_path=str(tmp_path), class_info_file="classes.json",
        num_text=2,
    )  # fmt: skip
    path = tmp_path / "tiny-oneformer"
    transformers.OneFormerProcessor(images, tokenizer, max_seq_length=77, task_seq_length=77).save_pretrained(path)
    config = transformers.OneFormerConfig(
        backbone_config=transformers.SwinConfig(**SWIN), conv_dim=32, mask_dim=32, encoder_layers=1, decoder_layers=2,
        num_queries=5, text_encoder_vocab_size=len(words), text_encoder_width=16, text_encoder_num_layers=1,
        text_encoder_n_ctx=4, use_task_norm=True, **MASKS, **LABELS,
    )  # fmt: skip
    transformers.OneFormerForUniversalSegmentation(config).save_pretrained(path)
    out = HuggingFaceSegmenter(str(path), label_width=32).segment(frame_of(red_and_blue()))
    check_probabilities(out, 4, 32, 24)


def test_labels_lie_where_the_pixels_are(segformer: Path, mask2former: Path) -> None:
    """A net that predicts red or blue: the labels cover the whole image, in place."""
    for path, universal in ((segformer, False), (mask2former, True)):
        segmenter = HuggingFaceSegmenter(str(path), label_width=40)

        class Colours(torch.nn.Module):
            def __init__(self, universal: bool) -> None:
                super().__init__()
                self.universal = universal

            def forward(self, pixel_values: torch.Tensor, **_: object) -> SimpleNamespace:
                red = torch.nn.functional.avg_pool2d(pixel_values[:, 0] - pixel_values[:, 2], 4) * 20
                if not self.universal:
                    return SimpleNamespace(logits=torch.stack([red, -red, red * 0 - 99, red * 0 - 99], dim=1))
                classes = torch.full((1, 2, 5), -99.0)
                classes[0, 0, 0] = classes[0, 1, 1] = 0.0  # query 0 is class 0, query 1 is class 1; the last is "none"
                return SimpleNamespace(
                    class_queries_logits=classes, masks_queries_logits=torch.stack([red, -red], dim=1)
                )

        segmenter._model = Colours(universal)
        index = segmenter.segment(frame_of(red_and_blue(80, 60, border=60))).label_index()
        assert bool((index[:, :28] == 0).all()) and bool((index[:, 32:] == 1).all())


def test_classes_are_matched_by_name() -> None:
    scannet = load_label_set("scannet20")
    own = _own_label_set("m", {0: "Wall", 1: "book-shelf", 2: "couch, sofa", 3: "tables", 4: "tables"})
    assert own.names == ("Wall", "book-shelf", "couch, sofa", "tables", "tables 4")  # names are made unique
    matrix = _assignment(own, scannet, "m")
    assert matrix.argmax(1)[[0, 2, 3]].tolist() == [scannet.index_of(n) for n in ("wall", "sofa", "table")]
    assert matrix.sum(1).tolist() == [1, 0, 1, 1, 0]
    with pytest.raises(SegmenterError, match="shares no class name"):
        _assignment(_own_label_set("m", {0: "sky"}), scannet, "m")


def test_a_model_of_many_classes_never_uses_the_unlabelled_id() -> None:
    own = _own_label_set("big", {i: f"c{i}" for i in range(300)})
    assert 255 not in own.ids and len(own) == 300 and own.ids[255] == 256


def test_mistakes_are_one_line(tmp_path: Path, segformer: Path) -> None:
    with pytest.raises(SegmenterError, match="cannot be loaded") as error:
        HuggingFaceSegmenter(str(tmp_path / "nothing"))
    assert "\n" not in str(error.value)
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((segformer / name).read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(SegmenterError, match="safetensors"):
        HuggingFaceSegmenter(str(tmp_path))
