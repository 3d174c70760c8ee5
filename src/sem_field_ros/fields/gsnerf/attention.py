"""Attention across the source views of a point, with a global token (Sec. 4.2.2); any number of views in any order."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import relu, softmax


class ViewAttention(nn.Module):
    """Layers of attention among T tokens of each of N points; masked tokens are not attended to."""

    def __init__(self, hidden: int, heads: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(hidden, heads) for _ in range(layers))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """tokens [N, T, hidden] and which of them exist [N, T] -> [N, T, hidden]."""
        for layer in self.layers:
            tokens = layer(tokens, mask)
        return tokens


class _Layer(nn.Module):
    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(hidden)
        self.qkv = nn.Linear(hidden, 3 * hidden)
        self.join = nn.Linear(hidden, hidden)
        self.wide = nn.Linear(hidden, 2 * hidden)
        self.back = nn.Linear(2 * hidden, hidden)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        count, tokens, hidden = x.shape
        parts = self.qkv(self.norm(x)).reshape(count, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = parts
        scores = query @ key.transpose(-1, -2) / (hidden // self.heads) ** 0.5
        weights = softmax(scores.masked_fill(~mask[:, None, None], torch.finfo(x.dtype).min), dim=-1)
        x = x + self.join((weights @ value).transpose(1, 2).reshape(count, tokens, hidden))
        out: Tensor = x + self.back(relu(self.wide(x)))
        return out
