"""The renderer without Blender shows the colours of what the ground truth says is there."""

from __future__ import annotations

import numpy as np

from sem_field_synth.rendering.ground_truth import TruthCaster
from sem_field_synth.rendering.raster_color import RasterRenderer
from sem_field_synth.rendering.scene_mesh import scene_mesh
from sem_field_synth.scene import HomeScene


def test_every_surface_has_its_colour(home: HomeScene) -> None:
    mesh = scene_mesh(home)
    caster = TruthCaster(mesh)
    with RasterRenderer(home, mesh, caster) as renderer:
        renderer.ask("a", home.T_world_camera[0])
        picture = renderer.take("a")
    truth = caster.cast(home.camera, home.T_world_camera[0])
    assert picture.shape == (48, 64, 3) and picture.dtype == np.float32 and (picture >= 0).all()
    red = picture[..., 0] > 8 * picture[..., 1]
    assert (red == (truth.instance == 9)).all(), "the cube and nothing else is red"
    wall = picture[truth.instance == 3]
    assert np.allclose(wall[:, 0], wall[:, 1]) and wall.min() > 0
