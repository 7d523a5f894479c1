"""Between a network's numbers and vocoder features in physical units."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.acoustic_floor import SmoothFloor
from nnsvs_lite.models.layers.losses import LF0_UNIT

MAX_RESIDUAL = 600 * math.log(2) / 1200
"""Bound of the F0 residual: 600 cents either way (NNSVS)."""

Pitch = Literal["bounded", "residual"]
Scaling = Literal["deviation", "range"]


class OutputSpace(nn.Module):
    """A network's numbers, of about unit size, and what they stand for.

    ``mgc``, ``bap`` and ``mel``: standard deviations from the training mean, or from the smoothed rule. Where
    voices have pitch the score's harmonics are part of both, but for a mean in the middle of a range.
    ``lf0``: semitones from the score's pitch, smoothed where the rule is the base. ``vuv``: a logit.

    Args:
        spec: streams and statistics.
        residual_to_rule: whether the smoothed rule is the base of spectra and voicing.
        pitch: ``bounded``: within 600 cents of the score, through tanh (NNSVS);
            ``residual``: score plus a number (XiaoiceSing).
        scaling: ``range``: in spectra 1 is half the range that training has, coefficient by coefficient, and
            0 its middle in place of the mean (DiffSinger): numbers lie within 1 where the base is not the
            rule.
    """

    def __init__(
        self,
        spec: Spec,
        residual_to_rule: bool,
        pitch: Pitch = "bounded",
        scaling: Scaling = "deviation",
    ):
        super().__init__()
        self.sizes = dict(spec.streams)
        self.pitch, self.residual_to_rule = pitch, residual_to_rule
        self.floor, self.harmonic = SmoothFloor(spec), residual_to_rule or scaling == "deviation"
        for name in self.sizes:
            moments = spec.stats.streams[name]
            mean, std = torch.tensor(moments.mean), torch.tensor(moments.std)
            if scaling == "range" and name not in ("lf0", "vuv"):
                low, high = torch.tensor(moments.min), torch.tensor(moments.max)
                mean, std = (high + low) / 2, (high - low) / 2
            self.register_buffer(f"mean_{name}", mean, persistent=False)
            self.register_buffer(f"std_{name}", std.clamp(min=1e-4), persistent=False)
            self.register_buffer(f"least_{name}", torch.tensor(moments.min), persistent=False)

    @property
    def size(self) -> int:
        """Numbers a frame, all streams together."""
        return sum(self.sizes.values())

    def split(self, values: Tensor) -> dict[str, Tensor]:
        """(..., size) to a tensor for each stream."""
        return dict(zip(self.sizes, values.split(list(self.sizes.values()), dim=-1)))

    def standard_lf0(self, lf0: Tensor) -> Tensor:
        """Log F0 in deviations from the training mean."""
        return (lf0 - self.mean_lf0) / self.std_lf0

    def base(self, batch: Batch, phone: Tensor) -> dict[str, Tensor]:
        """Where 0 lies in each stream, (B, T, D), for ``vuv`` a logit; ``phone`` from ``phone_of_frame``."""
        if self.residual_to_rule:
            rule = self.floor(batch, phone)
            return rule | {"vuv": rule["vuv"].logit(eps=1e-3)}
        base = {n: getattr(self, f"mean_{n}").expand(*phone.shape, d) for n, d in self.sizes.items()}
        score = self.floor.steps.score_lf0(batch, phone)
        if self.harmonic:
            voiced = self.floor.steps.plain(batch, phone)["vuv"]
            base = self.floor.steps.sung(base | {"lf0": score, "vuv": voiced})
        return base | {"vuv": torch.zeros_like(base["vuv"]), "lf0": score}

    def decode(self, values: dict[str, Tensor], base: dict[str, Tensor]) -> dict[str, Tensor]:
        """Physical streams, with ``vuv_logit`` for ``vuv``, of those streams that are given."""
        out = {}
        for name, value in values.items():
            if name == "vuv":
                out["vuv_logit"] = base[name] + value
            elif name == "lf0" and self.pitch == "bounded":
                out[name] = base[name] + MAX_RESIDUAL * torch.tanh(value * (LF0_UNIT / MAX_RESIDUAL))
            elif name == "lf0":
                out[name] = base[name] + value * LF0_UNIT
            else:
                out[name] = base[name] + value * getattr(self, f"std_{name}")
        return out

    def above_least(self, spectra: dict[str, Tensor]) -> dict[str, Tensor]:
        """Physical spectra, of any streams, above the least value that training has of each coefficient, in
        the unit of numbers.
        """
        return {
            name: (spectra[name] - getattr(self, f"least_{name}")) / getattr(self, f"std_{name}")
            for name in self.sizes
            if name not in ("lf0", "vuv")
        }

    def encode(self, streams: dict[str, Tensor], base: dict[str, Tensor]) -> dict[str, Tensor]:
        """The numbers that stand for physical streams: what an autoregressive model is fed.

        ``vuv`` stays 0 or 1; a bounded ``lf0`` is given as it is within 590 cents.
        """
        out = {}
        for name, value in streams.items():
            if name == "vuv":
                out[name] = value
            elif name == "lf0" and self.pitch == "bounded":
                share = ((value - base[name]) / MAX_RESIDUAL).clamp(-0.983, 0.983)
                out[name] = torch.atanh(share) * (MAX_RESIDUAL / LF0_UNIT)
            elif name == "lf0":
                out[name] = (value - base[name]) / LF0_UNIT
            else:
                out[name] = (value - base[name]) / getattr(self, f"std_{name}")
        return out


def zeroed(layer: nn.Module) -> nn.Module:
    """The layer with all its weights at zero: an untrained model gives where its numbers begin."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class StreamHeads(nn.ModuleDict):
    """A linear layer from ``dim`` to each stream, from zero: an untrained model gives the base."""

    def __init__(self, sizes: dict[str, int], dim: int):
        super().__init__({name: zeroed(nn.Linear(dim, size)) for name, size in sizes.items()})

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(B, T, dim) to a tensor for each stream."""
        return {name: head(x) for name, head in self.items()}
