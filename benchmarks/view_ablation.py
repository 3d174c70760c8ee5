"""Ablation of view synthesis: held-out views of SEQ... rendered by the shipped field, and with parts of it removed.

python benchmarks/view_ablation.py SEQ... [--weights FILE] [--width 160] [--out out/views.json]

The rows are those of `sem-field evaluate novel-views`, with its maps and baselines for comparison.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console

from sem_field_ros.datasets.open_sequence import open_sequence
from sem_field_ros.evaluation.novel_views import NovelViewEvaluation, novel_view_rows
from sem_field_ros.evaluation.results import print_rows
from sem_field_ros.evaluation.sequence_evaluation import Scope
from sem_field_ros.fields.common.posed_images import PosedImageScene, SceneOptions
from sem_field_ros.fields.ibrnet.model import IbrnetField
from sem_field_ros.fields.registry import make_model, open_scene
from sem_field_ros.labels import LabelSet
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.segmentation.registry import make_segmenter

_SHIPPED = Path(__file__).parents[1] / "models/gnesf_view_homes/gnesf_view_homes.safetensors"


def variants(weights: Path, labels: LabelSet, width: int) -> dict[str, PosedImageScene]:
    """The shipped field, with other sources, and with parts removed, by the name of the change."""

    def field(depth: bool = False, views: int = 0, change: Callable[[IbrnetField], object] | None = None):
        scene = open_scene(weights, labels, SceneOptions(width, depth))
        assert isinstance(scene, PosedImageScene)
        scene._views = views or scene._views
        if change:
            change(scene.model)
        return scene

    return {
        "as shipped": field(),
        "5 sources": field(views=5),
        "3 sources": field(views=3),
        "sources with depth": field(depth=True),
        "sources averaged": field(change=_average_sources),
        "density of the volume alone": field(change=_volume_alone),
        "untrained": field(change=_untrained),
    }


def _average_sources(model: IbrnetField) -> None:
    """Every view that sees a point has the same share of its colour."""
    model.blending.forward = lambda _view, _cues, _agreement, seen: seen / seen.sum(dim=0).clamp(min=1)


def _volume_alone(model: IbrnetField) -> None:
    """Eq. 7 with the paper's density f(M(x)), which the training has a loss for as well."""
    ray_weights = model._ray_weights
    model._ray_weights = lambda scene, rays, depth: (ray_weights(scene, rays, depth)[1],) * 2


def _untrained(model: IbrnetField) -> None:
    torch.manual_seed(0)
    model.load_state_dict(make_model(model.config).state_dict())


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sequences", nargs="+", type=Path, metavar="SEQ")
    parser.add_argument("--weights", type=Path, default=_SHIPPED)
    parser.add_argument("--width", type=int, default=160, help="of the rendered images, pixels")
    parser.add_argument("--max-frames", type=int)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    segmenter = make_segmenter("homes")
    maps = {"bayesian": MapConfig(fusion="bayesian", min_weight=1.0)}
    evaluation = NovelViewEvaluation(segmenter, maps, variants(args.weights, segmenter.labels, args.width), hold_out=5)
    for path in args.sequences:
        evaluation.add(open_sequence(path), Scope(1, args.max_frames))
    print_rows(novel_view_rows(evaluation, "homes", "homes"), Console(), args.out)


if __name__ == "__main__":
    main()
