"""Score context to vectors: categories embedded, numbers normalised."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import PHONE_COLUMNS, Spec

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


def adopt_rows(
    table: Tensor, other: Tensor, names: Sequence[str | int | None], known: Sequence[str | int | None]
) -> None:
    """Puts rows of ``other`` into ``table`` by name; the rest becomes the mean of those of ``other``.

    ``names`` are of the rows of ``table``, ``known`` of ``other``; None where nothing was learnt. Of a phone
    that languages share (``ja/a=zh/a``) one name that both have is enough.
    Raises ValueError where rows are of other sizes.
    """
    if table.shape[1:] != other.shape[1:]:
        raise ValueError(f"it has vectors of {other.shape[-1]}, {table.shape[-1]} are needed")
    # Row 0 of categories is what there is none of.
    place = {part: i for i, name in enumerate(known) if name is not None for part in _parts(name)}
    rows = list(dict.fromkeys(i for name, i in place.items() if name not in ("", 0)))
    table.data.copy_(other.data[rows].mean(0).expand_as(table))
    for i, name in enumerate(names):
        if found := [place[part] for part in _parts(name) if part in place]:
            table.data[i] = other.data[found[0]]


def _parts(name: str | int | None) -> list[str | int | None]:
    return [*name.split("=")] if isinstance(name, str) else [name]


def phone_rows(spec: Spec) -> list[str | None]:
    """Of each phone id its language and name; None of those that training never held."""
    return ["", *(n if p in spec.stats.phones else None for n, p in zip(spec.called, spec.phones))]


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
        self.names = [column.name for column in columns]
        self.rows = {
            c.name: phone_rows(spec) if c.name in PHONE_COLUMNS else list(range(c.size)) for c in columns
        }
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

    def adopt(self, other: ContextEncoder) -> None:
        """Takes up another's weights, by the names of columns and phones, and in this one's units."""
        place = {other.names[i]: k for k, i in enumerate(other.categorical)}
        for table, name in zip(self.embeddings, (self.names[i] for i in self.categorical)):
            if name in place:
                given = other.embeddings[place[name]].weight
                adopt_rows(table.weight, given, self.rows[name], other.rows[name])
        place = {other.names[i]: k for k, i in enumerate(other.numeric)}
        weight, bias = torch.zeros_like(self.linear.weight), other.linear.bias.detach().clone()
        for k, name in enumerate(self.names[i] for i in self.numeric):
            if (j := place.get(name)) is not None:
                # As the other would have seen this one's mean and deviation, held within its bounds.
                own, unit = other.linear.weight.detach()[:, j], other.scale[j]
                bias += own * (unit * (self.center[k] - other.center[j])).clamp(-CLIP, CLIP)
                weight[:, k] = own * (unit / self.scale[k]).clamp(max=CLIP) if self.scale[k] > 0 else 0.0
        self.linear.weight.data.copy_(weight)
        self.linear.bias.data.copy_(bias)

    def forward(self, context: Tensor) -> Tensor:
        """(B, L, columns) to (B, L, dim)."""
        numbers = (context[..., self.numeric] - self.center) * self.scale
        context_dropout = self.context_dropout if self.training else 0.0
        out = self.linear(hide(numbers.clamp(-CLIP, CLIP), context_dropout))
        for k, (i, table) in enumerate(zip(self.categorical, self.embeddings)):
            vectors = table(context[..., i].long().clamp(0, table.num_embeddings - 1))
            out = out + (vectors if k == 0 else hide(vectors, context_dropout, rows=True))
        return out
