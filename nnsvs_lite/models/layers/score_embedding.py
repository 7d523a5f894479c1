"""Phones, notes and tempi as vectors, FastSpeech's form of input; and their way to frames."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.acoustic_floor import SmoothFloor
from nnsvs_lite.models.layers.context import adopt_rows, hide, phone_rows
from nnsvs_lite.models.layers.expand import POSITIONS, frame_positions, full_phone_context, gather_rows
from nnsvs_lite.models.layers.outputs import zeroed

PITCHES = 128
"""MIDI numbers; 0 is a rest."""
RANGES = {"length": (0.05, 8.0), "tempo": (30.0, 300.0)}
"""Seconds, and quarters a minute, between which numbers have vectors of their own."""
COUNT = 64
"""Values of length and of tempo with vectors of their own."""
PARTS = ("phone", "pitch", *RANGES)


class NumberEmbedding(nn.Module):
    """A vector for a number: between those of the two nearest of some fixed values.

    The ``count`` values from ``low`` to ``high`` are even in logarithm. Published systems count frames or
    beats a minute and look the count up; a length that was never sung would then mean nothing.
    """

    def __init__(self, low: float, high: float, count: int, dim: int):
        super().__init__()
        self.table = nn.Embedding(count, dim)
        self.low, self.step = math.log(low), (math.log(high) - math.log(low)) / (count - 1)

    def forward(self, value: Tensor) -> Tensor:
        """(B, L) to (B, L, dim)."""
        last = self.table.num_embeddings - 1
        place = ((value.clamp(min=1e-6).log() - self.low) / self.step).clamp(0, last)
        below = place.long().clamp(max=last - 1)
        share = (place - below)[..., None]
        return self.table(below) * (1 - share) + self.table(below + 1) * share


class ScoreEmbedding(nn.Module):
    """Tables for parts of the score.

    All but the phone's start at zero, so that a pitch no one sang in training says nothing.

    Args:
        sizes: part (``phone``, ``pitch``, ``length`` of the note, ``tempo``) to vector size.
        context_dropout: probability with which, in training, a part other than the phone is hidden; see
            :func:`nnsvs_lite.models.layers.context.hiding`.

    Raises DataError for an unknown part.
    """

    def __init__(self, spec: Spec, sizes: dict[str, int], context_dropout: float = 0.0):
        super().__init__()
        self.context_dropout = context_dropout
        self.columns = {}
        self.tables = nn.ModuleDict()
        for name, dim in sizes.items():
            if name not in PARTS:
                raise DataError(f"no part {name!r} of the score; there are {', '.join(PARTS)}")
            if name == "phone":
                self.columns[name] = spec.column("phone", name)
                self.tables[name] = nn.Embedding(len(spec.phones) + 1, dim)
                continue
            self.columns[name] = len(spec.columns("phone")) + spec.column("note", name)
            pitch = name == "pitch"
            table = nn.Embedding(PITCHES, dim) if pitch else NumberEmbedding(*RANGES[name], COUNT, dim)
            self.tables[name] = zeroed(table)
        self.rows = phone_rows(spec)
        if "phone" in sizes:
            nn.init.normal_(self.tables["phone"].weight)

    def adopt(self, other: ScoreEmbedding) -> None:
        """Takes up another's vectors: of phones by name, of numbers as they are."""
        if self.tables.keys() != other.tables.keys():
            raise ValueError(f"it embeds {', '.join(other.tables)}, this one {', '.join(self.tables)}")
        for name, table in self.tables.items():
            for own, old in zip(table.parameters(), other.tables[name].parameters()):
                rows = (e.rows if name == "phone" else range(len(own)) for e in (self, other))
                adopt_rows(own, old, *rows)

    def parts(self, batch: Batch) -> dict[str, Tensor]:
        """Each part's vectors, (B, P, size)."""
        context = full_phone_context(batch)
        out = {}
        for name, table in self.tables.items():
            value = context[..., self.columns[name]]
            if isinstance(table, nn.Embedding):
                value = value.long().clamp(0, table.num_embeddings - 1)
            out[name] = table(value)
            if name != "phone" and self.training:
                out[name] = hide(out[name], self.context_dropout, rows=True)
        return out

    def forward(self, batch: Batch) -> Tensor:
        """The sum of all parts, which are of one size: (B, P, size)."""
        return torch.stack(list(self.parts(batch).values())).sum(0)


class ToFrames(nn.Module):
    """Repeats phones' vectors by their durations (the length regulator of FastSpeech).

    ``places`` adds, through a linear layer, where each frame lies in its phone and note, and, with
    ``melody``, which way the score's melody goes there. No published system of this form has that; with
    little data it is worth much.
    """

    def __init__(self, spec: Spec, dim: int, places: bool = False, melody: bool = True):
        super().__init__()
        self.frame_shift = spec.frame_shift
        self.melody = SmoothFloor(spec) if places and melody else None
        self.places = nn.Linear(POSITIONS + melody, dim) if places else None

    def forward(self, phones: Tensor, batch: Batch, phone: Tensor) -> Tensor:
        """``phones`` (B, P, dim), ``phone`` (B, T) from ``phone_of_frame``: (B, T, dim)."""
        x = gather_rows(phones, phone)
        if self.places is not None:
            places = frame_positions(batch, phone, self.frame_shift)
            if self.melody is not None:
                # The rounded melody against its steps: where, and which way, the note changes.
                slope = self.melody.pitch_of(batch, phone) - self.melody.steps.score_lf0(batch, phone)
                places = torch.cat([places, slope * 10.0], dim=-1)
            x = x + self.places(places)
        return x
