"""What all neural acoustic models share: options, output space, loss, end of inference."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from nnsvs_lite.models.base import AcousticModel
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.losses import StreamLoss
from nnsvs_lite.models.layers.outputs import OutputSpace, Pitch
from nnsvs_lite.models.options import AcousticOptions
from nnsvs_lite.models.spec import Spec


class NeuralAcoustic(AcousticModel):
    """A network from score and durations to streams.

    A system gives :meth:`predict`, and :meth:`extra_loss` where its loss has more terms. Its
    inner vectors take up ``Conditions(spec, self.options, dim)``, which it makes itself,
    since it alone knows their size and place.

    Args:
        spec: of the dump.
        options: see :class:`AcousticOptions`; a mapping, as in YAML, does too.
        pitch: see :class:`OutputSpace`.
        weights: of streams in the loss, 1 where not given.

    Attributes:
        drawn: streams that are made from noise: an untrained model gives noise for them.
    """

    drawn: tuple[str, ...] = ()

    def __init__(
        self,
        spec: Spec,
        options: AcousticOptions | dict[str, Any] | None = None,
        pitch: Pitch = "bounded",
        weights: dict[str, float] | None = None,
    ):
        super().__init__(spec)
        self.options = AcousticOptions.of(options)
        self.space = OutputSpace(spec, self.options.floor, pitch)
        self.stream_loss = StreamLoss(spec, weights)

    @abstractmethod
    def predict(self, batch: Batch, teacher: bool) -> dict[str, Tensor]:
        """The spec's streams in physical units, with ``vuv_logit`` for ``vuv``: (B, T, D).

        Args:
            teacher: whether ``batch.streams`` may be read (teacher forcing).
        """

    def extra_loss(self, predicted: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """More terms of the loss by name, already weighted; what :meth:`predict` left is there."""
        return {}

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        predicted = self.predict(batch, teacher=True)
        losses = self.stream_loss(predicted, batch)
        for name, value in self.extra_loss(predicted, batch).items():
            losses["loss"] = losses["loss"] + value
            losses[name] = value.detach()
        return losses

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        out = self.predict(batch, teacher=False)
        out["vuv"] = torch.sigmoid(out["vuv_logit"])
        return {name: out[name] for name in self.spec.streams}
