"""What a decision tree may ask of a phone in its score: the columns of HTS question files."""

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.expand import full_phone_context


class Questions(nn.Module):
    """Every number and flag of the context as it is, every category as one-hot, and the
    phonetic classes of the phones around.

    Args:
        spec: columns.
    """

    def __init__(self, spec: Spec):
        super().__init__()
        columns = spec.columns("phone") + spec.columns("note")
        self._plain = [i for i, c in enumerate(columns) if c.kind != "categorical"]
        self._categories = [(i, c.size) for i, c in enumerate(columns) if c.kind == "categorical"]
        around = ("prev_phone", "next_phone", "prev2_phone", "next2_phone")
        self._around = [spec.column("phone", name) for name in around]
        self.register_buffer("classes", torch.tensor(spec.phone_classes), persistent=False)
        self.size = len(self._plain) + sum(n for _, n in self._categories)
        self.size += len(self._around) * self.classes.shape[1]

    def forward(self, batch: Batch) -> Tensor:
        """(B, P, size)."""
        context = full_phone_context(batch)
        parts = [context[..., self._plain]]
        for i, size in self._categories:
            places = torch.arange(size, device=context.device)
            parts.append((context[..., i, None].long() == places).to(context.dtype))
        for i in self._around:
            parts.append(self.classes[context[..., i].long().clamp(0, len(self.classes) - 1)])
        return torch.cat(parts, dim=-1)
