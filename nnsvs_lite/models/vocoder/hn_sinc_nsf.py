"""hn-sinc-NSF (Wang and Yamagishi 2019, arXiv:1908.10256): sines and noise through filters of their own,
joined at a frequency that moves.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.sine_source import SineSource
from nnsvs_lite.models.options import Depth, Size
from nnsvs_lite.models.vocoder.neural import Conditions, NeuralVocoder, VocoderOptions

AMPLITUDE = 0.1
"""Of a sine; the noise has a third of it."""


class HeldUpsample(nn.Module):
    """Frames held for ``hop`` samples each, and moving means of so many samples over them, in turn.

    Attributes:
        frames: before and after its own that a sample hears.
    """

    def __init__(self, hop: int, *windows: int):
        super().__init__()
        kernel = np.ones(hop)
        for window in windows:
            kernel = np.convolve(kernel, np.full(window, 1.0 / window))
        self.hop, self.before = hop, (len(kernel) - hop) // 2
        self.frames = -(-(len(kernel) - self.before) // hop)
        taps = torch.tensor(kernel, dtype=torch.float32)[None, None]
        self.register_buffer("taps", taps, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, C, T * hop); the first and the last frame go on at the ends."""
        size, channels = x.shape[-1] * self.hop, x.shape[1]
        x = F.pad(x, (self.frames, self.frames), "replicate")
        taps = self.taps.expand(channels, 1, -1)
        x = F.conv_transpose1d(x, taps, stride=self.hop, groups=channels)
        start = self.frames * self.hop + self.before
        return x[..., start : start + size]


class NeuralFilter(nn.Module):
    """A waveform and what dilated convolutions of its past make of it. (B, 1, S)."""

    def __init__(self, hidden: int, layers: int, kernel: int):
        super().__init__()
        self.kernel = kernel
        self.enter = nn.Conv1d(1, hidden, 1, bias=False)
        self.convs = nn.ModuleList(
            nn.Conv1d(hidden, hidden, kernel, dilation=2**i, bias=False) for i in range(layers)
        )
        self.narrow = nn.Conv1d(hidden, hidden // 4, 1, bias=False)
        self.leave = nn.Conv1d(hidden // 4, 1, 1, bias=False)

    def forward(self, wav: Tensor, context: Tensor) -> Tensor:
        x = torch.tanh(self.enter(wav))
        for conv in self.convs:
            past = F.pad(x, ((self.kernel - 1) * conv.dilation[0], 0))
            x = x + torch.tanh(conv(past)) + context
        x = torch.tanh(self.narrow(0.1 * x))
        return wav + torch.tanh(self.leave(x))


def sinc_filters(cutoff: Tensor, order: int) -> tuple[Tensor, Tensor]:
    """Low-pass and high-pass filters (B, L, order) under a Hamming window, of gain 1 at 0 or half the rate.

    Args:
        cutoff: (B, L), as a share of half the rate. order: taps, odd.
    """
    at = torch.arange(order, device=cutoff.device) - order // 2
    window = 0.54 + 0.46 * torch.cos(2 * math.pi * at / order)
    cutoff = cutoff[..., None]
    low = cutoff * torch.sinc(cutoff * at) * window
    high = (torch.sinc(at.to(low.dtype)) - cutoff * torch.sinc(cutoff * at)) * window
    alternating = 1 - 2.0 * (at % 2)
    return low / low.sum(-1, keepdim=True), high / (high * alternating).sum(-1, keepdim=True)


def filtered(wav: Tensor, taps: Tensor) -> Tensor:
    """A waveform (B, S) through a symmetric filter of each sample's own, (B, S, order)."""
    half = taps.shape[-1] // 2
    return (F.pad(wav, (half, half)).unfold(1, taps.shape[-1], 1) * taps).sum(-1)


class HnSincNsf(NeuralVocoder):
    """Args:
    hidden: channels of all convolutions. blocks: filters of the harmonic branch, one after the other.
    layers: convolutions of each; the filter of the noise branch has half as many. kernel: of them.
    harmonics: overtones of the source. order: taps of the filters that join the branches, odd.
    conditioned_on, options: see NeuralVocoder.
    """

    def __init__(
        self,
        spec: Spec,
        hidden: Size = 64,
        blocks: Size = 5,
        layers: Size = 10,
        kernel: Size = 5,
        harmonics: Depth = 7,
        order: Size = 31,
        conditioned_on: Conditions | None = None,
        options: VocoderOptions | None = None,
    ):
        if order % 2 == 0 or hidden < 4:
            raise DataError(f"order {order} must be odd, hidden {hidden} at least 4")
        source = SineSource(spec.sample_rate, spec.frame_shift, harmonics, AMPLITUDE)
        super().__init__(spec, conditioned_on, options, source)
        self.order, self.moments = order, spec.stats.streams["lf0"]
        sizes = [self.size, hidden, hidden]
        self.frames = nn.Sequential(
            *(layer for size in sizes for layer in (nn.Conv1d(size, hidden, 3, padding=1), nn.Tanh()))
        )
        self.upsample = HeldUpsample(self.hop, self.hop, self.hop)
        self.smooth = HeldUpsample(self.hop, self.hop, self.hop, 4 * self.hop)
        self.voicing = HeldUpsample(self.hop, 4 * self.hop)
        self.merge = nn.Conv1d(harmonics + 1, 1, 1)
        self.harmonic = nn.ModuleList(NeuralFilter(hidden, layers, kernel) for _ in range(blocks))
        self.noisy = NeuralFilter(hidden, max(1, layers // 2), kernel)
        past = blocks * (kernel - 1) * (2**layers - 1)
        self.reach = self.frames_of(past + order // 2) + len(sizes) + self.smooth.frames + 1

    def generate(self, x: Tensor, batch: Batch) -> Tensor:
        lf0 = (batch.streams["lf0"] - self.moments.mean[0]) / self.moments.std[0]
        x = self.frames(x)
        context = self.upsample(torch.cat([x[:, :-1], lf0.transpose(1, 2)], 1))
        voiced = (batch.streams["vuv"] > 0.5).float().transpose(1, 2)
        cutoff = 0.3 + 0.2 * self.smooth(x[:, -1:]) + 0.4 * self.voicing(voiced)
        sines, _ = self.sines(batch)
        harmonic = torch.tanh(self.merge(sines))
        for block in self.harmonic:
            harmonic = block(harmonic, context)
        noise = self.noisy(self.noise(batch) * (AMPLITUDE / 3), context)
        low, high = sinc_filters(cutoff.squeeze(1), self.order)
        return filtered(harmonic.squeeze(1), low) + filtered(noise.squeeze(1), high)
