"""Feed-forward transformers (FastSpeech: Ren et al., 2019) over padded batches."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.layers.conv import MaskedConv1d


def local_bias(size: int, width: float, device: torch.device) -> Tensor:
    """(size, size): ``-distance^2 / width``, which keeps attention near the diagonal."""
    places = torch.arange(size, device=device, dtype=torch.float32)
    return -(places[:, None] - places[None]).square() / width


def rotated(x: Tensor) -> Tensor:
    """Rotary positions (Su et al., 2021, arXiv:2104.09864, eq. 34) of rows ``x`` (..., L, D), D even.

    Channel ``i`` and ``i + D / 2`` make a pair that is turned by ``place * 10000^(-2 i / D)``: dot products
    of two rows tell how far they lie apart, and not where.
    """
    size, half = x.shape[-2], x.shape[-1] // 2
    places = torch.arange(size, device=x.device, dtype=torch.float32)
    rates = torch.exp(torch.arange(half, device=x.device) * (-math.log(10000.0) / half))
    angles = places[:, None] * rates
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


class SelfAttention(nn.Module):
    """Heads of scaled dot products over an utterance, without a layer after them; they share ``dim`` evenly.

    ``dropout`` is of attention weights, ``bias`` of the layer that makes queries, keys and values; ``width``
    is frames squared of the locality term, 0 for none, see :func:`local_bias`; ``rotary``: see
    :func:`rotated`.

    Raises DataError if ``heads`` does not divide ``dim``, or leaves a rotary head an odd share.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        width: float = 0.0,
        rotary: bool = False,
    ):
        super().__init__()
        if dim % (heads * (1 + rotary)):
            pairs = "pairs of " * rotary
            raise DataError(f"{heads} attention heads cannot share {pairs}{dim} channels")
        self.heads, self.dropout, self.width, self.rotary = heads, dropout, width, rotary
        self.inputs = nn.Linear(dim, 3 * dim, bias=bias)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, L, dim), ``mask`` (B, L) bool, true at least once a row: (B, L, dim)."""
        heads = (*x.shape[:2], self.heads, -1)
        query, key, value = (part.reshape(heads).transpose(1, 2) for part in self.inputs(x).chunk(3, dim=-1))
        if self.rotary:
            query, key = rotated(query), rotated(key)
        allowed = mask[:, None, None]
        if self.width:
            near = local_bias(x.shape[1], self.width, x.device).to(query.dtype)
            allowed = near.masked_fill(~allowed, float("-inf"))
        dropout = self.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(query, key, value, allowed, dropout)
        return out.transpose(1, 2).flatten(2)


def sinusoids_at(places: Tensor, dim: int) -> Tensor:
    """(..., dim): sines in the even columns, cosines in the odd, of ``places`` (...), whole or not.

    Periods grow from 2 pi to 10000 * 2 pi (Vaswani et al., 2017, section 3.5).
    """
    rates = torch.exp(torch.arange(0, dim, 2, device=places.device) * (-math.log(10000.0) / dim))
    angles = places[..., None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)[..., :dim]


def sinusoids(size: int, dim: int, device: torch.device) -> Tensor:
    """(size, dim): :func:`sinusoids_at` of 0, 1, 2..."""
    return sinusoids_at(torch.arange(size, device=device, dtype=torch.float32), dim)


class PositionalEncoding(nn.Module):
    """Adds :func:`sinusoids`, times a learnt number where ``scaled`` (Li et al., 2019); then dropout."""

    def __init__(self, scaled: bool = True, dropout: float = 0.0):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(())) if scaled else 1.0
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, dim), for utterances that begin at row 0."""
        places = sinusoids(x.shape[1], x.shape[2], x.device).to(x.dtype)
        return self.dropout(x + self.scale * places)


class FftBlock(nn.Module):
    """Self-attention, then two convolutions with a ReLU between; each is added to its input."""

    def __init__(
        self, attention: SelfAttention, dim: int, filters: int, kernels: Sequence[int], dropout: float
    ):
        super().__init__()
        self.attention = attention
        self.mix = nn.Linear(dim, dim)
        self.widen = MaskedConv1d(dim, filters, kernels[0])
        self.narrow = MaskedConv1d(filters, dim, kernels[1])
        self.norms = nn.ModuleList([nn.LayerNorm(dim), nn.LayerNorm(dim)])
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, L, dim), ``mask`` (B, L) bool."""
        x = self.norms[0](x + self.dropout(self.mix(self.attention(x, mask))))
        wide = self.dropout(F.relu(self.widen(x, mask)))
        return self.norms[1](x + self.dropout(self.narrow(wide, mask)))


class Transformer(nn.Module):
    """Positions and a stack of :class:`FftBlock`.

    Args:
        dim: channels. layers: blocks. heads: of attention. filters: channels between the convolutions.
        kernels: widths of the two convolutions. dropout: of all parts. attention_dropout: of attention
            weights; without it attention runs fused, much faster. scaled: see :class:`PositionalEncoding`.
        rotary: positions turn queries and keys (:func:`rotated`), and nothing is added.
    """

    def __init__(
        self,
        dim: int,
        layers: int,
        heads: int,
        filters: int,
        kernels: Sequence[int] = (3, 1),
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        scaled: bool = False,
        rotary: bool = False,
    ):
        super().__init__()
        self.positions = None if rotary else PositionalEncoding(scaled, dropout)
        self.blocks = nn.ModuleList(
            FftBlock(
                SelfAttention(dim, heads, attention_dropout, rotary=rotary), dim, filters, kernels, dropout
            )
            for _ in range(layers)
        )

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, L, dim), ``mask`` (B, L) bool."""
        x = x if self.positions is None else self.positions(x)
        for block in self.blocks:
            x = block(x, mask)
        return x
