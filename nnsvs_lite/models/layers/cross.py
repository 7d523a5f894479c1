"""Attention of a decoder: to the encoder's vectors, and to its own past; all steps at once or one by one."""

import math

import torch
from torch import Tensor, nn


class CrossAttention(nn.Module):
    """Heads of scaled dot products over the vectors of an encoder; dropout is of their weights.

    Args: dim: of queries and output. inputs: of the encoder's vectors. heads: they share ``dim``.
    """

    def __init__(self, dim: int, inputs: int, heads: int = 1, dropout: float = 0.0):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(inputs, dim)
        self.value = nn.Linear(inputs, dim)
        self.out = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)

    def remember(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """What does not change from step to step, of ``keys`` and ``values`` (B, P, inputs)."""
        return self._split(self.key(keys)), self._split(self.value(values))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(
        self, x: Tensor, known: tuple[Tensor, Tensor], mask: Tensor, bias: Tensor | float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """(B, S, dim) and weights (B, heads, S, P).

        Args:
            x: (B, S, dim). known: from :meth:`remember`. mask: (B, P) or (B, S, P) bool.
            bias: (B, heads, S, P), of logits.
        """
        keys, values = known
        query = self._split(self.query(x))
        logits = query @ keys.transpose(-1, -2) / math.sqrt(query.shape[-1]) + bias
        mask = mask[:, None, None] if mask.ndim == 2 else mask[:, None]
        weights = logits.masked_fill(~mask, float("-inf")).softmax(-1)
        found = (self.dropout(weights).to(values.dtype) @ values).transpose(1, 2).flatten(2)
        return self.out(found), weights


class InterpolatedBias(nn.Module):
    """A learnt bias of attention logits for any real distance (Battenberg et al., 2024, arXiv:2410.22179).

    T5's buckets, with a sign: exact up to a quarter of them to each side, then logarithmic up to
    ``furthest``; between two buckets it is linear, and beyond the furthest it falls by 1 for each unit.

    Args: width: deviation of the Gaussian that the biases have at first; None for zeros.
    """

    def __init__(self, heads: int, furthest: float = 64.0, width: float | None = None, buckets: int = 32):
        super().__init__()
        self.furthest, self.exact, self.middle = furthest, buckets // 4, buckets // 2
        self.table = nn.Parameter(torch.zeros(buckets, heads))
        if width is not None:
            with torch.no_grad():
                self.table.copy_(
                    (-self._distances().square() / (2 * width**2))[:, None].expand_as(self.table)
                )

    def _distances(self) -> Tensor:
        """(buckets,): the distance, without sign, at which each bucket alone counts."""
        steps = (torch.arange(len(self.table), dtype=torch.float32) - self.middle).abs()
        far = (steps - self.exact) / (self.middle - 1 - self.exact)
        return torch.where(steps <= self.exact, steps, self.exact * (self.furthest / self.exact) ** far)

    def place(self, distance: Tensor) -> Tensor:
        """The real number of its bucket, 1 to ``buckets - 1``."""
        size = distance.abs().clamp(max=self.furthest)
        far = torch.log(size.clamp(min=self.exact) / self.exact) / math.log(self.furthest / self.exact)
        steps = torch.where(size <= self.exact, size, self.exact + far * (self.middle - 1 - self.exact))
        return self.middle + steps * distance.sign()

    def forward(self, distance: Tensor) -> Tensor:
        """(B, S, P) real numbers to (B, heads, S, P)."""
        place = self.place(distance)
        below = place.floor().clamp(max=len(self.table) - 2)
        share = (place - below)[..., None]
        rows = below.long()
        value = self.table[rows] * (1 - share) + self.table[rows + 1] * share
        beyond = (distance.abs() - self.furthest).clamp(min=0)[..., None]
        return (value - beyond).permute(0, 3, 1, 2)


class PastAttention(nn.Module):
    """Causal self-attention over the last ``window`` steps, 0 for all, perhaps with a bias of distance."""

    def __init__(self, dim: int, heads: int, dropout: float, window: int = 0, biased: bool = False):
        super().__init__()
        self.window = window
        self.attention = CrossAttention(dim, dim, heads, dropout)
        self.bias = InterpolatedBias(heads, furthest=float(window)) if biased else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, S, dim)."""
        known = self.attention.remember(x, x)
        places = torch.arange(x.shape[1], device=x.device)
        distance = places - places[:, None]
        allowed = distance <= 0
        if self.window:
            allowed = allowed & (distance > -self.window)
        bias = 0.0 if self.bias is None else self.bias(distance[None].to(x.dtype))
        return self.attention(x, known, allowed[None], bias)[0]

    def step(self, x: Tensor, past: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """One step ``x`` (B, dim): (B, dim), and the past of the next; None before the first."""
        known = self.attention.remember(x[:, None], x[:, None])
        if past is not None:
            known = tuple(torch.cat(pair, dim=2)[:, :, -self.window :] for pair in zip(past, known))
        size = known[0].shape[2]
        distance = torch.arange(1 - size, 1, device=x.device, dtype=x.dtype)[None, None]
        bias = 0.0 if self.bias is None else self.bias(distance)
        allowed = torch.ones_like(distance[0], dtype=torch.bool)
        return self.attention(x[:, None], known, allowed, bias)[0][:, 0], known
