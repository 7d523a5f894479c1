"""Singing-Tacotron (Wang et al., 2022, arXiv:2202.07907): attention led by durations."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.attentive import AttentiveDecoder, DurationControl, guided_attention
from nnsvs_lite.models.layers.conditions import Conditions
from nnsvs_lite.models.layers.conv import MaskedBatchNorm, MaskedConv1d
from nnsvs_lite.models.layers.recurrent import BiLSTM
from nnsvs_lite.models.neural import Streams, StreamWeights
from nnsvs_lite.models.options import AcousticOptions, Depth, Positive, Rate, Size, Weight
from nnsvs_lite.models.refined import PostnetAcoustic


class TacotronEncoder(nn.Module):
    """Convolutions with batch normalisation, ReLU and dropout, then a bidirectional LSTM, all of ``dim``."""

    def __init__(self, dim: int, layers: int, kernel: int, dropout: float):
        super().__init__()
        self.convs = nn.ModuleList(MaskedConv1d(dim, dim, kernel, bias=False) for _ in range(layers))
        self.norms = nn.ModuleList(MaskedBatchNorm(dim) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.lstm = BiLSTM(dim, dim // 2)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, P, dim), ``mask`` (B, P) bool."""
        for conv, norm in zip(self.convs, self.norms):
            x = self.dropout(torch.relu(norm(conv(x, mask), mask)))
        return self.lstm(x, mask)


class TacotronSinging(PostnetAcoustic):
    """An autoregressive decoder that attends to phones.

    Durations are given here as to every system, so the decoder runs as many steps as there are
    frames to fill, needs no stop token, and its attention is drawn to the phone that is sung.

    The postnet reads steps on both sides, in training those that heard later targets; the loss
    before it is on steps that heard earlier ones only.

    Args:
        dim: of embeddings and encoder. conv_layers, conv_kernel, dropout: of its convolutions.
        hidden: of the decoder's two LSTM layers. prenet, prenet_dropout: of its prenet.
        attention: size in which queries and keys meet. reduction: frames a step.
        sigma, guided_weight: of :func:`guided_attention`, one more loss.
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

    def outputs(self, batch: Batch, phone: Tensor, base: Streams, true: Streams) -> Streams:
        mask, reduction = batch.frame_mask, self.decoder.reduction
        vectors = self.encoder(self.embedding(batch), batch.score.phone_mask) + self.conditions(batch)
        control = self.control(batch.score.duration / reduction, batch.score.phone_mask)
        memory = self.decoder.remember(vectors, batch.score.phone_mask, control)
        steps = -(-batch.max_frames // reduction)
        if true:
            target = torch.cat([true[name] for name in self.space.sizes], dim=-1) * mask[..., None]
            heard = self.decoder.heard(target, steps)
            frames, weights = self.decoder.follow(memory, heard, batch.seed)
        else:
            frames, weights = self.decoder.sing(memory, steps, batch.seed)
        out = self.refined(self.space.split(frames[:, : batch.max_frames]), base, mask)
        # An utterance's last step may begin in it and have its middle beyond: the last phone's.
        middle = torch.arange(steps, device=mask.device) * reduction + reduction // 2
        middle, last = middle.clamp(max=batch.max_frames - 1), batch.score.phone_lengths[:, None] - 1
        sung, known = phone[:, middle].minimum(last), batch.score.phone_mask
        guided = guided_attention(weights.float(), sung, known, mask[:, ::reduction], self.sigma)
        return {**out, "loss_guided": self.guided_weight * guided}
