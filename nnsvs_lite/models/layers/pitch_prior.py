"""Automatic pitch correction: how strongly each frame is held to the score."""

from __future__ import annotations

import torch
from torch import Tensor

from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.expand import sum_by_note

RISE = 0.3
"""Seconds over which the weight rises at a note's start and falls at its end."""
LARGEST = 0.5
"""Weight in the middle of a note."""


def prior_weights(batch: Batch, phone: Tensor, rest: int, frame_shift: float) -> Tensor:
    """Weights of a prior on the F0 residual: (B, T, 1).

    Sinsy 2021 puts a normal prior on the residual; NNSVS weights its size so: inside each sung
    note from 0 up to 0.5 over 0.3 s (60 frames), then held, then down again; 0 throughout notes of
    0.6 s or less, and in rests. Times are seconds here, so that any frame shift does.

    Args:
        phone: (B, T) from ``phone_of_frame``. rest: column of the flag ``is_rest``.
        frame_shift: seconds.
    """
    lengths = sum_by_note(batch.score.duration.to(torch.float32), batch)
    starts = lengths.cumsum(1) - lengths
    note = batch.score.note_index.gather(1, phone)
    frames = torch.arange(batch.max_frames, device=phone.device, dtype=torch.float32)
    length = lengths.gather(1, note)
    passed = frames[None] - starts.gather(1, note)
    edge = torch.minimum(passed, length - 1 - passed) * frame_shift
    weight = (edge / RISE).clamp(0, 1) * LARGEST
    sung = batch.score.note_context[..., rest].gather(1, note) == 0
    # A hair above 0.6 s, lest rounding decide about a note of exactly that length.
    long = length * frame_shift > 2 * RISE + 1e-4
    return (weight * sung * long)[..., None]
