"""Tacotron 2's decoder (Shen et al., 2018) with attention that durations lead."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.models.layers.duration_attention import DurationAttention, share_at
from nnsvs_lite.models.layers.noise import SeededDropout


@dataclass
class Memory:
    """What does not change from step to step.

    Attributes:
        vectors: (B, P, inputs) of the encoder. keys: (B, P, attention) of them.
        mask: (B, P) bool. control: (B, P) logits, see ``DurationControl``.
    """

    vectors: Tensor
    keys: Tensor
    mask: Tensor
    control: Tensor


class AttentiveDecoder(nn.Module):
    """Hears its last frame through a prenet, attends, and gives some frames a step.

    The first LSTM layer's state asks the attention, and what the attention finds enters that
    same layer: it has to run step by step, in training too. All else is fused under teacher
    forcing: the prenet, the second LSTM layer and the output, over all steps at once. What a
    step gives depends on target frames before its first alone.

    The prenet's dropout stays on in singing, as published, with seeded masks.

    Args:
        inputs: size of the encoder's vectors. size: of an output frame.
        hidden: of both LSTM layers. prenet: of its two layers. dropout: in it.
        attention: size in which queries and keys meet. reduction: frames a step.
    """

    def __init__(
        self,
        inputs: int,
        size: int,
        hidden: int = 1024,
        prenet: int = 256,
        dropout: float = 0.5,
        attention: int = 512,
        reduction: int = 1,
    ):
        super().__init__()
        self.size, self.hidden, self.reduction, self.dropout = size, hidden, reduction, dropout
        self.prenet = nn.ModuleList([nn.Linear(size, prenet), nn.Linear(prenet, prenet)])
        self.attention = DurationAttention(inputs, hidden, attention)
        self.first = nn.LSTMCell(prenet + inputs, hidden)
        self.second = nn.LSTM(hidden, hidden, batch_first=True)
        self.out = nn.Linear(hidden + inputs, size * reduction, bias=False)
        # An untrained model gives 0, the base of its output space.
        nn.init.zeros_(self.out.weight)

    def remember(self, vectors: Tensor, mask: Tensor, control: Tensor) -> Memory:
        """``vectors`` (B, P, inputs), ``mask`` (B, P) bool, ``control`` (B, P)."""
        return Memory(vectors, self.attention.key(vectors), mask, control)

    def heard(self, target: Tensor, steps: int) -> Tensor:
        """The last target frame before each step, zeros before the first: (B, S, size)."""
        last = target[:, self.reduction - 1 :: self.reduction][:, : steps - 1]
        return F.pad(last, (0, 0, 1, 0))

    def _prenet(self, x: Tensor, drop: SeededDropout) -> Tensor:
        for layer in self.prenet:
            x = drop(torch.relu(layer(x)))
        return x

    def follow(self, memory: Memory, heard: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """All steps on given frames ``heard`` (B, S, size).

        Returns:
            Frames (B, S * reduction, size), and attention's weights (B, S, P).
        """
        if self.training:
            x = heard
            for layer in self.prenet:
                x = F.dropout(torch.relu(layer(x)), self.dropout)
            rows = x.unbind(1)
        else:
            drop = SeededDropout(self.dropout, seed)
            rows = [self._prenet(row, drop) for row in heard.unbind(1)]
        state, asked = self._begin(memory), []
        for k, row in enumerate(rows):
            state = self._first(memory, row, k, state)
            asked.append(state)
        context = torch.stack([s[4] for s in asked], dim=1)
        below = self.second(torch.stack([s[0] for s in asked], dim=1))[0]
        out = self.out(torch.cat([below, context], dim=-1))
        return self._as_frames(out), torch.stack([s[2] for s in asked], dim=1)

    def sing(
        self, memory: Memory, steps: int, seed: int, heard: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Step by step on its own frames, or on given ones; returns what :meth:`follow` does."""
        drop = SeededDropout(self.dropout, seed)
        state, second, out, weights = self._begin(memory), None, [], []
        last = memory.vectors.new_zeros(len(memory.vectors), self.size)
        for k in range(steps):
            last = last if heard is None else heard[:, k]
            state = self._first(memory, self._prenet(last, drop), k, state)
            below, second = self.second(state[0][:, None], second)
            out.append(self.out(torch.cat([below[:, 0], state[4]], dim=-1)))
            weights.append(state[2])
            last = out[-1][:, -self.size :]
        return self._as_frames(torch.stack(out, dim=1)), torch.stack(weights, dim=1)

    def _begin(self, memory: Memory) -> tuple[Tensor, ...]:
        zero = memory.vectors.new_zeros(len(memory.vectors), self.hidden)
        start = self.attention.start(memory.mask).to(zero.dtype)
        return zero, zero, start, torch.zeros_like(start), zero

    def _first(self, memory: Memory, row: Tensor, k: int, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The attention and the first LSTM layer: state, cell, weights, their sum, context."""
        h, c, last, total, _ = state
        share = share_at(memory.control, k)
        weights = self.attention(h, memory.keys, memory.mask, share, last, total)
        context = torch.bmm(weights[:, None].to(memory.vectors.dtype), memory.vectors)[:, 0]
        h, c = self.first(torch.cat([row, context], dim=-1), (h, c))
        return h, c, weights, total + weights, context

    def _as_frames(self, out: Tensor) -> Tensor:
        return out.reshape(len(out), -1, self.size)
