"""Scores of a context network on mapped scenes, beside the same maps without it, both smoothed as in the live map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from sem_field_ros.context.network import ContextNet, corrected
from sem_field_ros.evaluation.metrics import Confusion, SegmentationScores
from sem_field_ros.mapping.label_smoother import Neighbourhood
from sem_field_ros.training.samples.context_samples import mixed_sources, upright_surface
from sem_field_ros.training.samples.context_scenes import ContextScene

Pair = tuple[SegmentationScores, SegmentationScores]


def combinations(sources: Sequence[str]) -> dict[str, Tensor]:
    """Weights [S] of the sources: each alone, and the first two together, as the default segmenter has them."""
    alone = dict(zip(sources, torch.eye(len(sources)), strict=True))
    return {"+".join(sources[:2]): sum(list(alone.values())[:2], torch.zeros(len(sources))), **alone}


@torch.inference_mode()
def score_context(
    model: ContextNet,
    scenes: Sequence[ContextScene],
    *,
    strength: float = 1.0,
    cell_m: float = 0.2,
    chosen: Mapping[str, Tensor] | None = None,
) -> dict[str, Pair]:
    """Scores without and with correction, pooled over all scenes, of each combination of sources.

    cell_m  edge of the cells of smoothing, 0 = none    chosen  other combinations
    """
    found = {}
    for name, weight in (chosen or combinations(scenes[0].sources)).items():
        before, after = Confusion(model.config.classes), Confusion(model.config.classes)
        for scene in scenes:
            surface = upright_surface(scene, *mixed_sources(scene, weight))
            refined = corrected(surface.fused, strength * model(surface))
            for confusion, values in ((before, surface.fused), (after, refined)):
                smooth = _smoothed(scene, values, surface.support, cell_m)
                top = torch.where(smooth.amax(dim=1) > 0, smooth.argmax(dim=1), -1)
                confusion.add(scene.label.numpy(), top.numpy())
        found[name] = before.scores(), after.scores()
    return found


def _smoothed(scene: ContextScene, fused: Tensor, support: Tensor, cell_m: float) -> Tensor:
    known = support > 0
    if not cell_m or not known.any():
        return fused
    cells = Neighbourhood(scene.position[known], scene.normal[known], fused[known], support[known], cell_m)
    return cells.update(scene.position, scene.normal, fused, support)[0]
