"""The interface of every model, and the families.

A model is a torch module built from a :class:`~nnsvs_lite.features.spec.Spec` and the
``init_args`` of its YAML. It has ``loss(batch)`` and ``infer(batch)``; both take a
padded batch and give for each utterance what they would give for it alone. Physical
units go in and out: normalisation lives inside, in buffers filled from the spec, so
training and singing cannot normalise differently.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch, Example


class SvsModel(nn.Module):
    """Base of all models.

    Attributes:
        family: ``timelag``, ``duration``, ``acoustic`` or ``vocoder``.
        trains: whether it learns by gradients; a rule does not.
        fits: whether it learns in one pass over the data, by :meth:`fit`.
    """

    family: ClassVar[str]
    trains: ClassVar[bool] = True
    fits: ClassVar[bool] = False

    def __init__(self, spec: Spec):
        super().__init__()
        self.spec = spec

    @abstractmethod
    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Scalars; ``loss`` is minimised, others are reported.

        ``weight`` is the number of units (notes, phones, frames) that ``loss`` is a
        mean over, so that means over batches and ranks can be taken exactly.
        """

    @abstractmethod
    def infer(self, batch: Batch) -> dict[str, Tensor]:
        """Predictions; see the family."""

    def fit(self, examples: Sequence[Example]) -> None:
        """Learns from the whole training set at once, on the CPU; where ``fits`` says so."""
        raise NotImplementedError

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        # DistributedDataParallel hooks forward() alone: training must come this way.
        return self.loss(batch)


class TimeLagModel(SvsModel):
    """Note context to time lags. ``infer``: ``time_lag`` (B, N) in frames."""

    family = "timelag"


class DurationModel(SvsModel):
    """Phone context to durations before they are fitted to the notes.

    ``infer``: ``mean`` (B, P) in frames, positive, and optionally ``variance`` (B, P) in
    frames squared, as :func:`nnsvs_lite.score.timing.fill` takes them.
    """

    family = "duration"


class AcousticModel(SvsModel):
    """Phone context and durations to vocoder features.

    ``infer``: for each stream of the spec a (B, T, D) tensor: ``lf0`` in log Hz, ``vuv``
    a probability, ``mgc``, ``bap`` as analysed.
    """

    family = "acoustic"


class VocoderModel(SvsModel):
    """Streams over frames to waveforms.

    Attributes:
        inputs: streams that it needs.
        controls: what may be changed in them so that it is heard: of ``pitch`` (``lf0``),
            ``breathiness`` (``bap``) and ``gender`` (``mgc``).
    """

    family = "vocoder"
    inputs: ClassVar[tuple[str, ...]]
    controls: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def synthesize(self, batch: Batch) -> Tensor:
        """(B, samples): row ``b`` holds ``round(frame_lengths[b] * frame_shift * sample_rate)``.

        Each row is what it would be alone; ``batch.seed`` is that of chance. The peak may exceed 1.
        """

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        return {"wave": self.synthesize(batch)}
