"""What all neural timing models share: their units, losses and limits."""

import math
from abc import abstractmethod

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.base import DurationModel, TimeLagModel
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.mdn import MixtureHead, masked_mean, mixture_nll, mixture_peak
from nnsvs_lite.models.layers.timing_floor import TimingFloor
from nnsvs_lite.score.timing import MAX_LAG, MAX_LAG_REST

Prediction = tuple[Tensor, ...]
"""Of each note or phone (B, L): a mixture's log weights, means and log deviations (B, L, K), or
``(value,)`` alone."""


class ValueHead(nn.Linear):
    """One number for each row, from zero: an untrained model predicts where its numbers begin."""

    def __init__(self, dim: int):
        super().__init__(dim, 1)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Prediction:
        return (super().forward(x).squeeze(-1),)


def error_of(predicted: Prediction, target: Tensor, reach: float) -> Tensor:
    """(B, L): the negative log likelihood of a mixture, or the squared error of a value."""
    if len(predicted) == 1:
        return (predicted[0] - target) ** 2
    return mixture_nll(target, *predicted, reach=reach)


def peak_of(predicted: Prediction) -> tuple[Tensor, Tensor | None]:
    """(B, L) each: mean and deviation of the most probable component, or a value and None."""
    return (predicted[0], None) if len(predicted) == 1 else mixture_peak(*predicted)


class NeuralTimeLag(TimeLagModel):
    """A network from notes to lags.

    It predicts the distance from the rule in units of 20 ms (rests 100 ms), or, as NNSVS
    does, deviations from the training set's mean lag. A model has ``head`` where it wants a
    prior on its weights.

    Args:
        spec: of the dump.
        residual_to_rule: whether the rule is where numbers begin; little data needs it.
        prior: how far, in those units, lags are expected to differ for reasons that the context
            tells; 0 for no such belief.
        reach: see :func:`mixture_nll`.
    """

    head: MixtureHead

    def __init__(self, spec: Spec, residual_to_rule: bool, prior: float = 0.0, reach: float = math.inf):
        super().__init__(spec)
        self.residual_to_rule, self.prior, self.reach = residual_to_rule, prior, reach
        self.floor = TimingFloor(spec)
        self._rest = spec.column("note", "is_rest")
        moments = spec.stats.time_lag
        self._mean, self._std = moments.mean[0], moments.std[0]

    @abstractmethod
    def predict(self, batch: Batch) -> Prediction:
        """Of each note, in the units of :meth:`space`."""

    def is_rest(self, batch: Batch) -> Tensor:
        """(B, N) bool."""
        return batch.score.note_context[..., self._rest] > 0.5

    def space(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B, N) frames each: the lag for which 0 stands, and the unit."""
        if not self.residual_to_rule:
            mean = torch.full_like(batch.score.note_frames[..., 0], self._mean)
            return mean, torch.full_like(mean, self._std)
        # Singers leave notes far more freely than they begin them.
        unit = torch.where(self.is_rest(batch), 0.1, 0.02) / self.spec.frame_shift
        return self.floor(batch)[0], unit

    def limit(self, batch: Batch) -> Tensor:
        """(B, N) largest lag in frames; farther ones are faults of the labels."""
        return torch.where(self.is_rest(batch), MAX_LAG_REST, MAX_LAG) / self.spec.frame_shift

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Mean over notes, in units of :meth:`space`.

        The first note of an utterance, whose lag is 0 by definition, and lags beyond
        the limit are left out.
        """
        (base, unit), predicted = self.space(batch), self.predict(batch)
        target = (batch.score.time_lag - base) / unit
        mask = batch.score.note_mask & (batch.score.time_lag.abs() <= self.limit(batch))
        mask = torch.cat([mask[:, :1] & False, mask[:, 1:]], dim=1)
        error = masked_mean(error_of(predicted, target, self.reach), mask)
        distance = masked_mean((peak_of(predicted)[0] - target).abs() * unit, mask)
        parts = {"error": error.detach(), "mae_frames": distance.detach()}
        if self.prior:
            error = error + self.head.penalty(self.prior, self.spec.note_count)
        return {"loss": error, **parts, "weight": mask.sum()}

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        base, unit = self.space(batch)
        limit = self.limit(batch)
        lag = base + peak_of(self.predict(batch))[0] * unit
        return {"time_lag": torch.minimum(torch.maximum(lag, -limit), limit)}


class NeuralDuration(DurationModel):
    """A network from phones to durations.

    It predicts the logarithm of the ratio to the rule, or, as NNSVS does, deviations from the
    training set's mean duration. In the log domain a duration cannot be negative, and a
    long vowel that is a tenth longer weighs as much as a short one. Back in frames a phone
    has mean ``m`` and deviation ``m * sigma``: long phones are the uncertain ones, so they
    take the slack when a note is filled.

    Args:
        spec: of the dump.
        residual_to_rule: whether the rule is where numbers begin; little data needs it.
        prior: how far, in those units, durations are expected to differ for reasons that the
            context tells; 0 for no such belief.
        reach: see :func:`mixture_nll`.
        unit: what 1 stands for in the logarithm, where the rule is the base.
    """

    head: MixtureHead

    def __init__(
        self,
        spec: Spec,
        residual_to_rule: bool,
        prior: float = 0.0,
        reach: float = math.inf,
        unit: float = 1.0,
    ):
        super().__init__(spec)
        self.unit = unit
        self.residual_to_rule, self.prior, self.reach = residual_to_rule, prior, reach
        self.floor = TimingFloor(spec)
        self._mean, self._std = spec.duration_moments

    @abstractmethod
    def predict(self, batch: Batch) -> Prediction:
        """Of each phone, in the domain of :meth:`encode`."""

    def encode(self, batch: Batch) -> Tensor:
        """(B, P): the numbers that stand for the durations of a batch."""
        if self.residual_to_rule:
            ratio = batch.score.duration.clamp(min=1) / self.floor(batch)[1].clamp(min=1)
            return torch.log(ratio) / self.unit
        return (batch.score.duration - self._mean) / self._std

    def decode(self, batch: Batch, number: Tensor) -> tuple[Tensor, Tensor]:
        """(B, P) frames each: durations for which numbers stand, and frames per unit around them."""
        if self.residual_to_rule:
            mean = self.floor(batch)[1] * torch.exp((number * self.unit).clamp(-2, 2))
            return mean.clamp(min=0.5), mean * self.unit
        mean = self._mean + self._std * number
        return mean.clamp(min=0.5), torch.full_like(mean, self._std)

    def error(self, predicted: Prediction, batch: Batch) -> Tensor:
        """The scalar that is minimised."""
        return masked_mean(error_of(predicted, self.encode(batch), self.reach), batch.score.phone_mask)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Mean over phones of :meth:`error`."""
        predicted = self.predict(batch)
        error = self.error(predicted, batch)
        guess, _ = self.decode(batch, peak_of(predicted)[0])
        distance = masked_mean((guess - batch.score.duration).abs(), batch.score.phone_mask)
        parts = {"error": error.detach(), "mae_frames": distance.detach()}
        if self.prior:
            error = error + self.head.penalty(self.prior, self.spec.phone_count)
        return {"loss": error, **parts, "weight": batch.score.phone_mask.sum()}

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        number, deviation = peak_of(self.predict(batch))
        mean, unit = self.decode(batch, number)
        return {"mean": mean} if deviation is None else {"mean": mean, "variance": (unit * deviation) ** 2}
