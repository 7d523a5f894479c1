"""A convolutional acoustic model that corrects the rule: small, fast, in tune."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nnsvs_lite.models.base import AcousticModel
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.acoustic_floor import SmoothFloor
from nnsvs_lite.models.layers.context import ContextEncoder
from nnsvs_lite.models.layers.conv import ConvStack, MaskedConv1d
from nnsvs_lite.models.layers.expand import (
    POSITIONS,
    frame_positions,
    full_phone_context,
    gather_rows,
    phone_of_frame,
)
from nnsvs_lite.models.layers.losses import LF0_UNIT, StreamLoss
from nnsvs_lite.models.spec import Spec

MAX_RESIDUAL = 600 * math.log(2) / 1200
"""Bound of the F0 residual: 600 cents either way (NNSVS)."""

PITCHES = 128
"""MIDI numbers."""

FEW_PHONES = 300
"""Size of a training set, about a minute, at which context is hidden half as often."""


class Tower(nn.Module):
    """Phone vectors, positions and the melody's slope to frame vectors.

    Args:
        spec: columns. dim: channels. phone_layers, frame_layers, kernel, cycle, dropout:
            of the convolutions.
    """

    def __init__(
        self,
        spec: Spec,
        dim: int,
        phone_layers: int,
        frame_layers: int,
        kernel: int,
        cycle: int,
        dropout: float,
        forget: float,
    ):
        super().__init__()
        self.frame_shift = spec.frame_shift
        self.encoder = ContextEncoder(spec, ("phone", "note"), dim, forget=forget)
        self.phone_stack = ConvStack(dim, phone_layers, 3, dropout)
        self.frame_in = MaskedConv1d(dim + POSITIONS + 1, dim, 3)
        self.frame_stack = ConvStack(dim, frame_layers, kernel, dropout, cycle=cycle)
        self.norm = nn.LayerNorm(dim)

    def forward(self, batch: Batch, phone: Tensor, slope: Tensor, extra: Tensor | float = 0.0) -> Tensor:
        """``phone`` (B, T), ``slope`` (B, T, 1), ``extra`` added to phone vectors: (B, T, dim)."""
        mask = batch.frame_mask
        phones = self.encoder(full_phone_context(batch)) + extra
        phones = self.phone_stack(phones, batch.phone_mask)
        positions = frame_positions(batch, phone, self.frame_shift)
        x = torch.cat([gather_rows(phones, phone), positions, slope], dim=-1)
        return self.norm(self.frame_stack(self.frame_in(x, mask), mask))


class ResF0Conv(AcousticModel):
    """Residual convolutions over phones, then over frames; F0 has a smaller tower of its own.

    All heads start at zero, so an untrained model sings the smoothed rule: in tune, with
    each phone's mean spectrum. F0 is ``score + 600 cents * tanh(head)``. One tower for all
    streams would be led by F0, whose loss is the steepest, and learn little of spectra.

    Args:
        hidden: channels of the spectrum's tower. f0_hidden: of F0's.
        phone_layers: convolution blocks over phones.
        frame_layers: over frames, their dilation doubling in cycles of ``cycle``.
        kernel: width of the frame convolutions. dropout: probability.
        forget: probability with which parts of the context are hidden in training, for a
            training set of no size; half of it for one of ``FEW_PHONES``, and so on in
            inverse proportion.
        mgc_weight, lf0_weight, vuv_weight, bap_weight: in the loss.
    """

    def __init__(
        self,
        spec: Spec,
        hidden: int = 96,
        f0_hidden: int = 48,
        phone_layers: int = 2,
        frame_layers: int = 5,
        kernel: int = 5,
        cycle: int = 3,
        dropout: float = 0.1,
        forget: float = 0.8,
        mgc_weight: float = 4.0,
        lf0_weight: float = 1.0,
        vuv_weight: float = 1.0,
        bap_weight: float = 1.0,
    ):
        super().__init__(spec)
        self.stream_loss = StreamLoss(
            spec, {"mgc": mgc_weight, "lf0": lf0_weight, "vuv": vuv_weight, "bap": bap_weight}
        )
        self.floor = SmoothFloor(spec)
        # With thousands of phones there is no need to hide anything; with a hundred, what
        # one note in one context was like must not be learnt by heart.
        forget = forget * FEW_PHONES / (FEW_PHONES + spec.phone_count)
        shape = (phone_layers, frame_layers, kernel, cycle, dropout, forget)
        self.spectrum = Tower(spec, hidden, *shape)
        self.melody = Tower(spec, f0_hidden, *shape)
        # The envelope of a voice depends on where its harmonics lie, note by note: a number
        # in semitones cannot say that, a vector for each pitch can. Unsung pitches stay 0.
        self.pitch = nn.Embedding(PITCHES, hidden)
        nn.init.zeros_(self.pitch.weight)
        self._pitch = len(spec.columns("phone")) + spec.column("note", "pitch")
        self.heads = nn.ModuleDict(
            {n: nn.Linear(f0_hidden if n == "lf0" else hidden, dim) for n, dim in spec.streams.items()}
        )
        for name, head in self.heads.items():
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
            std = torch.tensor(spec.stats["streams"][name]["std"])
            self.register_buffer(f"std_{name}", std, persistent=False)

    def _predict(self, batch: Batch) -> dict[str, Tensor]:
        phone = phone_of_frame(batch)
        floor = self.floor(batch, phone)
        # The rounded melody against its steps shows where, and which way, the note changes.
        slope = (floor["lf0"] - self.floor.steps.score_lf0(batch, phone)) * 10.0
        pitch = full_phone_context(batch)[..., self._pitch].long().clamp(0, PITCHES - 1)
        spectrum = self.spectrum(batch, phone, slope, self.pitch(pitch))
        out = {}
        for name, head in self.heads.items():
            if name == "lf0":
                semitones = head(self.melody(batch, phone, slope))
                bent = torch.tanh(semitones * (LF0_UNIT / MAX_RESIDUAL))
                out[name] = floor[name] + MAX_RESIDUAL * bent
            elif name == "vuv":
                out["vuv_logit"] = floor[name].logit(eps=1e-3) + head(spectrum)
            else:
                out[name] = floor[name] + head(spectrum) * getattr(self, f"std_{name}")
        return out

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        return self.stream_loss(self._predict(batch), batch)

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        out = self._predict(batch)
        out["vuv"] = torch.sigmoid(out.pop("vuv_logit"))
        return {name: out[name] for name in self.spec.streams}
