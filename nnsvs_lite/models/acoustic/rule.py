"""The floor: score pitch as steps, the mean spectrum of each phone."""

from torch import Tensor

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.base import AcousticModel
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.acoustic_floor import AcousticFloor
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.models.layers.losses import StreamLoss


class RuleAcoustic(AcousticModel):
    """Every frame of a phone has the training set's mean for that phone."""

    trains = False

    def __init__(self, spec: Spec):
        super().__init__(spec)
        self.floor = AcousticFloor(spec)
        self.stream_loss = StreamLoss(spec)

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        return self.floor(batch, phone_of_frame(batch))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The losses of the trained models, of what is predicted without training by gradients."""
        predicted = self.infer(batch)
        predicted["vuv_logit"] = predicted["vuv"].logit()
        return self.stream_loss(predicted, batch)
