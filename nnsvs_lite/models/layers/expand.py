"""From phones to frames, on whatever device the batch is."""

import torch
from torch import Tensor

from nnsvs_lite.models.batch import Batch


def gather_rows(x: Tensor, index: Tensor) -> Tensor:
    """Rows of ``x`` (B, N, C) at ``index`` (B, M): (B, M, C)."""
    return x.gather(1, index[..., None].expand(-1, -1, x.shape[-1]))


def phone_of_frame(batch: Batch) -> Tensor:
    """(B, T) long: the phone of every frame; on padding, the last position."""
    ends = batch.score.duration.cumsum(1)
    frames = torch.arange(batch.max_frames, device=ends.device).expand(len(ends), -1)
    return torch.searchsorted(ends, frames.contiguous(), right=True).clamp(max=ends.shape[1] - 1)


def full_phone_context(batch: Batch) -> Tensor:
    """Phone columns and, for each phone, the columns of its note: (B, P, Cp + Cn)."""
    notes = gather_rows(batch.score.note_context, batch.score.note_index)
    return torch.cat([batch.score.phone_context, notes], dim=-1)


def sum_by_note(values: Tensor, batch: Batch) -> Tensor:
    """Sums (B, P) values of phones over their notes: (B, N). Padding must hold 0."""
    out = values.new_zeros(batch.score.note_context.shape[:2])
    return out.scatter_add(1, batch.score.note_index, values)


POSITIONS = 8
"""Number of columns of :func:`frame_positions`."""


def frame_positions(batch: Batch, phone: Tensor, frame_shift: float) -> Tensor:
    """Where each frame lies in its phone and its sung note: (B, T, 8).

    For the phone, then the note: the fraction passed (0..1), and the logarithm of
    1 + tenths of seconds from its start, to its end, and in all. Times, not counts of
    frames, so that a frame shift does not change their meaning.

    Args:
        phone: (B, T) from :func:`phone_of_frame`.
        frame_shift: seconds.
    """
    lengths = batch.score.duration.to(torch.float32)
    starts = lengths.cumsum(1) - lengths
    note_lengths = sum_by_note(lengths, batch)
    note_starts = note_lengths.cumsum(1) - note_lengths
    note = batch.score.note_index.gather(1, phone)
    frames = torch.arange(batch.max_frames, device=phone.device, dtype=torch.float32) + 0.5

    columns = []
    for begin, length in (
        (starts.gather(1, phone), lengths.gather(1, phone)),
        (note_starts.gather(1, note), note_lengths.gather(1, note)),
    ):
        passed = (frames[None] - begin).clamp(min=0)
        left = (length - passed).clamp(min=0)
        tenths = frame_shift * 10
        columns.append(passed / length.clamp(min=1))
        columns += [torch.log1p(v * tenths) for v in (passed, left, length)]
    return torch.stack(columns, dim=-1)
