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
from nnsvs_lite.models.layers.losses import StreamLoss
from nnsvs_lite.models.spec import Spec

MAX_RESIDUAL = 600 * math.log(2) / 1200
"""Bound of the F0 residual: 600 cents either way (NNSVS)."""


class ResF0Conv(AcousticModel):
    """Residual convolutions over phones, then over frames.

    All heads start at zero, so an untrained model sings the smoothed rule: in tune, with
    each phone's mean spectrum. F0 is ``score + 600 cents * tanh(head)``.

    Args:
        hidden: channels. phone_layers: convolution blocks over phones.
        frame_layers: over frames, their dilation doubling in cycles of ``cycle``.
        kernel: width of the frame convolutions. dropout: probability.
        lf0_weight, vuv_weight, bap_weight: in the loss, beside mgc's 1.
    """

    def __init__(
        self,
        spec: Spec,
        hidden: int = 96,
        phone_layers: int = 2,
        frame_layers: int = 6,
        kernel: int = 5,
        cycle: int = 3,
        dropout: float = 0.1,
        lf0_weight: float = 1.0,
        vuv_weight: float = 1.0,
        bap_weight: float = 0.5,
    ):
        super().__init__(spec)
        self.stream_loss = StreamLoss(spec, {"lf0": lf0_weight, "vuv": vuv_weight, "bap": bap_weight})
        self.floor = SmoothFloor(spec)
        self.encoder = ContextEncoder(spec, ("phone", "note"), hidden)
        self.phone_stack = ConvStack(hidden, phone_layers, 3, dropout)
        # Positions, and how the score's pitch moves around the frame.
        self.frame_in = MaskedConv1d(hidden + POSITIONS + 1, hidden, 3)
        self.frame_stack = ConvStack(hidden, frame_layers, kernel, dropout, cycle=cycle)
        self.norm = nn.LayerNorm(hidden)
        self.heads = nn.ModuleDict({name: nn.Linear(hidden, dim) for name, dim in spec.streams.items()})
        for head in self.heads.values():
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
        for name in spec.streams:
            std = torch.tensor(spec.stats["streams"][name]["std"])
            self.register_buffer(f"std_{name}", std, persistent=False)

    def _predict(self, batch: Batch) -> dict[str, Tensor]:
        mask = batch.frame_mask
        phone = phone_of_frame(batch)
        floor = self.floor(batch, phone)
        phones = self.phone_stack(self.encoder(full_phone_context(batch)), batch.phone_mask)
        steps = self.floor.steps.score_lf0(batch, phone)
        # The rounded melody against its steps shows where, and which way, the note changes.
        slope = (floor["lf0"] - steps) * 10.0
        positions = frame_positions(batch, phone, self.spec.frame_shift)
        x = torch.cat([gather_rows(phones, phone), positions, slope], dim=-1)
        x = self.norm(self.frame_stack(self.frame_in(x, mask), mask))
        out = {}
        for name, head in self.heads.items():
            value = head(x)
            if name == "lf0":
                out[name] = floor[name] + MAX_RESIDUAL * torch.tanh(value)
            elif name == "vuv":
                out["vuv_logit"] = floor[name].logit(eps=1e-3) + value
            else:
                out[name] = floor[name] + value * getattr(self, f"std_{name}")
        return out

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        return self.stream_loss(self._predict(batch), batch)

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        out = self._predict(batch)
        out["vuv"] = torch.sigmoid(out.pop("vuv_logit"))
        return {name: out[name] for name in self.spec.streams}
