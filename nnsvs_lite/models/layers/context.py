"""Score context to vectors: categories embedded, numbers normalised."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nnsvs_lite.models.spec import Spec


class ContextEncoder(nn.Module):
    """Named context columns to a vector each row.

    Categorical columns are embedded and summed (columns of one ``size`` and meaning, such
    as a phone and its neighbours, have tables of their own); numeric columns are
    standardised with training statistics and clipped to ``clip`` deviations, since an
    unseen tempo or pitch must not throw a network far off; flags pass as they are. All go
    through one linear layer.

    Args:
        spec: columns and statistics.
        levels: ``("note",)`` or ``("phone", "note")``, the order in which the
            context's columns stand.
        dim: size of the output. clip: deviations.
        forget: probability with which, in training, a number or a category other than the
            first (the phone itself) is hidden.
    """

    def __init__(self, spec: Spec, levels: Sequence[str], dim: int, clip: float = 3.0, forget: float = 0.0):
        super().__init__()
        self.clip = clip
        self.forget = forget
        columns, mean, std, varies = [], [], [], []
        for level in levels:
            columns += spec.columns(level)
            moments = spec.stats[f"{level}_context"]
            mean += moments["mean"]
            std += moments["std"]
            varies += [low < high for low, high in zip(moments["min"], moments["max"])]
        self.categorical = [i for i, c in enumerate(columns) if c["kind"] == "categorical"]
        numeric = [i for i, c in enumerate(columns) if c["kind"] == "numeric"]
        flags = [i for i, c in enumerate(columns) if c["kind"] == "flag"]
        self.numeric = numeric + flags
        self.embeddings = nn.ModuleList(
            nn.Embedding(int(columns[i]["size"]), dim, padding_idx=0) for i in self.categorical
        )
        for table in self.embeddings:
            nn.init.normal_(table.weight, std=len(self.embeddings) ** -0.5)
            nn.init.zeros_(table.weight[0])
        center = [mean[i] for i in numeric] + [0.0] * len(flags)
        # A column that never varied in training says nothing: it is silenced.
        scale = [1 / std[i] if varies[i] else 0.0 for i in numeric] + [1.0] * len(flags)
        self.register_buffer("center", torch.tensor(center), persistent=False)
        self.register_buffer("scale", torch.tensor(scale), persistent=False)
        self.linear = nn.Linear(len(self.numeric), dim)

    def forward(self, context: Tensor) -> Tensor:
        """(B, L, columns) to (B, L, dim)."""
        numbers = (context[..., self.numeric] - self.center) * self.scale
        out = self.linear(self._forget(numbers.clamp(-self.clip, self.clip), 0))
        for k, (i, table) in enumerate(zip(self.categorical, self.embeddings)):
            vectors = table(context[..., i].long().clamp(0, table.num_embeddings - 1))
            out = out + (vectors if k == 0 else self._forget(vectors, 2))
        return out

    def _forget(self, values: Tensor, kept_dims: int) -> Tensor:
        """Hides values from a model in training, columns one by one or whole rows."""
        if not self.training or not self.forget:
            return values
        shape = values.shape if kept_dims == 0 else (*values.shape[:-1], 1)
        return values * (torch.rand(shape, device=values.device) >= self.forget)
