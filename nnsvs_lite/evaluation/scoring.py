"""Scores utterances of several systems against one reference, in parallel, and tells what failed."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.evaluation import others
from nnsvs_lite.evaluation.measures import vectors
from nnsvs_lite.evaluation.reference import Reference, Rendition, Truth, Utterance
from nnsvs_lite.evaluation.system import System, analyse, analyse_recording, tuning_f0
from nnsvs_lite.features.audio import resample
from nnsvs_lite.io.errors import DataError

NATURAL = "natural"
"""The row of the recording itself."""


class Material(NamedTuple):
    """What systems are compared with; paths only, so that it travels to a worker process."""

    dump: Path
    set_name: str
    data: Path | None  # data dir of the set, for the natural recordings
    truth: Path | None  # folder with the known truth of synthetic recordings; needs ``data``
    espnet: bool  # whether to compute the metrics of ESPnet too, which takes longer; needs ``data``
    mos: bool = False  # whether to predict opinions too; needs ``data`` and the extra ``mos``


class ScoringJob(NamedTuple):
    """One utterance of one system, whose decode folder is ``path``; that of the recording is empty."""

    material: Material
    system: str
    path: str
    utt: str


@dataclass
class Outcome:
    """What came of a job.

    Attributes:
        vectors: measure key to what the utterance adds. f0: of the waveform, Hz, ``(frames,)``.
        difference: seconds that the waveform is longer than the recording.
        fault: why the utterance could not be scored; None if it was.
    """

    system: str
    utt: str
    vectors: dict[str, np.ndarray] = field(default_factory=dict)
    f0: np.ndarray | None = None
    difference: float = 0.0
    fault: str | None = None


class _Opened:
    """Material as it is read, once in each process."""

    def __init__(self, material: Material):
        self.reference = Reference(material.dump, material.set_name)
        self.config = self.reference.spec.feature_config
        self.data = None if material.data is None else DataDir.read(material.data)
        self.truth = None if material.truth is None else Truth(material.truth, self.data)

    def recording(self, utt: str, sample_rate: int) -> np.ndarray:
        """The natural recording at some rate, ``(samples,)``."""
        wave, rate = self.data.audio(utt)
        return resample(wave, rate, sample_rate)


_open = lru_cache(maxsize=4)(_Opened)
_system = lru_cache(maxsize=16)(System)


@lru_cache(maxsize=128)
def _recorded_spectrum(material: Material, utt: str) -> tuple[np.ndarray, np.ndarray]:
    """Of a dump without WORLD features."""
    opened = _open(material)
    wave = opened.recording(utt, opened.config.sample_rate)
    return analyse_recording(wave, opened.reference[utt].f0, opened.config)


def _heard(material: Material, utt: str) -> Utterance:
    """An utterance; spectra that the dump lacks are analysed here, if there is audio."""
    utterance = _open(material).reference[utt]
    if utterance.mgc is None and material.data is not None:
        mgc, bap = _recorded_spectrum(material, utt)
        utterance = replace(utterance, mgc=mgc, bap=bap)
    return utterance


# All recordings of a set, so that they are analysed once and not for each system.
@lru_cache(maxsize=512)
def _recorded_for_espnet(material: Material, utt: str, sample_rate: int) -> others.EspnetAnalysis:
    wave = _open(material).recording(utt, sample_rate)
    return others.analyse(wave, sample_rate, f"{material.data}: {utt}")


@lru_cache(maxsize=512)
def _recorded_liveliness(material: Material, utt: str) -> dict[str, np.ndarray]:
    utterance = _heard(material, utt)
    return utterance.liveliness(utterance.f0, utterance.mgc, utterance.phones)


@lru_cache(maxsize=512)
def _recorded_opinions(material: Material, utt: str) -> np.ndarray:
    return others.opinions(_open(material).recording(utt, others.MOS_RATE))


def score_utterance(job: ScoringJob) -> Outcome:
    """Scores one utterance; a fault of the input becomes the outcome's ``fault``."""
    outcome = Outcome(job.system, job.utt)
    try:
        utterance = _open(job.material).reference[job.utt]
        (_score_natural if job.system == NATURAL else _score_system)(outcome, job, utterance)
    except DataError as error:
        return Outcome(job.system, job.utt, fault=str(error))
    return outcome


def _recorded(material: Material, utt: str) -> Rendition:
    """The recording, and how it moves."""
    opinions = _recorded_opinions(material, utt) if material.mos else None
    return replace(_heard(material, utt).rendition, opinions=opinions, **_recorded_liveliness(material, utt))


def _score_natural(outcome: Outcome, job: ScoringJob, utterance: Utterance) -> None:
    opened = _open(job.material)
    recorded, f0 = _recorded(job.material, job.utt), utterance.f0
    if opened.data is not None:
        wave = opened.recording(job.utt, opened.config.sample_rate)
        f0 = tuning_f0(wave, utterance.score, opened.config)
    sung = Rendition(pitch=utterance.sung_pitch(f0, utterance.phones))
    outcome.f0 = utterance.f0
    outcome.vectors = vectors(recorded, sung, "main", "more") | vectors(recorded, recorded, "life")
    if opened.truth is not None:
        outcome.vectors |= vectors(opened.truth.rendition(utterance), recorded, "truth")


def _score_system(outcome: Outcome, job: ScoringJob, utterance: Utterance) -> None:
    opened, system = _open(job.material), _system(job.system, job.path)
    original, rate = system.audio(job.utt)
    seconds = len(original) / rate
    outcome.difference = seconds - utterance.seconds
    where, config = str(system.wavs[job.utt]), opened.config
    if abs(outcome.difference) > max(1.0, 0.2 * utterance.seconds):
        lengths = f"lasts {seconds:.2f} s, the recording {utterance.seconds:.2f} s"
        raise DataError(f"{lengths}: not the same phrase?", where)
    phones = system.phones(utterance)
    known = utterance.phones if phones is None else phones
    wave = resample(original, rate, config.sample_rate)
    sung = analyse(wave, utterance.score, known, config, where)
    pitch = utterance.sung_pitch(tuning_f0(wave, utterance.score, config), known)
    sung = replace(sung, pitch=pitch, **utterance.liveliness(sung.f0, sung.mgc, known))
    sung = replace(sung, **({} if phones is None else utterance.times(phones)))
    if job.material.mos:
        sung = replace(sung, opinions=others.opinions(resample(original, rate, others.MOS_RATE)))
    outcome.f0 = sung.f0
    outcome.vectors = vectors(_recorded(job.material, job.utt), sung, "main", "life", "more")
    if opened.truth is not None:
        outcome.vectors |= vectors(opened.truth.rendition(utterance), sung, "truth")
    if job.material.espnet:
        recorded = _recorded_for_espnet(job.material, job.utt, rate)
        pair = others.paired(recorded, others.analyse(original, rate, where))
        outcome.vectors |= vectors(*pair, "espnet")


def make_jobs(material: Material, utts: list[str], systems: Mapping[str, Path]) -> list[ScoringJob]:
    """A job for each utterance of each system and of the natural recording."""
    paths = {name: os.fspath(path) for name, path in systems.items()} | {NATURAL: ""}
    return [ScoringJob(material, name, path, utt) for name, path in paths.items() for utt in utts]
