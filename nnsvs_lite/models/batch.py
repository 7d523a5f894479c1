"""Padded batches: streams over frames, and the score where a model reads it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from nnsvs_lite.models.example import Example, note_seeds, utterance_seed


@dataclass
class ScoreBatch:
    """The scores of B utterances, padded with zeros: as of
    :class:`~nnsvs_lite.models.example.ScoreExample`, but that
    ``note_frames`` (B, N, 2) has score starts and ends in frames, and notes a seed. Lengths are (B,) long.
    """

    note_context: Tensor
    phone_context: Tensor
    note_index: Tensor
    note_frames: Tensor
    note_lengths: Tensor
    phone_lengths: Tensor
    note_seed: Tensor
    time_lag: Tensor | None = None
    duration: Tensor | None = None
    phone: Tensor | None = None
    """(B, T) long, the phone of each frame, where that is told."""

    @property
    def note_mask(self) -> Tensor:
        """(B, N) bool, true on notes."""
        return length_mask(self.note_lengths, self.note_context.shape[1])

    @property
    def phone_mask(self) -> Tensor:
        """(B, P) bool, true on phones."""
        return length_mask(self.phone_lengths, self.phone_context.shape[1])


@dataclass
class Batch:
    """B utterances padded with zeros to the longest.

    Attributes:
        frame_lengths: (B,) long; all 0 where neither durations nor streams are known.
        max_frames: T, frames of the longest utterance; known without asking the device.
        singer, language: (B,) long. streams, given: name to (B, T, D). score: None where there is none.
        seed: of models that draw by chance in inference; temperature: a factor of what they draw.
        style: (B, D) style vectors, which a model with style tokens puts in itself.
        first_frame: where a batch is a piece of longer utterances, the number of its first frame in them.
    """

    utts: list[str]
    frame_lengths: Tensor
    max_frames: int
    singer: Tensor
    language: Tensor
    streams: dict[str, Tensor] = field(default_factory=dict)
    score: ScoreBatch | None = None
    seed: int = 0
    temperature: float = 1.0
    style: Tensor | None = None
    first_frame: int = 0
    given: dict[str, Tensor] = field(default_factory=dict)

    def to(self, device: torch.device | str) -> Batch:
        """The batch with all its tensors on ``device``."""
        return _each(self, lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> Batch:
        """The batch in memory that a GPU reads from by itself, as loaders ask for it."""
        return _each(self, Tensor.pin_memory)

    @property
    def seeds(self) -> list[int]:
        """What ``seed`` means for each utterance."""
        return [utterance_seed(self.seed, utt) for utt in self.utts]

    @property
    def frame_mask(self) -> Tensor:
        """(B, T) bool, true on frames of the utterance."""
        return length_mask(self.frame_lengths, self.max_frames)


def _each(value, change: Callable[[Tensor], Tensor]):
    """A batch, or a part of it, with all its tensors changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {k: _each(v, change) for k, v in value.items()}
    if dataclasses.is_dataclass(value):
        return dataclasses.replace(value, **{k: _each(v, change) for k, v in vars(value).items()})
    return value


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """(B, size) bool, true below each length."""
    return torch.arange(size, device=lengths.device)[None] < lengths[:, None]


def _pad(arrays: Sequence[np.ndarray], dtype: torch.dtype) -> Tensor:
    return pad_sequence([torch.tensor(array).to(dtype) for array in arrays], batch_first=True)


def _collate_scores(examples: Sequence[Example], frame_shift: float, seed: int) -> ScoreBatch:
    scores = [e.score for e in examples]
    first = scores[0]
    seeds = [
        note_seeds(utterance_seed(seed, e.utt), len(e.score.note_context))
        if e.score.note_seed is None
        else e.score.note_seed
        for e in examples
    ]
    return ScoreBatch(
        note_context=_pad([s.note_context for s in scores], torch.float32),
        phone_context=_pad([s.phone_context for s in scores], torch.float32),
        note_index=_pad([s.note_index for s in scores], torch.long),
        note_frames=_pad([s.note_time / frame_shift for s in scores], torch.float32),
        note_lengths=torch.tensor([len(s.note_context) for s in scores]),
        phone_lengths=torch.tensor([len(s.phone_context) for s in scores]),
        note_seed=_pad(seeds, torch.long),
        time_lag=None if first.time_lag is None else _pad([s.time_lag for s in scores], torch.float32),
        duration=None if first.duration is None else _pad([s.duration for s in scores], torch.long),
    )


def collate(
    examples: Sequence[Example], frame_shift: float, seed: int = 0, temperature: float = 1.0
) -> Batch:
    """Pads examples to one batch. ``frame_shift`` in seconds; ``seed`` and ``temperature`` for inference."""
    first = examples[0]
    lengths = [e.frames for e in examples]
    return Batch(
        utts=[e.utt for e in examples],
        frame_lengths=torch.tensor(lengths),
        max_frames=max(lengths),
        singer=torch.tensor([e.singer for e in examples]),
        language=torch.tensor([e.language for e in examples]),
        streams={name: _pad([e.streams[name] for e in examples], torch.float32) for name in first.streams},
        score=None if first.score is None else _collate_scores(examples, frame_shift, seed),
        seed=seed,
        temperature=temperature,
        given={name: _pad([e.given[name] for e in examples], torch.float32) for name in first.given},
    )
