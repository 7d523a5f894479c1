"""Chance in inference: the same for an utterance alone and in a batch, on any device."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from nnsvs_lite.models.batch import length_mask, note_seeds
from nnsvs_lite.models.chance import BLOCK

Source = Callable[..., Tensor | None]
"""From what is drawn (``frame``, ``note`` or ``habit``), its size and its step to (B, T, size); of running
noise (``running``) the step is the first row's number and the rows are told too; of numbers from 0 to 1
(``uniform``) there is one row.
"""
_source: ContextVar[Source | None] = ContextVar("source", default=None)


@contextmanager
def drawn_by(source: Source) -> Iterator[None]:
    """Within, chance comes from ``source``: a graph is told it. Where that gives None it is drawn as ever."""
    token = _source.set(source)
    try:
        yield
    finally:
        _source.reset(token)


def told(what: str, dim: int, step: int = 0, *rows: int) -> Tensor | None:
    """What another one draws, if one does."""
    source = _source.get()
    return None if source is None else source(what, dim, step, *rows)


def frame_noise(lengths: Tensor, size: int, dim: int, seeds: Sequence[int], step: int = 0) -> Tensor:
    """Standard normal noise (B, size, dim) of a step; row ``b`` is that of ``lengths[b]`` frames and of
    ``seeds[b]``, whatever the others are.

    Drawn on the CPU, whose generator gives the same numbers whatever device computes.
    """
    if (noise := told("frame", dim, step)) is not None:
        return noise
    out = torch.zeros(len(lengths), size, dim)
    if lengths.device.type != "meta":
        for row, length, seed in zip(out, lengths.tolist(), seeds, strict=True):
            generator = torch.Generator().manual_seed(int(note_seeds(seed, 1, step)[0]))
            row[:length] = torch.randn(length, dim, generator=generator)
    return out.to(lengths.device)


def running_noise(first: int, lengths: Tensor, size: int, dim: int, seed: int) -> Tensor:
    """Standard normal noise (B, size, dim), of which row i is number ``first + i`` of an endless one,
    whatever piece asks for it. Rows from ``lengths`` (B,) on are zero.

    Rows may be frames or samples; all utterances hear the same noise.
    """
    if (noise := told("running", dim, first, size)) is not None:
        return noise * length_mask(lengths, size)[..., None]
    noise = torch.zeros(size, dim)
    if lengths.device.type != "meta":
        for at in range(first // BLOCK * BLOCK, first + size, BLOCK):
            generator = torch.Generator().manual_seed(int(note_seeds(seed, 1, at // BLOCK)[0]))
            drawn = torch.randn(BLOCK, dim, generator=generator)
            noise[max(at - first, 0) : at + BLOCK - first] = drawn[max(first - at, 0) : first + size - at]
    noise = noise.to(lengths.device)
    return noise * length_mask(lengths, size)[..., None]


def uniform(dim: int, seed: int) -> Tensor:
    """(1, 1, dim) numbers from 0 to 1."""
    if (numbers := told("uniform", dim)) is not None:
        return numbers
    return torch.rand(1, 1, dim, generator=torch.Generator().manual_seed(seed))


def note_noise(seeds: Tensor, lengths: Tensor, size: int, dim: int) -> Tensor:
    """Standard normal noise (B, size, dim), note by note: one of ``lengths`` (B, N) frames has what its seed
    in ``seeds`` (B, N) says, whatever the others are.
    """
    if (noise := told("note", dim)) is not None:
        return noise
    out = torch.zeros(len(seeds), size, dim)
    if seeds.device.type != "meta":
        for row, row_seeds, row_lengths in zip(out, seeds.tolist(), lengths.tolist()):
            drawn = [
                torch.randn(length, dim, generator=torch.Generator().manual_seed(seed))
                for seed, length in zip(row_seeds, row_lengths)
            ]
            row[: sum(row_lengths)] = torch.cat(drawn)
    return out.to(seeds.device)


class SeededDropout:
    """Dropout that stays on in inference, one mask a step, shared by the members of a batch."""

    def __init__(self, probability: float, seed: int):
        if torch.onnx.is_in_onnx_export():
            raise ValueError("its decoder hears its own frames, one by one")
        self.keep = 1.0 - probability
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, x: Tensor) -> Tensor:
        """Values of one step (B, D), or None of them dropped at probability 0."""
        if self.keep >= 1.0:
            return x
        mask = torch.rand(x.shape[-1], generator=self.generator) < self.keep
        return x * (mask.to(x.dtype) / self.keep).to(x.device)
