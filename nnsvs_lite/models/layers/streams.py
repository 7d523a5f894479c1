"""A network for one stream: NNSVS' parts, put together as a configuration says."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.layers.ffconvlstm import FFConvLSTM
from nnsvs_lite.models.layers.noise import SeededDropout
from nnsvs_lite.models.layers.outputs import zeroed
from nnsvs_lite.models.layers.postnet import Postnet
from nnsvs_lite.models.layers.recurrent import over_steps
from nnsvs_lite.models.options import Depth, Rate, Size


@dataclass(frozen=True)
class DecoderSize:
    """Of an :class:`ArDecoder`.

    Attributes:
        hidden: of LSTM layers. layers: stacked. reduction: frames a step.
        dropout: of the frame that is heard.
    """

    hidden: Size = 256
    layers: Size = 1
    reduction: Size = 2
    dropout: Rate = 0.5


@dataclass(frozen=True)
class PostnetSize:
    """Of a :class:`Postnet`."""

    layers: Size = 5
    channels: Size = 512
    kernel: Size = 5
    dropout: Rate = 0.0


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

    embed: Depth = 0
    ff: Depth = 256
    conv: Size = 128
    lstm: Size = 64
    lstm_layers: Size = 2
    dropout: Rate = 0.0
    decoder: DecoderSize | None = None
    postnet: PostnetSize | None = None
    conditioned_on: list[str] = field(default_factory=list)


class ArDecoder(nn.Module):
    """Duration-informed Tacotron's decoder (Okamoto et al., 2019) as NNSVS' ladder has it.

    It needs no attention: durations are known. A strided convolution makes one vector of ``reduction``
    frames. A step takes the vector and the last frame of the step before, half of whose numbers are
    dropped, in singing too (a prenet's part, so that it cannot lean on the frame alone); LSTM layers; a
    linear layer without bias on their output and the vector gives the step's frames.

    Under teacher forcing one LSTM runs over all steps at once. What a step gives depends on target frames
    before its first alone. ``inputs`` is the size of an encoder frame, ``size`` that of an output frame.
    """

    def __init__(self, inputs: int, size: int, sizes: DecoderSize):
        super().__init__()
        self.size, self.hidden, self.reduction = size, sizes.hidden, sizes.reduction
        self.dropout = sizes.dropout
        self.down = nn.Conv1d(inputs, inputs, self.reduction, stride=self.reduction, groups=inputs)
        self.lstm = nn.LSTM(inputs + size, self.hidden, sizes.layers, batch_first=True)
        self.out = nn.Linear(self.hidden + inputs, size * self.reduction, bias=False)
        # An untrained model gives 0, the base of its output space.
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor, mask: Tensor, target: Tensor | None, seed: int) -> Tensor:
        """``x`` (B, T, inputs), ``mask`` (B, T), ``target`` (B, T, size) or None: (B, T, size)."""
        vectors = self.vectors(x, mask)
        if target is None:
            out = self.sing(vectors, seed)
        else:
            out = self.follow(vectors, self.heard(target, vectors.shape[1]), seed)
        return out.reshape(len(x), -1, self.size)[:, : x.shape[1]]

    def vectors(self, x: Tensor, mask: Tensor) -> Tensor:
        """One vector a step: (B, K, inputs)."""
        x = (x * mask[..., None]).transpose(1, 2)
        return self.down(F.pad(x, (0, -x.shape[2] % self.reduction))).transpose(1, 2)

    def heard(self, target: Tensor, steps: int) -> Tensor:
        """The last target frame before each step, zeros before the first: (B, K, size)."""
        last = target[:, self.reduction - 1 :: self.reduction][:, : steps - 1]
        return F.pad(last, (0, 0, 1, 0))

    def masks(self, steps: int, like: Tensor, seed: int) -> Tensor:
        """(K, size): what of each heard frame is kept in singing, scaled; the same for all."""
        drop = SeededDropout(self.dropout, seed)
        whole = like.new_ones(1, self.size)
        return torch.cat([drop(whole) for _ in range(steps)])

    def follow(self, vectors: Tensor, heard: Tensor, seed: int) -> Tensor:
        """All steps at once on given frames: (B, K, reduction * size)."""
        if self.training:
            heard = F.dropout(heard, self.dropout)
        else:
            heard = heard * self.masks(vectors.shape[1], vectors, seed)
        states = over_steps(self.lstm, torch.cat([vectors, heard], dim=-1))
        return self.out(torch.cat([states, vectors], dim=-1))

    def sing(self, vectors: Tensor, seed: int, heard: Tensor | None = None) -> Tensor:
        """Step by step on its own frames, or on given ones: (B, K, reduction * size).

        All that does not depend on the step before is computed for all steps beforehand.
        """

        def ordered(gates: Tensor) -> Tensor:  # From i, f, g, o to i, f, o, g.
            return gates.unflatten(0, (4, -1))[[0, 1, 3, 2]].flatten(0, 1)

        batch, steps, inputs = vectors.shape
        layers = self.lstm.all_weights
        weights = [ordered(torch.cat(layer[:2], dim=1)) for layer in layers]
        biases = [ordered(layer[2] + layer[3]) for layer in layers]
        ahead = F.linear(vectors, weights[0][:, :inputs], biases[0]).unbind(1)
        weights[0] = weights[0][:, inputs:]
        turned = [w.t() for w in weights]
        ahead_out = F.linear(vectors, self.out.weight[:, self.hidden :]).unbind(1)
        out_weight = self.out.weight[:, : self.hidden].t()
        masks = self.masks(steps, vectors, seed).unbind(0)
        h = [vectors.new_zeros(batch, self.hidden) for _ in weights]
        c = list(h)
        last, out = vectors.new_zeros(batch, self.size), []
        for k in range(steps):
            last = last if heard is None else heard[:, k]
            below = last * masks[k]
            for i, weight in enumerate(turned):
                start = ahead[k] if i == 0 else biases[i]
                gates = torch.addmm(start, torch.cat([below, h[i]], dim=1), weight)
                opened = torch.sigmoid(gates[:, : 3 * self.hidden])
                entry, forget, leave = opened.chunk(3, dim=1)
                c[i] = torch.addcmul(forget * c[i], entry, torch.tanh(gates[:, 3 * self.hidden :]))
                h[i] = below = leave * torch.tanh(c[i])
            out.append(torch.addmm(ahead_out[k], below, out_weight))
            last = out[-1][:, -self.size :]
        return torch.stack(out, dim=1)


class StreamNet(nn.Module):
    """Frame vectors to the numbers of one stream.

    So many as ``late`` are numbers that also enter after the feed-forward part, and the decoder.
    """

    def __init__(self, inputs: int, size: int, sizes: StreamSize, late: int = 0):
        super().__init__()
        self.body = self.decoder = None
        if sizes.ff:
            shape = (sizes.ff, sizes.conv, sizes.lstm, sizes.lstm_layers, sizes.dropout)
            self.body = FFConvLSTM(inputs, *shape, embed=sizes.embed, late=late)
            inputs = self.body.size
        if sizes.decoder:
            self.decoder = ArDecoder(inputs + late, size, sizes.decoder)
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


def check_order(names: Sequence[str], sizes: dict[str, StreamSize]) -> None:
    """Raises DataError where streams cannot be predicted in the order of ``sizes``, or are not the dump's."""
    if set(sizes) != set(names):
        what = f"streams {', '.join(sizes)} are configured, the dump has {', '.join(names)}"
        raise DataError(what, "streams")
    if next(iter(sizes)) != "lf0":
        raise DataError("lf0 must be the first stream: the others are conditioned on F0", "streams")
    for place, (name, size) in enumerate(sizes.items()):
        if late := [h for h in size.conditioned_on if h not in list(sizes)[:place]]:
            what = f"stream {name} is conditioned on {', '.join(late)}, which must stand before it"
            raise DataError(what, "streams")
