"""The geometry encoding volume of GNeSF (Eq. 1 and 2): mean and variance of projected features, a 3-D U-Net, a head."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample, interpolate

from sem_field_ros.fields.common.views import SourceViews, project_points, sample_maps
from sem_field_ros.fields.gnesf.voting import masked_moments


@dataclass(frozen=True)
class VolumeConfig:
    """A cube of `cells`^3 cells of `cell_m` metres; `channels` of the U-Net's levels, the first is that of M."""

    cells: int = 96
    cell_m: float = 0.04
    channels: tuple[int, ...] = (16, 32, 64)
    truncation_cells: float = 3.0

    @property
    def truncation_m(self) -> float:
        """Truncation of the signed distance, metres."""
        return self.truncation_cells * self.cell_m


@dataclass(frozen=True)
class Volume:
    """Values [D, n, n, n] (x, y, z order) at cell centres; `corner` [3] is the cube's lowest corner, metres."""

    values: Tensor
    corner: Tensor
    cell_m: float

    def sample(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Trilinear values [N, D] at world points [N, 3], and which of them lie inside [N]."""
        size = self.values.new_tensor(self.values.shape[1:]) * self.cell_m
        unit = 2 * (points - self.corner) / size - 1
        grid = unit.flip(-1)[None, None, None]  # grid_sample names the last dimension first
        values = grid_sample(self.values[None], grid.to(self.values.dtype), align_corners=False, padding_mode="border")
        return values[0, :, 0, 0].T, (unit.abs() <= 1).all(dim=-1)


def cell_centers(corner: Tensor, cells: int, cell_m: float) -> Tensor:
    """World points [n^3, 3] of a cube's cell centres, x slowest."""
    axis = (torch.arange(cells, device=corner.device, dtype=corner.dtype) + 0.5) * cell_m
    return torch.cartesian_prod(axis, axis, axis) + corner


def feature_volume(
    views: SourceViews, corner: Tensor, config: VolumeConfig, chunk: int = 1 << 15
) -> tuple[Tensor, Tensor]:
    """B = [mean, variance] (Eq. 1) and the number of views a cell projects into: [2D, n, n, n] and [n, n, n]."""
    n = config.cells
    parts, counts = [], []
    for points in cell_centers(corner, n, config.cell_m).split(chunk):
        projection = project_points(points, views)
        features = sample_maps(views.features, projection.pixels, views.size)
        parts.append(torch.cat(masked_moments(features, projection.inside), dim=-1))
        counts.append(projection.inside.sum(dim=1))
    return torch.cat(parts).T.reshape(-1, n, n, n), torch.cat(counts).reshape(n, n, n)


CONTEXT_CHANNELS = 10


def cell_context(colors: Tensor, seen: Tensor, views: int) -> Tensor:
    """Inputs in addition to B: colours' mean and deviation, share of the views, place in the cube -1..1 [10, n, n, n].

    colors [6, n, n, n] mean and variance; seen [n, n, n] number of `views` that a cell projects into
    """
    n = seen.shape[0]
    axis = torch.linspace(-1, 1, n, device=seen.device, dtype=colors.dtype)
    place = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"))
    share = seen[None].to(colors) / views
    return torch.cat([colors[:3] * 2 - 1, colors[3:].sqrt() * 4, share, place])


def _block(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.GroupNorm(math.gcd(4, channels_out), channels_out),
        nn.ReLU(inplace=True),
    )


class VolumeNet(nn.Module):
    """H_g: a dense 3-D U-Net. Any even-sized cube; levels that do not divide evenly are resized."""

    def __init__(self, channels_in: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.enter = _block(channels_in, channels[0])
        self.down = nn.ModuleList(
            nn.Sequential(nn.MaxPool3d(2, ceil_mode=True), _block(a, b), _block(b, b))
            for a, b in zip(channels[:-1], channels[1:], strict=True)
        )
        self.up = nn.ModuleList(_block(a + b, a) for a, b in zip(channels[:-1], channels[1:], strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """[B, D_in, n, n, n] -> [B, channels[0], n, n, n]."""
        levels = [self.enter(x)]
        for down in self.down:
            levels.append(down(levels[-1]))
        x = levels.pop()
        for up in reversed(self.up):
            finer = levels.pop()
            x = up(torch.cat([finer, interpolate(x, finer.shape[2:], mode="trilinear", align_corners=False)], dim=1))
        return x


class GeometryHead(nn.Module):
    """f_theta (Eq. 2): M(x) -> signed distance in metres (|s| <= truncation), or density in 1/m (>= 0)."""

    def __init__(self, channels: int, kind: str, truncation_m: float, hidden: int = 32) -> None:
        super().__init__()
        if kind not in ("sdf", "density"):
            raise ValueError(f"kind must be sdf or density, not {kind}")
        self.kind = kind
        self.truncation_m = truncation_m
        self.net = nn.Sequential(nn.Linear(channels, hidden), nn.ELU(), nn.Linear(hidden, 1))

    def forward(self, encoded: Tensor) -> Tensor:
        """[N, channels] -> [N]."""
        raw = self.net(encoded)[..., 0]
        if self.kind == "sdf":
            return torch.tanh(raw) * self.truncation_m
        return torch.nn.functional.softplus(raw - 1)
