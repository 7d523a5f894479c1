"""Singing-Tacotron (Wang et al., 2022, arXiv:2202.07907): attention led by durations."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.attending import AttendingAcoustic
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.attentive import AttentiveDecoder, DurationControl
from nnsvs_lite.models.layers.conditions import Conditions
from nnsvs_lite.models.layers.conv import MaskedBatchNorm, MaskedConv1d
from nnsvs_lite.models.layers.hearing import Memory
from nnsvs_lite.models.layers.recurrent import BiLSTM
from nnsvs_lite.models.neural import StreamWeights
from nnsvs_lite.models.options import AcousticOptions, Depth, Positive, Rate, Size, Weight


class ConvPrenet(nn.Module):
    """Convolutions with batch normalisation, ReLU and dropout, all of ``dim``."""

    def __init__(self, dim: int, layers: int, kernel: int, dropout: float):
        super().__init__()
        self.convs = nn.ModuleList(MaskedConv1d(dim, dim, kernel, bias=False) for _ in range(layers))
        self.norms = nn.ModuleList(MaskedBatchNorm(dim) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, P, dim), ``mask`` (B, P) bool."""
        for conv, norm in zip(self.convs, self.norms):
            x = self.dropout(torch.relu(norm(conv(x, mask), mask)))
        return x


class TacotronEncoder(ConvPrenet):
    """The same, then a bidirectional LSTM."""

    def __init__(self, dim: int, layers: int, kernel: int, dropout: float):
        if dim % 2:
            raise DataError(f"{dim} must be even: half of it each way", "dim")
        super().__init__(dim, layers, kernel, dropout)
        self.lstm = BiLSTM(dim, dim // 2)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.lstm(super().forward(x, mask), mask)


class TacotronSinging(AttendingAcoustic):
    """An autoregressive decoder whose attention to phones is led by their durations; no stop token.

    Args:
        dim: of embeddings and encoder. conv_layers, conv_kernel, dropout: of its convolutions.
        hidden: of the decoder's two LSTM layers. prenet, prenet_dropout: of its prenet.
        attention: size in which queries and keys meet. reduction: frames a step.
        sigma, guided_weight: see :class:`~nnsvs_lite.models.attending.AttendingAcoustic`.
        Others: see :class:`~nnsvs_lite.models.refined.PostnetAcoustic`.
    """

    def __init__(
        self,
        spec: Spec,
        inputs: Sequence[str] = ("phone", "pitch", "length"),
        dim: Size = 512,
        conv_layers: Size = 3,
        conv_kernel: Size = 5,
        dropout: Rate = 0.5,
        hidden: Size = 1024,
        prenet: Size = 256,
        prenet_dropout: Rate = 0.5,
        attention: Size = 512,
        reduction: Size = 2,
        sigma: Positive = 0.4,
        guided_weight: Weight = 1.0,
        weights: StreamWeights | None = None,
        postnet_layers: Depth = 5,
        postnet_channels: Size = 512,
        options: AcousticOptions | None = None,
    ):
        sizes = dict.fromkeys(inputs, dim)
        super().__init__(spec, options, sizes, postnet_layers, postnet_channels, weights)
        self.sigma, self.guided_weight = sigma, guided_weight
        self.encoder = TacotronEncoder(dim, conv_layers, conv_kernel, dropout)
        self.conditions = Conditions(spec, self.options, dim)
        self.control = DurationControl()
        self.decoder = AttentiveDecoder(
            dim, self.space.size, hidden, prenet, prenet_dropout, attention, reduction
        )

    def memory(self, batch: Batch) -> Memory:
        mask = batch.score.phone_mask
        vectors = self.encoder(self.embedding(batch), mask) + self.conditions(batch)
        return self.decoder.remember(
            vectors, mask, self.control(batch.score.duration / self.decoder.reduction, mask)
        )
