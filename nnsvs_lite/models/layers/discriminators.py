"""Discriminators of waveforms.

Each takes waveforms (B, S) and gives a list of judgements, one for each network in it: the score, whose shape
is its own, and what each of its layers gives, the score included, for feature matching.
"""

import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

Judgement = tuple[Tensor, list[Tensor]]
"""A score, and the features of all layers."""


class Together(nn.Module):
    """The judgements of several discriminators, one after the other."""

    def __init__(self, *members: nn.Module):
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, wav: Tensor) -> list[Judgement]:
        return [judgement for member in self.members for judgement in member(wav)]


class LayerStack(nn.Module):
    """Convolutions with LeakyReLU between them, the last of which gives the score."""

    def __init__(self, *layers: nn.Module, slope: float = 0.1, norm: Callable = weight_norm):
        super().__init__()
        self.layers = nn.ModuleList(map(norm, layers))
        self.slope = slope

    def forward(self, x: Tensor) -> Judgement:
        features = activations(self.layers[:-1], x, self.slope)
        score = self.layers[-1](features[-1])
        return score, [*features, score]


def activations(layers: Iterable[nn.Module], x: Tensor, slope: float) -> list[Tensor]:
    """What each layer gives through a LeakyReLU to the next one."""
    out = []
    for layer in layers:
        x = F.leaky_relu(layer(x), slope)
        out.append(x)
    return out


class MultiPeriod(nn.Module):
    """HiFi-GAN's: columns of samples that lie a period apart (Kong et al. 2020, arXiv:2010.05646, 2.3).

    Args:
        periods: samples; primes, so that they share little. channels: of the layers.
    """

    def __init__(
        self,
        periods: Sequence[int] = (2, 3, 5, 7, 11),
        channels: Sequence[int] = (32, 128, 512, 1024, 1024),
    ):
        super().__init__()
        self.periods = tuple(periods)
        last = len(channels) - 1
        self.networks = nn.ModuleList(
            LayerStack(
                *(
                    nn.Conv2d(a, b, (5, 1), (1 if i == last else 3, 1), (2, 0))
                    for i, (a, b) in enumerate(zip((1, *channels), channels))
                ),
                nn.Conv2d(channels[-1], 1, (3, 1), padding=(1, 0)),
            )
            for _ in self.periods
        )

    def forward(self, wav: Tensor) -> list[Judgement]:
        return [network(columns(wav, period)) for network, period in zip(self.networks, self.periods)]


def columns(wav: Tensor, period: int) -> Tensor:
    """(B, S) to (B, 1, S / period, period), mirrored at the end to fill the last row."""
    return F.pad(wav[:, None], (0, -wav.shape[1] % period), "reflect").unflatten(2, (-1, period))


class MultiScale(nn.Module):
    """MelGAN's in HiFi-GAN's form: the waveform, and it at half the rate, and so on (arXiv:2010.05646, 2.3).

    Args:
        scales: networks; the first has spectral norm.
        channels: of the narrowest layer; the widest has 8 times as many.
    """

    def __init__(self, scales: int = 3, channels: int = 128):
        super().__init__()
        c, group = channels, math.gcd(channels, 16)
        self.networks = nn.ModuleList(
            LayerStack(
                nn.Conv1d(1, c, 15, 1, 7),
                nn.Conv1d(c, c, 41, 2, 20, groups=min(4, group)),
                nn.Conv1d(c, 2 * c, 41, 2, 20, groups=group),
                nn.Conv1d(2 * c, 4 * c, 41, 4, 20, groups=group),
                nn.Conv1d(4 * c, 8 * c, 41, 4, 20, groups=group),
                nn.Conv1d(8 * c, 8 * c, 41, 1, 20, groups=group),
                nn.Conv1d(8 * c, 8 * c, 5, 1, 2),
                nn.Conv1d(8 * c, 1, 3, 1, 1),
                norm=weight_norm if scale else spectral_norm,
            )
            for scale in range(scales)
        )

    def forward(self, wav: Tensor) -> list[Judgement]:
        x, out = wav[:, None], []
        for scale, network in enumerate(self.networks):
            x = F.avg_pool1d(x, 4, 2, 2) if scale else x
            out.append(network(x))
        return out


class MultiResolution(nn.Module):
    """UnivNet's: magnitude spectra of several sizes (Jang et al. 2021, arXiv:2106.07889, 2.2).

    With bands, that of the Descript audio codec (Kumar et al. 2023, arXiv:2306.06546, 3.3), as Vocos has it:
    complex spectra, each band with a network of its own below the score.

    Args:
        sizes: FFT size, hop and window of each, in samples.
        channels: of all layers. bands: edges between bands, as shares of the spectrum; none for magnitudes.
    """

    def __init__(
        self,
        sizes: Sequence[Sequence[int]] = ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240)),
        channels: int = 32,
        bands: Sequence[float] = (),
    ):
        super().__init__()
        self.sizes = tuple(map(tuple, sizes))
        self.edges = [0.0, *bands, 1.0]
        self.complex = bool(bands)

        def layers() -> nn.ModuleList:
            first = nn.Conv2d(2 if bands else 1, channels, (3, 9), padding=(1, 4))
            strided = (nn.Conv2d(channels, channels, (3, 9), (1, 2), (1, 4)) for _ in range(3))
            last = nn.Conv2d(channels, channels, (3, 3), padding=1)
            return nn.ModuleList(map(weight_norm, (first, *strided, last)))

        self.networks = nn.ModuleList(nn.ModuleList(layers() for _ in self.edges[1:]) for _ in self.sizes)
        scores = (nn.Conv2d(channels, 1, (3, 3), padding=1) for _ in self.sizes)
        self.scores = nn.ModuleList(map(weight_norm, scores))

    def forward(self, wav: Tensor) -> list[Judgement]:
        out = []
        for size, networks, last in zip(self.sizes, self.networks, self.scores):
            x = self.spectra(wav, size)
            places = [round(edge * x.shape[-1]) for edge in self.edges]
            bands = [activations(n, x[..., a:b], 0.1) for n, a, b in zip(networks, places, places[1:])]
            score = last(torch.cat([band[-1] for band in bands], -1))
            out.append((score, [*(feature for band in bands for feature in band), score]))
        return out

    def spectra(self, wav: Tensor, size: Sequence[int]) -> Tensor:
        """(B, 1 or 2, frames, bins)."""
        fft, hop, win = size
        window = torch.hann_window(win, device=wav.device)
        wav = wav.float()
        if self.complex:
            # As in the codec, without a mean and of one level.
            wav = wav - wav.mean(-1, keepdim=True)
            wav = 0.8 * wav / (wav.abs().amax(-1, keepdim=True) + 1e-9)
        x = torch.stft(wav, fft, hop, win, window, return_complex=True).transpose(1, 2)
        return torch.view_as_real(x).movedim(-1, 1) if self.complex else x.abs()[:, None]


class Dilated(nn.Module):
    """Parallel WaveGAN's: convolutions over samples with dilations 1, 1, 2, 3, ... (Yamamoto, Song and Kim
    2020, arXiv:1910.11480, 3.3).

    Args:
        layers: the last one gives the score. channels: of the others. kernel: odd.
    """

    def __init__(self, layers: int = 10, channels: int = 64, kernel: int = 3):
        super().__init__()
        dilations = [max(1, i) for i in range(layers - 1)] + [1]
        sizes = [1] + [channels] * (layers - 1) + [1]
        self.network = LayerStack(
            *(
                nn.Conv1d(a, b, kernel, padding=kernel // 2 * d, dilation=d)
                for a, b, d in zip(sizes, sizes[1:], dilations)
            ),
            slope=0.2,
        )

    def forward(self, wav: Tensor) -> list[Judgement]:
        return [self.network(wav[:, None])]


class MultiLength(nn.Module):
    """HiFiSinger's: random windows of several lengths (Chen et al. 2020, arXiv:2009.01776, 3.3), each judged
    by a :class:`Dilated` of its own.

    Places are drawn for each call, so that recorded and synthesized windows lie apart and there is nothing to
    match: it gives no features. Waveforms that are shorter than a window are judged whole.

    Args:
        lengths: samples. layers, channels, kernel: as of :class:`Dilated`.
    """

    def __init__(
        self,
        lengths: Sequence[int] = (12000, 24000, 36000, 48000),
        layers: int = 10,
        channels: int = 64,
        kernel: int = 3,
    ):
        super().__init__()
        self.lengths = tuple(lengths)
        self.networks = nn.ModuleList(Dilated(layers, channels, kernel) for _ in self.lengths)

    def forward(self, wav: Tensor) -> list[Judgement]:
        out = []
        for length, network in zip(self.lengths, self.networks):
            first = int(torch.randint(max(0, wav.shape[1] - length) + 1, ()))
            out += [(score, []) for score, _ in network(wav[:, first : first + length])]
        return out
