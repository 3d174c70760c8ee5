"""Weights of every learned model: NAME.safetensors with NAME.json beside it; loading checks every key and shape.

The JSON (a WeightsCard) says what the tensors are: kind of model, architecture, label set, data, training command, git
revision, scores, and the sha256 of the tensor file. Nothing is unpickled.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from sem_field_ros.atomic import atomic_write, write_json
from sem_field_ros.errors import WeightsError

FORMAT = 1
SUFFIX = ".safetensors"
_SHOWN = 3  # names told in one line

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class WeightsCard:
    """What a weights file holds and where it comes from; every dict holds plain JSON values.

    kind          which model, e.g. "segmenter"           architecture  what builds the network, as its config's fields
    label_set     labels.label_set_to_dict, or None       output        how its output is to be used (temperature ...)
    data          what it was trained on                  training      command, steps, seed ...
    scores        metric -> value, or {split: {...}}      git_revision  of the code that trained it
    """

    kind: str
    architecture: dict[str, Any]
    label_set: dict[str, Any] | None = None
    output: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)
    git_revision: str = ""
    sha256: str = ""
    format: int = FORMAT


def save_weights(
    path: str | Path, state: Mapping[str, Tensor], card: WeightsCard, *, half: bool = False
) -> WeightsCard:
    """Write `path` (NAME.safetensors) and NAME.json, atomically, tensors first; return the card with its sha256.

    `half` stores floating-point tensors as float16. Raises OutputError where the folder cannot be written.
    """
    path = _checked(path)
    data = tensor_bytes({name: _stored(tensor, half) for name, tensor in state.items()})
    card = dataclasses.replace(card, sha256=hashlib.sha256(data).hexdigest(), format=FORMAT)
    with atomic_write(path) as file:
        file.write(data)
    write_json(path.with_suffix(".json"), dataclasses.asdict(card))
    return card


def copy_weights(source: Path, target: Path) -> None:
    """Copy a weights file and its card, each whole or not at all. Raises OutputError."""
    for suffix in (SUFFIX, ".json"):
        with atomic_write(target.with_suffix(suffix)) as file:
            file.write(source.with_suffix(suffix).read_bytes())


def load_weights(path: str | Path, kind: str) -> tuple[dict[str, Tensor], WeightsCard]:
    """Read a weights file and its card, on the CPU. Raises WeightsError in one line: missing, damaged, other kind."""
    path = _checked(path)
    card = load_card(path)
    if card.kind != kind:
        raise WeightsError(f"{path} holds a '{card.kind}', not a '{kind}'")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"weights {path} cannot be read ({error.strerror})") from error
    if hashlib.sha256(data).hexdigest() != card.sha256:
        raise WeightsError(f"{path} is not the file that {path.stem}.json describes (sha256 differs): get both again")
    try:
        return safetensors.torch.load(data), card
    except safetensors.SafetensorError as error:
        raise WeightsError(f"{path} is not a safetensors file ({error})") from error


def load_model(path: str | Path, kind: str, build: Callable[[Mapping[str, Any]], Model]) -> tuple[Model, WeightsCard]:
    """The network that `build` makes of a card's architecture, with its weights, in eval mode on the CPU; and the card.

    Raises WeightsError in one line.
    """
    state, card = load_weights(path, kind)
    model = build(card.architecture)
    load_into(model, state, str(path))
    return model.eval(), card


def load_image_model(
    path: str | Path, kind: str, build: Callable[[Mapping[str, Any]], Model], device: torch.device
) -> tuple[Model, int]:
    """As load_model, on `device`, and the width of the images the model was trained on, pixels."""
    model, card = load_model(path, kind, build)
    return model.to(device), image_width(card, path)


def image_width(card: WeightsCard, path: str | Path) -> int:
    """Width in pixels of the images that the model of a card was trained on. Raises WeightsError in one line."""
    try:
        return int(card.output["image_width"])
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: its card has no image_width") from error


def load_card(path: str | Path) -> WeightsCard:
    """Read the JSON beside a weights file. Raises WeightsError in one line."""
    sidecar = _checked(path).with_suffix(".json")
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8"))
        card = WeightsCard(**content)
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(f"{sidecar} cannot be read as the card of a weights file ({_line(error)})") from error
    if card.format != FORMAT:
        raise WeightsError(f"{sidecar}: format {card.format}, this version reads {FORMAT}: update the package")
    return card


def load_into(model: nn.Module, state: Mapping[str, Tensor], name: str = "weights") -> None:
    """Copy `state` into `model`, whatever float type it is stored in; raises WeightsError unless keys and shapes fit.

    Nothing is copied where something does not fit; values that are not finite are refused too.
    """
    own = model.state_dict()
    missing, unexpected = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    if missing or unexpected:
        parts = [f"lacks {_some(missing)}"] * bool(missing) + [f"has unknown {_some(unexpected)}"] * bool(unexpected)
        raise WeightsError(f"{name}: not of this network: {' and '.join(parts)}")
    wrong = [f"{k} {list(v.shape)}, not {list(own[k].shape)}" for k, v in state.items() if v.shape != own[k].shape]
    if wrong:
        raise WeightsError(f"{name}: not of this network: {_some(wrong)}")
    odd = [k for k, v in state.items() if v.is_floating_point() != own[k].is_floating_point()]
    bad = [k for k, v in state.items() if v.is_floating_point() and not bool(torch.isfinite(v).all())]
    if odd or bad:
        raise WeightsError(f"{name}: unusable values in {_some(odd + bad)}")
    model.load_state_dict(dict(state))


def tensor_bytes(tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """Tensors as the bytes of a safetensors file; tensors that share memory (tied weights) are stored one by one."""
    return safetensors.torch.save({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, metadata)


def _stored(tensor: Tensor, half: bool) -> Tensor:
    return tensor.half() if half and tensor.is_floating_point() else tensor


def _checked(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix != SUFFIX:
        raise WeightsError(f"{path}: a weights file is called NAME{SUFFIX}")
    return path


def _some(names: list[str]) -> str:
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + rest


def _line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
