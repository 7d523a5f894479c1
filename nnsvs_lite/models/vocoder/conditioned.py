"""Vocoders that may be told of spectra in several forms: which streams they read, as numbers."""

from collections.abc import Sequence

import torch
from torch import Tensor

from nnsvs_lite.features.spec import LATENT, Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.base import VocoderModel

SPECTRA = {
    "mel": ("mel",),
    "mel_f0": ("lf0", "vuv", "mel"),
    "world": ("lf0", "vuv", "mgc", "bap"),
    LATENT: (LATENT,),
}
"""Streams that enter a network as numbers, by the name of the choice; the last one where it is the end of a
larger network."""


class Conditioned(VocoderModel):
    """Base of those whose ``inputs`` and ``controls`` are chosen.

    Args:
        conditioned_on: a name of ``SPECTRA``. driving: streams that are read beside those.
        least: of the deviations by which numbers are divided.

    Attributes:
        size: numbers a frame.
    """

    def __init__(self, spec: Spec, conditioned_on: str, driving: Sequence[str] = (), least: float = 0.0):
        super().__init__(spec)
        self.conditioned_on = SPECTRA[conditioned_on]
        self.inputs = tuple(dict.fromkeys((*driving, *self.conditioned_on)))
        if missing := [name for name in self.inputs if name not in spec.streams]:
            raise DataError(f"the vocoder needs {', '.join(missing)}, which these features lack")
        pitch = ("pitch",) if "lf0" in self.inputs else ()
        self.controls = (*pitch, *(("breathiness", "gender") if "mgc" in self.inputs else ()))
        self.size = sum(spec.streams[name] for name in self.conditioned_on)
        # What learns nothing needs no statistics.
        moments = [spec.stats.streams[name] for name in self.conditioned_on] if spec.stats else []
        self.register_buffer("mean", torch.tensor([v for m in moments for v in m.mean]), persistent=False)
        std = torch.tensor([v for m in moments for v in m.std]).clamp(min=least)
        self.register_buffer("std", std, persistent=False)

    def numbers(self, streams: dict[str, Tensor]) -> Tensor:
        """(B, T, size): the streams side by side, normalised."""
        return (torch.cat([streams[name] for name in self.conditioned_on], -1) - self.mean) / self.std
