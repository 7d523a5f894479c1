"""What all neural timing models share: their units, losses and limits."""

import functools
import inspect
import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.base import DurationModel, SvsModel, TimeLagModel
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.context import ContextEncoder
from nnsvs_lite.models.layers.conv import ConvStack, VariancePredictor
from nnsvs_lite.models.layers.expand import full_phone_context, gather_rows
from nnsvs_lite.models.layers.linguistic import LinguisticFeatures
from nnsvs_lite.models.layers.mdn import MixtureHead, masked_mean, mixture_nll, mixture_peak
from nnsvs_lite.models.layers.timing_floor import TimingFloor, first_phones
from nnsvs_lite.models.options import Rate, Size, Weight
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


def peak_of(predicted: Prediction) -> tuple[Tensor, Tensor | None]:
    """(B, L) each: mean and deviation of the most probable component, or a value and None."""
    return (predicted[0], None) if len(predicted) == 1 else mixture_peak(*predicted)


class NeuralTiming(SvsModel):
    """A network from notes or phones to numbers that stand for their times. A family says what for.

    Args:
        residual_to_rule: whether the rule is where numbers begin, and not the training set's mean, as in
            NNSVS; little data needs it.
        prior: how far, in the family's units, times are expected to differ for reasons that the
            context tells, held against the weights of ``head``; 0 for no such belief.
        reach: see :func:`mixture_nll`.
    """

    head: MixtureHead
    count: float
    """Of notes or phones in the training set."""
    deviation = 1.0
    """Of an untrained mixture, where the rule is the base."""

    def __init__(self, spec: Spec, residual_to_rule: bool, prior: float = 0.0, reach: float = math.inf):
        super().__init__(spec)
        self.residual_to_rule, self.prior, self.reach = residual_to_rule, prior, reach
        self.floor = TimingFloor(spec)

    @abstractmethod
    def predict(self, batch: Batch) -> Prediction:
        """Of each note or phone, in the family's units."""

    @abstractmethod
    def rows(self, phones: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Of what phones have, (B, P, D), what is predicted from: (B, L, D); and its mask (B, L)."""

    @abstractmethod
    def encode(self, batch: Batch) -> Tensor:
        """(B, L): the numbers that stand for the times of a batch."""

    @abstractmethod
    def learnt(self, batch: Batch) -> Tensor:
        """(B, L) bool: of what the loss is a mean over."""

    @abstractmethod
    def distance(self, number: Tensor, batch: Batch) -> Tensor:
        """(B, L) frames between the times of numbers and those of the batch."""

    def error(self, predicted: Prediction, batch: Batch) -> Tensor:
        """The scalar that is minimised: a mean over notes or phones of a mixture's negative log likelihood,
        or of a value's squared error."""
        target, mixture = self.encode(batch), len(predicted) > 1
        error = mixture_nll(target, *predicted, reach=self.reach) if mixture else (predicted[0] - target) ** 2
        return masked_mean(error, self.learnt(batch))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        predicted, mask = self.predict(batch), self.learnt(batch)
        error = self.error(predicted, batch)
        distance = masked_mean(self.distance(peak_of(predicted)[0], batch), mask)
        parts = {"error": error.detach(), "mae_frames": distance.detach()}
        if self.prior:
            error = error + self.head.penalty(self.prior, self.count)
        return {"loss": error, **parts, "weight": mask.sum()}


class NeuralTimeLag(NeuralTiming, TimeLagModel):
    """Numbers are distances from the rule in units of 20 ms (rests 100 ms), or deviations from the mean."""

    def __init__(self, spec: Spec, residual_to_rule: bool, prior: float = 0.0, reach: float = math.inf):
        super().__init__(spec, residual_to_rule, prior, reach)
        self._rest, self.count = spec.column("note", "is_rest"), spec.note_count
        moments = spec.stats.time_lag
        self._mean, self._std = moments.mean[0], moments.std[0]

    def rows(self, phones: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """A note is given by its first phone."""
        return gather_rows(phones, first_phones(batch)), batch.score.note_mask

    def is_rest(self, batch: Batch) -> Tensor:
        """(B, N) bool."""
        return batch.score.note_context[..., self._rest] > 0.5

    def space(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B, N) frames each: the lag for which 0 stands, and the unit."""
        if not self.residual_to_rule:
            frames = batch.score.note_frames[..., 0]
            return torch.full_like(frames, self._mean), torch.full_like(frames, self._std)
        # Singers leave notes far more freely than they begin them.
        unit = torch.where(self.is_rest(batch), 0.1, 0.02) / self.spec.frame_shift
        return self.floor(batch)[0], unit

    def encode(self, batch: Batch) -> Tensor:
        base, unit = self.space(batch)
        return (batch.score.time_lag - base) / unit

    def distance(self, number: Tensor, batch: Batch) -> Tensor:
        return (number - self.encode(batch)).abs() * self.space(batch)[1]

    def limit(self, batch: Batch) -> Tensor:
        """(B, N) largest lag in frames; farther ones are faults of the labels."""
        return torch.where(self.is_rest(batch), MAX_LAG_REST, MAX_LAG) / self.spec.frame_shift

    def learnt(self, batch: Batch) -> Tensor:
        """Not the first note of an utterance, whose lag is 0 by definition, nor lags beyond the limit."""
        mask = batch.score.note_mask & (batch.score.time_lag.abs() <= self.limit(batch))
        return torch.cat([mask[:, :1] & False, mask[:, 1:]], dim=1)

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        (base, unit), limit = self.space(batch), self.limit(batch)
        lag = base + peak_of(self.predict(batch))[0] * unit
        return {"time_lag": torch.minimum(torch.maximum(lag, -limit), limit)}


class NeuralDuration(NeuralTiming, DurationModel):
    """Numbers are logarithms of durations' ratios to the rule, or deviations from the mean.

    In the log domain a duration cannot be negative, and a long vowel that is a tenth longer weighs
    as much as a short one. Back in frames a phone has mean ``m`` and deviation ``m * sigma``: long
    phones are the uncertain ones, so they take the slack when a note is filled.
    """

    unit = 1.0
    """What 1 stands for in the logarithm."""
    deviation = 0.3

    def __init__(self, spec: Spec, residual_to_rule: bool, prior: float = 0.0, reach: float = math.inf):
        super().__init__(spec, residual_to_rule, prior, reach)
        self._mean, self._std = spec.duration_moments
        self.count = spec.phone_count

    def rows(self, phones: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        return phones, batch.score.phone_mask

    def learnt(self, batch: Batch) -> Tensor:
        return batch.score.phone_mask

    def encode(self, batch: Batch) -> Tensor:
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

    def distance(self, number: Tensor, batch: Batch) -> Tensor:
        return (self.decode(batch, number)[0] - batch.score.duration).abs()

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        number, deviation = peak_of(self.predict(batch))
        mean, unit = self.decode(batch, number)
        return {"mean": mean} if deviation is None else {"mean": mean, "variance": (unit * deviation) ** 2}


def with_defaults(init: Callable[..., None], **values: Any) -> Callable[..., None]:
    """A constructor that differs from ``init`` in these defaults."""
    signature = inspect.signature(init)
    known = [p.replace(default=values.get(name, p.default)) for name, p in signature.parameters.items()]

    @functools.wraps(init)
    def other(*args: Any, **given: Any) -> None:
        bound = other.__signature__.bind(*args, **given)
        bound.apply_defaults()
        init(*bound.args, **bound.kwargs)

    other.__signature__ = signature.replace(parameters=known)
    return other


class VpMdn(NeuralTiming):
    """NNSVS' timing models: the variance predictor with a mixture density output.

    Args:
        hidden: channels. layers: blocks. kernel: notes or phones each sees. dropout: probability.
        components: Gaussians of the mixture. residual_to_rule, prior: see :class:`NeuralTiming`.
        context_dropout: as in :class:`~nnsvs_lite.models.options.AcousticOptions`.
    """

    def __init__(
        self,
        spec: Spec,
        hidden: Size = 32,
        layers: Size = 3,
        kernel: Size = 3,
        dropout: Rate = 0.5,
        components: Size = 4,
        residual_to_rule: bool = False,
        prior: Weight = 0.0,
        context_dropout: Rate = 0.0,
    ):
        super().__init__(spec, residual_to_rule, prior, reach=5.0)
        self.features = LinguisticFeatures(spec, context_dropout)
        self.stack = VariancePredictor(self.features.phone_size, hidden, layers, kernel, dropout)
        self.head = MixtureHead(hidden, components, self.deviation if residual_to_rule else 1.0)

    def predict(self, batch: Batch) -> Prediction:
        return self.head(self.stack(*self.rows(self.features.phones(batch), batch)))


class ContextMdn(NeuralTiming):
    """A mixture density network over embedded contexts (NNSVS, Sinsy 2021), on top of the rule.

    Args:
        hidden: channels. layers: convolution blocks. kernel: notes or phones each sees.
        dropout: probability. components: Gaussians of the mixture. prior: see :class:`NeuralTiming`.
    """

    kinds = 0
    """Kinds of rows that have a mean of their own."""

    def __init__(
        self,
        spec: Spec,
        hidden: Size = 64,
        layers: Size = 3,
        kernel: Size = 3,
        dropout: Rate = 0.4,
        components: Size = 2,
        prior: Weight = 0.1,
    ):
        super().__init__(spec, residual_to_rule=True, prior=prior)
        self.encoder = ContextEncoder(spec, ("phone", "note"), hidden)
        self.stack = ConvStack(hidden, layers, kernel, dropout)
        self.norm = nn.LayerNorm(hidden, elementwise_affine=False)
        self.dropout = nn.Dropout(dropout)
        self.head = MixtureHead(hidden, components, self.deviation)
        if self.kinds:
            self.offsets = nn.Embedding(self.kinds, 1)
            nn.init.zeros_(self.offsets.weight)

    def predict(self, batch: Batch) -> Prediction:
        rows, mask = self.rows(self.encoder(full_phone_context(batch)), batch)
        return self.head(self.norm(self.stack(self.dropout(rows), mask)))
