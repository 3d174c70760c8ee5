"""The interface of a semantic field: encode(observations) -> scene, then query(points) and render(camera)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from torch import Tensor

from sem_field_ros.geometry.camera import Intrinsics

Scene = TypeVar("Scene")


@dataclass(frozen=True)
class FieldSamples:
    """What a field says at N points; None where the field does not have it.

    classes     [N, C] class probabilities: rows sum to 1, or to 0 where nothing is known
    confidence  [N] 0..1
    sdf         [N] signed distance, metres, positive in free space
    density     [N] volume density, 1/m                 udf  [N] unsigned distance, metres
    """

    classes: Tensor | None = None
    confidence: Tensor | None = None
    sdf: Tensor | None = None
    density: Tensor | None = None
    udf: Tensor | None = None


@dataclass(frozen=True)
class FieldView:
    """A field seen by a camera of h x w pixels; None where the field does not have it.

    rgb [h, w, 3] 0..1     depth [h, w] metres along z, 0 = nothing     classes [h, w, C]     confidence [h, w]
    """

    rgb: Tensor | None = None
    depth: Tensor | None = None
    classes: Tensor | None = None
    confidence: Tensor | None = None


class SemanticField(Protocol[Scene]):
    """A generalizable field: weights that are trained once, scenes that are encoded from observations."""

    def encode(self, observations: Any) -> Scene:
        """Turn what was observed (posed images, a cloud, one image of an object) into a scene that answers."""
        ...

    def query(self, scene: Scene, points: Tensor) -> FieldSamples:
        """Answer at world points [N, 3], metres."""
        ...

    def render(self, scene: Scene, camera: Intrinsics, T_world_camera: Tensor) -> FieldView:
        """Answer for a camera (4x4, optical frame to world)."""
        ...
