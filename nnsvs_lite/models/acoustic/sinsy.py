"""Sinsy's acoustic model (Hono et al., 2021, arXiv:2108.02776) as NNSVS reproduces it."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conditions import Conditions
from nnsvs_lite.models.layers.expand import sum_by_note
from nnsvs_lite.models.layers.ffconvlstm import FFConvLSTM
from nnsvs_lite.models.layers.linguistic import LinguisticFeatures
from nnsvs_lite.models.layers.losses import LF0_UNIT
from nnsvs_lite.models.layers.outputs import MAX_RESIDUAL, StreamHeads
from nnsvs_lite.models.layers.vibrato import VibratoAnalysis, sing_vibrato
from nnsvs_lite.models.neural import NeuralAcoustic, Streams, StreamWeights
from nnsvs_lite.models.options import AcousticOptions, Rate, Size, Weight

RISE = 0.3
"""Seconds over which the weight rises at a note's start and falls at its end."""
LARGEST = 0.5
"""Weight in the middle of a note."""


def prior_weights(batch: Batch, phone: Tensor, rest: int, frame_shift: float) -> Tensor:
    """Weights of a prior on the F0 residual: (B, T, 1).

    Sinsy 2021 puts a normal prior on the residual; NNSVS weights its size so: inside each sung
    note from 0 up to 0.5 over 0.3 s (60 frames), then held, then down again; 0 throughout notes of
    0.6 s or less, and in rests. Times are seconds here, so that any frame shift does. ``rest`` is the column
    of the flag ``is_rest``.
    """
    lengths = sum_by_note(batch.score.duration.to(torch.float32), batch)
    starts = lengths.cumsum(1) - lengths
    note = batch.score.note_index.gather(1, phone)
    frames = torch.arange(batch.max_frames, device=phone.device, dtype=torch.float32)
    length = lengths.gather(1, note)
    passed = frames[None] - starts.gather(1, note)
    edge = torch.minimum(passed, length - 1 - passed) * frame_shift
    weight = (edge / RISE).clamp(0, 1) * LARGEST
    sung = batch.score.note_context[..., rest].gather(1, note) == 0
    # A hair above 0.6 s, lest rounding decide about a note of exactly that length.
    long = length * frame_shift > 2 * RISE + 1e-4
    return (weight * sung * long)[..., None]


VIBRATO = {"none": {}, "diff": {"vibrato": 1}, "sine": {"vibrato": 2, "vibrato_flag": 1}}
"""Numbers a frame that describe vibrato."""
USUAL, SPREAD = (60.0, 5.5), (30.0, 1.0)
"""Amplitude in cents and rate in Hz for which a sine's numbers are 0, and their unit."""
SELDOM = -2.0
"""The logit of vibrato for which the flag's number is 0."""


class Sinsy(NeuralAcoustic):
    """One network for all streams; F0 is the score's and a residual, and may have vibrato.

    F0 sings ``score + residual + vibrato``, within 600 cents of the score. The residual learns
    from F0 whose vibrato has been taken away, the vibrato from what was taken: as a difference
    of F0 (``diff``), or as a sine's amplitude, rate and presence (``sine``). It is found in
    the target's F0 while training (:class:`VibratoAnalysis`), so no stream of its own is needed.

    Args:
        ff, conv, lstm, lstm_layers, dropout: see :class:`FFConvLSTM`.
        vibrato: how it is modelled.
        prior: weight of automatic pitch correction, on the residual in log F0;
            see :func:`prior_weights`.
        weights, options: see :class:`NeuralAcoustic`.
    """

    def __init__(
        self,
        spec: Spec,
        ff: Size = 2048,
        conv: Size = 1024,
        lstm: Size = 256,
        lstm_layers: Size = 2,
        dropout: Rate = 0.0,
        vibrato: Literal["none", "diff", "sine"] = "none",
        prior: Weight = 0.0,
        weights: StreamWeights | None = None,
        options: AcousticOptions | None = None,
    ):
        super().__init__(spec, options, weights=weights)
        self.vibrato, self.prior = vibrato, prior
        self.shift = spec.frame_shift
        self._rest = spec.column("note", "is_rest")
        self.features = LinguisticFeatures(spec, self.options.context_dropout)
        self.conditions = Conditions(spec, self.options, self.features.size)
        self.body = FFConvLSTM(self.features.size, ff, conv, lstm, lstm_layers, dropout, late=1)
        self.heads = StreamHeads({**spec.streams, **VIBRATO[vibrato]}, self.body.size)
        self.analysis = None if vibrato == "none" else VibratoAnalysis(self.shift)
        self.register_buffer("usual", torch.tensor(USUAL), persistent=False)
        self.register_buffer("spread", torch.tensor(SPREAD), persistent=False)

    def outputs(self, batch: Batch, phone: Tensor, base: Streams, true: Streams) -> Streams:
        score = self.space.standard_lf0(self.space.floor.steps.score_lf0(batch, phone))
        x = self.features(batch, phone) + self.conditions(batch)
        numbers = self.heads(self.body(x, batch.frame_mask, score))
        wave = {name: numbers.pop(name) for name in VIBRATO[self.vibrato]}
        out = self.space.decode(numbers, base)
        out["residual"] = out["lf0"] - base["lf0"]
        if true:
            return out | self._learnt(out, wave, batch, phone)
        if self.analysis is not None:
            moved = out["residual"] + self._sung(wave, batch)
            out["lf0"] = base["lf0"] + moved.clamp(-MAX_RESIDUAL, MAX_RESIDUAL)
        return out

    def _learnt(self, out: Streams, wave: Streams, batch: Batch, phone: Tensor) -> Streams:
        """F0 with the target's vibrato; the terms of the loss on residual and vibrato."""
        learnt, mask = {}, batch.frame_mask[..., None]
        frames = mask.sum().clamp(min=1)
        if self.prior:
            learnt["prior"] = prior_weights(batch, phone, self._rest, self.shift)
            held = learnt["prior"] * out["residual"].float().abs()
            learnt["loss_prior"] = self.prior * (held * mask).sum() / frames
        if self.analysis is None:
            return learnt
        true_wave, true, flag = self._find(batch, phone)
        learnt["lf0"] = out["lf0"] + true_wave
        flag = flag & mask
        error = (wave["vibrato"].float() - true).abs().mean(-1, keepdim=True)
        learnt["loss_vibrato"] = torch.where(flag, error, 0.0).sum() / flag.sum().clamp(min=1)
        if self.vibrato == "sine":
            logit = wave["vibrato_flag"].float() + SELDOM
            error = F.binary_cross_entropy_with_logits(logit, flag.to(logit.dtype), reduction="none")
            learnt["loss_vibrato_flag"] = (error * mask).sum() / frames
        return learnt

    def _find(self, batch: Batch, phone: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The target's vibrato: its wave in log F0, what the heads are to say of it, and where."""
        lf0 = batch.streams["lf0"].float()
        voiced = (batch.streams["vuv"][..., 0] > 0.5) & batch.frame_mask
        found = self.analysis(lf0, self.space.floor.pitch_of(batch, phone), voiced)
        wave = (lf0 - found.level) * voiced[..., None]
        if self.vibrato == "diff":
            return wave, wave / LF0_UNIT, voiced[..., None]
        sine = (torch.cat([found.amplitude, found.rate], dim=-1) - self.usual) / self.spread
        return wave * found.flag, sine, found.flag

    def _sung(self, wave: dict[str, Tensor], batch: Batch) -> Tensor:
        """Predicted vibrato in log F0: (B, T, 1)."""
        if self.vibrato == "diff":
            return wave["vibrato"] * LF0_UNIT
        amplitude, rate = (wave["vibrato"] * self.spread + self.usual).split(1, dim=-1)
        flag = (wave["vibrato_flag"] + SELDOM > 0) & batch.frame_mask[..., None]
        return sing_vibrato(amplitude, rate, flag, self.shift)
