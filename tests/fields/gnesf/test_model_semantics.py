"""What the views vote with: all forms agree where all views are sure."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from sem_field_ros.fields.common.tensors import SourceImages
from sem_field_ros.fields.gnesf.config import SEMANTICS, tiny
from sem_field_ros.fields.gnesf.model import Gnesf


@pytest.mark.parametrize("semantics", [name for name in SEMANTICS if name != "direct"])
def test_views_that_are_sure_make_a_field_that_is_sure(semantics: str) -> None:
    torch.manual_seed(0)
    K = torch.tensor([[30.0, 0, 15.5], [0, 30, 11.5], [0, 0, 1]]).expand(3, 3, 3)
    T = torch.eye(4).repeat(3, 1, 1)
    T[:, 0, 3] = torch.tensor([0.0, 0.1, 0.2])
    classes = torch.zeros(3, 20, 12, 16)
    classes[:, 3] = 1
    model = Gnesf(replace(tiny(20), semantics=semantics)).eval()
    with torch.inference_mode():
        scene = model.encode(SourceImages(torch.rand(3, 3, 24, 32), classes, K, T))
        found = model.query(scene, torch.tensor([[0.0, 0.0, 1.5]])).classes[0]
    assert int(found.argmax()) == 3 and float(found[3]) > 0.9
