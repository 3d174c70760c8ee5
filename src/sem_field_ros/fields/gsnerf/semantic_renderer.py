"""The semantic renderer (Eq. 12-14): classes at one surface point per ray, from any number of views.

Untrained it is the mean of the views' class probabilities, weighted by their certainty and viewing angle. Learned are
residuals of the views' weights, which fit every label set; and, with the semantic decoder, of the class logits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from sem_field_ros.fields.common.over_views import moments, softmax_over_views
from sem_field_ros.fields.gsnerf.attention import ViewAttention
from sem_field_ros.fields.gsnerf.config import GsnerfConfig
from sem_field_ros.fields.gsnerf.encoded import CUES

_OWN = 3  # scalars of a view's probabilities
_FLOOR = 1e-3
_WIDE_DEG = 30.0  # angle to the target's ray at which a view has 1/e of the weight of one in its direction


class SemanticRenderer(nn.Module):
    """See the module."""

    def __init__(self, config: GsnerfConfig) -> None:
        super().__init__()
        self.learned = config.learned
        h, self.classes = config.semantic_hidden, config.classes if config.semantics == "decoder" else 0
        if not self.learned:
            return
        self.token = nn.Linear(_OWN + CUES + self.classes, h)
        self.common = nn.Linear(3 + 2 * self.classes, h)
        self.attention = ViewAttention(h, config.heads, 1)
        self.weight = nn.Linear(h, 1)
        nn.init.zeros_(self.weight.weight)
        nn.init.zeros_(self.weight.bias)
        if self.classes:
            self.logits = nn.Linear(h, self.classes)
            nn.init.zeros_(self.logits.weight)
            nn.init.zeros_(self.logits.bias)

    def forward(self, probabilities: Tensor, cues: Tensor, seen: Tensor) -> Tensor:
        """probabilities [V, C, N], cues [V, 7, N] (see Observations), seen [V, N] -> class probabilities [N, C].

        Rows sum to 1, or to 0 where no view with a prediction sees the point.
        """
        seen = seen & (probabilities.sum(dim=1) > 0.5)
        if not self.learned:
            return torch.einsum(
                "vn,vcn->nc", softmax_over_views(weight_prior(probabilities, cues), seen), probabilities
            )
        count = seen.sum(dim=0).to(probabilities)
        mask = seen[:, None].to(probabilities)
        mean, variance = moments(probabilities * mask, count)
        best = probabilities.amax(dim=1)
        entropy = -(probabilities * probabilities.clamp(min=_FLOOR).log()).sum(dim=1)
        agreement = (probabilities * mean).sum(dim=1)
        own = torch.cat([torch.stack([best, entropy / 2, agreement], dim=1), cues], dim=1)
        joint = torch.stack([count / 8, mean.amax(dim=0), variance.sum(dim=0)], dim=0)
        if self.classes:
            own, joint = torch.cat([own, probabilities], dim=1), torch.cat([joint, mean, variance])
        common = self.common(joint.T)[:, None]
        tokens = relu(torch.cat([common, self.token((own * mask).permute(2, 0, 1)) + common], dim=1))
        tokens = self.attention(tokens, torch.cat([torch.ones_like(seen[:1]), seen]).T)
        scores = weight_prior(probabilities, cues) + self.weight(tokens[:, 1:])[..., 0].T
        voted = torch.einsum("vn,vcn->nc", softmax_over_views(scores, seen), probabilities)
        if not self.classes:
            return voted
        logits = voted.clamp(min=_FLOOR).log() + self.logits(tokens[:, 0])
        return torch.softmax(logits, dim=1) * (count > 0)[:, None]


def weight_prior(probabilities: Tensor, cues: Tensor) -> Tensor:
    """Hand-made log weights [V, N]: views that are sure of their class and look from near the target have more."""
    return probabilities.amax(dim=1).clamp(min=_FLOOR).log() - cues[:, 3] * 10 / _WIDE_DEG
