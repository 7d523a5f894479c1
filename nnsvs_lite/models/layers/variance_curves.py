"""Variance models: loudness, breathiness, voicing and tension, predicted and told to a network."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nnsvs_lite.features import variance
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conv import VariancePredictor, passed_on
from nnsvs_lite.models.layers.mdn import masked_mean
from nnsvs_lite.models.layers.outputs import zeroed
from nnsvs_lite.models.options import Rate, Size, Weight

LEAST, UNIT = -72.0, 10.0
"""dB that silence counts as in levels, and what 1 stands for in a network's numbers."""


@dataclass(frozen=True)
class VarianceSize:
    """Which curves of :mod:`nnsvs_lite.features.variance` are predicted, and by what.

    Attributes:
        predict_energy: loudness. predict_breathiness, predict_voicing, predict_tension: of streams with
            ``mgc`` and ``bap``.
        hidden, layers, kernel, dropout: of the convolutions. gradient: share that goes on into the encoder.
        weight: of the error in the loss, in units of 10 dB.
    """

    predict_energy: bool = False
    predict_breathiness: bool = False
    predict_voicing: bool = False
    predict_tension: bool = False
    hidden: Size = 256
    layers: Size = 5
    kernel: Size = 5
    dropout: Rate = 0.5
    gradient: Weight = 0.1
    weight: Weight = 1.0

    @property
    def names(self) -> tuple[str, ...]:
        """Of the curves, in the order of the flags."""
        flags = {"loudness": self.predict_energy, "breathiness": self.predict_breathiness}
        flags |= {"voicing": self.predict_voicing, "tension": self.predict_tension}
        return tuple(name for name, flag in flags.items() if flag)


class CurveMeter(nn.Module):
    """:func:`nnsvs_lite.features.variance.measure` of batches, on their device."""

    def __init__(self, spec: Spec):
        super().__init__()
        self.config = config = spec.feature_config
        self.mel = "mel" in spec.streams
        if self.mel:
            return
        from nnsvs_lite.features.world import alpha_of, mgc_to_spectrum

        size, bands = variance.FFT_SIZE, spec.streams["bap"]
        # Logarithms of both spectra are linear in their coefficients.
        log_power = np.log(mgc_to_spectrum(np.eye(spec.streams["mgc"]), alpha_of(config), size))
        fold = np.full(log_power.shape[1], 2.0 / size)
        fold[[0, -1]] /= 2
        # A mean above -0.5 dB is read as unvoiced.
        noise = [np.log(variance.noise_of(np.full((1, bands), -1.0) - row, config)) for row in np.eye(bands)]
        noise0 = np.log(variance.noise_of(np.full((1, bands), -1.0), config))
        slopes = noise0 - np.concatenate(noise)
        tables = {"log_power": log_power, "fold": fold, "slopes": slopes}
        tables |= {
            "rest": noise0[0] + slopes.sum(0),
            "hertz": np.linspace(0, config.sample_rate / 2, size // 2 + 1),
        }
        for name, value in tables.items():
            self.register_buffer(name, torch.tensor(value, dtype=torch.float32), persistent=False)

    @torch.no_grad()
    def forward(self, streams: dict[str, Tensor], names: tuple[str, ...]) -> dict[str, Tensor]:
        """Curves (B, T, 1) in dB of streams (B, T, D)."""
        if self.mel:
            unit = variance.mel_unit(self.config)
            return {"loudness": level((streams["mel"].float() * (math.log(10) / 10 / unit)).exp())}
        voiced = streams["vuv"] >= 0.5
        power = (streams["mgc"].float() @ self.log_power).exp() * self.fold
        out = {"loudness": level(power)}
        if {"breathiness", "voicing"} & set(names):
            bap = streams["bap"].float().clamp(max=0.0)
            # 1 - noise would lose what is left of harmonics in single precision.
            noise = (bap @ self.slopes + self.rest).where(bap.mean(-1, keepdim=True) <= -0.5, -2e-12)
            breath = level(power * noise.exp()) - level(power)
            out["breathiness"] = torch.where(voiced, breath, 0.0)
            out["voicing"] = level(power * -noise.expm1()).where(voiced, variance.FLOOR)
        if "tension" in names:
            number = self.hertz / streams["lf0"].float().exp()
            above = level(power * (number - 1).clamp(0, 1))
            first = level(power * (1 - (number - 1).abs()).clamp(0, 1))
            out["tension"] = torch.where(voiced, above - first, 0.0)
        return {name: out[name] for name in names}


def level(power: Tensor) -> Tensor:
    """(B, T, 1) dB of powers (B, T, bins)."""
    return 10 * power.sum(-1, keepdim=True).clamp(min=10 ** (variance.FLOOR / 10)).log10()


class VarianceCurves(nn.Module):
    """Predicts curves from frame vectors, and tells them these, or others that are given.

    In training vectors are told the true curves. In singing, curves in ``batch.given`` come in place of the
    predicted ones, but where they are NaN; loudness is kept to (:meth:`levelled`), others are what the
    network makes of them.

    Args:
        dim: of the frame vectors. size: which curves, and of what size.

    Raises DataError for curves that the spec's streams do not have.
    """

    def __init__(self, spec: Spec, dim: int, size: VarianceSize):
        super().__init__()
        self.names, self.size, known = size.names, size, variance.curve_names(spec.streams)
        for name in self.names:
            if name not in known:
                flag = "predict_energy" if name == "loudness" else f"predict_{name}"
                streams = ", ".join(spec.streams)
                raise DataError(
                    f"features of {streams} have no {name}: leave it out, or take world_24k", flag
                )
        self.measure = CurveMeter(spec)
        self.predictor = VariancePredictor(dim, size.hidden, size.layers, size.kernel, size.dropout)
        self.head = zeroed(nn.Linear(size.hidden, len(self.names)))
        self.enter = nn.Linear(len(self.names), dim)

    def _numbers(self, curves: dict[str, Tensor]) -> Tensor:
        """(B, T, curves) numbers of about unit size."""
        return torch.cat([curves[name].float().clamp(min=LEAST) for name in self.names], dim=-1) / UNIT

    def forward(
        self, x: Tensor, batch: Batch, base: dict[str, Tensor], teacher: bool
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Frame vectors (B, T, dim) that know the curves; as ``curve_<name>`` (B, T, 1) these, in dB, and in
        training ``loss_variance``.

        Predictions count from the curves of ``base``, which is that of the output space.
        """
        mask, share = batch.frame_mask, self.size.gradient
        rule = self._numbers(self.measure(base | {"vuv": torch.sigmoid(base["vuv"])}, self.names))
        found = rule + self.head(self.predictor(passed_on(x, share), mask)).float()
        if teacher:
            true = self._numbers(self.measure(batch.streams, self.names))
            error = masked_mean((found - true).abs().mean(-1), mask)
            return x + self.enter(true.to(x.dtype)), {"loss_variance": self.size.weight * error}
        curves = dict(zip(self.names, (found * UNIT).split(1, dim=-1)))
        for name in batch.given.keys() & curves.keys():
            curves[name] = torch.where(batch.given[name].isnan(), curves[name], batch.given[name])
        told = self._numbers(curves).to(x.dtype)
        return x + self.enter(told), {f"curve_{name}": curve for name, curve in curves.items()}

    def levelled(self, streams: dict[str, Tensor], asked: dict[str, Tensor]) -> dict[str, Tensor]:
        """Streams (B, T, D) as loud as ``asked["curve_loudness"]`` says, where it is predicted.

        A network that gives the mean of log spectra is too quiet, since the power of a mean of logarithms is
        below the mean power; loudness itself has no such gap.
        """
        if "loudness" not in self.names:
            return streams
        by = asked["curve_loudness"] - self.measure(streams, ("loudness",))["loudness"]
        by = by.clamp(-variance.LARGEST, variance.LARGEST)
        if self.measure.mel:
            return streams | {"mel": streams["mel"] + by * variance.mel_unit(self.measure.config)}
        moved = streams["mgc"].clone()
        moved[..., :1] += by * variance.NEPER
        return streams | {"mgc": moved}
