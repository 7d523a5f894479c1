"""Deep Voice 3's decoder (Ping et al., 2018, arXiv:1710.07654): causal gated convolutions that attend."""

from typing import Any

import torch
from torch import Tensor, nn

from nnsvs_lite.models.layers.causal import HALF, GatedConv
from nnsvs_lite.models.layers.cross import CrossAttention
from nnsvs_lite.models.layers.hearing import HearingDecoder, Memory
from nnsvs_lite.models.layers.transformer import sinusoids_at

BACK, AHEAD = 1, 3
"""Phones before and behind the furthest one attended to, among which singing looks."""


class ConvDecoder(HearingDecoder):
    """Each layer: a causal gated convolution, then attention with places added to queries and keys.

    A query's place is its step. A key's is where its phone has its middle in the score, in steps, times a
    learnt rate that starts at 1; the paper's is the phone's number times a rate that starts at the ratio of
    steps to phones, which is the same where all phones last alike. Query and key projections start
    alike, so that places find each other before anything is learnt. In singing attention is held about the
    furthest phone that it has come to, so that it goes back by ``BACK`` phones at
    most (the paper's constraint).

    Args:
        inputs: size of the encoder's vectors. dim: channels. layers: of them. kernel: of convolutions.
        conv_dropout: of what they read. Others: see :class:`HearingDecoder`.
    """

    def __init__(
        self,
        inputs: int,
        size: int,
        dim: int,
        layers: int,
        kernel: int,
        conv_dropout: float,
        prenet: int,
        dropout: float,
        reduction: int,
    ):
        super().__init__(size, dim, prenet, dropout, reduction)
        self.enter = nn.Linear(prenet, dim)
        options = {"causal": True, "dropout": conv_dropout}
        self.convs = nn.ModuleList(GatedConv(dim, kernel, **options) for _ in range(layers))
        self.places = nn.Linear(inputs, dim)
        self.attentions = nn.ModuleList(CrossAttention(dim, dim) for _ in range(layers))
        for attention in self.attentions:
            with torch.no_grad():
                attention.key.weight.copy_(attention.query.weight)
                attention.key.bias.copy_(attention.query.bias)
        self.rate = nn.Parameter(torch.ones(()))

    def remember(self, vectors: Tensor, mask: Tensor, middle: Tensor) -> Memory:
        """``vectors`` (B, P, inputs), ``mask`` (B, P) bool, ``middle`` (B, P): places of phones, in steps."""
        vectors = self.places(vectors)
        keys = vectors + sinusoids_at(middle * self.rate, vectors.shape[-1])
        return Memory(vectors, mask, [layer.remember(keys, vectors) for layer in self.attentions])

    def whole(self, rows: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        x, total = self.enter(rows), 0.0
        mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        steps = torch.arange(x.shape[1], device=x.device, dtype=torch.float32)
        places = sinusoids_at(steps, x.shape[-1]).to(x.dtype)
        for conv, attention, known in zip(self.convs, self.attentions, memory.keys):
            x = conv(x, mask)
            found, weights = attention(x + places, known, memory.mask)
            x, total = (x + found) * HALF, total + weights[:, 0]
        return x, total / len(self.convs)

    def begin(self, memory: Memory) -> Any:
        furthest = torch.zeros(len(memory.vectors), dtype=torch.long, device=memory.vectors.device)
        return [(conv.conv.start(memory.vectors), furthest) for conv in self.convs]

    def step(self, row: Tensor, k: int, memory: Memory, state: Any) -> tuple[Tensor, Tensor, Any]:
        x, total, after = self.enter(row), 0.0, []
        place = sinusoids_at(torch.full((1,), float(k), device=x.device), x.shape[-1]).to(x.dtype)
        number = torch.arange(memory.mask.shape[1], device=x.device)
        parts = zip(self.convs, self.attentions, memory.keys, state)
        for conv, attention, known, (past, furthest) in parts:
            x, past = conv.step(x, past)
            ahead = number - furthest[:, None]
            near = memory.mask & (ahead >= -BACK) & (ahead <= AHEAD)
            found, weights = attention((x + place)[:, None], known, near[:, None])
            weights = weights[:, 0, 0]
            x, total = (x + found[:, 0]) * HALF, total + weights
            after.append((past, torch.maximum(furthest, weights.argmax(-1))))
        return x, total / len(self.convs), after
