"""Decoders of transformer blocks: Transformer-TTS', and Very Attentive Tacotron's."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.models.layers.cross import CrossAttention, InterpolatedBias, PastAttention
from nnsvs_lite.models.layers.hearing import HearingDecoder, Memory
from nnsvs_lite.models.layers.transformer import sinusoids_at

GUIDED = 2
"""Heads of each layer of Transformer-TTS whose attention is drawn to the score."""
ADVANCE = 0.25
"""Phones that Very Attentive Tacotron's alignment goes on at each step before it has learnt anything."""


class DecoderBlock(nn.Module):
    """Self-attention over the past, attention to phones, two linear layers: norms before, sums after.

    ``window``: see :class:`PastAttention`; where it is not 0, distances bias both attentions.
    """

    def __init__(self, dim: int, inputs: int, heads: int, filters: int, dropout: float, window: int = 0):
        super().__init__()
        norm = nn.RMSNorm if window else nn.LayerNorm
        self.norms = nn.ModuleList(norm(dim) for _ in range(3))
        self.past = PastAttention(dim, heads, dropout, window, biased=bool(window))
        self.cross = CrossAttention(dim, inputs, heads, dropout)
        self.bias = InterpolatedBias(heads) if window else None
        self.wide, self.narrow = nn.Linear(dim, filters), nn.Linear(filters, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, known: tuple[Tensor, Tensor], mask: Tensor, distance: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """All steps (B, S, dim), and weights (B, heads, S, P); ``distance`` (B, S, P) of phones."""
        x = x + self.dropout(self.past(self.norms[0](x)))
        return self._rest(x, known, mask, distance)

    def step(self, x: Tensor, known: Any, mask: Tensor, past: Any, distance: Tensor | None = None):
        """One step (B, dim): the same of it, and the past of the next."""
        heard, past = self.past.step(self.norms[0](x), past)
        x, weights = self._rest((x + heard)[:, None], known, mask, distance)
        return x[:, 0], weights[:, :, 0], past

    def _rest(self, x, known, mask, distance):
        bias = 0.0 if self.bias is None else self.bias(distance)
        found, weights = self.cross(self.norms[1](x), known, mask, bias)
        x = x + self.dropout(found)
        return x + self.dropout(self.narrow(self.dropout(F.relu(self.wide(self.norms[2](x)))))), weights


class TransformerDecoder(HearingDecoder):
    """Transformer-TTS' (Li et al., 2019, arXiv:1809.08895): places as sinusoids, times a learnt number.

    Keys have places too, where their phones have their middles in the score, in steps.

    Args:
        inputs: size of the encoder's vectors. dim: channels. layers: blocks. heads: of attention.
        filters: between the two linear layers. block_dropout: of all parts.
        Others: see :class:`HearingDecoder`.
    """

    def __init__(
        self,
        inputs: int,
        size: int,
        dim: int,
        layers: int,
        heads: int,
        filters: int,
        block_dropout: float,
        prenet: int,
        dropout: float,
        reduction: int,
    ):
        super().__init__(size, dim, prenet, dropout, reduction)
        self.enter = nn.Linear(prenet, dim)
        self.scale = nn.Parameter(torch.ones(()))
        shape = (dim, inputs, heads, filters, block_dropout)
        self.blocks = nn.ModuleList(DecoderBlock(*shape) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    def remember(self, vectors: Tensor, mask: Tensor, middle: Tensor) -> Memory:
        """``vectors`` (B, P, inputs), ``mask`` (B, P) bool, ``middle`` (B, P): places of phones, in steps."""
        keys = vectors + self.scale * sinusoids_at(middle, vectors.shape[-1]).to(vectors.dtype)
        return Memory(vectors, mask, [block.cross.remember(keys, vectors) for block in self.blocks])

    def whole(self, rows: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        x, total = self.enter(rows), 0.0
        places = torch.arange(x.shape[1], device=x.device, dtype=torch.float32)
        x = x + self.scale * sinusoids_at(places, x.shape[-1]).to(x.dtype)
        for block, known in zip(self.blocks, memory.keys):
            x, weights = block(x, known, memory.mask)
            total = total + weights[:, :GUIDED].mean(1)
        return self.norm(x), total / len(self.blocks)

    def begin(self, memory: Memory) -> Any:
        return [None] * len(self.blocks)

    def step(self, row: Tensor, k: int, memory: Memory, state: Any) -> tuple[Tensor, Tensor, Any]:
        x, total, after = self.enter(row), 0.0, []
        # In single precision: half has no whole numbers between 256 and 512 but the even ones.
        place = torch.full((1,), float(k), device=x.device)
        x = x + self.scale * sinusoids_at(place, x.shape[-1]).to(x.dtype)
        for block, known, past in zip(self.blocks, memory.keys, state):
            x, weights, past = block.step(x, known, memory.mask, past)
            total = total + weights[:, :GUIDED].mean(1)
            after.append(past)
        return self.norm(x), total / len(self.blocks), after


class AlignmentLayer(nn.Module):
    """Where in the phones a step is: a place that only ever grows, learnt through all that reads it.

    Battenberg et al., 2024 (arXiv:2410.22179): an LSTM hears the step and what attention by distance alone
    finds at the last place, and says how far to go on. Nothing can be skipped or sung twice.
    """

    def __init__(self, dim: int, inputs: int, hidden: int, heads: int = 4, width: float = 15.0):
        super().__init__()
        self.heads, self.hidden = heads, hidden
        self.value = nn.Linear(inputs, 32 * heads)
        self.bias = InterpolatedBias(heads, width=width)
        self.lstm = nn.LSTMCell(dim + 32 * heads, hidden)
        self.advance = nn.Linear(hidden, 1)
        nn.init.zeros_(self.advance.weight)
        nn.init.constant_(self.advance.bias, math.log(math.expm1(ADVANCE)))

    def begin(self, vectors: Tensor) -> tuple[Tensor, ...]:
        """Output, cell and place (B,) before the first step, and the values of ``vectors`` (B, P, inputs)."""
        zero = vectors.new_zeros(len(vectors), self.hidden)
        values = self.value(vectors).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        return zero, zero, zero[:, 0], values

    def step(self, x: Tensor, mask: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """One step ``x`` (B, dim), ``mask`` (B, P) bool: the next state."""
        h, c, place, values = state
        logits = self.bias(distances(place[:, None], mask.shape[1]))
        weights = logits.masked_fill(~mask[:, None, None], float("-inf")).softmax(-1)
        context = (weights.to(values.dtype) @ values)[:, :, 0].flatten(1)
        h, c = self.lstm(torch.cat([x, context], dim=-1), (h, c))
        return h, c, place + F.softplus(self.advance(h)[:, 0]), values


def distances(places: Tensor, phones: int) -> Tensor:
    """(B, S, phones): how far the middle of each phone lies from ``places`` (B, S), in phones."""
    return torch.arange(phones, device=places.device) + 0.5 - places[..., None]


class VeryAttentiveDecoder(HearingDecoder):
    """Very Attentive Tacotron's: blocks whose attention leans on an :class:`AlignmentLayer`'s place.

    Args:
        align: size of the alignment layer. window: steps of the past that are heard.
        Others: see :class:`TransformerDecoder`.
    """

    def __init__(
        self,
        inputs: int,
        size: int,
        dim: int,
        layers: int,
        heads: int,
        filters: int,
        block_dropout: float,
        align: int,
        window: int,
        prenet: int,
        dropout: float,
        reduction: int,
    ):
        super().__init__(size, dim, prenet, dropout, reduction)
        self.enter = nn.Linear(prenet, dim)
        self.align = AlignmentLayer(dim, inputs, align)
        self.told = nn.Linear(align, dim)
        shape = (dim, inputs, heads, filters, block_dropout, window)
        self.blocks = nn.ModuleList(DecoderBlock(*shape) for _ in range(layers))
        self.norm = nn.RMSNorm(dim)

    def remember(self, vectors: Tensor, mask: Tensor) -> Memory:
        """``vectors`` (B, P, inputs), ``mask`` (B, P) bool."""
        return Memory(vectors, mask, [block.cross.remember(vectors, vectors) for block in self.blocks])

    def whole(self, rows: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        x, total, state, states = self.enter(rows), 0.0, self.align.begin(memory.vectors), []
        for row in x.unbind(1):
            state = self.align.step(row, memory.mask, state)
            states.append(state)
        h, _, places = (torch.stack(parts, dim=1) for parts in list(zip(*states))[:3])
        x, away = x + self.told(h), distances(places, memory.mask.shape[1])
        for block, known in zip(self.blocks, memory.keys):
            x, weights = block(x, known, memory.mask, away)
            total = total + weights.mean(1)
        return self.norm(x), total / len(self.blocks)

    def begin(self, memory: Memory) -> Any:
        return self.align.begin(memory.vectors), [None] * len(self.blocks)

    def step(self, row: Tensor, k: int, memory: Memory, state: Any) -> tuple[Tensor, Tensor, Any]:
        x, total, after = self.enter(row), 0.0, []
        align = self.align.step(x, memory.mask, state[0])
        x, away = x + self.told(align[0]), distances(align[2][:, None], memory.mask.shape[1])
        for block, known, past in zip(self.blocks, memory.keys, state[1]):
            x, weights, past = block.step(x, known, memory.mask, past, away)
            total = total + weights.mean(1)
            after.append(past)
        return self.norm(x), total / len(self.blocks), (align, after)
