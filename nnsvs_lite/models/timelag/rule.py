"""Time lags by rule: every nucleus on its beat."""

from torch import Tensor

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.base import TimeLagModel
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.mdn import masked_mean
from nnsvs_lite.models.layers.timing_floor import TimingFloor


class RuleTimeLag(TimeLagModel):
    """A note starts early by the mean length of the consonants before its nucleus."""

    trains = False

    def __init__(self, spec: Spec):
        super().__init__(spec)
        self.floor = TimingFloor(spec)

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        return {"time_lag": self.floor(batch)[0]}

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Mean absolute error in frames."""
        error = (self.infer(batch)["time_lag"] - batch.score.time_lag).abs()
        return {"loss": masked_mean(error, batch.score.note_mask), "weight": batch.score.note_lengths.sum()}
