"""The volume renderer (Eq. 9-11): density and shares of the views at samples of rays, by attention across the views.

Learned values are residuals, zero before training, on hand-made ones: density where patches of the views correlate and
their colours agree, near the target depth; shares by the angle between the views' rays and the target's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from sem_field_ros.fields.common.over_views import moments, softmax_over_views
from sem_field_ros.fields.gsnerf.attention import ViewAttention
from sem_field_ros.fields.gsnerf.config import GsnerfConfig
from sem_field_ros.fields.gsnerf.encoded import CUES, Observations

_SCALARS = 5
BLEND_DEG = 2.0  # angle at which a source has 1/e of the share of one in the target's direction
_MIN_VARIANCE = 1e-4
_MAX_LOG = 10.0


@dataclass(frozen=True)
class Shaded:
    """Of M samples on R rays: log_density [R, M] relative to the ray's largest, log_share [V, R * M] of the views.

    any_seen [R, M]  whether any view sees the sample
    """

    log_density: Tensor
    log_share: Tensor
    any_seen: Tensor


class VolumeRenderer(nn.Module):
    """See the module."""

    def __init__(self, config: GsnerfConfig) -> None:
        super().__init__()
        self.learned = config.learned
        if not self.learned:
            return
        d, v, h = config.channels[0], config.volume, config.hidden
        self.token = nn.Linear(d + 3 + 1 + CUES + v, h)
        self.common = nn.Linear(2 * (d + 3) + _SCALARS, h)
        self.attention = ViewAttention(h, config.heads, config.layers)
        self.enter = nn.Conv1d(h + _SCALARS, h, 1)
        self.along = nn.ModuleList(nn.Conv1d(h, h, 5, padding=2) for _ in range(2))
        self.density = _zero(nn.Conv1d(h, 1, 1))
        self.share = _zero(nn.Linear(h, 1))

    def forward(self, seen: Observations, volume: Tensor, offset: Tensor) -> Shaded:
        """seen: observations at R * M samples; volume [V, C, R * M]; offset [R, M] from the target depth in standard
        deviations (0 without one)."""
        count = seen.seen.sum(dim=0).to(seen.colors)
        values = torch.cat([seen.features, seen.colors], dim=1)
        mean, variance = moments(values, count)
        agreement = (seen.agreement * seen.seen).sum(dim=0) / count.clamp(min=1)
        uneven = (variance[-3:].sum(dim=0)).clamp(min=_MIN_VARIANCE).log()
        prior = density_prior(agreement, uneven, count, offset)
        any_seen = count.reshape(offset.shape) > 0
        log, share = prior, share_prior(seen)
        if self.learned:
            point = prior.clamp(min=-20).flatten() / 8
            scalars = torch.stack([agreement, uneven / 4 + 1, count / 8, offset.flatten() / 2, point])
            own = torch.cat([values, seen.agreement[:, None], seen.cues, volume], dim=1)
            common = torch.cat([mean, (variance + 1e-6).sqrt(), scalars])
            residuals = self._residuals(own, common, scalars, seen.seen, offset)
            log, share = log + residuals[0], share + residuals[1]
        log = log.masked_fill(~any_seen, -1e4)
        return Shaded(log - log.amax(dim=1, keepdim=True), share, any_seen)

    def _residuals(
        self, own: Tensor, common: Tensor, scalars: Tensor, seen: Tensor, offset: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Of log density [R, M] and log share [V, R * M], from inputs per view [V, c, N] and per point [c, N]."""
        joint = self.common(common.T)[:, None]
        tokens = self.token(own.permute(2, 0, 1)) + joint  # [N, V, h]
        mask = torch.cat([torch.ones_like(seen[:1]), seen]).T
        tokens = self.attention(relu(torch.cat([joint, tokens], dim=1)), mask)
        along = torch.cat([tokens[:, 0].T, scalars]).reshape(-1, *offset.shape).transpose(0, 1)
        x = relu(self.enter(along))
        for layer in self.along:
            x = x + relu(layer(x))
        return self.density(x)[:, 0], self.share(tokens[:, 1:])[..., 0].T


def density_prior(agreement: Tensor, uneven: Tensor, count: Tensor, offset: Tensor) -> Tensor:
    """Hand-made log density [R, M] from agreement and log variance of colours [R * M] of `count` views, and offset."""
    views = 10 * agreement - uneven - 5 * (count < 2)
    return views.reshape(offset.shape) - 0.5 * offset.square()


def share_prior(seen: Observations) -> Tensor:
    """Hand-made log shares [V, N]: views in the target's direction have more, and near ones."""
    return -seen.degrees / BLEND_DEG - seen.cues[:, 4].clamp(min=0)


def weights_of(log_density: Tensor) -> Tensor:
    """Weights [R, M] of samples (Eq. 4) whose optical depth has this logarithm; they sum to less than 1."""
    optical = log_density.clamp(max=_MAX_LOG).exp()
    before = torch.cumsum(optical, dim=1) - optical
    return torch.exp(-before) * (1 - torch.exp(-optical))


def blend(colors: Tensor, log_share: Tensor, seen: Tensor) -> Tensor:
    """Colours [N, 3]: the views' [V, 3, N], blended by their shares [V, N] among those that see the point."""
    return torch.einsum("vn,vcn->nc", softmax_over_views(log_share, seen), colors)


def _zero(layer: nn.Linear | nn.Conv1d) -> nn.Linear | nn.Conv1d:
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
