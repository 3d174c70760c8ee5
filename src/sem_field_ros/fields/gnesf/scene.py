"""GnesfScene: an encoded window of views."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from sem_field_ros.fields.common.views import SourceViews
from sem_field_ros.fields.gnesf.volume import Volume


@dataclass(frozen=True)
class GnesfScene:
    """An encoded window: views to vote, the volume M, and how many views each of its cells projects into.

    patches  [V, P, H/2, W/2] of the images, for image-based rendering
    """

    views: SourceViews
    images: Tensor
    volume: Volume
    seen: Tensor
    patches: Tensor | None = None
