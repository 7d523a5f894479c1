"""Muskits' Transformer-GLU (its "glu_transformer"; Shi et al., 2022, arXiv:2205.04029)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conditions import Conditions
from nnsvs_lite.models.layers.conv import MaskedConv1d
from nnsvs_lite.models.layers.expand import gather_rows
from nnsvs_lite.models.layers.score_embedding import ToFrames
from nnsvs_lite.models.layers.transformer import PositionalEncoding, SelfAttention
from nnsvs_lite.models.options import AcousticOptions, Depth, Positive, Rate, Size
from nnsvs_lite.models.refined import RefinedAcoustic

HALF = math.sqrt(0.5)


class GluBlock(nn.Module):
    """A linear layer, then ``(x + a * sigmoid(b)) * sqrt(1/2)``; ``a``, ``b``: a convolution of ``x``."""

    def __init__(self, dim: int, kernel: int, dropout: float):
        super().__init__()
        self.linear = nn.Linear(dim, dim)
        self.conv = MaskedConv1d(dim, 2 * dim, kernel)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, L, dim), ``mask`` (B, L) bool."""
        x = self.linear(x)
        values, gates = self.conv(self.dropout(x), mask).chunk(2, dim=-1)
        return (x + values * torch.sigmoid(gates)) * HALF


class LocalGluLayer(nn.Module):
    """Self-attention that leans to near frames, and a gated convolution.

    What attention gives is set beside its input, passes a linear layer and is added to the
    input again. Both halves of the layer are added to what they took and scaled by sqrt(1/2).

    See :class:`MuskitsGlu` for its arguments.
    """

    def __init__(
        self, dim: int, heads: int, width: float, kernel: int, dropout: float, attention_dropout: float
    ):
        super().__init__()
        self.attention = SelfAttention(dim, heads, attention_dropout, bias=False, width=width)
        self.mix = nn.Linear(2 * dim, dim)
        self.glu = GluBlock(dim, kernel, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, T, dim), ``mask`` (B, T) bool."""
        y = self.norms[0](x)
        y = self.norms[1](y + self.mix(torch.cat([y, self.attention(y, mask)], dim=-1)))
        x = (x + self.dropout(y)) * HALF
        return (x + self.dropout(self.glu(self.norms[2](x), mask))) * HALF


class MuskitsGlu(RefinedAcoustic):
    """Gated convolutions over phones; note pitches are added at frames; local attention.

    Args:
        dim: channels. encoder_layers: gated blocks over phones. decoder_layers: over frames.
        heads: of attention. width: of its locality term, frames squared; 0 for none.
        kernel: of the gated convolutions. dropout: probability.
        attention_dropout: of attention weights; without it attention runs fused, much faster.
        Others: see :class:`~nnsvs_lite.models.refined.PostnetAcoustic`.
    """

    def __init__(
        self,
        spec: Spec,
        dim: Size = 256,
        encoder_layers: Size = 3,
        decoder_layers: Size = 6,
        heads: Size = 4,
        width: Positive = 30.0,
        kernel: Size = 3,
        dropout: Rate = 0.1,
        attention_dropout: Rate = 0.1,
        places: bool = False,
        postnet_layers: Depth = 5,
        postnet_channels: Size = 256,
        options: AcousticOptions | None = None,
    ):
        sizes = {"phone": dim, "pitch": dim}
        super().__init__(spec, options, sizes, postnet_layers, postnet_channels, dim=dim)
        self.phone_in, self.phone_out = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.encoder = nn.ModuleList(GluBlock(dim, kernel, dropout) for _ in range(encoder_layers))
        self.to_frames = ToFrames(spec, dim, places)
        self.note = nn.Linear(dim, dim)
        self.mix = nn.Linear(dim, dim)
        self.conditions = Conditions(spec, self.options, dim)
        self.positions = PositionalEncoding(scaled=False, dropout=dropout)
        self.norm = nn.LayerNorm(dim)
        self.decoder = nn.ModuleList(
            LocalGluLayer(dim, heads, width, kernel, dropout, attention_dropout)
            for _ in range(decoder_layers)
        )

    def frames(self, batch: Batch, phone: Tensor) -> Tensor:
        parts = self.embedding.parts(batch)
        x = self.phone_in(parts["phone"])
        for block in self.encoder:
            x = block(x, batch.score.phone_mask)
        phones = (parts["phone"] + self.phone_out(x)) * HALF
        notes = F.leaky_relu(self.note(gather_rows(parts["pitch"], phone)))
        x = self.mix(self.to_frames(phones, batch, phone) + notes) + self.conditions(batch)
        x = self.norm(self.positions(x))
        for layer in self.decoder:
            x = layer(x, batch.frame_mask)
        return x
