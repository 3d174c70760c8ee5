"""Volume and votes as plain arrays and back, for map files. Votes are included, so a loaded map can continue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sem_field_ros.context.registry import NONE
from sem_field_ros.errors import LabelSetError, MapFileError, SettingError
from sem_field_ros.fusion.hand_made import CUES
from sem_field_ros.geometry.tsdf import TsdfVolume
from sem_field_ros.geometry.voxel_names import VOXELS, renamed, slot_of
from sem_field_ros.labels import LabelSet, label_set_from_dict, label_set_to_dict
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.files.map_file import MapState
from sem_field_ros.mapping.votes import VoteTable
from sem_field_ros.settings import current_names, settings_of

# Settings that the stored voxels depend on: always taken from the file.
_STORED = ("voxel_size_m", "truncation_voxels", "views_per_voxel")


@dataclass(frozen=True)
class MapHeader:
    """A map's header. `voter`: the fusion that the image features belong to, Fusion.identity."""

    config: MapConfig
    labels: LabelSet
    keyframes: int
    frames: int
    voter: str = ""
    origin_m: np.ndarray = field(default_factory=lambda: np.zeros(3))  # of the map, in its frame


def pack_map(header: MapHeader, volume: TsdfVolume, votes: VoteTable) -> MapState:
    """Return a map's arrays (B blocks, R surface voxels, K views, C classes) and its header as JSON-able values."""
    keys, slots = volume.keys()
    order = torch.argsort(slots)  # a fixed order makes equal maps equal files
    keys, slots = keys[order], slots[order].to(volume.tsdf.device)
    ordinal = torch.full((volume.capacity,), -1, dtype=torch.int64, device=votes.device)
    ordinal[slots] = torch.arange(len(slots), device=votes.device)
    rows = (votes.voxel >= 0).nonzero()[:, 0]
    rows = rows[torch.argsort(votes.voxel[rows])]
    voxel = votes.voxel[rows]
    arrays = {
        "block_keys": keys,
        "tsdf": volume.tsdf[slots].half(),
        "weight": volume.weight[slots].clamp(max=header.config.max_weight).half(),
        "color": volume.color[slots].round().clamp(0, 255).to(torch.uint8),
        "row_voxel": renamed(voxel, ordinal[slot_of(voxel)]),
        "row_position": votes.position[rows],
        "row_normal": votes.normal[rows],
        "row_samples": votes.view_probabilities[rows],
        "row_scores": votes.scores[rows],
        "row_order": votes.keyframe_id[rows],
    }
    if votes.feature_count:
        arrays |= {"row_features": votes.features[rows], "row_cues": votes.cues[rows]}
    content = {
        "label_set": label_set_to_dict(header.labels),
        "config": asdict(header.config),
        "keyframes": header.keyframes,
        "frames": header.frames,
        "voter": header.voter,
        "origin_m": header.origin_m.tolist(),
    }
    return MapState({name: array.cpu().contiguous().numpy() for name, array in arrays.items()}, content)


def read_header(header: Mapping[str, Any], config: MapConfig | None = None) -> MapHeader:
    """Read pack_map's header. `config` replaces the stored one except for settings of the voxels (size, truncation, K).

    Raises MapFileError with one line if the header is not valid.
    """
    known = {f.name for f in fields(MapConfig)}
    try:
        content = {"context": NONE, **current_names(settings_of(MapConfig), dict(header["config"]))}  # as it was made
        stored = MapConfig(**{k: v for k, v in content.items() if k in known})
        labels = label_set_from_dict(header["label_set"])
        keyframes, frames = int(header["keyframes"]), int(header["frames"])
        voter = str(header.get("voter", ""))
        origin_m = np.array(header.get("origin_m", (0.0, 0.0, 0.0)), dtype=np.float64).reshape(3)
        if not np.isfinite(origin_m).all():
            raise ValueError(f"origin_m is {origin_m.tolist()}")
    except (KeyError, TypeError, ValueError, IndexError, SettingError, LabelSetError) as error:
        raise MapFileError(f"the map's header cannot be read ({error}): map again") from error
    kept = {name: getattr(stored, name) for name in _STORED}
    return MapHeader(replace(config or stored, **kept), labels, keyframes, frames, voter, origin_m)


def block_keys(state: MapState) -> Tensor:
    """Keys [B, 3] int32 of a state's blocks."""
    return torch.from_numpy(state.array("block_keys", np.int32, (None, 3)).copy())


def fill_blocks(state: MapState, volume: TsdfVolume, slots: Tensor) -> None:
    """Write a state's voxels into the blocks at `slots` [B]. Raises MapFileError if shapes do not fit."""
    blocks = len(slots)
    for name, buffer, dtype, shape in (
        ("tsdf", volume.tsdf, np.float16, (blocks, VOXELS)),
        ("weight", volume.weight, np.float16, (blocks, VOXELS)),
        ("color", volume.color, np.uint8, (blocks, VOXELS, 3)),
    ):
        buffer[slots] = torch.from_numpy(state.array(name, dtype, shape).astype(np.float32)).to(buffer.device)


def _slots(state: MapState, votes: VoteTable) -> int:
    """Number of a row's slots in a state, for which the table makes room: K for each combined segmenter."""
    stored = state.arrays.get("row_scores", np.zeros((0, votes.views))).shape
    slots = stored[1] if len(stored) == 2 else votes.views
    if slots < votes.views or slots % votes.views:
        raise MapFileError(f"the map has {slots} votes of a voxel, not a multiple of {votes.views}: map again")
    votes.take_members(slots // votes.views)
    return slots


def fill_votes(state: MapState, votes: VoteTable, slots: Tensor, reads_features: bool = True) -> Tensor:
    """Write a state's votes into an empty table; returns their rows, still to be fused. Raises MapFileError.

    reads_features  whether the fusion can read the stored image features; otherwise zeros are used
    """
    views, classes, device = _slots(state, votes), votes.classes, votes.device
    voxel = state.array("row_voxel", np.int64, (None,))
    n = len(voxel)
    if n and (voxel.min() < 0 or voxel.max() >= len(slots) * VOXELS or len(np.unique(voxel)) != n):
        raise MapFileError("the map's surface voxels lie outside its blocks: the file is damaged; map again")
    position = torch.from_numpy(state.array("row_position", np.float32, (n, 3)).copy())
    normal = torch.from_numpy(state.array("row_normal", np.float32, (n, 3)).copy())
    samples = torch.from_numpy(state.array("row_samples", np.uint8, (n, views, classes)).copy())
    scores = torch.from_numpy(state.array("row_scores", np.float32, (n, views)).copy())
    order = torch.from_numpy(state.array("row_order", np.int32, (n, views)).copy())
    stored = torch.from_numpy(voxel.copy()).to(device)
    name = renamed(stored, slots.to(device)[slot_of(stored)])
    rows, _ = votes.place(name, position.to(device), normal.to(device))
    votes.view_probabilities[rows], votes.scores[rows], votes.keyframe_id[rows] = (
        samples.to(device),
        scores.to(device),
        order.to(device),
    )
    if votes.feature_count and "row_cues" in state.arrays:  # maps of hand-made fusions have none
        cues = state.array("row_cues", np.float16, (n, views, CUES))
        votes.cues[rows] = torch.from_numpy(cues.copy()).to(device)
        if reads_features:
            features = state.array("row_features", np.int8, (n, views, votes.feature_count))
            votes.features[rows] = torch.from_numpy(features.copy()).to(device)
    return rows
