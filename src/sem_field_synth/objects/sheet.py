"""An overview picture of many objects: colour and parts, from the front and from behind and below."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from sem_field_synth.objects.cameras import looking_in, object_camera
from sem_field_synth.objects.object_specs import ObjectSpec, build_object
from sem_field_synth.objects.render import PartRenderer

_AZIMUTHS_DEG = (35.0, 200.0)
_ELEVATIONS_DEG = (22.0, -8.0)
_INK = (40, 40, 40)


def objects_sheet(
    specs: Sequence[ObjectSpec], columns: int, size: int, on_progress: Callable[[], None] = lambda: None
) -> np.ndarray:
    """Picture [H, W, 3] uint8 RGB with `columns` objects side by side, each as four images of `size` pixels."""
    camera = object_camera(size)
    poses = looking_in(np.radians(_AZIMUTHS_DEG), np.sin(np.radians(_ELEVATIONS_DEG)))
    cells = []
    for spec in specs:
        renderer = PartRenderer(build_object(spec).normalised(), spec.labels)
        row = []
        for pose in poses:
            view = renderer.view(camera, pose)
            row += [view.color, spec.labels.to_color(spec.labels.to_index(view.label))]
        cell = np.ascontiguousarray(np.concatenate(row, 1))
        name = spec.asset.rpartition("#")[2]
        cv2.putText(cell, f"{name} ({spec.split})", (3, 10), cv2.FONT_HERSHEY_SIMPLEX, 0.32, _INK, 1, cv2.LINE_AA)
        cells.append(cell)
        on_progress()
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % columns)
    rows = [np.concatenate(cells[i : i + columns], 1) for i in range(0, len(cells), columns)]
    return np.concatenate(rows)
