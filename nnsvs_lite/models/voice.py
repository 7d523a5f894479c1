"""What singing asks of a voice's models: arrays in, arrays out, whatever computes them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Protocol

import numpy as np

from nnsvs_lite.features.config import FeatureConfig, told_differences
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.graph import threads
from nnsvs_lite.models.example import Example


class Model(Protocol):
    """A time-lag, duration or acoustic model; see the families in :mod:`nnsvs_lite.models.base`."""

    spec: Spec

    def compute(
        self, examples: Sequence[Example], seed: int = 0, temperature: float = 1.0
    ) -> dict[str, np.ndarray]:
        """What ``infer`` gives for utterances, padded."""


class FeatureModel(Model, Protocol):
    """An acoustic model."""

    curves: tuple[str, ...]

    def repitched(self, streams: dict[str, np.ndarray], before: np.ndarray) -> dict[str, np.ndarray]:
        """Streams (T, D) of which F0 was changed from ``before`` (T, 1), with all that goes along with it."""


class Vocoder(Protocol):
    """Makes waveforms of streams; attributes are those of :class:`~nnsvs_lite.models.base.VocoderModel`."""

    spec: Spec
    name: str
    inputs: tuple[str, ...]
    controls: tuple[str, ...]
    given: FeatureConfig | None
    threads: int

    def pieces(
        self, examples: Sequence[Example], seed: int, seconds: float | None = None
    ) -> Iterator[np.ndarray]:
        """The waveforms (B, samples) of utterances with the vocoder's inputs, so many seconds at a time."""


class Program:
    """A vocoder of signal processing, an utterance at a time, on the CPU; without torch."""

    inputs: ClassVar[tuple[str, ...]]
    controls: ClassVar[tuple[str, ...]] = ()
    given: FeatureConfig | None = None

    def __init__(self, spec: Spec):
        self.spec, self.name = spec, type(self).__name__.removesuffix("Program")
        self.threads = threads()

    def check_fits(self, spec: Spec, path: str | os.PathLike) -> None:
        """Made for ``spec``, it fits."""

    def waveform(self, streams: Mapping[str, np.ndarray], seed: int) -> np.ndarray:
        """float64 (samples,) of ``inputs``, (T, D) each."""
        raise NotImplementedError

    def pieces(
        self, examples: Sequence[Example], seed: int, seconds: float | None = None
    ) -> Iterator[np.ndarray]:
        """The waveforms, (B, samples), at once."""
        frames = max(example.frames for example in examples)
        out = np.zeros((len(examples), self.spec.feature_config.n_samples(frames)))
        for row, example in zip(out, examples):
            wave = self.waveform(example.streams, seed)
            row[: len(wave)] = wave
        yield out


class WorldProgram(Program):
    """WORLD (Morise, Yokomori and Ozawa 2016): pitch, spectrum and noise apart, so that each can be changed;
    no chance in it.
    """

    inputs = ("lf0", "vuv", "mgc", "bap")
    controls = ("pitch", "breathiness", "gender")

    def waveform(self, streams: Mapping[str, np.ndarray], seed: int) -> np.ndarray:
        # pyworld and scipy are slow to load.
        from nnsvs_lite.features.world import synthesize

        return synthesize(**streams, config=self.spec.feature_config)


class GriffinLimProgram(Program):
    """Griffin-Lim (1984); ``iterations``, ``momentum``: of
    :func:`~nnsvs_lite.features.griffin_lim.griffin_lim`.
    """

    inputs = ("lf0", "vuv", "mel")

    def __init__(self, spec: Spec, iterations: int = 32, momentum: float = 0.99):
        super().__init__(spec)
        self.options = {"iterations": iterations, "momentum": momentum}

    def waveform(self, streams: Mapping[str, np.ndarray], seed: int) -> np.ndarray:
        from nnsvs_lite.features.griffin_lim import griffin_lim

        return griffin_lim(**streams, config=self.spec.feature_config, seed=seed, **self.options)


NAMED: dict[str, type[Program]] = {"world": WorldProgram, "griffin_lim": GriffinLimProgram}
"""Vocoders that need no graph, by the names by which they are asked for."""
PROGRAMS = {kind.__name__.removesuffix("Program"): kind for kind in NAMED.values()}
"""The same by the names of their classes among the models."""


def check_streams(inputs: Sequence[str], own: FeatureConfig, spec: Spec, path: str | os.PathLike) -> None:
    """Raises DataError where a vocoder of these inputs, of an analysis of its own, cannot sing features of
    ``spec``.
    """
    missing = [name for name in inputs if name not in spec.streams]
    if missing:
        raise DataError(f"the vocoder needs {', '.join(missing)}, which these features lack", path)
    if told := told_differences(own, spec.feature_config, inputs):
        what = f"the vocoder was trained on features of {'; '.join(told)}"
        raise DataError(f"{what}: it cannot sing these; train one on them", path)
