"""Durations by rule: consonants of mean length, the nucleus fills the note."""

from torch import Tensor

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.base import DurationModel
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.mdn import masked_mean
from nnsvs_lite.models.layers.timing_floor import TimingFloor


class RuleDuration(DurationModel):
    """Mean lengths of consonants; only sustained phones give way to fill the note."""

    trains = False

    def __init__(self, spec: Spec):
        super().__init__(spec)
        self.floor = TimingFloor(spec)

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        _, mean, _ = self.floor(batch)
        # A note without a sustained phone (a lone consonant) scales by its variances.
        variance = self.floor.sustains[self.floor.phone_ids(batch)].to(mean.dtype) + 1e-6
        return {"mean": mean, "variance": variance}

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Mean absolute error in frames before the notes are filled."""
        error = (self.floor(batch)[1] - batch.score.duration).abs()
        return {"loss": masked_mean(error, batch.score.phone_mask), "weight": batch.score.phone_lengths.sum()}
