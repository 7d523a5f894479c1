"""Score context as plain numbers, without weights: NNSVS' form of input, and what trees may ask."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.context import CLIP, context_moments, hide, hiding
from nnsvs_lite.models.layers.expand import POSITIONS, frame_positions, full_phone_context, gather_rows


def one_hot(ids: Tensor, size: int) -> Tensor:
    """(...) long to (..., size) float; torch's own is not there for every device, comparing is."""
    return (ids[..., None] == torch.arange(size, device=ids.device)).float()


class LinguisticFeatures(nn.Module):
    """The phone one-hot, the context's numbers and flags, and the place in phone and note.

    NNSVS feeds 82 such numbers, and 4 of position, min-max normalised; these are those of the dump,
    standardised, with 8 of position. The score's pitch is among them. ``context_dropout``: as in
    :class:`~nnsvs_lite.models.options.AcousticOptions`.
    """

    def __init__(self, spec: Spec, context_dropout: float = 0.0):
        super().__init__()
        columns = spec.columns("phone") + spec.columns("note")
        mean, std, low, high = context_moments(spec, ("phone", "note"))
        # A column that never varied in training says nothing.
        self._numbers = [i for i, c in enumerate(columns) if c.kind == "numeric" and low[i] < high[i]]
        self._flags = [i for i, c in enumerate(columns) if c.kind == "flag"]
        self._phone, self._phones = spec.column("phone", "phone"), len(spec.phones) + 1
        self._shift = spec.frame_shift
        self._context_dropout = hiding(context_dropout, spec)
        self.register_buffer("center", torch.tensor([mean[i] for i in self._numbers]), persistent=False)
        self.register_buffer("scale", torch.tensor([1 / std[i] for i in self._numbers]), persistent=False)
        self.phone_size = self._phones + len(self._numbers) + len(self._flags)
        self.size = self.phone_size + POSITIONS
        self.names = [*spec.phones, *(columns[i].name for i in self._numbers + self._flags)]

    def adopt(self, other: LinguisticFeatures) -> None:
        """Raises ValueError where another's numbers are others: layers above know them by their place."""
        if self.names != other.names:
            differ = sorted(set(self.names) ^ set(other.names))
            raise ValueError(
                f"its context has, or lacks, {', '.join(differ[:3])}, which this one lacks, or has"
            )

    def phones(self, batch: Batch) -> Tensor:
        """(B, P, phone_size)."""
        context = full_phone_context(batch)
        numbers = ((context[..., self._numbers] - self.center) * self.scale).clamp(-CLIP, CLIP)
        if self.training:
            numbers = hide(numbers, self._context_dropout)
        ids = context[..., self._phone].long().clamp(0, self._phones - 1)
        return torch.cat([one_hot(ids, self._phones), numbers, context[..., self._flags]], dim=-1)

    def forward(self, batch: Batch, phone: Tensor) -> Tensor:
        """(B, T, size); ``phone`` (B, T) from ``phone_of_frame``."""
        rows = gather_rows(self.phones(batch), phone)
        return torch.cat([rows, frame_positions(batch, phone, self._shift)], dim=-1)


class Questions(nn.Module):
    """What a decision tree may ask of a phone in its score, as in HTS' question files.

    Every number and flag of the context as it is, every category as one-hot, and the phonetic classes
    of the phones around.
    """

    def __init__(self, spec: Spec):
        super().__init__()
        columns = spec.columns("phone") + spec.columns("note")
        self._plain = [i for i, c in enumerate(columns) if c.kind != "categorical"]
        self._categories = [(i, c.size) for i, c in enumerate(columns) if c.kind == "categorical"]
        around = ("prev_phone", "next_phone", "prev2_phone", "next2_phone")
        self._around = [spec.column("phone", name) for name in around]
        self.register_buffer("classes", torch.tensor(spec.phone_classes), persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        """(B, P, questions)."""
        context = full_phone_context(batch)
        parts = [one_hot(context[..., i].long(), size) for i, size in self._categories]
        around = context[..., self._around].long().clamp(0, len(self.classes) - 1)
        return torch.cat([context[..., self._plain], *parts, self.classes[around].flatten(-2)], dim=-1)
