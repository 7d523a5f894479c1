"""The GV post-filter: predicted spectra move less than sung ones, which is heard as dullness."""

import torch
from torch import Tensor, nn

from nnsvs_lite.features.mel import mel_edges
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.expand import note_column, phone_of_frame

SKIP = 2
"""Mel-cepstra that are left as they are: loudness and tilt."""
SKIP_HZ = 1200.0
"""Mel bands centred below are left as they are (NNSVS)."""
MAX_GAIN = 10.0
"""Largest factor: a coefficient that hardly moves is not blown up."""


class VarianceScaling(nn.Module):
    """Silén et al. 2012, as in NNSVS: over the notes of each utterance, every coefficient is
    stretched about its mean until it has the variance of the training set's utterances.

    A ``strength`` of 0 leaves all as it is, 1 is the whole way; between them the gain's logarithm is scaled.

    Raises DataError where ``strength`` asks for a statistic that is not there.
    """

    def __init__(self, spec: Spec, strength: float):
        super().__init__()
        self.strength = strength
        self._rest = spec.column("note", "is_rest")
        self.first = {name: first_scaled(name, spec) for name in ("mgc", "mel") if name in spec.streams}
        for name in self.first if strength else ():
            if name not in spec.stats.gv:
                reason = "the GV post-filter needs the variance of utterances"
                raise DataError(f"{reason}; remove stats.json, run stage 2 and train again", "stats.json")
            self.register_buffer(f"gv_{name}", torch.tensor(spec.stats.gv[name]), persistent=False)

    def forward(self, streams: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """The streams (B, T, D), with ``mgc`` and ``mel`` scaled."""
        if not self.strength:
            return streams
        rest = note_column(batch, self._rest, phone_of_frame(batch)) > 0.5
        sung = ~rest & batch.frame_mask[..., None]
        return streams | {name: self._scale(name, streams[name], sung) for name in self.first}

    def _scale(self, name: str, x: Tensor, sung: Tensor) -> Tensor:
        count = sung.sum(1, keepdim=True).clamp(min=1)
        mean = (x * sung).sum(1, keepdim=True) / count
        variance = ((x - mean).square() * sung).sum(1, keepdim=True) / count
        gain = (getattr(self, f"gv_{name}") / variance.clamp(min=1e-10)).sqrt().clamp(max=MAX_GAIN)
        scaled = torch.arange(x.shape[-1], device=x.device) >= self.first[name]
        return torch.where(sung & scaled, mean + gain**self.strength * (x - mean), x)


def first_scaled(name: str, spec: Spec) -> int:
    """The first coefficient of a stream that is scaled."""
    if name == "mgc":
        return SKIP
    config = spec.feature_config.mel
    edges = mel_edges(config.bins, config.fmin, config.fmax, config.scale)
    return int((edges[1:-1] < SKIP_HZ).sum())
