"""What all neural acoustic models share: options, output space, loss, end of inference."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.base import AcousticModel, device_of
from nnsvs_lite.models.batch import Batch, Example
from nnsvs_lite.models.layers.conditions import StyleTokens
from nnsvs_lite.models.layers.contour import Contour
from nnsvs_lite.models.layers.counted import Counted
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.models.layers.frame_path import FramePath
from nnsvs_lite.models.layers.losses import StreamLoss
from nnsvs_lite.models.layers.movement import Movement
from nnsvs_lite.models.layers.outputs import OutputSpace, Pitch, Scaling
from nnsvs_lite.models.layers.perceptual import PerceptualEntropy
from nnsvs_lite.models.layers.pitch_flow import PitchFlow
from nnsvs_lite.models.layers.postfilter import VarianceScaling
from nnsvs_lite.models.layers.retrieval import Retrieval
from nnsvs_lite.models.layers.variance_curves import VarianceCurves
from nnsvs_lite.models.layers.vibrato_habit import VibratoHabit
from nnsvs_lite.models.options import AcousticOptions

Streams = dict[str, Tensor]
StreamWeights = dict[Literal["lf0", "vuv", "mgc", "bap", "mel"], float]
"""Of streams in the loss, 1 where not given."""


class NeuralAcoustic(AcousticModel):
    """A network from score and durations to streams.

    A system gives :meth:`outputs`. Its inner vectors take up ``Conditions(spec, self.options, dim)``,
    which it makes itself, since it alone knows their size and place.
    """

    diffused: tuple[str, ...] = ()
    """Streams that are made from noise: an untrained model gives noise for them."""

    def __init__(
        self,
        spec: Spec,
        options: AcousticOptions | None = None,
        pitch: Pitch = "bounded",
        weights: StreamWeights | None = None,
        scaling: Scaling = "deviation",
    ):
        super().__init__(spec)
        self.options = options or AcousticOptions()
        self.space = OutputSpace(spec, self.options.residual_to_rule, pitch, scaling)
        self.stream_loss = self.before_loss = StreamLoss(spec, weights)
        self.style = StyleTokens(spec, self.options.style_tokens) if self.options.style_tokens else None
        self.perceptual = PerceptualEntropy(spec) if self.options.perceptual else None
        share, kernel = self.options.retrieval, self.options.retrieval_kernel
        self.retrieval = Retrieval(spec, share, kernel) if share else None
        self.path = FramePath(spec, self.options.path) if self.options.path else None
        line, leaps = self.options.contour, self.options.contour_leaps
        self.contour = Contour(spec, line, leaps) if line else None
        self.pitch_flow = PitchFlow(spec, self.options) if self.options.pitch == "flow" else None
        habit = self.options.vibrato_habit and self.pitch_flow is None
        self.vibrato_habit = VibratoHabit(spec) if habit else None
        self.gv = VarianceScaling(spec, self.options.gv)
        # Of systems that predict curves before their streams.
        self.variance: VarianceCurves | None = None
        self.movement = Movement(spec, self.options.movement) if self.options.movement else None

    @property
    def curves(self) -> tuple[str, ...]:
        return () if self.variance is None else self.variance.names

    @property
    def revision(self) -> int:
        """2: numbers of mel spectra count from spectra with the score's harmonics; 3: of full height."""
        return 3 if self.space.harmonic and "mel" in self.spec.streams else 1

    @abstractmethod
    def outputs(self, batch: Batch, phone: Tensor, base: Streams, true: Streams) -> Streams:
        """The spec's streams in physical units, with ``vuv_logit`` for ``vuv``: (B, T, D).

        In training ``loss_<name>`` is one more term of the loss, already weighted, and ``before_<stream>``
        what went into a postnet, whose loss counts as much.

        Args:
            phone: (B, T) from ``phone_of_frame``. base: where numbers begin; see :meth:`OutputSpace.base`.
            true: numbers that stand for ``batch.streams`` (teacher forcing); empty where it sings.
        """

    def predict(self, batch: Batch, teacher: bool) -> Streams:
        """:meth:`outputs`, by teacher forcing or without."""
        phone = phone_of_frame(batch)
        base = self.space.base(batch, phone)
        return self.outputs(batch, phone, base, self.space.encode(batch.streams, base) if teacher else {})

    def styled(self, batch: Batch, listen: bool = False) -> Batch:
        """The batch with style vectors, if the model has style tokens."""
        return batch if self.style is None else replace(batch, style=self.style(batch, listen))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        return self.taught(batch)[1]

    def taught(self, batch: Batch) -> tuple[Streams, dict[str, Tensor]]:
        # Tests are of what will be sung: without a reference.
        batch = self.styled(batch, listen=self.training)
        predicted = self.predict(batch, teacher=True)
        losses = self.stream_loss(predicted, batch)
        before, terms = (
            {n.removeprefix(prefix): v for n, v in predicted.items() if n.startswith(prefix)}
            for prefix in ("before_", "loss_")
        )
        if before:
            terms = {"before": self.before_loss({**predicted, **before}, batch)["loss"]} | terms
        if self.perceptual is not None:
            entropy = self.perceptual(predicted["mgc"], batch.frame_mask)
            terms = terms | {"perceptual": entropy * self.options.perceptual}
        if self.pitch_flow is not None:
            terms = terms | {"pitch_flow": self.pitch_flow.learn(batch, self._sung_lf0(batch))}
        for name, value in terms.items():
            losses["loss"] = losses["loss"] + value
            losses[name] = value.detach()
        return predicted, losses

    @torch.no_grad()
    def _sung_lf0(self, batch: Batch) -> Tensor:
        """Log F0 as it would be sung now, without teacher forcing and dropout."""
        training = self.training
        lf0 = self._contoured(self.eval().predict(batch, teacher=False)["lf0"], batch)
        self.train(training)
        return lf0

    def _contoured(self, lf0: Tensor, batch: Batch) -> Tensor:
        """Log F0 moved towards the contour by its share."""
        return lf0 if self.contour is None else self.contour(lf0, batch, phone_of_frame(batch))

    @property
    def fits(self) -> bool:
        return any(isinstance(part, Counted) for part in self.modules())

    def fit(self, examples: Sequence[Example]) -> None:
        for part in self.modules():
            if isinstance(part, Counted):
                part.fit(examples)

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        batch = self.styled(batch)
        out = self.predict(batch, teacher=False)
        out["vuv"] = torch.sigmoid(out["vuv_logit"])
        sung = {name: out[name] for name in self.spec.streams}
        # F0 that is given stays as it is.
        own = sung["lf0"] is not batch.given.get("lf0")
        if own and self.contour is not None:
            moved = sung | {"lf0": self._contoured(sung["lf0"], batch)}
            sung = self.space.floor.steps.sung(moved, sung["lf0"])
        if self.retrieval is not None:
            sung = self.retrieval(sung, batch, phone_of_frame(batch))
        if self.path is not None:
            sung = self.path(sung, batch, phone_of_frame(batch))
        if own and (wave := self._movement(batch, sung["lf0"])) is not None:
            # Beside F0, so that what a musician asks of it needs no guess.
            sung["vibrato"], before = wave, sung["lf0"]
            sung = self.space.floor.steps.sung(sung | {"lf0": before + wave}, before)
        sung = self.gv(sung, batch)
        if self.variance is not None:
            sung = self.variance.levelled(sung, out)
        return sung if self.movement is None else self.movement(sung, batch, phone_of_frame(batch))

    def _movement(self, batch: Batch, lf0: Tensor) -> Tensor | None:
        """What is added to log F0 by chance, (B, T, 1), if anything is."""
        if self.pitch_flow is not None:
            return self.pitch_flow(batch, lf0)
        return None if self.vibrato_habit is None else self.vibrato_habit(batch)

    @torch.inference_mode()
    def repitched(self, streams: dict[str, np.ndarray], before: np.ndarray) -> dict[str, np.ndarray]:
        if "mel" not in streams:
            return streams
        names, device = ("lf0", "vuv", "mel"), device_of(self)
        told = {name: torch.from_numpy(streams[name])[None].to(device) for name in names}
        told["vuv"] = (told["vuv"] > 0.5).float()
        made = self.space.floor.steps.sung(told, torch.from_numpy(before)[None].to(device))["mel"]
        return streams | {"mel": made[0].cpu().numpy()}
