"""The score's pitch as a vector that is smooth in it."""

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.melody import SCORE_PITCH

LOWEST, HIGHEST, STEP = 36.0, 96.0, 4.0
"""MIDI numbers of the first and last centre, and the distance between centres, which is their width too."""
REACH = 7.0
"""Semitones beyond the training set's pitches over which the straight part goes on."""


class PitchBases(nn.Module):
    """Radial bases of shares that sum to 1, and a straight line: few weights, shared by pitches side by side.

    A pitch that training never held has the bases of the nearest one that it held, and goes on along the
    line. Centres are at fixed pitches, so that weights mean the same in every voice. A rest has none.
    """

    def __init__(self, spec: Spec, dim: int):
        super().__init__()
        held, notes = spec.column("note", SCORE_PITCH), spec.stats.note_context
        self.low, self.high = notes.min[held], notes.max[held]
        centres = torch.arange(LOWEST, HIGHEST + STEP, STEP)
        self.register_buffer("centres", centres, persistent=False)
        self.weight = nn.Linear(len(centres) + 1, dim, bias=False)
        nn.init.zeros_(self.weight.weight)

    def forward(self, pitch: Tensor) -> Tensor:
        """(...) MIDI numbers, 0 for rests, to (..., dim)."""
        known = pitch.clamp(self.low, self.high)
        shares = torch.softmax(-0.5 * ((known[..., None] - self.centres) / STEP) ** 2, dim=-1)
        line = (pitch.clamp(self.low - REACH, self.high + REACH) - (LOWEST + HIGHEST) / 2) / 12
        bases = torch.cat([shares, line[..., None]], dim=-1)
        return self.weight(bases * (pitch > 0)[..., None])
