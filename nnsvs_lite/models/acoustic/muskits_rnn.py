"""Muskits' recurrent model (Shi et al., 2022, arXiv:2205.04029)."""

from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conditions import Conditions
from nnsvs_lite.models.layers.recurrent import BiLSTM
from nnsvs_lite.models.layers.score_embedding import ToFrames
from nnsvs_lite.models.options import AcousticOptions, Depth, Rate, Size
from nnsvs_lite.models.refined import RefinedAcoustic


class MuskitsRnn(RefinedAcoustic):
    """Two recurrent encoders, of phones and of notes frame by frame, summed; a recurrent decoder.

    Args:
        dim: of the embeddings. hidden: of each direction of an LSTM.
        encoder_layers, decoder_layers: LSTM layers. dropout: between them.
        Others: see :class:`~nnsvs_lite.models.refined.PostnetAcoustic`.
    """

    def __init__(
        self,
        spec: Spec,
        dim: Size = 512,
        hidden: Size = 512,
        encoder_layers: Size = 3,
        decoder_layers: Size = 5,
        dropout: Rate = 0.1,
        places: bool = False,
        postnet_layers: Depth = 5,
        postnet_channels: Size = 512,
        options: AcousticOptions | None = None,
    ):
        sizes = {"phone": dim, "pitch": dim}
        super().__init__(spec, options, sizes, postnet_layers, postnet_channels, dim=2 * hidden)
        self.to_frames = ToFrames(spec, dim, places)
        self.phones = BiLSTM(dim, hidden, encoder_layers, dropout)
        self.notes = BiLSTM(dim, hidden, encoder_layers, dropout)
        self.mix = nn.Linear(2 * hidden, 2 * hidden)
        self.conditions = Conditions(spec, self.options, 2 * hidden)
        self.decoder = BiLSTM(2 * hidden, hidden, decoder_layers, dropout)

    def frames(self, batch: Batch, phone: Tensor) -> Tensor:
        mask, parts = batch.frame_mask, self.embedding.parts(batch)
        phones, notes = (self.to_frames(parts[name], batch, phone) for name in ("phone", "pitch"))
        x = self.mix(self.phones(phones, mask) + self.notes(notes, mask))
        return self.decoder(x + self.conditions(batch), mask)
