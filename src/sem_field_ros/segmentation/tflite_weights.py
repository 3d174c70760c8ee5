"""Weights of a quantised TFLite net as torch tensors: what scripts/import_ade20k.py puts into our own networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sem_field_ros.errors import WeightsError

_WEIGHTS = "/weights_quant/FakeQuantWithMinMaxVars"  # what ends the name of a layer's weights


def read_state(interpreter: Any, net: nn.Module, scopes: Mapping[str, str]) -> dict[str, Tensor]:
    """State of `net`, float32, from a TFLite interpreter of the same network.

    scopes  module name of each convolution -> TensorFlow scope of its weights and bias
    Every weight of the file is used exactly once. Raises WeightsError in one line where file and net differ.
    """
    named = [(_last(d["name"]), d) for d in interpreter.get_tensor_details()]
    weights = {name.removesuffix(_WEIGHTS): d for name, d in named if name.endswith(_WEIGHTS)}
    biases = [(name, d) for name, d in named if d["dtype"] == np.int32 and len(d["shape"]) == 1]
    if weights.keys() != set(scopes.values()):
        odd = sorted(weights.keys() ^ set(scopes.values()))
        raise WeightsError(f"the TFLite file and the network differ in {', '.join(odd[:3])}")
    state = {}
    for module, scope in scopes.items():
        weight = dequantised(interpreter, weights[scope])
        conv = net.get_submodule(module)
        assert isinstance(conv, nn.Conv2d)
        # [out, h, w, in], of depthwise convolutions [1, h, w, channels]
        axes = (3, 0, 1, 2) if conv.groups > 1 else (0, 3, 1, 2)
        state[f"{module}.weight"] = torch.from_numpy(np.ascontiguousarray(weight.transpose(axes)))
        bias = [
            d for name, d in biases if name.startswith((f"{scope}/Conv2D", f"{scope}/depthwise_", f"{scope}/Batch"))
        ]
        if len(bias) != 1:
            raise WeightsError(f"the TFLite file has {len(bias)} biases for {scope}, not one")
        state[f"{module}.bias"] = torch.from_numpy(dequantised(interpreter, bias[0]))
    return state


def dequantised(interpreter: Any, detail: Mapping[str, Any]) -> np.ndarray:
    """A tensor of the interpreter in real numbers, float32, in its own shape."""
    scale, zero = detail["quantization"]
    return ((interpreter.get_tensor(detail["index"]).astype(np.float64) - zero) * scale).astype(np.float32)


def _last(name: str) -> str:
    """Converters join the names of the operations they merged with ';': the last is the layer's own."""
    return str(name).split(";")[-1]
