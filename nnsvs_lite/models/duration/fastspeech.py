"""FastSpeech's duration predictor with the phone and syllable loss of XiaoiceSing."""

from torch import Tensor

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.context import ContextEncoder, hiding
from nnsvs_lite.models.layers.conv import VariancePredictor
from nnsvs_lite.models.layers.expand import full_phone_context
from nnsvs_lite.models.layers.mdn import masked_mean
from nnsvs_lite.models.layers.transformer import Transformer
from nnsvs_lite.models.options import Depth, Rate, Size, Weight
from nnsvs_lite.models.timing import NeuralDuration, Prediction, ValueHead

UNIT = 0.02
"""Seconds in which errors count."""


class FastSpeechDuration(NeuralDuration):
    """Transformer blocks and convolutions over embedded phones; L1 of phones and of syllables.

    A syllable is the phones of one note and of the notes that carry its vowel on: it may be
    right where its phones are not, since a singer keeps to the beat and not to a consonant's
    length. Both errors count in units of 20 ms.

    Args:
        hidden: channels. layers: convolutions. kernel: phones each sees. dropout: probability.
        encoder_layers: transformer blocks before them, of 2 heads and ``4 * hidden`` filters.
        phone_weight, syllable_weight: of the two errors.
        residual_to_rule: whether durations are predicted from the rule's, and not from the mean.
        context_dropout: as in :class:`~nnsvs_lite.models.layers.context.ContextEncoder`.
    """

    unit = 0.1

    def __init__(
        self,
        spec: Spec,
        hidden: Size = 384,
        layers: Size = 2,
        kernel: Size = 3,
        dropout: Rate = 0.1,
        phone_weight: Weight = 1.0,
        syllable_weight: Weight = 1.0,
        encoder_layers: Depth = 0,
        residual_to_rule: bool = False,
        context_dropout: Rate = 0.0,
    ):
        super().__init__(spec, residual_to_rule)
        self.phone_weight, self.syllable_weight = phone_weight, syllable_weight
        self.encoder = ContextEncoder(
            spec, ("phone", "note"), hidden, context_dropout=hiding(context_dropout, spec)
        )
        self.transformer = None
        if encoder_layers:
            self.transformer = Transformer(hidden, encoder_layers, 2, 4 * hidden, dropout=dropout)
        self.stack = VariancePredictor(hidden, hidden, layers, kernel, dropout)
        self.head = ValueHead(hidden)
        self._slur = spec.column("note", "slur")

    def predict(self, batch: Batch) -> Prediction:
        phones = self.encoder(full_phone_context(batch))
        if self.transformer is not None:
            phones = self.transformer(phones, batch.score.phone_mask)
        return self.head(self.stack(phones, batch.score.phone_mask))

    def _syllable_sums(self, values: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B, P) values of phones, added up over each syllable: (B, N), 0 where there is none; how many."""
        begins = (batch.score.note_context[..., self._slur] < 0.5) & batch.score.note_mask
        syllable = (begins.cumsum(1) - 1).clamp(min=0).gather(1, batch.score.note_index)
        sums = values.new_zeros(begins.shape)
        return sums.scatter_add(1, syllable, values * batch.score.phone_mask), begins.sum()

    def error(self, predicted: Prediction, batch: Batch) -> Tensor:
        off = (self.decode(batch, predicted[0])[0] - batch.score.duration) * (self.spec.frame_shift / UNIT)
        phones = masked_mean(off.abs(), batch.score.phone_mask)
        sums, count = self._syllable_sums(off, batch)
        syllables = sums.abs().sum() / count.clamp(min=1)
        return self.phone_weight * phones + self.syllable_weight * syllables
