"""A network for one stream: NNSVS' parts, put together as a configuration says."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from nnsvs_lite.models.layers.autoregressive import ArDecoder
from nnsvs_lite.models.layers.ffconvlstm import FFConvLSTM
from nnsvs_lite.models.layers.outputs import zeroed
from nnsvs_lite.models.layers.postnet import Postnet


@dataclass(frozen=True)
class DecoderSize:
    """Of an :class:`ArDecoder`.

    Attributes:
        hidden: of LSTM layers. layers: stacked. reduction: frames a step.
        dropout: of the frame that is heard.
    """

    hidden: int = 256
    layers: int = 1
    reduction: int = 2
    dropout: float = 0.5


@dataclass(frozen=True)
class PostnetSize:
    """Of a :class:`Postnet`."""

    layers: int = 5
    channels: int = 512
    kernel: int = 5
    dropout: float = 0.0


@dataclass(frozen=True)
class StreamSize:
    """How one stream is predicted.

    Attributes:
        embed: size of a linear layer before all, or 0 for none.
        ff, conv, lstm, lstm_layers, dropout: of an :class:`FFConvLSTM`; ``ff`` 0 for none.
        decoder: autoregressive, in place of a linear layer.
        postnet: after it.
        conditioned_on: streams before this one, besides F0, that enter its network.
    """

    embed: int = 0
    ff: int = 256
    conv: int = 128
    lstm: int = 64
    lstm_layers: int = 2
    dropout: float = 0.0
    decoder: DecoderSize | None = None
    postnet: PostnetSize | None = None
    conditioned_on: list[str] = field(default_factory=list)


class StreamNet(nn.Module):
    """Frame vectors to the numbers of one stream.

    Args:
        inputs: size of a frame vector. size: of the stream.
        sizes: see :class:`StreamSize`.
        late: numbers that also enter after the feed-forward part, and the decoder.
    """

    def __init__(self, inputs: int, size: int, sizes: StreamSize, late: int = 0):
        super().__init__()
        self.body = None
        if sizes.ff:
            shape = (sizes.ff, sizes.conv, sizes.lstm, sizes.lstm_layers, sizes.dropout)
            self.body = FFConvLSTM(inputs, *shape, embed=sizes.embed, late=late)
            inputs = self.body.size
        self.decoder = None
        if sizes.decoder:
            self.decoder = ArDecoder(inputs + late, size, **vars(sizes.decoder))
        else:
            self.head = zeroed(nn.Linear(inputs, size))
        self.postnet = Postnet(size, **vars(sizes.postnet)) if sizes.postnet else None

    def forward(
        self, x: Tensor, mask: Tensor, target: Tensor | None, seed: int, late: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Numbers before and after the postnet, (B, T, size) each.

        Args:
            x: (B, T, inputs). mask: (B, T). late: (B, T, late).
            target: true numbers (B, T, size) for teacher forcing, or None. seed: of dropout.
        """
        if self.body is not None:
            x = self.body(x, mask, late)
        if self.decoder is None:
            out = self.head(x)
        else:
            x = x if late is None else torch.cat([x, late], dim=-1)
            out = self.decoder(x, mask, target, seed)
        return out, out if self.postnet is None else self.postnet(out, mask)


def order_error(names: Sequence[str], sizes: dict[str, StreamSize]) -> str | None:
    """What is wrong with the streams of a configuration, or None.

    Args:
        names: of the dump's streams. sizes: in the order in which they are predicted.
    """
    if set(sizes) != set(names):
        return f"streams {', '.join(sizes)} are configured, the dump has {', '.join(names)}"
    if next(iter(sizes)) != "lf0":
        return "lf0 must be the first stream: the others are conditioned on F0"
    known: list[str] = []
    for name, size in sizes.items():
        late = [h for h in size.conditioned_on if h not in known]
        if late:
            return f"stream {name} is conditioned on {', '.join(late)}, which must stand before it"
        known.append(name)
    return None
