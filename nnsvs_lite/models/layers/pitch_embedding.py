"""F0 into a model, and out of spectra again: DiffSinger's two ends of pitch."""

import math

import torch
from torch import Tensor, nn

from nnsvs_lite.models.layers.conv import ConvStack, VariancePredictor
from nnsvs_lite.models.layers.outputs import zeroed

LOWEST, HIGHEST, CLASSES = 50.0, 1100.0, 256
"""Hz of the first and last pitch that has a vector of its own; how many vectors, the first of no pitch."""


def mel_of(hertz: Tensor) -> Tensor:
    """``1127 ln(1 + f / 700)``."""
    return 1127.0 * torch.log1p(hertz / 700.0)


def coarse_pitch(hertz: Tensor) -> Tensor:
    """Places from 1 to 255, even in mel from 50 to 1100 Hz, not rounded (DiffSinger rounds); held beyond."""
    low, high = (1127.0 * math.log1p(f / 700.0) for f in (LOWEST, HIGHEST))
    place = (mel_of(hertz) - low) * ((CLASSES - 2) / (high - low)) + 1
    return place.clamp(1, CLASSES - 1)


class PitchEmbedding(nn.Module):
    """A vector of F0, and one of there being none.

    ``coarse`` (DiffSinger): 255 vectors; in between, of both neighbours, so that no hair of F0 makes a leap.
    ``continuous`` (its openvpi branch): a linear layer of mel.
    """

    def __init__(self, dim: int, coarse: bool):
        super().__init__()
        self.table = nn.Embedding(CLASSES if coarse else 1, dim)
        nn.init.normal_(self.table.weight, std=dim**-0.5)
        self.line = None if coarse else nn.Linear(1, dim)

    def forward(self, lf0: Tensor, voiced: Tensor) -> Tensor:
        """``lf0`` (B, T, 1) log Hz, ``voiced`` (B, T, 1) bool: (B, T, dim)."""
        if self.line is not None:
            found = self.line(mel_of(lf0.exp()) / 1000.0)
        else:
            place = coarse_pitch(lf0.exp())[..., 0]
            below = place.long().clamp(max=CLASSES - 2)
            share = (place - below)[..., None]
            found = self.table(below) * (1 - share) + self.table(below + 1) * share
        return torch.where(voiced, found, self.table.weight[0])


class PitchExtractor(nn.Module):
    """F0 and voicing of spectra: two stacks of convolutions and a predictor, over what the score says.

    DiffSinger's tells F0 of mel spectra alone; bands are some semitones wide there, and the score is known.
    """

    def __init__(self, dim: int, hidden: int, layers: int, kernel: int, dropout: float):
        super().__init__()
        self.prenet = VariancePredictor(dim + 1, hidden, 3, kernel, 0.0)
        self.stacks = nn.ModuleList(ConvStack(hidden, 1, kernel, dropout) for _ in range(2))
        self.predictor = VariancePredictor(hidden, hidden, layers, kernel, dropout)
        self.head = zeroed(nn.Linear(hidden, 2))

    def forward(self, spectra: Tensor, score: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """``spectra`` (B, T, dim), ``score`` (B, T, 1) its F0, of unit size: numbers of F0, of voicing."""
        x = self.prenet(torch.cat([spectra, score], dim=-1), mask)
        for stack in self.stacks:
            x = stack(x, mask)
        return self.head(self.predictor(x, mask)).split(1, dim=-1)
