"""The multi-stream systems of the NNSVS paper (arXiv:2210.15987): WORLD v1 to v4, mel v1 to v3."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conditions import Conditions
from nnsvs_lite.models.layers.expand import gather_rows
from nnsvs_lite.models.layers.linguistic import LinguisticFeatures
from nnsvs_lite.models.layers.recurrent import BiLSTM
from nnsvs_lite.models.layers.streams import StreamNet, StreamSize, check_order
from nnsvs_lite.models.neural import NeuralAcoustic, Streams, StreamWeights
from nnsvs_lite.models.options import AcousticOptions, Depth, Size


@dataclass(frozen=True)
class EncoderSize:
    """Of the encoder that all streams but F0 share.

    Attributes:
        embed: of a linear layer before the LSTM. hidden: of each direction.
        layers: of the LSTM. out: of a linear layer after it.
    """

    embed: Depth = 256
    hidden: Size = 512
    layers: Size = 3
    out: Size = 1024


class Encoder(nn.Module):
    """A linear layer, LSTMs in both directions, a linear layer."""

    def __init__(self, inputs: int, size: EncoderSize):
        super().__init__()
        self.embed = nn.Linear(inputs, size.embed)
        self.lstm = BiLSTM(size.embed, size.hidden, size.layers)
        self.out = nn.Linear(self.lstm.size, size.out)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T, inputs) to (B, T, out)."""
        return self.out(self.lstm(self.embed(x), mask))


class NnsvsWorld(NeuralAcoustic):
    """F0 first, then each other stream with a network of its own, conditioned on F0.

    ``p(F0|C) p(MGC|F0,C) p(BAP|F0,C) p(VUV|F0,C)``; v4 has ``p(VUV|F0,BAP,C)``; mel spectra take the
    place of MGC and BAP. The condition is the true value in training, the predicted one in inference.
    Streams are predicted in the order in which the configuration names them.

    Args:
        streams: how each is predicted; all of the dump's, ``lf0`` first. None for one that a base of the
            configuration has and the dump has not.
        encoder: shared by all but F0 (v1 to v3), or None: each reads the score's features (v4).
        weights, options: see :class:`NeuralAcoustic`.
    """

    def __init__(
        self,
        spec: Spec,
        streams: dict[str, StreamSize | None],
        encoder: EncoderSize | None = None,
        weights: StreamWeights | None = None,
        options: AcousticOptions | None = None,
    ):
        super().__init__(spec, options, weights=weights)
        streams = {name: size for name, size in streams.items() if size is not None}
        check_order(list(spec.streams), streams)
        self.sizes = streams
        self.features = LinguisticFeatures(spec, self.options.context_dropout)
        self.conditions = Conditions(spec, self.options, self.features.size)
        self._rest = spec.column("note", "is_rest")
        inner = self.features.size
        self.encoder = None
        if encoder is not None:
            self.encoder, inner = Encoder(inner, encoder), encoder.out + 1
        self.nets = nn.ModuleDict()
        for name, size in streams.items():
            conditions = 1 + sum(spec.streams[h] for h in size.conditioned_on)
            f0 = name == "lf0"
            inputs = self.features.size if f0 else inner + conditions
            self.nets[name] = StreamNet(inputs, spec.streams[name], size, late=1 if f0 else 0)

    def _shared(self, x: Tensor, batch: Batch, phone: Tensor) -> Tensor:
        """What all streams but F0 read, but for their conditions."""
        if self.encoder is None:
            return x
        note = batch.score.note_index.gather(1, phone)
        rest = gather_rows(batch.score.note_context[..., self._rest, None], note)
        return torch.cat([self.encoder(x, batch.frame_mask), rest], dim=-1)

    def outputs(self, batch: Batch, phone: Tensor, base: Streams, true: Streams) -> Streams:
        mask = batch.frame_mask
        x = self.features(batch, phone) + self.conditions(batch)
        shared = self._shared(x, batch, phone)
        numbers: Streams = {}
        out: Streams = {}
        lf0 = x
        for name, net in self.nets.items():
            if name == "lf0":
                score = self.space.standard_lf0(self.space.floor.steps.score_lf0(batch, phone))
                first, last = net(x, mask, true.get(name), batch.seed, late=score)
            else:
                given = [(true or numbers)[h] for h in self.sizes[name].conditioned_on]
                first, last = net(torch.cat([shared, lf0, *given], dim=-1), mask, true.get(name), batch.seed)
            numbers[name] = last
            out |= self.space.decode({name: last}, base)
            if name == "lf0":
                lf0 = self.space.standard_lf0(batch.streams[name] if true else out[name])
            elif self.sizes[name].postnet:
                out[f"before_{name}"] = self.space.decode({name: first}, base)[name]
        return out
