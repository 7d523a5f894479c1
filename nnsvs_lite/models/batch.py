"""Padded batches: the one form in which models see data."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor


@dataclass
class Example:
    """One utterance, as arrays. Context alone is enough to sing.

    Attributes:
        utt: id.
        note_context: (N, Cn) float32. phone_context: (P, Cp) float32.
        note_index: (P,) index of each phone's note.
        note_time: (N, 2) score start and end, seconds.
        time_lag: (N,) frames, or None. duration: (P,) whole frames, or None.
        streams: name to (T, D) float32.
        singer, language: their indices in the schema.
    """

    utt: str
    note_context: np.ndarray
    phone_context: np.ndarray
    note_index: np.ndarray
    note_time: np.ndarray
    time_lag: np.ndarray | None = None
    duration: np.ndarray | None = None
    streams: dict[str, np.ndarray] = field(default_factory=dict)
    singer: int = 0
    language: int = 0

    @property
    def frames(self) -> int:
        """Length in frames, from the durations."""
        return int(self.duration.sum())


@dataclass
class Batch:
    """B utterances padded with zeros to the longest.

    Attributes:
        note_context: (B, N, Cn). phone_context: (B, P, Cp).
        note_index: (B, P) long. note_frames: (B, N, 2) score start and end in frames.
        note_lengths, phone_lengths: (B,) long.
        time_lag: (B, N) or None. duration: (B, P) long, 0 on padding, or None.
        max_frames: T, frames of the longest utterance (0 without durations).
        streams: name to (B, T, D).
        singer, language: (B,) long.
        seed: of models that draw by chance in inference.
        style: (B, D) style vectors, which a model with style tokens puts in itself.
    """

    utts: list[str]
    note_context: Tensor
    phone_context: Tensor
    note_index: Tensor
    note_frames: Tensor
    note_lengths: Tensor
    phone_lengths: Tensor
    singer: Tensor
    language: Tensor
    time_lag: Tensor | None = None
    duration: Tensor | None = None
    max_frames: int = 0
    streams: dict[str, Tensor] = field(default_factory=dict)
    seed: int = 0
    style: Tensor | None = None

    def to(self, device: torch.device | str) -> Batch:
        """The batch with all its tensors on ``device``."""
        moved = {}
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                value = value.to(device, non_blocking=True)
            elif isinstance(value, dict):
                value = {k: v.to(device, non_blocking=True) for k, v in value.items()}
            moved[name] = value
        return dataclasses.replace(self, **moved)

    @property
    def note_mask(self) -> Tensor:
        """(B, N) bool, true on notes."""
        return length_mask(self.note_lengths, self.note_context.shape[1])

    @property
    def phone_mask(self) -> Tensor:
        """(B, P) bool, true on phones."""
        return length_mask(self.phone_lengths, self.phone_context.shape[1])

    @property
    def frame_mask(self) -> Tensor:
        """(B, T) bool, true on frames of the utterance."""
        return length_mask(self.duration.sum(1), self.max_frames)


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """(B, size) bool, true below each length."""
    return torch.arange(size, device=lengths.device)[None] < lengths[:, None]


def _pad(arrays: Sequence[np.ndarray], dtype: torch.dtype) -> Tensor:
    size = max(len(a) for a in arrays)
    out = torch.zeros((len(arrays), size, *arrays[0].shape[1:]), dtype=dtype)
    for row, array in zip(out, arrays):
        row[: len(array)] = torch.from_numpy(np.array(array)).to(dtype)
    return out


def collate(examples: Sequence[Example], frame_shift: float, seed: int = 0) -> Batch:
    """Pads examples to one batch. ``frame_shift`` in seconds; ``seed`` for inference."""
    first = examples[0]
    batch = Batch(
        utts=[e.utt for e in examples],
        note_context=_pad([e.note_context for e in examples], torch.float32),
        phone_context=_pad([e.phone_context for e in examples], torch.float32),
        note_index=_pad([e.note_index for e in examples], torch.long),
        note_frames=_pad([e.note_time / frame_shift for e in examples], torch.float32),
        note_lengths=torch.tensor([len(e.note_context) for e in examples]),
        phone_lengths=torch.tensor([len(e.phone_context) for e in examples]),
        singer=torch.tensor([e.singer for e in examples]),
        language=torch.tensor([e.language for e in examples]),
        seed=seed,
    )
    if first.time_lag is not None:
        batch.time_lag = _pad([e.time_lag for e in examples], torch.float32)
    if first.duration is not None:
        batch.duration = _pad([e.duration for e in examples], torch.long)
        batch.max_frames = max(e.frames for e in examples)
    for name in first.streams:
        batch.streams[name] = _pad([e.streams[name] for e in examples], torch.float32)
    return batch
