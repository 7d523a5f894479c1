"""EATS' alignment (Donahue et al., 2021, arXiv:2006.03575): lengths that learn by gradients alone."""

import torch
from torch import Tensor
from torch.nn import functional as F

VARIANCE = 10.0
"""Frames squared, of 5 ms: how softly one phone gives way to the next."""


def interpolation(lengths: Tensor, mask: Tensor, frames: int, variance: float = VARIANCE) -> Tensor:
    """(B, T, P): how much of each phone a frame has; rows sum to 1.

    A softmax of minus the squared distance from the phones' middles, over ``variance``.

    Args: lengths: (B, P) frames, at least 0. mask: (B, P) bool. frames: T.
    """
    # In double precision: over a long phrase middles would lose their fractions.
    ends = lengths.double().cumsum(1)
    time = torch.arange(frames, device=lengths.device, dtype=ends.dtype) + 0.5
    logits = -(time[:, None] - (ends - lengths / 2)[:, None]).square() / variance
    return logits.masked_fill(~mask[:, None], float("-inf")).softmax(-1).to(lengths.dtype)


def soft_dtw(cost: Tensor, rows: Tensor, columns: Tensor, penalty: float, temperature: float) -> Tensor:
    """(B,): the soft minimum, over all monotone paths, of the cost of matching two sequences.

    ``-temperature log sum exp(-cost of a path / temperature)``. A step along one sequence alone costs
    ``penalty`` more. Computed diagonal by diagonal, with gradients.

    Args:
        cost: (B, N, M). rows, columns: (B,) long, lengths within N and M.
    """
    batch, height, width = cost.shape
    # Row i of the slanted table holds what lies on each diagonal at row i of the cost.
    far = cost.new_full((batch, height), 1e10)
    places = torch.arange(height, device=cost.device)
    before, last, ends = far, far, rows + columns - 2
    found = cost.new_zeros(batch)
    for d in range(height + width - 1):
        column = d - places
        inside = (column >= 0) & (column < width)
        here = cost[:, places, column.clamp(0, width - 1)]
        diagonal = F.pad(before, (1, -1), value=1e10)
        if d == 0:
            diagonal = diagonal.index_fill(1, places[:1], 0.0)
        moves = torch.stack([diagonal, F.pad(last, (1, -1), value=1e10) + penalty, last + penalty])
        reached = here - temperature * torch.logsumexp(-moves / temperature, dim=0)
        before, last = last, torch.where(inside, reached, far)
        at_end = last.gather(1, (rows - 1).clamp(min=0)[:, None])[:, 0]
        found = torch.where(ends == d, at_end, found)
    return found
