"""Discriminators of spectra: by bands, and against the score."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conv import MaskedConv1d
from nnsvs_lite.models.layers.expand import gather_rows, phone_of_frame
from nnsvs_lite.models.layers.score_embedding import ScoreEmbedding

SLOPE = 0.2
"""Of the leaky ReLUs."""


class Standardised(nn.Module):
    """A stream of a batch in deviations from the training mean, zero on padding."""

    def __init__(self, spec: Spec, name: str):
        super().__init__()
        self.name = name
        moments = spec.stats.streams[name]
        self.register_buffer("mean", torch.tensor(moments.mean), persistent=False)
        self.register_buffer("std", torch.tensor(moments.std).clamp(min=1e-4), persistent=False)

    def forward(self, streams: dict[str, Tensor], mask: Tensor) -> Tensor:
        """``mask`` (B, T) bool: (B, T, D)."""
        return (streams[self.name].float() - self.mean) / self.std * mask[..., None]


class BandJudge(nn.Module):
    """Two-dimensional convolutions over time and bands; see :class:`SubFrequencyJudge`."""

    def __init__(self, layers: int, channels: int, kernel: int):
        super().__init__()
        sizes = [1] + [channels] * (layers - 1)
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, kernel, padding="same", bias=False) for a, b in zip(sizes, sizes[1:])
        )
        self.out = nn.Conv2d(sizes[-1], 1, 1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, T, bands), zero where ``mask`` (B, T) is false: scores (frames, bands) of all rows."""
        x, inside = x[:, None], mask[:, None, :, None]
        for conv in self.convs:
            x = F.leaky_relu(conv(x), SLOPE) * inside
        return self.out(x)[:, 0][mask]


class SubFrequencyJudge(nn.Module):
    """HiFiSinger's sub-frequency discriminators (Chen et al., 2020, arXiv:2009.01776): each hears some bands
    of the mel spectrum alone, so that what is wrong in the treble is not outvoted.

    Args:
        bands: of each, the part of all bands that it hears, 0 to 1 from the lowest.
        layers: of convolution, the last of width 1. channels, kernel: of the others.
    """

    def __init__(self, spec: Spec, bands: Sequence[Sequence[float]], layers: int, channels: int, kernel: int):
        super().__init__()
        self.mel = Standardised(spec, "mel")
        size = spec.streams["mel"]
        lows = [min(round(low * size), size - 1) for low, _ in bands]
        self.ranges = [(low, max(round(high * size), low + 1)) for low, (_, high) in zip(lows, bands)]
        self.judges = nn.ModuleList(BandJudge(layers, channels, kernel) for _ in bands)

    def forward(self, streams: dict[str, Tensor], batch: Batch) -> list[Tensor]:
        """Scores of every frame and band of each range."""
        mask = batch.frame_mask
        x = self.mel(streams, mask)
        return [judge(x[..., low:high], mask) for judge, (low, high) in zip(self.judges, self.ranges)]


class ProjectionJudge(nn.Module):
    """A projection discriminator (Miyato and Koyama, 2018, eq. 3): whether spectra are real, and whether they
    are of this text and pitch: ``out(x) + <x, c>`` of features ``x`` and the score's vectors ``c``, frame by
    frame.

    It returns its scores and what they are of, so that the loss may have a gradient penalty.

    Args: name: of the stream. dim: channels. layers: of convolution. kernel: their width.
    """

    def __init__(self, spec: Spec, name: str, dim: int, layers: int, kernel: int):
        super().__init__()
        self.spectra = Standardised(spec, name)
        sizes = [spec.streams[name]] + [dim] * layers
        self.convs = nn.ModuleList(MaskedConv1d(a, b, kernel) for a, b in zip(sizes, sizes[1:]))
        self.out = nn.Linear(dim, 1)
        self.condition = ScoreEmbedding(spec, {"phone": dim, "pitch": dim})

    def forward(self, streams: dict[str, Tensor], batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Scores (B, T), spectra (B, T, D) with a gradient of their own, frames (B, T) bool."""
        mask = batch.frame_mask
        x = spectra = self.spectra(streams, mask)
        if not x.requires_grad:
            x = spectra = x.requires_grad_()
        for conv in self.convs:
            x = F.leaky_relu(conv(x, mask), SLOPE)
        condition = gather_rows(self.condition(batch), phone_of_frame(batch))
        scores = self.out(x)[..., 0] + (x * condition).sum(-1) / x.shape[-1] ** 0.5
        return scores, spectra, mask


def gradient_penalty(scores: Tensor, spectra: Tensor, mask: Tensor) -> Tensor:
    """R1 (Mescheder et al., 2018, eq. 9) without its weight: the mean over frames of the squared gradient of
    the scores, by :class:`ProjectionJudge`'s outputs.
    """
    (gradient,) = torch.autograd.grad(scores[mask].sum(), spectra, create_graph=True)
    return gradient.square().sum(-1)[mask].mean()
