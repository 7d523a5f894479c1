"""What is drawn by chance in inference, as arrays: the numbers of torch's generator, without it.

:mod:`nnsvs_lite.models.layers.noise` draws the same with torch, equal within 1e-5.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from nnsvs_lite.models.example import Example, note_seeds, utterance_seed

BLOCK = 4096
"""Rows of running noise that are drawn at once."""


def normal(count: int, seed: int) -> np.ndarray:
    """(count,) float32: ``torch.randn(count)`` of a generator on the CPU that begins with ``seed``.

    Its engine is the MT19937 that NumPy has (Matsumoto and Nishimura, 1998), seeded by 32 bits; pairs of
    uniform numbers become normal ones by Box and Muller (1958), eight and eight at a time.
    """
    drawn = np.random.RandomState(seed & 0xFFFFFFFF)

    def words(size: int) -> np.ndarray:
        return drawn.randint(0, 1 << 32, size, np.uint32)

    if count < 16:
        high, low = words(4 * (-(-count // 2))).astype(np.uint64).reshape(-1, 2, 2).transpose(2, 0, 1)
        uniform = ((high << np.uint64(32) | low) & np.uint64((1 << 53) - 1)) * 2.0**-53
        radius, angle = np.sqrt(-2.0 * np.log1p(-uniform[:, 1])), 2.0 * math.pi * uniform[:, 0]
        return (
            np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()[:count].astype(np.float32)
        )
    rest = count % 16
    uniform = (words(count + 16 * (rest > 0)) & np.uint32((1 << 24) - 1)).astype(np.float32) * np.float32(
        2.0**-24
    )

    def paired(values: np.ndarray) -> np.ndarray:
        first, second = values.reshape(-1, 2, 8).transpose(1, 0, 2)
        radius = np.sqrt(np.float32(-2.0) * np.log(np.float32(1.0) - first))
        angle = np.float32(2.0 * math.pi) * second
        return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()

    out = np.empty(count, np.float32)
    out[: count - rest] = paired(uniform[: count - rest])
    if rest:
        # The last sixteen are drawn anew.
        out[-16:] = paired(uniform[count:])
    return out


def frame_noise(example: Example, dim: int, seed: int, step: int = 0) -> np.ndarray:
    """(T, dim) of an utterance's frames; see :func:`nnsvs_lite.models.layers.noise.frame_noise`."""
    own = int(note_seeds(utterance_seed(seed, example.utt), 1, step)[0])
    return normal(example.frames * dim, own).reshape(-1, dim)


def note_noise(example: Example, dim: int) -> np.ndarray:
    """(T, dim), by the notes' seeds; see :func:`nnsvs_lite.models.layers.noise.note_noise`."""
    score = example.score
    lengths = np.bincount(score.note_index, score.duration, len(score.note_context)).astype(int)
    parts = [normal(n * dim, int(own)).reshape(-1, dim) for n, own in zip(lengths, score.note_seed)]
    return np.concatenate(parts)


def running_noise(first: int, rows: int, dim: int, seed: int) -> np.ndarray:
    """(rows, dim); see :func:`nnsvs_lite.models.layers.noise.running_noise`."""
    blocks = range(first // BLOCK, -(-(first + rows) // BLOCK))
    drawn = np.concatenate([_block(dim, seed, number) for number in blocks])
    return drawn[first - blocks.start * BLOCK :][:rows]


@functools.lru_cache(32)
def _block(dim: int, seed: int, number: int) -> np.ndarray:
    """Rows that are drawn at once; phrases of a song hear the same."""
    return normal(BLOCK * dim, int(note_seeds(seed, 1, number)[0])).reshape(BLOCK, dim)


def uniform(dim: int, seed: int) -> np.ndarray:
    """(1, dim) from 0 to 1: ``torch.rand(dim)`` of a generator on the CPU that begins with ``seed``."""
    words = np.random.RandomState(seed & 0xFFFFFFFF).randint(0, 1 << 32, dim, np.uint32)
    return ((words & np.uint32((1 << 24) - 1)).astype(np.float32) * np.float32(2.0**-24))[None]
