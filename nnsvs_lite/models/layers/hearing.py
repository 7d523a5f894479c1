"""Decoders that hear their last frame, whatever they attend by: the frame that they share."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.models.layers.noise import SeededDropout


class Memory(NamedTuple):
    """What does not change from step to step.

    Attributes:
        vectors: (B, P, inputs) of the encoder. mask: (B, P) bool. keys: what the attention makes of them.
        control: what leads the attention, of those that are led.
    """

    vectors: Tensor
    mask: Tensor
    keys: Any = None
    control: Any = None


class Decoded(NamedTuple):
    """Frames (B, S * reduction, size), attention over phones (B, S, P), and logits (B, S) of having come to
    the end, of decoders that say so.
    """

    frames: Tensor
    weights: Tensor
    stop: Tensor | None


class HearingDecoder(nn.Module):
    """Some frames a step, from the last frame before and the encoder's memory.

    A prenet of two layers hears the frame; its dropout stays on in singing, as published, with seeded
    masks. A subclass gives :meth:`begin` and :meth:`step`, and :meth:`whole` where all steps can be made at
    once from given frames. What a step gives depends on target frames before its first alone.

    Args:
        size: of a frame. dim: of what a step gives before the last layer. prenet, dropout: of the prenet.
        reduction: frames a step. stops: whether it says where the end is.
    """

    def __init__(self, size: int, dim: int, prenet: int, dropout: float, reduction: int, stops: bool = True):
        super().__init__()
        self.size, self.reduction, self.dropout, self.stops = size, reduction, dropout, stops
        self.prenet = nn.ModuleList([nn.Linear(size, prenet), nn.Linear(prenet, prenet)])
        self.out = nn.Linear(dim, size * reduction + stops, bias=stops)
        # An untrained model gives 0, the base of its output space.
        for parameter in self.out.parameters():
            nn.init.zeros_(parameter)

    @abstractmethod
    def begin(self, memory: Memory) -> Any:
        """The state before the first step."""

    @abstractmethod
    def step(self, row: Tensor, k: int, memory: Memory, state: Any) -> tuple[Tensor, Tensor, Any]:
        """Step ``k`` from the prenet's ``row`` (B, prenet): (B, dim), weights (B, P), the next state."""

    def whole(self, rows: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """All steps from ``rows`` (B, S, prenet): (B, S, dim), weights (B, S, P)."""
        state, made = self.begin(memory), []
        for k, row in enumerate(rows.unbind(1)):
            x, weights, state = self.step(row, k, memory, state)
            made.append((x, weights))
        return torch.stack([x for x, _ in made], dim=1), torch.stack([w for _, w in made], dim=1)

    def heard(self, target: Tensor, steps: int) -> Tensor:
        """The last target frame before each step, zeros before the first: (B, S, size)."""
        last = target[:, self.reduction - 1 :: self.reduction][:, : steps - 1]
        return F.pad(last, (0, 0, 1, 0))

    def _prenet(self, x: Tensor, drop: Callable[[Tensor], Tensor]) -> Tensor:
        for layer in self.prenet:
            x = drop(torch.relu(layer(x)))
        return x

    def follow(self, memory: Memory, heard: Tensor, seed: int) -> Decoded:
        """All steps on frames ``heard`` (B, S, size)."""
        if self.training:
            rows = self._prenet(heard, lambda x: F.dropout(x, self.dropout))
        else:
            drop = SeededDropout(self.dropout, seed)
            rows = torch.stack([self._prenet(row, drop) for row in heard.unbind(1)], dim=1)
        return self._decoded(*self.whole(rows, memory))

    def sing(
        self,
        memory: Memory,
        steps: int,
        seed: int,
        heard: Tensor | None = None,
        told: Callable[[Tensor, int], Tensor] = lambda frame, number: frame,
    ) -> Decoded:
        """Step by step on its own frames, or on given ones.

        ``told`` makes of its own frame (B, size), and the frame's number, what training has for such a frame.
        """
        drop, state, made = SeededDropout(self.dropout, seed), self.begin(memory), []
        last = memory.vectors.new_zeros(len(memory.vectors), self.size)
        for k in range(steps):
            last = last if heard is None else heard[:, k]
            x, weights, state = self.step(self._prenet(last, drop), k, memory, state)
            made.append((x, weights))
            end = self.size * self.reduction
            last = F.linear(x, self.out.weight[end - self.size : end], self._bias(end))
            last = told(last, (k + 1) * self.reduction - 1)
        return self._decoded(*(torch.stack(parts, dim=1) for parts in zip(*made)))

    def _bias(self, end: int) -> Tensor | None:
        return None if self.out.bias is None else self.out.bias[end - self.size : end]

    def _decoded(self, x: Tensor, weights: Tensor) -> Decoded:
        out = self.out(x)
        stop = out[..., -1] if self.stops else None
        frames = out[..., : self.size * self.reduction]
        return Decoded(frames.reshape(len(out), -1, self.size), weights, stop)
