"""What source-filter networks of pitch-dependent dilation share."""

from torch import Tensor

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.pitch_dilated import distances
from nnsvs_lite.models.layers.sine_source import SineSource
from nnsvs_lite.models.layers.source_distance import SourceDistance
from nnsvs_lite.models.vocoder.neural import Conditions, NeuralVocoder, VocoderOptions


class SourceFilter(NeuralVocoder):
    """Base of networks that make an excitation of a sine at F0, which is held to the recording's.

    Args:
        source_weight: of :class:`~nnsvs_lite.models.layers.source_distance.SourceDistance`, 0 for none.
    """

    def __init__(
        self,
        spec: Spec,
        source_weight: float,
        conditioned_on: Conditions | None,
        options: VocoderOptions | None,
    ):
        source = SineSource(spec.sample_rate, spec.frame_shift, harmonics=0)
        super().__init__(spec, conditioned_on, options, source)
        self.source_weight, self.lowest = source_weight, spec.feature_config.f0.floor
        self.source_distance = SourceDistance(spec.sample_rate, self.hop, self.lowest)

    def taps(self, batch: Batch, dense: float, rate: int) -> Tensor:
        """Distances of taps (B, 1, T * rate) at ``rate`` samples a frame; see :func:`distances`."""
        f0 = batch.streams["lf0"].exp().transpose(1, 2).repeat_interleave(rate, dim=-1)
        return distances(f0, rate / self.spec.frame_shift, dense, self.lowest)

    def furthest(self, dense: float, rate: int) -> float:
        """Frames that a tap may be away."""
        return 1 / self.spec.frame_shift / dense / self.lowest + 1 / rate

    def distance(self, wav: Tensor, real: Tensor, batch: Batch) -> dict[str, Tensor]:
        losses = super().distance(wav, real, batch)
        if not self.source_weight:
            return losses
        streams, lengths = batch.streams, self.samples(batch)
        source = streams["excitation"].squeeze(-1)
        far = self.source_distance(source, real, streams["lf0"], streams["vuv"], lengths)
        term = self.source_weight * far
        return losses | {"source": term, "loss": losses["loss"] + term}
