"""Score context to vectors: categories embedded, numbers normalised."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec

CLIP = 3.0
"""Deviations beyond which a number is held: an unseen tempo must not throw a network far off."""
FEW_PHONES = 300
"""Size of a training set, about a minute, at which context is hidden half as often."""


def hiding(context_dropout: float, spec: Spec) -> float:
    """The probability of hiding: all of ``context_dropout`` for a set of no size, half for ``FEW_PHONES``.

    With thousands of phones there is no need to hide anything; with a hundred, what one note in one
    context was like must not be learnt by heart.
    """
    return context_dropout * FEW_PHONES / (FEW_PHONES + spec.phone_count)


def hide(values: Tensor, probability: float, rows: bool = False) -> Tensor:
    """Sets values to zero by chance, one by one or whole rows (the last dimension)."""
    if not probability:
        return values
    shape = (*values.shape[:-1], 1) if rows else values.shape
    return values * (torch.rand(shape, device=values.device) >= probability)


def context_moments(spec: Spec, levels: Sequence[str]) -> list[tuple[float, ...]]:
    """Mean, deviation, least and largest value of all columns of some levels."""
    moments = [getattr(spec.stats, f"{level}_context") for level in levels]
    return [sum((getattr(m, key) for m in moments), ()) for key in ("mean", "std", "min", "max")]


class ContextEncoder(nn.Module):
    """Named context columns to a vector each row.

    Categorical columns are embedded, each by a table of its own, and summed; numeric columns are
    standardised with training statistics and held within ``CLIP`` deviations; flags pass as they are.
    Numbers and flags go through one linear layer.

    Args:
        levels: ``("note",)`` or ``("phone", "note")``, the order in which the context's columns stand.
        context_dropout: probability with which, in training, a number or a category other than the
            first (the phone itself) is hidden.
    """

    def __init__(self, spec: Spec, levels: Sequence[str], dim: int, context_dropout: float = 0.0):
        super().__init__()
        self.context_dropout = context_dropout
        columns = sum((spec.columns(level) for level in levels), [])
        mean, std, low, high = context_moments(spec, levels)
        self.categorical, numeric, flags = (
            [i for i, c in enumerate(columns) if c.kind == kind]
            for kind in ("categorical", "numeric", "flag")
        )
        self.numeric = numeric + flags
        self.embeddings = nn.ModuleList(
            nn.Embedding(columns[i].size, dim, padding_idx=0) for i in self.categorical
        )
        for table in self.embeddings:
            nn.init.normal_(table.weight, std=len(self.embeddings) ** -0.5)
            nn.init.zeros_(table.weight[0])
        center = [mean[i] for i in numeric] + [0.0] * len(flags)
        # A column that never varied in training says nothing: it is silenced.
        scale = [1 / std[i] if low[i] < high[i] else 0.0 for i in numeric] + [1.0] * len(flags)
        self.register_buffer("center", torch.tensor(center), persistent=False)
        self.register_buffer("scale", torch.tensor(scale), persistent=False)
        self.linear = nn.Linear(len(self.numeric), dim)

    def forward(self, context: Tensor) -> Tensor:
        """(B, L, columns) to (B, L, dim)."""
        numbers = (context[..., self.numeric] - self.center) * self.scale
        context_dropout = self.context_dropout if self.training else 0.0
        out = self.linear(hide(numbers.clamp(-CLIP, CLIP), context_dropout))
        for k, (i, table) in enumerate(zip(self.categorical, self.embeddings)):
            vectors = table(context[..., i].long().clamp(0, table.num_embeddings - 1))
            out = out + (vectors if k == 0 else hide(vectors, context_dropout, rows=True))
        return out
