"""Visibility on occluders made by hand: the distance is known everywhere."""

from __future__ import annotations

import torch
from torch import Tensor

from sem_field_ros.fields.common.visibility import visible_by_depth, visible_by_sdf

STEP = 0.05


def wall(points: Tensor, z: float = 3.0) -> Tensor:
    return z - points[:, 2]


def sphere(points: Tensor) -> Tensor:
    return (points - torch.tensor([0.0, 0.0, 1.5])).norm(dim=1) - 0.5


def sphere_and_wall(points: Tensor) -> Tensor:
    return torch.minimum(sphere(points), wall(points))


def board(points: Tensor, thickness: float = 0.06) -> Tensor:
    """A board at z = 2 with |x| < 0.3, before a wall at z = 3."""
    beside = points[:, 0].abs() - 0.3
    before = (points[:, 2] - 2.0).abs() - thickness / 2
    return torch.minimum(torch.maximum(beside, before), wall(points))


def on_wall(*x: float) -> Tensor:
    return torch.tensor([[value, 0.0, 3.0] for value in x])


def seen(sdf, origins: list[list[float]], points: Tensor, step: float = STEP) -> list[list[bool]]:  # noqa: ANN001
    return visible_by_sdf(sdf, torch.tensor(origins), points, step).tolist()


def test_a_sphere_before_a_wall() -> None:
    # the sphere's shadow on the wall reaches to 3 tan(asin(0.5 / 1.5)) = 1.06 m
    assert seen(sphere_and_wall, [[0.0, 0, 0], [4.0, 0, 1.5]], on_wall(0.0, 1.0, 1.12, -2.0)) == [
        [False, True],
        [False, True],
        [True, True],
        [True, True],
    ]


def test_the_near_side_is_seen_and_the_far_side_is_not() -> None:
    points = torch.tensor([[0.0, 0, 1.0], [0.0, 0, 2.0]])
    assert seen(sphere, [[0.0, 0, 0], [0.0, 0, 4.0]], points) == [[True, False], [False, True]]


def test_a_thin_board() -> None:
    assert seen(board, [[0.0, 0, 0], [2.0, 0, 0]], on_wall(0.0, 0.6)) == [[False, True], [True, True]]


def test_a_step_beyond_the_boards_thickness_may_miss_it() -> None:
    """Why the step must not exceed the truncation."""
    assert seen(board, [[0.0, 0, 0.05]], on_wall(0.0), step=0.2) == [[True]]


def test_a_camera_inside_the_map_between_two_walls() -> None:
    def corridor(points: Tensor) -> Tensor:
        return torch.minimum(wall(points), points[:, 2] + 1.0)

    points = torch.tensor([[0.0, 0, 3.0], [0.0, 0, -1.0], [0.0, 0, 4.0]])
    assert seen(corridor, [[0.0, 0, 0]], points[:2]) == [[True], [True]]


def test_what_is_not_known_neither_blocks_nor_clears() -> None:
    """A truncated field: known within 0.2 m of a surface only."""

    def truncated(points: Tensor) -> Tensor:
        values = sphere_and_wall(points)
        return torch.where(values.abs() < 0.2, values, torch.nan)

    assert seen(truncated, [[0.0, 0, 0]], on_wall(0.0, 2.0)) == [[False], [True]]


def test_the_end_of_the_ray_is_the_points_own_surface() -> None:
    """A point slightly inside its own surface is seen all the same."""
    assert seen(wall, [[0.0, 0, 0]], torch.tensor([[0.0, 0, 3.03], [0.0, 0, 2.97]])) == [[True], [True]]


def test_chunks_change_nothing() -> None:
    g = torch.Generator().manual_seed(0)
    points = torch.rand(40, 3, generator=g) * torch.tensor([4.0, 2.0, 0.0]) + torch.tensor([-2.0, -1.0, 3.0])
    origins = torch.tensor([[0.0, 0, 0], [1.0, 0, 0.5]])
    whole = visible_by_sdf(sphere_and_wall, origins, points, STEP)
    parts = visible_by_sdf(sphere_and_wall, origins, points, STEP, chunk=200)
    assert torch.equal(whole, parts)
    assert 0 < int(whole.sum()) < whole.numel()


def test_no_points() -> None:
    assert visible_by_sdf(wall, torch.zeros(2, 3), torch.zeros(0, 3), STEP).shape == (0, 2)


def test_by_depth() -> None:
    z = torch.tensor([[2.0, 2.0, 2.0, 2.0]])
    depth = torch.tensor([[2.02, 1.5, 0.0, 2.2]])
    assert visible_by_depth(z, depth, 0.05).tolist() == [[True, False, False, False]]
