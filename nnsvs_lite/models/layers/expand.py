"""From phones to frames, on whatever device the batch is."""

import torch
from torch import Tensor
from torch.nn import functional as F

from nnsvs_lite.models.batch import Batch

LONGEST = 1 << 17
"""Phones or frames of an utterance in a graph."""


def gather_rows(x: Tensor, index: Tensor) -> Tensor:
    """Rows of ``x`` (B, N, C) at ``index`` (B, M): (B, M, C)."""
    return x.gather(1, index[..., None].expand(-1, -1, x.shape[-1]))


def phone_of_frame(batch: Batch) -> Tensor:
    """(B, T) long: the phone of every frame; on padding, the last position."""
    if batch.score.phone is not None:
        return batch.score.phone
    ends = batch.score.duration.cumsum(1)
    frames = torch.arange(batch.max_frames, device=ends.device).expand(len(ends), -1)
    return torch.searchsorted(ends, frames.contiguous(), right=True).clamp(max=ends.shape[1] - 1)


def note_column(batch: Batch, column: int, phone: Tensor) -> Tensor:
    """A column of the note that each frame is of: (B, T, 1); ``phone`` from :func:`phone_of_frame`."""
    note = batch.score.note_index.gather(1, phone)
    return batch.score.note_context[..., column].gather(1, note)[..., None]


def full_phone_context(batch: Batch) -> Tensor:
    """Phone columns and, for each phone, the columns of its note: (B, P, Cp + Cn)."""
    notes = gather_rows(batch.score.note_context, batch.score.note_index)
    return torch.cat([batch.score.phone_context, notes], dim=-1)


def running_max(x: Tensor) -> Tensor:
    """The largest number so far at each place of (B, L)."""
    if not torch.onnx.is_in_onnx_export():
        return x.cummax(1).values
    # ONNX has no such operator: each step hears twice as far.
    for step in range(LONGEST.bit_length()):
        x = torch.maximum(x, F.pad(x, (1 << step, 0), value=-LONGEST)[:, : x.shape[1]])
    return x


def sum_by_note(values: Tensor, batch: Batch) -> Tensor:
    """Sums values (B, P) or (B, P, C) of phones over their notes: (B, N) or (B, N, C). Padding holds 0."""
    index, shape = batch.score.note_index, batch.score.note_context.shape[:2]
    if values.ndim == 3:
        index = index[..., None].expand_as(values)
    return values.new_zeros(*shape, *values.shape[2:]).scatter_add(1, index, values)


POSITIONS = 8
"""Number of columns of :func:`frame_positions`."""


def frame_positions(batch: Batch, phone: Tensor, frame_shift: float) -> Tensor:
    """Where each frame lies in its phone and its sung note: (B, T, 8).

    For the phone, then the note: the fraction passed (0..1), and the logarithm of 1 + tenths of
    seconds from its start, to its end, and in all: times, whose meaning no frame shift changes.
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
        columns.append(passed / length.clamp(min=1))
        columns += [torch.log1p(v * (frame_shift * 10)) for v in (passed, left, length)]
    return torch.stack(columns, dim=-1)
