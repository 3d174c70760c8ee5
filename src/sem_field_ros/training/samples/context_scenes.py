"""Labelled scenes as the map sees them: surface voxels, true classes, and fused predictions of several segmenters.

What the context network is trained on. The mapper's own TSDF gives the voxels; only 2-D labels are used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from sem_field_ros.atomic import atomic_write
from sem_field_ros.errors import DataError
from sem_field_ros.frame import PosedFrame, SequenceReader
from sem_field_ros.fusion.hand_made import view_scores
from sem_field_ros.geometry.viewpoints import estimate_up
from sem_field_ros.labels import LabelSet
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.semantic_map import SemanticMap
from sem_field_ros.mapping.sequence_mapping import read_frames
from sem_field_ros.mapping.view_samples import sample_view
from sem_field_ros.segmentation.external import ExternalSegmenter
from sem_field_ros.segmentation.segmenter import ClassProbabilities, Segmenter
from sem_field_ros.training.samples.labelled_frames import loss_weights
from sem_field_ros.weights import tensor_bytes

_TENSORS = ("position", "normal", "label", "fused", "views", "up")
_MIN_SHARE = 0.7  # share of the label images that must agree on the class of a voxel: leaves out borders


@dataclass(frozen=True)
class ContextScene:
    """R surface voxels of one scene with the predictions of S sources (segmenters, or one on retouched images).

    position [R, 3] float32 metres    normal [R, 3] float32 unit    up [3] float32, against gravity
    label [R] int64 class index, -1 = unlabelled or on a border
    fused [S, R, C] uint8 (255 = 1), zeros where a source has no view    views [S, R] uint8, number of views
    """

    name: str
    sources: tuple[str, ...]
    position: Tensor
    normal: Tensor
    label: Tensor
    fused: Tensor
    views: Tensor
    up: Tensor

    def __len__(self) -> int:
        return len(self.label)


def collect_context_scene(
    sequence: SequenceReader,
    labels: LabelSet,
    sources: Mapping[str, Segmenter],
    config: MapConfig,
    on_progress: Callable[[], None] | None = None,
) -> ContextScene:
    """Map a labelled sequence, then let every source vote on its surface as fusion `confidence` does.

    Raises DataError if the sequence has no labels or no depth.
    """
    if sequence.labels is None:
        raise DataError(f"sequence {sequence.name} has no label images: context is learned from labelled sequences")
    frames = [f for f in read_frames(sequence) if isinstance(f, PosedFrame) and f.depth is not None]
    semantic_map = SemanticMap(config, labels)
    for frame in frames:
        semantic_map.integrate(frame)
    semantic_map.surface()
    rows = (semantic_map.votes.voxel >= 0).nonzero()[:, 0]
    if not len(rows):
        raise DataError(f"sequence {sequence.name}: no frame with depth and labels could be mapped")
    position, normal = semantic_map.votes.position[rows], semantic_map.votes.normal[rows]
    truth = ExternalSegmenter(labels, sequence.labels, config.label_width)

    def votes_of(segment: Callable[[PosedFrame], ClassProbabilities]) -> tuple[Tensor, Tensor]:
        return _fused(position, normal, frames, segment, config.vote_tolerance_m, len(labels))

    share, _ = votes_of(lambda frame: truth.segment(frame))
    best, label = share.max(dim=1)
    label = torch.where(best > _MIN_SHARE, label, -1)
    fused, views = [], []
    for source in sources.values():
        probabilities, count = votes_of(source.segment)
        fused.append((probabilities * 255 + 0.5).to(torch.uint8))
        views.append(count.clamp(max=255).to(torch.uint8))
        if on_progress:
            on_progress()
    up = estimate_up(normal.numpy(), [frame.T_world_camera for frame in frames])
    return ContextScene(
        sequence.name,
        tuple(sources),
        position,
        normal,
        label,
        torch.stack(fused),
        torch.stack(views),
        torch.from_numpy(np.asarray(up, np.float32)),
    )


@torch.inference_mode()
def _fused(
    position: Tensor,
    normal: Tensor,
    frames: Sequence[PosedFrame],
    segment: Callable[[PosedFrame], ClassProbabilities],
    tolerance_m: float,
    classes: int,
) -> tuple[Tensor, Tensor]:
    """Fused class probabilities [R, C] of all frames with labels or predictions, and the number of views [R]."""
    total = torch.zeros(len(position), classes)
    count = torch.zeros(len(position), dtype=torch.int64)
    for frame in frames:
        view = sample_view(position, normal, frame, segment(frame), tolerance_m)
        weight = view_scores(view.distance, view.cosine) * view.probabilities.amax(dim=1)
        total[view.seen] += view.probabilities * weight[:, None]
        count += view.seen
    return total / total.sum(dim=1, keepdim=True).clamp(min=1e-9), count


def save_context_scene(path: Path, scene: ContextScene, origin: Mapping[str, str]) -> None:
    """Write one scene; `origin` describes what it was made from, see load_context_scene."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        tensors = {name: getattr(scene, name) for name in _TENSORS}
        file.write(tensor_bytes(tensors, {**origin, "name": scene.name, "sources": "\n".join(scene.sources)}))


def load_context_scene(path: Path, origin: Mapping[str, str]) -> ContextScene | None:
    """The scene in a file; None if there is no file, or one that was made from something else. Raises DataError."""
    if not path.is_file():
        return None
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = dict(file.metadata())
            name, sources = header.pop("name", ""), tuple(header.pop("sources", "").split("\n"))
            if header != dict(origin):
                return None
            return ContextScene(name, sources, *(file.get_tensor(tensor) for tensor in _TENSORS))
    except (safetensors.SafetensorError, OSError, TypeError) as error:
        raise DataError(f"the scene in {path} cannot be read ({error}): remove the file") from error


def class_weights(scenes: Sequence[ContextScene], classes: int, power: float) -> Tensor:
    """Weight of each class in the loss, [classes] float32, see loss_weights; every scene counts alike."""
    labels = [scene.label[scene.label >= 0] for scene in scenes]
    shares = np.stack([np.bincount(label.numpy(), minlength=classes) / max(1, len(label)) for label in labels])
    return torch.from_numpy(loss_weights(shares, power)).float()
