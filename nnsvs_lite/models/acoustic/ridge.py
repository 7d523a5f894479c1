"""Ridge regression from the score's context to the streams, frame by frame: no gradients, one pass."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch, Example, collate
from nnsvs_lite.models.layers.context_ridge import ContextRidge
from nnsvs_lite.models.layers.expand import gather_rows, phone_of_frame
from nnsvs_lite.models.layers.linguistic import LinguisticFeatures, one_hot
from nnsvs_lite.models.neural import NeuralAcoustic, Streams
from nnsvs_lite.models.options import AcousticOptions, Size

ALIKE = 0.1
"""Seconds over which frames tell the same."""
FARTHEST = 4.0
"""Units from the base beyond which a number counts as if it were that far."""


class RidgeAcoustic(NeuralAcoustic):
    """How far spectra and F0 are from the base, by a line through the context of each frame.

    Of each phone the line bends along it: cosines of the place in it. Voicing is the base's. ``fits``, with
    :class:`ContextRidge`'s prior: with nothing to learn from it sings the base.

    Args: bends: cosines of each phone. options: see :class:`NeuralAcoustic`.
    """

    trains = False
    fits = True

    def __init__(self, spec: Spec, bends: Size = 3, options: AcousticOptions | None = None):
        super().__init__(spec, options or AcousticOptions(residual_to_rule=True))
        self.features, self.bends = LinguisticFeatures(spec), bends
        self._phone, self._phones = spec.column("phone", "phone"), len(spec.phones) + 1
        self._spectra = {n: size for n, size in spec.streams.items() if n not in ("lf0", "vuv")}
        size, alike = self.features.size + bends * self._phones, ALIKE / spec.frame_shift
        self.spectrum = ContextRidge(1, size, (sum(self._spectra.values()),), alike)
        self.melody = ContextRidge(1, size, (1,), alike)

    def _rows(self, batch: Batch, phone: Tensor) -> Tensor:
        """(B, T, 1 + size)."""
        told = self.features(batch, phone)
        length = batch.score.duration.float()
        starts = (length.cumsum(1) - length).gather(1, phone)
        place = torch.arange(batch.max_frames, device=phone.device) + 0.5 - starts
        place = (place / length.gather(1, phone).clamp(min=1)).clamp(0, 1) * torch.pi
        ids = gather_rows(batch.score.phone_context, phone)[..., self._phone].long()
        own = one_hot(ids.clamp(0, self._phones - 1), self._phones)
        bent = [own * torch.cos(k * place)[..., None] for k in range(1, self.bends + 1)]
        return torch.cat([torch.ones_like(told[..., :1]), told, *bent], dim=-1)

    def fit(self, examples: Sequence[Example]) -> None:
        super().fit(examples)
        self.spectrum.fit(self._learnt(examples, tuple(self._spectra)))
        self.melody.fit(self._learnt(examples, ("lf0",)))

    def _learnt(self, examples: Sequence[Example], names: tuple[str, ...]) -> Iterator[tuple[Tensor, Tensor]]:
        """Rows of frames, for F0 of voiced ones, and their numbers."""
        for example in examples:
            batch = collate([example], self.spec.frame_shift)
            phone = phone_of_frame(batch)
            true = self.space.encode(batch.streams, self.space.base(batch, phone))
            numbers = torch.cat([true[name] for name in names], dim=-1).clamp(-FARTHEST, FARTHEST)
            kept = batch.streams["vuv"][0, :, 0] > (0.5 if names == ("lf0",) else -1)
            yield self._rows(batch, phone)[0, kept], numbers[0, kept]

    def outputs(self, batch: Batch, phone: Tensor, base: Streams, true: Streams) -> Streams:
        rows = self._rows(batch, phone)
        numbers = dict(zip(self._spectra, self.spectrum(rows).split(list(self._spectra.values()), dim=-1)))
        lf0 = self.melody(rows)
        return self.space.decode({"lf0": lf0, "vuv": torch.zeros_like(lf0), **numbers}, base)
