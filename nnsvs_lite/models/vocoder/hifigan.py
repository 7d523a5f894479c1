"""HiFi-GAN (Kong, Kim and Bae 2020, arXiv:2010.05646), and NSF-HiFi-GAN, which hears sines at F0."""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.dsp_source import DspSource
from nnsvs_lite.models.layers.sine_source import SineSource
from nnsvs_lite.models.layers.upsampling import SLOPE, Fusion, check_stages, conv, half_widths, upsample
from nnsvs_lite.models.options import Depth, Size
from nnsvs_lite.models.vocoder.neural import Conditions, NeuralVocoder, VocoderOptions


class HifiGan(NeuralVocoder):
    """Args:
    channels: before the first upsampling; each halves them. rates: samples that one becomes.
    up_kernels: of the upsampling. kernels, dilations: of the residual blocks after each.
    paired: whether a dilated convolution is followed by another one (V1, V2; not V3).
    source: what enters beside the numbers, as openvpi's NSF-HiFi-GAN has it. ``harmonics``: sines and
        noise (Wang, Takaki and Yamagishi 2019, arXiv:1904.12088), after each upsampling; ``sine``: one sine,
        voiced or not, after the second (its "mini NSF"); ``dsp``: harmonics and noise of amplitudes that the
        numbers tell (VISinger 2), after each upsampling; ``none``.
    harmonics: overtones of the source; of ``dsp`` all harmonics. bands: of its noise.
    direct: what ``dsp`` makes goes straight to the end too, so that the network has the rest to learn alone.
    middle, conditioned_on, options: see NeuralVocoder.
    """

    def __init__(
        self,
        spec: Spec,
        channels: Size = 512,
        rates: tuple[Size, ...] = (8, 8, 2, 2),
        up_kernels: tuple[Size, ...] = (16, 16, 4, 4),
        kernels: tuple[Size, ...] = (3, 7, 11),
        dilations: tuple[tuple[Size, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5)),
        paired: bool = True,
        source: Literal["none", "harmonics", "sine", "dsp"] = "none",
        harmonics: Depth = 8,
        bands: Size = 65,
        direct: bool = False,
        middle: bool = False,
        conditioned_on: Conditions | None = None,
        options: VocoderOptions | None = None,
    ):
        check_stages(channels, rates, up_kernels, kernels, dilations)
        if source == "sine" and len(rates) < 2:
            raise DataError("sine enters after the second rate", "source")
        if direct and source != "dsp":
            raise DataError("is of source: dsp", "direct")
        made, after = None, math.prod(rates[2:])
        if source == "harmonics":
            made = SineSource(spec.sample_rate, spec.frame_shift, harmonics)
        elif source == "sine":
            made = SineSource(spec.sample_rate / after, spec.frame_shift, 0, amplitude=1.0, noise=0.0)
        elif source == "dsp":
            made = SineSource(spec.sample_rate, spec.frame_shift, 0)
        super().__init__(spec, conditioned_on, options, made, middle)
        self.check_rates(rates)
        sizes = [channels // 2**i for i in range(len(rates) + 1)]
        self.enter = conv(self.size, channels, 7)
        self.ups = nn.ModuleList(map(upsample, sizes, sizes[1:], up_kernels, rates))
        self.blocks = nn.ModuleList(Fusion(size, kernels, dilations, paired) for size in sizes[1:])
        self.leave = conv(sizes[-1], 1, 7)
        self.excite, self.source_kind, self.direct = nn.ModuleList(), source, direct
        steps = [math.prod(rates[i + 1 :]) for i in range(len(rates))]
        if source == "harmonics":
            self.merge = nn.Linear(harmonics + 1, 1)
            self.excite.extend(map(excitation, sizes[1:], steps))
        elif source == "sine":
            self.excite.append(excitation(sizes[2], 1))
        elif source == "dsp":
            self.dsp = DspSource(self.size, made, self.hop, harmonics, bands)
            self.excite.extend(excitation(*place, inputs=2) for place in zip(sizes[1:], steps))
        more = self.dsp.reach if source == "dsp" else 0
        self.reach = self.frames_of(3 + more + half_widths(rates, up_kernels, kernels, dilations, paired)) + 4

    def generate(self, x: Tensor, batch: Batch) -> Tensor:
        if self.source_kind != "dsp":
            return self.through(x, self.sources(batch))
        streams, noise = batch.streams, self.noise(batch).squeeze(1)
        waves = self.dsp(x, self.pitch(batch), streams["vuv"], streams["turns"], noise)
        made = self.through(x, {i: excite(waves) for i, excite in enumerate(self.excite)})
        both = waves.sum(1)
        return torch.stack([made + both if self.direct else made, both], 1)

    def through(self, x: Tensor, sources: dict[int, Tensor]) -> Tensor:
        """(B, T * hop) from numbers (B, size, T) and what :meth:`sources` gives."""
        x = self.enter(x)
        for i, (up, block) in enumerate(zip(self.ups, self.blocks)):
            x = up(F.leaky_relu(x, SLOPE))
            x = block(x + sources[i] if i in sources else x)
        # The published code has the usual slope here.
        return torch.tanh(self.leave(F.leaky_relu(x))).squeeze(1)

    def sources(self, batch: Batch) -> dict[int, Tensor]:
        """What is added after which upsampling, by sources that need no numbers."""
        if not self.excite:
            return {}
        if self.source_kind == "sine":
            return {1: self.excite[0](self.sines(batch, everywhere=True)[0])}
        sines, _ = self.sines(batch)
        merged = torch.tanh(self.merge(sines.transpose(1, 2))).transpose(1, 2)
        return {i: excite(merged) for i, excite in enumerate(self.excite)}

    def distance(self, wav: Tensor, real: Tensor, batch: Batch) -> dict[str, Tensor]:
        losses = super().distance(wav, real, batch)
        if "excitation" in batch.streams and self.options.mel:
            # So that harmonics and noise alone are near: VISinger 2's L_DSP.
            made, lengths = batch.streams["excitation"].squeeze(-1), self.samples(batch)
            parts = [distance(made, real, lengths) for distance in self.mel_distances]
            losses["dsp"] = self.options.mel * sum(parts) / len(parts)
            losses["loss"] = losses["loss"] + losses["dsp"]
        return losses


def excitation(channels: int, step: int, inputs: int = 1) -> nn.Conv1d:
    """Samples to one row of ``channels`` for each ``step`` of them."""
    kernel = 1 if step == 1 else 2 * step
    return nn.Conv1d(inputs, channels, kernel, step, (step + 1) // 2 if step > 1 else 0)
