"""The context network: the identity before training, its symmetries and reach, a slow readable twin of its sums."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sem_field_ros.context.cells import FACINGS, cells_of, mean_into, neighbours, orbit_sums
from sem_field_ros.context.network import ContextConfig, ContextNet, RoomSurface, config_from_dict, corrected
from sem_field_ros.errors import WeightsError
from tests.context.rooms import CLASSES, random_net, room


def of(surface: RoomSurface, rows: torch.Tensor) -> RoomSurface:
    columns = {name: getattr(surface, name)[rows] for name in ("position", "normal", "fused", "support")}
    return replace(surface, **columns)


def test_untrained_it_is_the_identity() -> None:
    surface, _ = room()
    net = ContextNet(ContextConfig(CLASSES))
    correction = net(surface)
    assert correction.shape == (len(surface.position), CLASSES) and not correction.any()
    torch.testing.assert_close(corrected(surface.fused, correction), surface.fused)


def test_a_correction_by_hand() -> None:
    fused = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
    found = corrected(fused, torch.tensor([[0.0, 0.0, 3.0]]).log1p().expand(2, 3))
    # the third class is lifted from nothing: 0.01 * (4 - 1)
    torch.testing.assert_close(found[0], torch.tensor([0.5, 0.5, 0.03]) / 1.03)
    assert not found[1].any(), "without a view there is nothing to correct"


def test_the_order_of_points_does_not_matter() -> None:
    surface, _ = room()
    net = random_net()
    order = torch.randperm(len(surface.position), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(net(of(surface, order)), net(surface)[order], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("turn", [[[0, -1], [1, 0]], [[-1, 0], [0, -1]], [[0, 1], [-1, 0]], [[-1, 0], [0, 1]]])
def test_quarter_turns_and_mirrors_change_nothing(turn: list[list[int]]) -> None:
    """Also halfway between lattice planes, where rounding cannot decide otherwise."""
    surface, _ = room(voxel_m=0.05)
    R = torch.eye(3)
    R[:2, :2] = torch.tensor(turn).float()
    surface = replace(surface, position=surface.position + 0.013)
    turned = replace(surface, position=surface.position @ R.T, normal=surface.normal @ R.T)
    net = random_net()
    torch.testing.assert_close(net(turned), net(surface), atol=1e-4, rtol=1e-4)


def test_heights_count_only_if_the_floor_is_known() -> None:
    surface, _ = room()
    surface = replace(surface, position=surface.position + 0.013)  # rounding decides nothing
    net = random_net()
    lifted = replace(surface, position=surface.position + torch.tensor([0.0, 0.0, 1.6]))  # a period of the cells
    assert not torch.allclose(net(lifted), net(surface), atol=1e-3)
    unknown = replace(surface, floor_known=False), replace(lifted, floor_known=False)
    torch.testing.assert_close(net(unknown[0]), net(unknown[1]), atol=1e-4, rtol=1e-4)


def test_what_is_beyond_its_reach_does_not_matter() -> None:
    surface, _ = room()
    net = random_net()
    at = surface.position[0]
    far = (surface.position - at).abs().amax(dim=1)
    near = (far <= net.config.reach_m).nonzero()[:, 0]
    assert len(near) < len(far)
    torch.testing.assert_close(net(of(surface, near))[0], net(surface)[0], atol=1e-5, rtol=1e-4)
    nearer = (far <= 0.3 * net.config.reach_m).nonzero()[:, 0]
    assert not torch.allclose(net(of(surface, nearer))[0], net(surface)[0], atol=1e-4, rtol=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 60))
def test_sums_over_neighbours_are_those_of_a_loop(seed: int, count: int) -> None:
    g = torch.Generator().manual_seed(seed)
    keys = torch.unique(torch.randint(-3, 3, (count, 3), generator=g), dim=0).int()
    values = torch.randn(len(keys), 2, generator=g)
    found = orbit_sums(values, neighbours(keys)).reshape(len(keys), 9, 2)
    for i, key in enumerate(keys.tolist()):
        wanted = torch.zeros(9, 2)
        for j, other in enumerate(keys.tolist()):
            dx, dy, dz = (abs(a - b) if axis < 2 else b - a for axis, (a, b) in enumerate(zip(key, other, strict=True)))
            if max(dx, dy, abs(dz)) <= 1:
                wanted[3 * (dz + 1) + dx + dy] += values[j] / (4 if dx + dy else 1)
        torch.testing.assert_close(found[i], wanted)


def test_cells_by_hand() -> None:
    """A table top and the wall behind it share a cell but not a patch; cells of 0.1 m lie in those of 0.2 and 0.4 m."""
    position = torch.tensor([[0.01, 0.01, 0.71], [0.09, 0.09, 0.79], [0.05, 0.05, 0.75], [0.15, 0.05, 0.75]])
    normal = torch.tensor([[0, 0, 1.0], [0, 0, 1.0], [1.0, 0, 0], [0, 0, -1.0]])
    cells = cells_of(position, normal, 0.1)
    assert cells.patch[0] == cells.patch[1] and len(cells.patch.unique()) == 3 == len(cells.facing)
    assert cells.facing[cells.patch].tolist() == [0, 0, 2, 1] and FACINGS == 3
    assert len(cells.block) == 1 and cells.cell.tolist() == [0, 0, 0]
    torch.testing.assert_close(
        mean_into(position[:, :1], cells.patch, 3)[cells.patch][:, 0], torch.tensor([0.05, 0.05, 0.05, 0.15])
    )


def test_an_architecture_that_is_none() -> None:
    assert config_from_dict(ContextConfig(4).as_dict()) == ContextConfig(4)
    with pytest.raises(WeightsError, match="not the architecture of a context network"):
        config_from_dict({"classes": 4})
