"""What acoustic models share that go from frame vectors to streams in one step."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch import Tensor

from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.models.layers.losses import StreamLoss
from nnsvs_lite.models.layers.outputs import Pitch
from nnsvs_lite.models.layers.refine import PostnetHeads
from nnsvs_lite.models.neural import NeuralAcoustic
from nnsvs_lite.models.options import AcousticOptions
from nnsvs_lite.models.spec import Spec


class RefinedAcoustic(NeuralAcoustic):
    """Linear heads on frame vectors, and a postnet; spectra are learnt before and after it.

    A system gives :meth:`frames`.

    Args:
        spec, options, pitch, weights: see :class:`NeuralAcoustic`.
        dim: of the frame vectors.
        postnet_layers: 0 for none. postnet_channels: of its convolutions.
    """

    def __init__(
        self,
        spec: Spec,
        options: AcousticOptions | dict[str, Any] | None,
        pitch: Pitch,
        dim: int,
        postnet_layers: int = 0,
        postnet_channels: int = 512,
        weights: dict[str, float] | None = None,
    ):
        super().__init__(spec, options, pitch, weights)
        self.heads = PostnetHeads(dict(spec.streams), dim, postnet_layers, postnet_channels)
        # Pitch and voicing do not pass the postnet: they count once.
        self.before_loss = StreamLoss(spec, {**(weights or {}), "lf0": 0.0, "vuv": 0.0})

    @abstractmethod
    def frames(self, batch: Batch, phone: Tensor) -> Tensor:
        """(B, T, dim); ``phone`` (B, T) from ``phone_of_frame``."""

    def predict(self, batch: Batch, teacher: bool) -> dict[str, Tensor]:
        phone = phone_of_frame(batch)
        base = self.space.base(batch, phone)
        before, after = self.heads(self.frames(batch, phone), batch.frame_mask)
        out = self.space.decode(after, base)
        if self.heads.postnet is not None:
            spectra = {name: before[name] for name in self.heads.spectra}
            out.update({f"before_{n}": v for n, v in self.space.decode(spectra, base).items()})
        return out

    def extra_loss(self, predicted: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        if self.heads.postnet is None:
            return {}
        before = {name: predicted[f"before_{name}"] for name in self.heads.spectra}
        return {"before": self.before_loss({**predicted, **before}, batch)["loss"]}
