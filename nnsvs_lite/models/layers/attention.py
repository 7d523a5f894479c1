"""Self-attention that does not see padding (Vaswani et al., 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.io.errors import DataError


def local_bias(size: int, width: float, device: torch.device) -> Tensor:
    """(size, size): ``-distance^2 / width``, which keeps attention near the diagonal."""
    places = torch.arange(size, device=device, dtype=torch.float32)
    return -(places[:, None] - places[None]).square() / width


class SelfAttention(nn.Module):
    """Heads of scaled dot products over an utterance, without a layer after them.

    Args:
        dim: of the vectors. heads: they share ``dim`` evenly.
        dropout: of attention weights. bias: whether the three layers have one.
        width: frames squared of the locality term, 0 for none; see :func:`local_bias`.

    Raises:
        DataError: if ``heads`` does not divide ``dim``.
    """

    def __init__(self, dim: int, heads: int, dropout: float = 0.0, bias: bool = True, width: float = 0.0):
        super().__init__()
        if dim % heads:
            raise DataError(f"{heads} attention heads cannot share {dim} channels")
        self.heads, self.dropout, self.width = heads, dropout, width
        self.inputs = nn.Linear(dim, 3 * dim, bias=bias)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, L, dim), ``mask`` (B, L) bool, true at least once a row: (B, L, dim)."""
        query, key, value = self.inputs(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        allowed = mask[:, None, None]
        if self.width:
            near = local_bias(x.shape[1], self.width, x.device).to(query.dtype)
            allowed = near.masked_fill(~allowed, float("-inf"))
        dropout = self.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed, dropout_p=dropout)
        return out.transpose(1, 2).flatten(2)
