"""Tacotron 2's decoder (Shen et al., 2018, arXiv:1712.05884): attention that knows where it was."""

import torch
from torch import Tensor, nn

from nnsvs_lite.models.layers.conv import MaskedConv1d
from nnsvs_lite.models.layers.hearing import HearingDecoder, Memory

FILTERS, WIDTH = 32, 31
"""Of the convolution over past attention."""


class LocationAttention(nn.Module):
    """Location-sensitive attention (Chorowski et al., 2015, eq. 9): ``v tanh(W q + V h + U f)``, where ``f``
    is a convolution of the last step's attention and of all of it so far. Queries and keys meet in ``dim``.
    """

    def __init__(self, inputs: int, query: int, dim: int):
        super().__init__()
        self.key = nn.Linear(inputs, dim, bias=False)
        self.query = nn.Linear(query, dim, bias=False)
        self.past = MaskedConv1d(2, FILTERS, WIDTH, bias=False)
        self.past_out = nn.Linear(FILTERS, dim, bias=False)
        self.score = nn.Linear(dim, 1, bias=False)

    def forward(self, query: Tensor, keys: Tensor, mask: Tensor, last: Tensor, total: Tensor) -> Tensor:
        """Weights of a step, (B, P).

        Args:
            query: (B, query). keys: (B, P, dim), from ``key``. mask: (B, P) bool.
            last: (B, P) weights of the step before. total: (B, P), their sum so far.
        """
        past = self.past_out(self.past(torch.stack([last, total], dim=-1), mask))
        scores = self.score(torch.tanh(keys + past + self.query(query)[:, None]))[..., 0]
        return scores.masked_fill(~mask, float("-inf")).softmax(-1)


class LocationDecoder(HearingDecoder):
    """Two LSTM layers: the first asks the attention, the second hears what that found.

    Args:
        inputs: size of the encoder's vectors. hidden: of both layers. lstm_dropout: of their outputs.
        attention: size in which queries and keys meet. Others: see :class:`HearingDecoder`.
    """

    def __init__(
        self,
        inputs: int,
        size: int,
        hidden: int,
        prenet: int,
        dropout: float,
        lstm_dropout: float,
        attention: int,
        reduction: int,
    ):
        super().__init__(size, hidden + inputs, prenet, dropout, reduction)
        self.hidden = hidden
        self.attention = LocationAttention(inputs, hidden, attention)
        self.first = nn.LSTMCell(prenet + inputs, hidden)
        self.second = nn.LSTM(hidden + inputs, hidden, batch_first=True)
        self.drop = nn.Dropout(lstm_dropout)

    def remember(self, vectors: Tensor, mask: Tensor) -> Memory:
        """``vectors`` (B, P, inputs), ``mask`` (B, P) bool."""
        return Memory(vectors, mask, self.attention.key(vectors))

    def begin(self, memory: Memory) -> tuple[tuple[Tensor, ...], None]:
        zero = memory.vectors.new_zeros(len(memory.vectors), self.hidden)
        weights = torch.zeros_like(memory.mask, dtype=zero.dtype)
        return (zero, zero, weights, weights, torch.zeros_like(memory.vectors[:, 0])), None

    def _first(self, row: Tensor, memory: Memory, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The first layer, then the attention: output, cell, weights, their sum, context."""
        h, c, last, total, context = state
        h, c = self.first(torch.cat([row, context], dim=-1), (h, c))
        h = self.drop(h)
        weights = self.attention(h, memory.keys, memory.mask, last, total)
        context = torch.bmm(weights[:, None].to(memory.vectors.dtype), memory.vectors)[:, 0]
        return h, c, weights, total + weights, context

    def whole(self, rows: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        state, asked = self.begin(memory)[0], []
        for row in rows.unbind(1):
            state = self._first(row, memory, state)
            asked.append(state)
        h, _, weights, _, context = (torch.stack(parts, dim=1) for parts in zip(*asked))
        below = self.drop(self.second(torch.cat([h, context], dim=-1))[0])
        return torch.cat([below, context], dim=-1), weights

    def step(self, row: Tensor, k: int, memory: Memory, state: tuple) -> tuple[Tensor, Tensor, tuple]:
        first = self._first(row, memory, state[0])
        h, _, weights, _, context = first
        below, second = self.second(torch.cat([h, context], dim=-1)[:, None], state[1])
        return torch.cat([below[:, 0], context], dim=-1), weights, (first, second)
