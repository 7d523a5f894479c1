"""Scores utterances of several systems against one reference, in parallel, and tells what failed."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from nnsvs_lite.evaluation import espnet, metrics, timing
from nnsvs_lite.evaluation.analysis import Analysis, analyse, spectrum_of_recording, tuning_f0
from nnsvs_lite.evaluation.measures import MEASURES
from nnsvs_lite.evaluation.reference import Reference, Utterance
from nnsvs_lite.evaluation.system import System
from nnsvs_lite.evaluation.truth import Truth
from nnsvs_lite.features.config import FeatureConfig, MelConfig
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError

TOLERANCE = 0.1
"""A difference in length above this many seconds is reported."""

NATURAL = "natural"
"""The row of the recording itself."""

Parts = dict[str, np.ndarray]


@dataclass(frozen=True)
class Job:
    """One utterance of one system; paths only, so that it travels to a worker process."""

    system: str
    path: str
    utt: str
    dump: str
    set_name: str
    data: str | None
    truth: str | None
    espnet: bool = False


@dataclass
class Outcome:
    """What came of a job.

    Attributes:
        parts: measure key to this utterance's vector, see :mod:`measures`.
        f0: F0 of the waveform, Hz, ``(frames,)``.
        difference: seconds that the waveform is longer than the recording.
        fault: why the utterance could not be scored; None if it was.
    """

    system: str
    utt: str
    parts: Parts = field(default_factory=dict)
    f0: np.ndarray | None = None
    difference: float = 0.0
    fault: str | None = None

    @property
    def values(self) -> dict[str, float | None]:
        """The measures of this utterance alone."""
        return {m.key: m.pool([self.parts[m.key]]) for m in MEASURES if m.key in self.parts}


def _share(hits: np.ndarray) -> np.ndarray:
    return np.array([np.sum(hits), np.size(hits)], dtype=np.float64)


def compare_frames(reference: Utterance, analysis: Analysis, mel: MelConfig | None = None) -> Parts:
    """Spectrum, F0 and voicing of a waveform against the recording's, frame by frame, no DTW.

    Args:
        mel: how log-mel spectra are made, where the dump has them.
    """
    n = min(len(reference.f0), len(analysis.f0))
    mask = reference.sung_frames[:n]
    ref, est = reference.f0[:n], analysis.f0[:n]
    voiced, both = ref > 0, (ref > 0) & (est > 0)
    gross = metrics.gross_errors(ref, est)
    same = metrics.semitones(ref) == metrics.semitones(est)
    wrong_voicing = voiced != (est > 0)
    spectra: Parts = {}
    if reference.mgc is not None and reference.bap is not None:
        distance = metrics.frame_distortion(reference.mgc[:n, 1:], analysis.mgc[:n, 1:])
        spectra["mcd_db"] = _share(distance[mask])
        spectra["bap_db"] = _share(metrics.frame_distortion(reference.bap[:n], analysis.bap[:n])[mask] / 10.0)
    if reference.mel is not None and analysis.mel is not None and mel is not None:
        distance = metrics.mel_distance(reference.mel[:n], analysis.mel[:n], mel.log, mel.power)
        spectra["mel_db"] = _share(distance[mask])
    return spectra | {
        "lf0_rmse_cents": _share(metrics.f0_error_cents(ref, est) ** 2),
        "vuv_error": _share(wrong_voicing),
        "f0_correlation": metrics.f0_moments(ref, est),
        "rpa": _share(metrics.pitch_hits(ref, est)),
        "rca": _share(metrics.pitch_hits(ref, est, fold_octaves=True)),
        "gpe": _share(gross[both]),
        "ffe": _share(gross | wrong_voicing),
        "semitone_accuracy": _share(same[voiced]),
        "semitone_accuracy_overall": _share(same),
    }


def compare_times(reference: Utterance, phones: Sequence[Segment]) -> Parts:
    """Onsets of sung notes and durations of sung phones and syllables against the labels."""
    notes, sung = reference.notes, reference.sung_phones
    ref, est = timing.starts(reference.phones), timing.starts(phones)
    ref_long, est_long = timing.durations(reference.phones)[sung], timing.durations(phones)[sung]
    onset = timing.abs_error_ms(ref[notes.first], est[notes.first])
    duration = timing.abs_error_ms(ref_long, est_long)
    syllable = timing.abs_error_ms(
        np.diff(notes.spans(reference.phones))[:, 0], np.diff(notes.spans(phones))[:, 0]
    )
    return {
        "onset_mae_ms": _share(onset),
        "vowel_onset_mae_ms": _share(timing.abs_error_ms(ref[notes.nucleus], est[notes.nucleus])),
        "onset_bias_ms": _share(1000.0 * (est[notes.first] - ref[notes.first])),
        "onset_within_50ms": _share(onset <= 50.0),
        "phone_duration_mae_ms": _share(duration),
        "duration_within_20ms": _share(duration <= 20.0),
        "duration_within_50ms": _share(duration <= 50.0),
        "syllable_duration_mae_ms": _share(syllable),
        "syllable_within_20ms": _share(syllable <= 20.0),
        "syllable_within_50ms": _share(syllable <= 50.0),
    }


def compare_truth(
    reference: Utterance, truth: Truth, phones: Sequence[Segment] | None, f0: np.ndarray
) -> Parts:
    """F0 and times against what the virtual singer meant; times only where ``phones`` are given."""
    intended = truth.f0(reference.utt, reference.frame_shift)
    n = min(len(intended), len(f0))
    parts = {"truth_lf0_rmse_cents": _share(metrics.f0_error_cents(intended[:n], f0[:n]) ** 2)}
    if phones is None:
        return parts
    notes, sung = reference.notes, reference.sung_phones
    meant = truth.phones(reference.utt, reference.symbols, reference.silences)
    ref, est = timing.starts(meant), timing.starts(phones)
    return parts | {
        "truth_onset_mae_ms": _share(timing.abs_error_ms(ref[notes.first], est[notes.first])),
        "truth_vowel_onset_mae_ms": _share(timing.abs_error_ms(ref[notes.nucleus], est[notes.nucleus])),
        "truth_phone_duration_mae_ms": _share(
            timing.abs_error_ms(timing.durations(meant)[sung], timing.durations(phones)[sung])
        ),
    }


def note_errors(reference: Utterance, f0: np.ndarray, phones: Sequence[Segment]) -> np.ndarray:
    """Deviation of each note that can be held from its score pitch, cents; see `note_centre_cents`."""
    from nnsvs_lite.score.languages import get_language

    notes, vowels = reference.notes, get_language(reference.score.lang).vowels
    held = np.array([reference.phones[p].label in vowels for p in notes.nucleus], dtype=bool)
    return timing.note_centre_cents(f0, reference.frame_shift, notes.spans(phones)[held], notes.pitch[held])


def compare_espnet(reference: espnet.Analysis, wave: np.ndarray, sample_rate: int, where: str) -> Parts:
    """The scores of :mod:`nnsvs_lite.evaluation.espnet`; each utterance counts once, as there."""
    try:
        found = espnet.scores(reference, espnet.analyse(wave, sample_rate))
    except ValueError as error:
        raise DataError(f"for the metrics of ESPnet: {error}", where) from None
    return {key: np.array([value, 1.0]) for key, value in found.items() if np.isfinite(value)}


# All recordings of a set, so that they are analysed once and not for each system.
@lru_cache(maxsize=512)
def _recording(data: str, utt: str, sample_rate: int) -> espnet.Analysis:
    from nnsvs_lite.features.audio import resample

    wave, rate = _data(data).audio(utt)
    try:
        return espnet.analyse(resample(wave, rate, sample_rate), sample_rate)
    except ValueError as error:
        raise DataError(f"for the metrics of ESPnet: {error}", f"{data}: {utt}") from None


# Of a dump without WORLD features.
@lru_cache(maxsize=128)
def _recorded_spectrum(dump: str, set_name: str, data: str, utt: str) -> tuple[np.ndarray, np.ndarray]:
    reference = _reference(dump, set_name)
    config = reference.spec.feature_config
    return spectrum_of_recording(*_data(data).audio(utt), reference[utt].f0, config)


@lru_cache(maxsize=4)
def _reference(dump: str, set_name: str) -> Reference:
    return Reference(dump, set_name)


@lru_cache(maxsize=16)
def _system(name: str, path: str) -> System:
    return System(name, path)


@lru_cache(maxsize=4)
def _truth(truth: str, data: str) -> Truth:
    return Truth(truth, data)


@lru_cache(maxsize=4)
def _data(data: str):
    from nnsvs_lite.corpus.datadir import DataDir

    return DataDir.read(data)


def run_job(job: Job) -> Outcome:
    """Scores one utterance; a fault of the input becomes the outcome's ``fault``."""
    outcome = Outcome(job.system, job.utt)
    try:
        reference = _reference(job.dump, job.set_name)
        config = reference.spec.feature_config
        utterance = reference[job.utt]
        if utterance.mgc is None and job.data is not None and job.system != NATURAL:
            mgc, bap = _recorded_spectrum(job.dump, job.set_name, job.data, job.utt)
            utterance = replace(utterance, mgc=mgc, bap=bap)
        if job.system == NATURAL:
            _score_natural(outcome, job, utterance, config)
        else:
            _score_system(outcome, job, utterance, config)
    except DataError as error:
        outcome.fault, outcome.parts, outcome.f0 = str(error), {}, None
    return outcome


def _score_natural(outcome: Outcome, job: Job, utterance: Utterance, config: FeatureConfig) -> None:
    f0 = utterance.f0
    if job.data is not None:
        from nnsvs_lite.features.audio import resample

        wave, rate = _data(job.data).audio(job.utt)
        highest = max(note.pitch for note in utterance.score.notes)
        f0 = tuning_f0(resample(wave, rate, config.sample_rate), highest, config)
    outcome.parts = {"in_tune_cents": note_errors(utterance, f0, utterance.phones)}
    outcome.f0 = utterance.f0
    if job.truth is not None and job.data is not None:
        truth = _truth(job.truth, job.data)
        outcome.parts |= compare_truth(utterance, truth, utterance.phones, utterance.f0)


def _score_system(outcome: Outcome, job: Job, utterance: Utterance, config: FeatureConfig) -> None:
    system = _system(job.system, job.path)
    wave, rate = system.audio(job.utt)
    phones = system.phones(job.utt, utterance.symbols, utterance.silences, utterance.seconds)
    known = utterance.phones if phones is None else phones
    where = str(system.wavs[job.utt])
    analysis = analyse(wave, rate, utterance.score, known, config, where)
    outcome.difference = len(wave) / rate - utterance.seconds
    if abs(outcome.difference) > max(1.0, 0.2 * utterance.seconds):
        raise DataError(
            f"lasts {len(wave) / rate:.2f} s, the recording {utterance.seconds:.2f} s: not the same phrase?",
            system.wavs[job.utt],
        )
    outcome.f0 = analysis.f0
    outcome.parts = compare_frames(utterance, analysis, config.mel)
    outcome.parts["in_tune_cents"] = note_errors(utterance, analysis.wide_f0, known)
    if phones is not None:
        outcome.parts |= compare_times(utterance, phones)
    if job.truth is not None and job.data is not None:
        outcome.parts |= compare_truth(utterance, _truth(job.truth, job.data), phones, analysis.f0)
    if job.espnet:
        outcome.parts |= compare_espnet(_recording(job.data, job.utt, rate), wave, rate, where)


def _start_worker() -> None:
    # Ctrl-C reaches the whole group; the parent alone answers it, in one line.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def run_jobs(jobs: Sequence[Job], n_jobs: int = 1) -> Iterator[Outcome]:
    """Outcomes in the order of the jobs, by ``n_jobs`` processes."""
    if n_jobs <= 1 or len(jobs) <= 1:
        yield from map(run_job, jobs)
        return
    # Not by fork: a parent that has counted a model's parameters holds torch's threads.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(n_jobs, len(jobs)), mp_context=spawn, initializer=_start_worker) as pool:
        try:
            yield from pool.map(run_job, jobs)
        finally:
            pool.shutdown(cancel_futures=True)


def make_jobs(
    reference: Reference,
    dump: str | os.PathLike,
    set_name: str,
    systems: Mapping[str, System],
    data: str | os.PathLike | None,
    truth: str | os.PathLike | None,
    espnet_too: bool = False,
) -> list[Job]:
    """A job for each utterance of each system and of the natural recording."""
    common = (
        os.fspath(dump),
        set_name,
        None if data is None else os.fspath(data),
        None if truth is None else os.fspath(truth),
        espnet_too,
    )
    paths = {name: os.fspath(system.path) for name, system in systems.items()} | {NATURAL: ""}
    return [Job(name, path, utt, *common) for name, path in paths.items() for utt in reference.utts]
