"""A convolutional acoustic model that corrects the rule: small, fast, in tune."""

from typing import Annotated

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.settings import Within
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conditions import Conditions
from nnsvs_lite.models.layers.context import ContextEncoder, hiding
from nnsvs_lite.models.layers.conv import ConvStack, MaskedConv1d
from nnsvs_lite.models.layers.expand import POSITIONS, frame_positions, full_phone_context, gather_rows
from nnsvs_lite.models.layers.outputs import StreamHeads
from nnsvs_lite.models.layers.pitch_bases import PitchBases
from nnsvs_lite.models.neural import NeuralAcoustic, Streams, StreamWeights
from nnsvs_lite.models.options import AcousticOptions, Rate, Size


class Tower(nn.Module):
    """Phone vectors, positions and the melody's slope to frame vectors; see :class:`ResF0Conv`."""

    def __init__(
        self,
        spec: Spec,
        dim: int,
        phone_layers: int,
        frame_layers: int,
        kernel: int,
        cycle: int,
        dropout: float,
        context_dropout: float,
    ):
        super().__init__()
        self.frame_shift = spec.frame_shift
        self.encoder = ContextEncoder(spec, ("phone", "note"), dim, context_dropout=context_dropout)
        self.phone_stack = ConvStack(dim, phone_layers, 3, dropout)
        self.frame_in = MaskedConv1d(dim + POSITIONS + 1, dim, 3)
        self.frame_stack = ConvStack(dim, frame_layers, kernel, dropout, cycle=cycle)
        self.norm = nn.LayerNorm(dim)

    def forward(self, batch: Batch, phone: Tensor, slope: Tensor, extra: Tensor | float = 0.0) -> Tensor:
        """``phone`` (B, T), ``slope`` (B, T, 1), ``extra`` added to phone vectors: (B, T, dim)."""
        mask = batch.frame_mask
        phones = self.encoder(full_phone_context(batch)) + extra
        phones = self.phone_stack(phones, batch.score.phone_mask)
        positions = frame_positions(batch, phone, self.frame_shift)
        x = torch.cat([gather_rows(phones, phone), positions, slope], dim=-1)
        return self.norm(self.frame_stack(self.frame_in(x, mask), mask))


class ResF0Conv(NeuralAcoustic):
    """Residual convolutions over phones, then over frames; F0 has a smaller tower of its own.

    All heads start at zero, so an untrained model sings the smoothed rule: in tune, with
    each phone's mean spectrum. F0 is ``score + 600 cents * tanh(head)``. One tower for all
    streams would be led by F0, whose loss is the steepest, and learn little of spectra.

    Args:
        hidden: channels of the spectrum's tower. f0_hidden: of F0's.
        phone_layers: convolution blocks over phones.
        frame_layers: over frames, their dilation doubling in cycles of ``cycle``.
        kernel: width of the frame convolutions. dropout: probability.
        options, weights: see :class:`NeuralAcoustic`.
    """

    def __init__(
        self,
        spec: Spec,
        hidden: Size = 96,
        f0_hidden: Size = 48,
        phone_layers: Size = 2,
        frame_layers: Size = 5,
        kernel: Size = 5,
        cycle: Annotated[int, Within(1, 16)] = 3,
        dropout: Rate = 0.1,
        weights: StreamWeights | None = None,
        options: AcousticOptions | None = None,
    ):
        super().__init__(spec, options, weights=weights)
        hidden_context = hiding(self.options.context_dropout, spec)
        shape = (phone_layers, frame_layers, kernel, cycle, dropout, hidden_context)
        self.spectrum = Tower(spec, hidden, *shape)
        self.melody = Tower(spec, f0_hidden, *shape)
        # The envelope of a voice depends on where its harmonics lie: a number in semitones cannot say that.
        self.pitch = PitchBases(spec, hidden)
        self._pitch = len(spec.columns("phone")) + spec.column("note", "pitch")
        self.conditions = Conditions(spec, self.options, hidden)
        self.f0_conditions = Conditions(spec, self.options, f0_hidden)
        self.f0_head = StreamHeads({"lf0": 1}, f0_hidden)
        self.heads = StreamHeads({n: d for n, d in spec.streams.items() if n != "lf0"}, hidden)

    def outputs(self, batch: Batch, phone: Tensor, base: Streams, true: Streams) -> Streams:
        # The rounded melody against its steps shows where, and which way, the note changes.
        steps = self.space.floor.steps.score_lf0(batch, phone)
        slope = (self.space.floor.pitch_of(batch, phone) - steps) * 10.0
        pitch = full_phone_context(batch)[..., self._pitch]
        spectrum = self.spectrum(batch, phone, slope, self.pitch(pitch) + self.conditions(batch))
        melody = self.melody(batch, phone, slope, self.f0_conditions(batch))
        return self.space.decode({**self.heads(spectrum), **self.f0_head(melody)}, base)
