"""Lee et al., 2019 (arXiv:1908.01919): formant masks from the text alone, super-resolution, a GAN."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.features.mel import hz_to_mel, mel_edges
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.batch import Batch, length_mask
from nnsvs_lite.models.layers.causal import GatedConv, GatedConvs
from nnsvs_lite.models.layers.conditions import Conditions
from nnsvs_lite.models.layers.context import hiding
from nnsvs_lite.models.layers.mdn import masked_mean
from nnsvs_lite.models.layers.noise import SeededDropout
from nnsvs_lite.models.layers.outputs import StreamHeads, zeroed
from nnsvs_lite.models.layers.score_embedding import ScoreEmbedding, ToFrames
from nnsvs_lite.models.layers.spectral_judges import ProjectionJudge, gradient_penalty
from nnsvs_lite.models.neural import NeuralAcoustic, Streams, StreamWeights
from nnsvs_lite.models.options import AcousticOptions, Positive, Rate, Size, Weight

WIDE = (1, 3, 9, 27)
"""Dilations of a stack of highway convolutions (DCTTS)."""


def coarse_bands(spec: Spec, bands: int) -> np.ndarray:
    """(bands, bins): what each of so many mel bands takes of the spectrum's bins; rows sum to 1.

    Triangles even on Slaney's scale over the bins' centres; a triangle between two bins takes the nearest.
    """
    options = spec.feature_config.mel
    centres = mel_edges(options.bins, options.fmin, options.fmax, options.scale)[1:-1]
    edges = mel_edges(bands, options.fmin, options.fmax)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    weights = np.maximum(
        0.0, np.minimum((centres - low) / (middle - low), (high - centres) / (high - middle))
    )
    nearest = np.abs(hz_to_mel(centres) - hz_to_mel(middle)).argmin(axis=1)
    empty = weights.sum(axis=1) == 0
    weights[empty, nearest[empty]] = 1.0
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


class MelNetwork(nn.Module):
    """Mel spectra step by step from the last one, the text and the pitch, times a mask from the text alone.

    The last spectrum is heard through tanh: DCTTS' own are bounded, and what hears itself must not grow.
    The mask, between 0 and 1, multiplies magnitudes: it is the filter, the rest is the source.
    """

    def __init__(self, size: int, dim: int, kernel: int, dropout: float, heard_dropout: float):
        super().__init__()
        self.size, self.heard_dropout = size, heard_dropout
        causal = {"causal": True, "highway": True, "dropout": dropout}
        self.text = GatedConvs(dim, kernel, WIDE, highway=True, dropout=dropout)
        self.last = nn.Linear(size, dim)
        self.hear = GatedConvs(dim, kernel, WIDE, **causal)
        self.join = nn.Linear(3 * dim, dim)
        self.make = GatedConvs(dim, kernel, (1, 3, 9), **causal)
        self.source = zeroed(nn.Linear(dim, size))
        self.formants = GatedConvs(dim, kernel, (1, 3), highway=True, dropout=dropout)
        self.filter = zeroed(nn.Linear(dim, size))

    def mask_logits(self, text: Tensor, mask: Tensor) -> Tensor:
        """(B, K, size): the logit of the phonetic enhancement mask, of ``text`` (B, K, dim)."""
        return self.filter(self.formants(text, mask))

    def forward(
        self, text: Tensor, pitch: Tensor, mask: Tensor, true: Tensor | None, seed: int
    ) -> tuple[Tensor, Tensor]:
        """The source's numbers and the mask's logits, (B, K, size) each.

        Args:
            text, pitch: (B, K, dim). mask: (B, K) bool. true: numbers (B, K, size) of source and mask
                together to hear, or None. seed: of dropout in singing.
        """
        text = self.text(text, mask)
        logits = self.mask_logits(text, mask)
        if true is None:
            return self._sing(text, pitch, logits, seed), logits
        heard = F.pad(true, (0, 0, 1, -1))
        heard = F.dropout(heard, self.heard_dropout) if self.training else heard * self._kept(heard, seed)
        heard = self.hear(self.last(torch.tanh(heard)), mask)
        x = self.join(torch.cat([heard, text, pitch], dim=-1))
        return self.source(self.make(x, mask)), logits

    def _kept(self, like: Tensor, seed: int) -> Tensor:
        drop, whole = SeededDropout(self.heard_dropout, seed), like.new_ones(1, self.size)
        return torch.cat([drop(whole) for _ in range(like.shape[1])])

    def _sing(self, text: Tensor, pitch: Tensor, logits: Tensor, seed: int) -> Tensor:
        past, ahead, out = self.hear.start(text), self.make.start(text), []
        last = text.new_zeros(len(text), self.size)
        for k, kept in enumerate(self._kept(text, seed).unbind(0)):
            heard = self.hear.step(self.last(torch.tanh(last * kept)), past)
            x = self.join(torch.cat([heard, text[:, k], pitch[:, k]], dim=-1))
            out.append(self.source(self.make.step(x, ahead)))
            last = out[-1] + filtered(logits[:, k])
        return torch.stack(out, dim=1)


def filtered(logits: Tensor) -> Tensor:
    """What a mask of these logits adds to a logarithm; 0 for a mask of one half, the untrained one's."""
    return F.logsigmoid(logits) + math.log(2)


class SuperResolution(nn.Module):
    """Coarse spectra to fine ones: more frames, then more bins; text and pitch are told at every layer."""

    def __init__(self, size: int, dim: int, kernel: int, reduction: int, dropout: float):
        super().__init__()
        self.reduction = reduction
        self.enter = nn.Linear(size, dim)
        self.coarse = GatedConvs(dim, kernel, (1, 3), highway=True, dropout=dropout)
        self.longer = nn.Linear(dim, dim * reduction)
        dilations = (1, 3, 1, 3)
        options = {"highway": True, "dropout": dropout}
        self.fine = nn.ModuleList(GatedConv(dim, kernel, dilation, **options) for dilation in dilations)
        self.told = nn.ModuleList(nn.Linear(2 * dim, 2 * dim) for _ in dilations)

    def forward(self, coarse: Tensor, steps: Tensor, score: Tensor, mask: Tensor) -> Tensor:
        """(B, T, dim) of ``coarse`` (B, K, size), ``score`` (B, T, 2 dim), masks (B, K) and (B, T)."""
        x = self.longer(self.coarse(self.enter(coarse), steps))
        x = x.reshape(len(x), -1, x.shape[-1] // self.reduction)[:, : mask.shape[1]]
        for layer, told in zip(self.fine, self.told):
            x = layer(x, mask, told(score))
        return x


class Snu2019(NeuralAcoustic):
    """A mel network, step by step, and a super-resolution network to the features' spectrum.

    Coarse spectra are mel bands of the features' own, of every ``reduction``-th frame, in natural logarithm.
    Text and pitch lie at frames already, since durations are known.

    Args:
        dim: channels. kernel: of the convolutions. dropout: in them. heard_dropout: of the last coarse frame.
        coarse: bands of the mel network, at most as many as the features have.
        reduction: frames of the features for one of its.
        coarse_weight: of its spectra in the loss.
        judge_layers: convolutions of the projection discriminator. adversarial: its weight.
        penalty: weight of the squared gradient, in the discriminator's loss.
        places: see :class:`~nnsvs_lite.models.layers.score_embedding.ToFrames`.
        weights, options: see :class:`NeuralAcoustic`.

    Raises DataError where the features have no mel spectra.
    """

    def __init__(
        self,
        spec: Spec,
        dim: Size = 256,
        kernel: Size = 3,
        dropout: Rate = 0.05,
        heard_dropout: Rate = 0.5,
        coarse: Size = 80,
        reduction: Size = 4,
        coarse_weight: Positive = 1.0,
        judge_layers: Size = 4,
        adversarial: Weight = 0.1,
        penalty: Weight = 10.0,
        places: bool = False,
        weights: StreamWeights | None = None,
        options: AcousticOptions | None = None,
    ):
        if "mel" not in spec.streams:
            raise DataError("it needs spectra to the full: --features-config linear_24k")
        coarse = min(coarse, spec.streams["mel"])
        super().__init__(spec, options, "residual", weights)
        self.reduction, self.coarse_weight = reduction, coarse_weight
        self.adversarial, self.penalty = adversarial, penalty
        self._judge = ("mel", dim, judge_layers, kernel)
        bands = coarse_bands(spec, coarse)
        self.register_buffer("bands", torch.tensor(bands), persistent=False)
        self._log = 1.0 if spec.feature_config.mel.log == "natural" else math.log(10.0)
        scale = bands @ np.maximum(spec.stats.streams["mel"].std, 1e-4) * self._log
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32), persistent=False)
        hidden = hiding(self.options.context_dropout, spec)
        self.embedding = ScoreEmbedding(spec, {"phone": dim, "pitch": dim}, hidden)
        # The text is told nothing of the melody: the mask must not know it.
        self.text_frames = ToFrames(spec, dim, places, melody=False)
        self.pitch_frames = ToFrames(spec, dim, places)
        self.conditions = Conditions(spec, self.options, dim)
        self.mel = MelNetwork(coarse, dim, kernel, dropout, heard_dropout)
        self.fine = SuperResolution(coarse, dim, kernel, reduction, dropout)
        self.heads = StreamHeads(spec.streams, dim)

    def coarse_of(self, spectra: Tensor) -> Tensor:
        """Coarse natural-log mel spectra (B, K, coarse) of the features' (B, T, bins)."""
        magnitudes = (spectra[:, :: self.reduction].float() * self._log).exp()
        return (magnitudes @ self.bands.t()).clamp(min=1e-10).log()

    def texts(self, batch: Batch, phone: Tensor) -> tuple[Tensor, Tensor]:
        """Of text and of pitch, (B, T, dim) each."""
        parts = self.embedding.parts(batch)
        text = self.text_frames(parts["phone"] + self.conditions(batch), batch, phone)
        return text, self.pitch_frames(parts["pitch"], batch, phone)

    def outputs(self, batch: Batch, phone: Tensor, base: Streams, true: Streams) -> Streams:
        text, pitch = self.texts(batch, phone)
        steps = length_mask(-(-batch.frame_lengths // self.reduction), -(-batch.max_frames // self.reduction))
        start = self.coarse_of(base["mel"])
        target = (self.coarse_of(batch.streams["mel"]) - start) / self.scale if true else None
        every = slice(None, None, self.reduction)
        source, logits = self.mel(text[:, every], pitch[:, every], steps, target, batch.seed)
        coarse = source + filtered(logits)
        x = self.fine(coarse, steps, torch.cat([text, pitch], dim=-1), batch.frame_mask)
        out = self.space.decode(self.heads(x), base)
        if target is not None:
            error = (coarse - target).abs().mean(-1)
            out["loss_coarse"] = self.coarse_weight * masked_mean(error, steps)
        return out

    def discriminator(self) -> ProjectionJudge:
        return ProjectionJudge(self.spec, *self._judge)

    def discriminator_loss(self, real: Any, fake: Any) -> Tensor:
        """Cross-entropy, and the R1 penalty on what was recorded."""
        (right, spectra, mask), wrong = real, fake[0]
        loss = masked_mean(F.softplus(-right), mask) + masked_mean(F.softplus(wrong), mask)
        return loss + self.penalty / 2 * gradient_penalty(right, spectra, mask)

    def generator_loss(self, real: Any, fake: Any) -> dict[str, Tensor]:
        return {"adversarial": self.adversarial * masked_mean(F.softplus(-fake[0]), fake[2])}
