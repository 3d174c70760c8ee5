"""A SemanticMap as plain arrays and back: what a map file holds. Votes are kept, so a loaded map goes on voting."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from sem_field_ros.errors import LabelSetError, MapFileError, SettingError
from sem_field_ros.geometry.tsdf import VOXELS
from sem_field_ros.labels import label_set_from_dict, label_set_to_dict
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.map_file import MapState

if TYPE_CHECKING:
    from sem_field_ros.mapping.semantic_map import SemanticMap

# What the stored voxels depend on: taken from the file, whatever the running configuration says.
_STORED = ("voxel_size_m", "truncation_voxels", "views_per_voxel")


def map_to_state(semantic_map: SemanticMap) -> MapState:
    """Return the arrays (B blocks, R surface voxels, K views, C classes) and the header of a map."""
    volume, votes = semantic_map.volume, semantic_map.votes
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
        "weight": volume.weight[slots].clamp(max=semantic_map.config.max_weight).half(),
        "color": volume.color[slots].round().clamp(0, 255).to(torch.uint8),
        "row_voxel": ordinal[voxel // VOXELS] * VOXELS + voxel % VOXELS,
        "row_position": votes.position[rows],
        "row_normal": votes.normal[rows],
        "row_samples": votes.samples[rows],
        "row_scores": votes.scores[rows],
        "row_order": votes.order[rows],
    }
    header = {
        "label_set": label_set_to_dict(semantic_map.labels),
        "config": asdict(semantic_map.config),
        "keyframes": semantic_map.keyframes,
        "frames": semantic_map.frames,
    }
    return MapState({name: array.cpu().contiguous().numpy() for name, array in arrays.items()}, header)


def map_from_state(state: MapState, config: MapConfig | None = None) -> SemanticMap:
    """Rebuild a map. `config` steers everything but what the voxels depend on (voxel size, truncation, K).

    Raises MapFileError with one line where arrays do not fit each other or the header is not ours.
    """
    from sem_field_ros.mapping.semantic_map import SemanticMap

    stored, labels_header = _header(state)
    config = replace(config or stored, **{name: getattr(stored, name) for name in _STORED})
    try:
        labels = label_set_from_dict(labels_header)
    except (LabelSetError, KeyError, TypeError, ValueError, IndexError) as error:
        raise MapFileError(f"the map's label set cannot be read ({error}): map again") from error
    keys = state.array("block_keys", np.int32, (None, 3))
    tsdf = state.array("tsdf", np.float16, (len(keys), VOXELS))
    weight = state.array("weight", np.float16, (len(keys), VOXELS))
    color = state.array("color", np.uint8, (len(keys), VOXELS, 3))
    config = replace(config, max_blocks=max(config.max_blocks, len(keys)))
    restored = SemanticMap(config, labels)
    slots = restored.adopt_blocks(torch.from_numpy(keys.copy()))
    restored.volume.tsdf[slots] = torch.from_numpy(tsdf.astype(np.float32)).to(slots.device)
    restored.volume.weight[slots] = torch.from_numpy(weight.astype(np.float32)).to(slots.device)
    restored.volume.color[slots] = torch.from_numpy(color.astype(np.float32)).to(slots.device)
    _restore_votes(restored, state, slots)
    restored.keyframes, restored.frames = int(state.header["keyframes"]), int(state.header["frames"])
    return restored


def _header(state: MapState) -> tuple[MapConfig, dict]:
    known = {f.name for f in fields(MapConfig)}
    try:
        config = MapConfig(**{k: v for k, v in dict(state.header["config"]).items() if k in known})
        int(state.header["keyframes"]), int(state.header["frames"])
        return config, state.header["label_set"]
    except (KeyError, TypeError, ValueError, SettingError) as error:
        raise MapFileError(f"the map's header cannot be read ({error}): map again") from error


def _restore_votes(restored: SemanticMap, state: MapState, slots: torch.Tensor) -> None:
    views, classes = restored.config.views_per_voxel, len(restored.labels)
    voxel = state.array("row_voxel", np.int64, (None,))
    n = len(voxel)
    if n and (voxel.min() < 0 or voxel.max() >= len(slots) * VOXELS or len(np.unique(voxel)) != n):
        raise MapFileError("the map's surface voxels lie outside its blocks: the file is damaged; map again")
    position = torch.from_numpy(state.array("row_position", np.float32, (n, 3)).copy())
    normal = torch.from_numpy(state.array("row_normal", np.float32, (n, 3)).copy())
    samples = torch.from_numpy(state.array("row_samples", np.uint8, (n, views, classes)).copy())
    scores = torch.from_numpy(state.array("row_scores", np.float32, (n, views)).copy())
    order = torch.from_numpy(state.array("row_order", np.int32, (n, views)).copy())
    votes, device = restored.votes, restored.votes.device
    block = torch.from_numpy(voxel // VOXELS).to(device)
    name = slots.to(device)[block] * VOXELS + torch.from_numpy(voxel % VOXELS).to(device)
    rows, _ = votes.place(name, position.to(device), normal.to(device))
    votes.samples[rows], votes.scores[rows], votes.order[rows] = samples.to(device), scores.to(device), order.to(device)
    votes.fuse(rows, restored.fusion)
