"""The interface of every model, and the families.

A model is built from a :class:`~nnsvs_lite.features.spec.Spec` and the ``init_args`` of its YAML. It
takes a padded batch, and gives for each utterance what it would give for it alone. Physical units go
in and out: normalisation lives inside, in buffers filled from the spec, the same in training and singing.
"""

import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.spec import PHONE_COLUMNS, Spec
from nnsvs_lite.models.batch import Batch, Example, collate, length_mask
from nnsvs_lite.models.voice import check_streams

ON_CPU, ON_GPU = 5.0, 60.0
"""Seconds of singing that a vocoder makes at once: memory grows with them, and not with the song."""


class SvsModel(nn.Module):
    """Base of all models.

    Attributes:
        family: ``timelag``, ``duration``, ``acoustic`` or ``vocoder``.
        trains: whether it learns by gradients; a rule does not.
        fits: whether it, or a part of it, learns in one pass over the data, by :meth:`fit`: before any step.
        revision: counts changes of what a model's weights stand for: those of another one are refused.
        task: of :data:`nnsvs_lite.training.tasks.TASKS`, by which it is trained; None for that of its family.
    """

    family: ClassVar[str]
    trains: ClassVar[bool] = True
    fits: bool = False
    revision: int = 1
    task: ClassVar[str | None] = None

    def __init__(self, spec: Spec):
        super().__init__()
        self.spec = spec
        if spec.stats is not None:
            near = torch.tensor(spec.stand_ins(self.family in ("timelag", "duration")))
            self.register_buffer("near", near, persistent=False)
            self.register_buffer("near_classes", torch.tensor(spec.phone_classes), persistent=False)

    def heard(self, batch: Batch) -> Batch:
        """The batch with phones that training never held replaced by those that stand for them, in all that
        contexts say of phones: nothing was learnt of what they say themselves. Training needs none of it.
        """
        if batch.score is None:
            return batch
        changed = {}
        for level in ("note", "phone"):
            columns = [column.name for column in self.spec.columns(level)]
            places = [i for i, name in enumerate(columns) if name in PHONE_COLUMNS]
            context = getattr(batch.score, f"{level}_context")
            ids = context[..., places].long().clamp(0, len(self.near) - 1)
            changed[f"{level}_context"] = _put(context, places, self.near[ids].float())
        classes = [i for i, name in enumerate(columns) if name.startswith("class_")]
        context = changed["phone_context"]
        known = self.near_classes[context[..., self.spec.column("phone", "phone")].long()]
        changed["phone_context"] = _put(context, classes, known)
        return replace(batch, score=replace(batch.score, **changed))

    @abstractmethod
    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Scalars: ``loss`` is minimised, others are reported.

        ``weight`` is the number of units (notes, phones, frames) that ``loss`` is a mean over: means
        over batches and ranks are exact.
        """

    @abstractmethod
    def infer(self, batch: Batch) -> dict[str, Tensor]:
        """Predictions; see the family."""

    @torch.inference_mode()
    def compute(
        self, examples: Sequence[Example], seed: int = 0, temperature: float = 1.0
    ) -> dict[str, np.ndarray]:
        """Predictions for utterances as arrays, padded; on the device where the model is."""
        batch = collate(examples, self.spec.frame_shift, seed, temperature).to(device_of(self))
        return {name: value.cpu().numpy() for name, value in self.infer(self.heard(batch)).items()}

    def fit(self, examples: Sequence[Example]) -> None:
        """Learns from the whole training set at once, on the CPU; where ``fits`` says so."""
        raise NotImplementedError

    def check_fits(self, spec: Spec, path: str | os.PathLike) -> None:
        """Raises DataError where it cannot be used with features, or models, of ``spec``."""
        self.spec.check_fits(spec, path)


class Adversarial:
    """What a model gives that learns against a discriminator, a network of the training alone.

    The losses of the two are those of least-squares GANs (Mao et al., 2017, eq. 9 with b = c = 1, a = 0)
    unless the model has its own.
    """

    def discriminator(self) -> nn.Module | None:
        """A new network from what the model makes, and what there was, to a list of scores, 1 for the latter;
        None for none.

        ``model.pt`` leaves it out. Scores may be whatever the two methods below read.
        """
        return None

    def discriminator_loss(self, real: Any, fake: Any) -> Tensor:
        """Of scores of what there was and of what the model made."""
        return sum(((r - 1) ** 2).mean() + (f**2).mean() for r, f in zip(real, fake))

    def generator_loss(self, real: Any, fake: Any) -> dict[str, Tensor]:
        """Terms to add to the model's own loss, already weighted, by name; ``real`` has no gradient."""
        return {"adversarial": sum(((f - 1) ** 2).mean() for f in fake)}


class TimeLagModel(SvsModel):
    """Note context to time lags. ``infer``: ``time_lag`` (B, N) in frames."""

    family = "timelag"


class DurationModel(SvsModel):
    """Phone context to durations before they are fitted to the notes. ``infer``: ``mean`` (B, P) in
    frames, positive, and optionally ``variance`` (B, P) in frames squared, as
    :func:`nnsvs_lite.score.timing.fill` takes them.
    """

    family = "duration"


class AcousticModel(Adversarial, SvsModel):
    """Phone context and durations to vocoder features. ``infer``: for each stream of the spec a
    (B, T, D) tensor: ``lf0`` in log Hz, ``vuv`` a probability, ``mgc``, ``bap`` as analysed; perhaps
    ``vibrato`` (B, T, 1), a part of ``lf0`` that can be told from the rest.

    A discriminator is called with streams, (B, T, D) each in physical units, and the batch.

    Attributes:
        curves: those of :mod:`nnsvs_lite.features.variance` that it takes in ``batch.given``.
    """

    family = "acoustic"
    curves: tuple[str, ...] = ()

    def taught(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """What the discriminator is to judge, and the losses of :meth:`loss`, of one pass."""
        raise NotImplementedError

    def repitched(self, streams: dict[str, np.ndarray], before: np.ndarray) -> dict[str, np.ndarray]:
        """Streams (T, D) of which F0 was changed from ``before`` (T, 1), with all that goes along with it."""
        return streams

    def own_vocoder(self) -> "VocoderModel | None":
        """The part of an end-to-end model that makes waveforms of its streams, which nothing else can: its
        spec has latents (:meth:`Spec.with_latents`). None where any vocoder will do.
        """
        return None


class VocoderModel(Adversarial, SvsModel):
    """Streams to waveforms. A batch has no score; where a vocoder learns, it has the recordings,
    ``streams["wav"]`` (B, S, 1), with S samples for T frames.

    One that learns gives :meth:`distance`, and where it learns against a discriminator of waveforms
    (B, S) :meth:`discriminator`.

    Attributes:
        inputs: streams that it reads, such as ``("lf0", "vuv", "mgc", "bap")``.
        controls: what may be changed in them so that it is heard: of ``pitch`` (``lf0``),
            ``breathiness`` (``bap``) and ``gender`` (``mgc``).
        threads: how many waveforms it is to make at once.
        given: the analysis of the features that it gets, where that is not its own: the logarithm of mel
            spectra may differ. Who calls :meth:`synthesize` converts them.
        adversarial_from: the update from which on it learns against its discriminator too.
        reach: frames before and after its own that a sample depends on, what :meth:`running` tells and noise
            by number aside; None: all. A long song is made in pieces with so much around them.
    """

    family = "vocoder"
    inputs: ClassVar[tuple[str, ...]]
    controls: ClassVar[tuple[str, ...]] = ()
    given: FeatureConfig | None = None
    adversarial_from: int = 0
    reach: int | None = None
    threads: int = 1

    @property
    def name(self) -> str:
        """What people are told that sings."""
        return type(self).__name__

    @abstractmethod
    def synthesize(self, batch: Batch) -> Tensor:
        """(B, S), full scale at 1, which the peak may exceed; row b holds ``samples(batch)[b]`` samples.

        Each row is what it would be alone; ``batch.seed`` is that of chance. Frame t has the samples from
        ``t * hop`` on. A piece of an utterance, which ``batch.first_frame`` places in it, has the samples
        that the whole has there, but for ``reach`` at its ends: noise is that of
        :func:`~nnsvs_lite.models.layers.noise.running_noise`.
        """

    def running(self, batch: Batch) -> dict[str, Tensor]:
        """Streams (B, T, D) that run on from an utterance's start, such as the phase of a source in turns,
        mod 1, at the start of each frame: computed once for the whole and cut as others are.
        """
        return {}

    def streams(self, batch: Batch) -> dict[str, Tensor]:
        """Those of the batch and the :meth:`running` ones, which a piece of an utterance brings along."""
        return batch.streams if batch.first_frame else batch.streams | self.running(batch)

    def in_pieces(self, batch: Batch, frames: int) -> Iterator[Tensor]:
        """The waveforms (B, S) of a batch from their starts on, (B, samples) at a time: long songs in bounded
        memory.

        Each piece is made with as much around it as :attr:`reach` says, so that all of them joined are what
        :meth:`synthesize` gives. A vocoder without it makes the whole at once.

        Args:
            frames: of a piece, without what is around it; raised to where frames begin on whole samples.
        """
        total, samples = batch.max_frames, self.spec.feature_config.n_samples
        if self.reach is None or total <= frames + self.reach:
            yield self.synthesize(batch)
            return
        # Hops may be fractions of samples (220.5 at 44.1 kHz and 5 ms): so many frames are whole ones.
        unit = Fraction(self.spec.frame_shift * self.spec.sample_rate).limit_denominator(1000).denominator
        size, around = (-(-n // unit) * unit for n in (frames, self.reach))
        streams = {name: batch.streams[name] for name in self.inputs} | self.running(batch)
        for start in range(0, total, size):
            first, last = max(start - around, 0), min(start + size + around, total)
            piece = replace(
                batch,
                streams={name: values[:, first:last] for name, values in streams.items()},
                frame_lengths=(batch.frame_lengths - first).clamp(1, last - first),
                max_frames=last - first,
                first_frame=first,
            )
            wav = self.synthesize(piece)
            yield wav[:, samples(start - first) : samples(min(start + size, total) - first)]

    @torch.inference_mode()
    def pieces(
        self, examples: Sequence[Example], seed: int, seconds: float | None = None
    ) -> Iterator[np.ndarray]:
        """The waveforms (B, samples) of utterances with the vocoder's inputs, so many seconds at a time, of
        all together; by the device if not given.
        """
        device = device_of(self)
        batch = collate(examples, self.spec.frame_shift, seed).to(device)
        seconds = seconds or (ON_CPU if device.type == "cpu" else ON_GPU)
        frames = max(1, int(seconds / len(examples) / self.spec.frame_shift))
        for piece in self.in_pieces(batch, frames):
            yield piece.double().cpu().numpy()

    def check_fits(self, spec: Spec, path: str | os.PathLike) -> None:
        check_streams(self.inputs, self.spec.feature_config, spec, path)

    def infer(self, batch: Batch) -> dict[str, Tensor]:
        """``wav`` (B, S)."""
        return {"wav": self.synthesize(batch)}

    def samples(self, batch: Batch) -> Tensor:
        """(B,) long: samples that the frames stand for."""
        seconds = batch.frame_lengths.double() * self.spec.frame_shift
        return torch.round(seconds * self.spec.sample_rate).long()

    def first_sample(self, batch: Batch) -> int:
        """The number of a batch's first sample in its utterance."""
        return self.spec.feature_config.n_samples(batch.first_frame)

    def pair(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B, S) each: the synthesized and the recorded waveforms, zero on padding."""
        wav, real = self.synthesize(batch), batch.streams["wav"].squeeze(-1)
        return wav * length_mask(self.samples(batch), wav.shape[1]), real

    def distance(self, wav: Tensor, real: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Of synthesized from recorded waveforms (B, S): ``loss``, and parts of it to report.

        Unless a vocoder has its own: the mean distance of log magnitudes, enough for one that learns nothing.
        """
        window = torch.hann_window(1024, device=wav.device)
        spectra = (torch.stft(x.float(), 1024, 256, window=window, return_complex=True) for x in (wav, real))
        made, there = (spectrum.abs().clamp(min=1e-4).log() for spectrum in spectra)
        return {"loss": (made - there).abs().mean()}

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Without a discriminator; a mean over frames."""
        return self.distance(*self.pair(batch), batch) | {"weight": batch.frame_lengths.sum()}


def _put(rows: Tensor, columns: list[int], values: Tensor) -> Tensor:
    """The rows (..., C) with other values in some columns."""
    place = torch.tensor(columns, device=rows.device)
    return rows.scatter(-1, place.expand_as(values), values)


def device_of(model: nn.Module) -> torch.device:
    """Where a model's tensors are."""
    tensors = [*model.parameters(), *model.buffers()]
    return tensors[0].device if tensors else torch.device("cpu")
