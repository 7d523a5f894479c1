"""Monotonic alignment search (Kim, Kong and Son 2021, arXiv:2106.06103, 2.2.1; Kim et al. 2020,
arXiv:2005.11129, algorithm 1): how long each phone lasts, found by what fits best.
"""

import math

import numpy as np
import torch
from torch import Tensor


def log_likelihoods(x: Tensor, mean: Tensor, log_deviation: Tensor) -> Tensor:
    """(B, P, T): log densities of frames ``x`` (B, T, D) under each of P normal distributions of independent
    numbers, (B, P, D) each.
    """
    precision = torch.exp(-2 * log_deviation)
    constant = -0.5 * math.log(2 * math.pi) * x.shape[-1] - log_deviation.sum(-1)
    square = precision @ x.square().transpose(1, 2) - 2 * (mean * precision) @ x.transpose(1, 2)
    return constant[..., None] - 0.5 * (square + (mean.square() * precision).sum(-1)[..., None])


def monotonic_durations(scores: Tensor, phones: Tensor, frames: Tensor) -> Tensor:
    """(B, P) long: frames of each phone, at least one, so that the sum of scores is largest.

    Phones follow one another and leave out no frame: ``Q(i, j) = max(Q(i - 1, j - 1), Q(i, j - 1)) + score``.

    Args:
        scores: (B, P, T), of frame j being of phone i; minus infinity where it must not be.
        phones, frames: (B,) long; a row has as many frames as phones at least.
    """
    if scores.is_meta:
        return torch.zeros(scores.shape[:2], dtype=torch.long, device=scores.device)
    # Nothing is learnt through it: small steps one after the other, which a GPU is slow at.
    rows, out = scores.detach().double().cpu().numpy(), np.zeros(scores.shape[:2], np.int64)
    for row, durations, p, t in zip(rows, out, phones.tolist(), frames.tolist()):
        durations[:p] = best_durations(row[:p, :t])
    return torch.from_numpy(out).to(scores.device)


def best_durations(scores: np.ndarray) -> np.ndarray:
    """:func:`monotonic_durations` of one row, (P, T) to (P,); T >= P."""
    p, t = scores.shape
    best = np.full((t, p + 1), -np.inf)  # Column i + 1 is phone i; before the first is nothing.
    best[0, 1] = scores[0, 0]
    for j in range(1, t):
        best[j, 1:] = np.maximum(best[j - 1, 1:], best[j - 1, :-1]) + scores[:, j]
    durations, i = np.zeros(p, np.int64), p - 1
    for j in range(t - 1, 0, -1):
        durations[i] += 1
        i -= int(i > 0 and (i == j or best[j - 1, i] > best[j - 1, i + 1]))
    durations[i] += 1
    return durations
