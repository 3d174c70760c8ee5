"""ONNX nets built here: the class is the largest colour channel, so the result is known by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sem_field_ros.errors import SegmenterError
from sem_field_ros.labels import LabelClass, LabelSet, load_label_set
from sem_field_ros.segmentation.onnx import OnnxSegmenter

from .frames import check_probabilities, frame_of, red_and_blue

onnx = pytest.importorskip("onnx")
TO_NHWC = onnx.helper.make_node("Transpose", ["x"], ["y"], perm=[0, 2, 3, 1])
RGB = LabelSet("rgb", tuple(LabelClass(i, n, (i, i, i)) for i, n in enumerate(("red", "green", "blue"))))


def _write(path: Path, size: tuple[int | str, int | str] = ("h", "w"), ops: tuple[str, ...] = ("AveragePool",)) -> Path:
    """A net that pools its three input channels 4x4: its outputs are the channels, as scores of three classes."""
    attributes = {"AveragePool": {"kernel_shape": [4, 4], "strides": [4, 4]}, "Softmax": {"axis": 1}}
    names = ["picture", *(f"t{i}" for i in range(len(ops)))]
    nodes = [onnx.helper.make_node(op, [names[i]], [names[i + 1]], **attributes[op]) for i, op in enumerate(ops)]
    tensor = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "channels",
        [tensor("picture", onnx.TensorProto.FLOAT, [1, 3, *size])],
        [tensor(names[-1], onnx.TensorProto.FLOAT, None)],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize("size", [("h", "w"), (32, 48)])
def test_red_is_red_where_it_is(tmp_path: Path, size: tuple) -> None:
    path = _write(tmp_path / "net.onnx", size)
    out = OnnxSegmenter(path, RGB, label_width=40).segment(frame_of(red_and_blue(80, 60, border=60)))
    check_probabilities(out, 3, 40, 30)
    index = out.label_index()
    assert bool((index[:, :29] == 0).all()) and bool((index[:, 31:] == 2).all())


def test_the_side_file_sets_mean_std_size_and_output(tmp_path: Path) -> None:
    path = _write(tmp_path / "net.onnx", ops=("AveragePool", "Softmax"))
    side = {"label_set": str(tmp_path / "rgb.yaml"), "mean": [0, 0, 0], "std": [0.5, 0.5, 0.5], "size": [64, 48]}
    (tmp_path / "net.onnx.json").write_text(json.dumps({**side, "output": "probabilities"}))
    (tmp_path / "rgb.yaml").write_text(
        "name: rgb\nclasses:\n"
        + "".join(f"  - {{id: {c.id}, name: {c.name}, color: {[*c.color]}}}\n" for c in RGB.classes)
    )
    segmenter = OnnxSegmenter(path, label_width=8)
    out = segmenter.segment(frame_of(np.full((60, 80, 3), (255, 0, 0), np.uint8)))
    assert segmenter.labels.names == ("red", "green", "blue")
    # scores 2, 0, 0 after mean and std, softmaxed once by the net: exp(2) / (exp(2) + 2)
    assert out.values[0].mean() == pytest.approx(np.exp(2) / (np.exp(2) + 2), abs=1e-4)


def test_default_normalisation_is_imagenet(tmp_path: Path) -> None:
    out = OnnxSegmenter(_write(tmp_path / "net.onnx"), RGB, label_width=8).segment(
        frame_of(np.full((60, 80, 3), 255, np.uint8))
    )
    scores = (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    assert torch.allclose(out.values.mean(dim=(1, 2)), scores.softmax(0), atol=1e-4)


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    path = _write(tmp_path / "net.onnx")
    with pytest.raises(SegmenterError, match="needs label_set"):
        OnnxSegmenter(path)
    with pytest.raises(SegmenterError, match=r"not \[1, 20, h, w\] for label set scannet20"):
        OnnxSegmenter(path, load_label_set("scannet20")).segment(frame_of(red_and_blue()))
    with pytest.raises(SegmenterError, match="does not exist"):
        OnnxSegmenter(tmp_path / "none.onnx", RGB)
    (tmp_path / "bad.onnx").write_bytes(b"nonsense")
    with pytest.raises(SegmenterError, match="cannot be loaded as an ONNX model") as error:
        OnnxSegmenter(tmp_path / "bad.onnx", RGB)
    assert "\n" not in str(error.value)
    (tmp_path / "net.onnx.json").write_text("{")
    with pytest.raises(SegmenterError, match="cannot be read"):
        OnnxSegmenter(path, RGB)
    with pytest.raises(SegmenterError, match=r"expected an input \[1, 3, h, w\]"):
        flat = onnx.load(str(path))
        flat.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 4
        onnx.save(flat, str(tmp_path / "four.onnx"))
        OnnxSegmenter(tmp_path / "four.onnx", RGB)


def _net(path: Path, kind: str = "FLOAT", shape: tuple = (1, 3, "h", "w"), nodes: list | None = None, outputs=("y",),
         more: tuple = ()) -> Path:  # fmt: skip
    """A net of identity nodes unless given; all outputs have the type of the input, without a shape."""
    types, helper = onnx.TensorProto, onnx.helper
    nodes = nodes or [helper.make_node("Identity", ["x"], ["y"])]
    inputs = [helper.make_tensor_value_info("x", getattr(types, kind), shape), *more]
    known = [helper.make_tensor_value_info(*out) if isinstance(out, tuple)
             else helper.make_tensor_value_info(out, getattr(types, kind), None) for out in outputs]  # fmt: skip
    graph = helper.make_graph(nodes, "g", inputs, known)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


@pytest.mark.parametrize("kind", ["FLOAT", "FLOAT16", "DOUBLE", "UINT8"])
def test_input_types(tmp_path: Path, kind: str) -> None:
    out = OnnxSegmenter(_net(tmp_path / "net.onnx", kind), RGB, label_width=40).segment(frame_of(red_and_blue(80, 60)))
    check_probabilities(out, 3, 40, 30)
    assert int(out.label_index()[15, 5]) == 0 and int(out.label_index()[15, 35]) == 2


def test_sides_are_multiples_of_32_and_auxiliary_outputs_are_passed_over(tmp_path: Path) -> None:
    """As U-Nets need them: pooled by 32 and up again, added to the input; the first output is a global mean."""
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    scales = numpy_helper.from_array(np.array([1, 1, 32, 32], np.float32))
    nodes = [helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
             helper.make_node("MaxPool", ["x"], ["small"], kernel_shape=[32, 32], strides=[32, 32]),
             helper.make_node("Constant", [], ["scales"], value=scales),
             helper.make_node("Resize", ["small", "", "scales"], ["large"], mode="nearest"),
             helper.make_node("Add", ["x", "large"], ["y"])]  # fmt: skip
    mean = ("mean", onnx.TensorProto.FLOAT, [1, 5, 1, 1])
    segmenter = OnnxSegmenter(_net(tmp_path / "net.onnx", nodes=nodes, outputs=(mean, "y")), RGB, label_width=20)
    assert segmenter.segment(frame_of(red_and_blue(100, 70))).values.shape == (3, 14, 20)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"shape": (4, 3, 64, 96)}, "takes 4 images at once"),
        ({"shape": (1, 64, 96, 3)}, "expected an input"),
        ({"kind": "INT64"}, r"takes tensor\(int64\)"),
        (
            {"shape": (1, 3, 64, 96), "nodes": [TO_NHWC], "outputs": (("y", 1, [1, 64, 96, 3]),)},
            r"gives y \[1, 64, 96, 3\], not \[1, 3, h, w\]",
        ),
    ],
)
def test_nets_that_do_not_fit_are_refused_when_loaded(tmp_path: Path, given: dict, says: str) -> None:
    with pytest.raises(SegmenterError, match=says) as error:
        OnnxSegmenter(_net(tmp_path / "net.onnx", **given), RGB)
    assert "\n" not in str(error.value)


def test_several_inputs_are_refused(tmp_path: Path) -> None:
    size = onnx.helper.make_tensor_value_info("size", onnx.TensorProto.FLOAT, [1])
    nodes = [onnx.helper.make_node("Add", ["x", "size"], ["y"])]
    with pytest.raises(SegmenterError, match=r"has 2 inputs \(x, size\)"):
        OnnxSegmenter(_net(tmp_path / "net.onnx", nodes=nodes, more=(size,)), RGB)


def test_nan_and_run_errors_are_segmenter_errors(tmp_path: Path) -> None:
    nan = _net(tmp_path / "nan.onnx", nodes=[onnx.helper.make_node("Log", ["x"], ["y"])])
    with pytest.raises(SegmenterError, match="NaN or infinite scores"):
        OnnxSegmenter(nan, RGB).segment(frame_of(red_and_blue()))
    shape = onnx.numpy_helper.from_array(np.array([1, 3, 7, 7], np.int64))
    nodes = [
        onnx.helper.make_node("Constant", [], ["s"], value=shape),
        onnx.helper.make_node("Reshape", ["x", "s"], ["y"]),
    ]
    with pytest.raises(SegmenterError, match="cannot segment") as error:
        OnnxSegmenter(_net(tmp_path / "run.onnx", nodes=nodes), RGB).segment(frame_of(red_and_blue()))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("side", "says"),
    [
        ('{"size": "96x64"}', r"size must be \[width, height\] in pixels, got '96x64'"),
        ('{"size": 96}', "size must be"),
        ("[1, 2]", "must hold an object"),
        ('{"mean": [0.5, 0.5, 0.5, 0.5]}', "mean must be three numbers"),
        ('{"mean": [123.7, 116.3, 103.5]}', r"mean must be three numbers of RGB between 0 and 1 \(divide by 255\)"),
        ('{"output": "probs"}', "output must be logits or probabilities, got 'probs'"),
        ('{"std": [0, 0, 0]}', "std must be three numbers above 0"),
    ],
)
def test_mistakes_in_the_side_file_are_refused_when_loaded(tmp_path: Path, side: str, says: str) -> None:
    (tmp_path / "net.onnx.json").write_text("\ufeff" + side, encoding="utf-8")
    with pytest.raises(SegmenterError, match=says):
        OnnxSegmenter(_net(tmp_path / "net.onnx"), RGB)
