"""An FFT-Singer divided as players of DiffSinger banks call it: phones, then pitch, then spectra.

Editors such as OpenUtau run several networks and let a musician in between: what F0 is predicted of phones
and notes can be drawn anew before spectra are made of it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.acoustic.fft_singer import FftSinger, PhoneEncoderSize, PitchSize, SpectraDecoderSize
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conv import passed_on
from nnsvs_lite.models.layers.expand import gather_rows, phone_of_frame
from nnsvs_lite.models.layers.outputs import Scaling
from nnsvs_lite.models.neural import Streams
from nnsvs_lite.models.options import AcousticOptions


class DividedSinger(FftSinger):
    """The encoder is told phones alone, the predictor of F0 adds the melody to what it finds in its vectors,
    and spectra follow F0 whoever tells it: in training the recording, ``batch.given``, or the predictor.

    Where spectra count from the rule (``residual_to_rule``), that is the rule at this F0.

    Args: see :class:`FftSinger`. Raises DataError for ``scaling: deviation`` without ``residual_to_rule``.
    """

    def __init__(
        self,
        spec: Spec,
        encoder: PhoneEncoderSize,
        decoder: SpectraDecoderSize,
        pitch: PitchSize,
        scaling: Scaling = "range",
        options: AcousticOptions | None = None,
    ):
        super().__init__(spec, encoder, decoder, pitch, ("phone",), "explicit", scaling, options=options)
        if self.space.harmonic and not self.space.residual_to_rule:
            # Its base would have the score's harmonics, whatever F0 is told.
            raise DataError("deviation needs options.residual_to_rule here", "scaling")

    def phones(self, batch: Batch) -> Tensor:
        """(B, P, dim): what phones and their order say."""
        return self.encoder(self.embedding(batch), batch.score.phone_mask)

    def bend(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers of F0, from the melody, and of voicing, (B, T, 1) each, of frames ``x`` (B, T, dim)."""
        found = self.predictor(passed_on(x, self.pitch_gradient), mask)
        return self.pitch_head(found).split(1, dim=-1)

    def plain(self, batch: Batch, phone: Tensor) -> Streams:
        """Where spectra, without their pitch, and the logit of voicing count from."""
        if self.space.residual_to_rule:
            rule = self.space.floor.plain(batch, phone)
            return rule | {"vuv": rule["vuv"].logit(eps=1e-3)}
        return self.space.base(batch, phone)

    def base_at(self, lf0: Tensor, plain: Streams) -> Streams:
        """Where spectra count from at an F0 (B, T, 1)."""
        if not self.space.residual_to_rule:
            return plain
        pitched = self.space.floor.steps.sung(plain | {"lf0": lf0, "vuv": torch.sigmoid(plain["vuv"])})
        return plain | {name: pitched[name] for name in self.spectra}

    def numbers(self, x: Tensor, lf0: Tensor, voiced: Tensor, mask: Tensor) -> Tensor:
        """Of spectra, (B, T, size), of frames ``x``, log F0 and voicing (B, T, 1)."""
        return self.decoded(x + self.pitch_embedding(lf0, voiced), mask)

    def predict(self, batch: Batch, teacher: bool) -> Streams:
        phone, mask = phone_of_frame(batch), batch.frame_mask
        plain = self.plain(batch, phone)
        x = gather_rows(self.phones(batch), phone) + self.conditions(batch)
        melody = plain | {"lf0": self.space.base(batch, phone)["lf0"]}
        out = self.space.decode(dict(zip(("lf0", "vuv"), self.bend(x, mask))), melody)
        known = batch.streams if teacher else batch.given
        lf0 = known.get("lf0", out["lf0"])
        voiced = known["vuv"] > 0.5 if "vuv" in known else out["vuv_logit"] > 0
        base = self.base_at(lf0, plain)
        numbers = self.numbers(x, lf0, voiced, mask)
        if teacher:
            true = self.space.encode({name: batch.streams[name] for name in self.spectra}, base)
            out |= self.errors(numbers, self.joined(true), mask, base)
        else:
            out["lf0"] = lf0
        return out | self.space.decode(self.parted(numbers), base)
