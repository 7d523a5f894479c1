"""F0 trackers and the notes made of what they find, against recordings whose pitch is known.

Frames are those of the annotation: what a tracker finds is interpolated to their times. Every recording
counts once. Notes are matched as ``mir_eval.transcription`` does.
"""

import dataclasses
import functools
import itertools
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from nnsvs_lite.align.frames import analyse
from nnsvs_lite.align.hear import hear_notes
from nnsvs_lite.corpus.truth import KnownPitch, read_notes, read_truths, write_notes
from nnsvs_lite.evaluation.measures import BY_KEY, MEAN_ONCE, MEDIAN_ABS, RATIO, Measure, f0_cents
from nnsvs_lite.features.audio import read_wav, resample
from nnsvs_lite.features.config import F0Config, FeatureConfig
from nnsvs_lite.features.f0 import at_times, lacking, midi_to_hz, track
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.io.jobs import run_jobs
from nnsvs_lite.io.tables import FeatureReader, FeatureWriter

TRACKERS = ("harvest", "dio", "swift-f0", "praat")
LOWEST = 40.0
"""Hz that every tracker can search from."""
SHIFT = 0.005
"""Seconds between frames of F0 that is kept."""
_NOTE_RATE = 24000
TRACKING = 1
"""Number of the tracking; raised whenever the same recordings would give other F0 or notes."""


def recall(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """Reference-voiced frames that are found voiced (Salamon et al., 2014)."""
    return est[ref > 0] > 0


def false_alarms(ref: np.ndarray, est: np.ndarray) -> np.ndarray:
    """Reference-unvoiced frames that are found voiced (likewise)."""
    return est[ref <= 0] > 0


def _once(key: str, label: str) -> Measure:
    return dataclasses.replace(BY_KEY[key], label=label, unit="%", digits=1, group="pitch", pooling=MEAN_ONCE)


def _measure(key: str, label: str, better: str, compute: Callable, definition: str) -> Measure:
    return Measure(key, label, "%", better, 1, "pitch", "f0", compute, MEAN_ONCE, definition)


# fmt: off
FRAMES = (
    _once("rpa", "RPA"),
    _once("rca", "RCA"),
    dataclasses.replace(_once("vuv_error", "VDE"),
                        definition="voicing decision error: frames whose voicing differs, of all frames"),
    _measure("vr", "VR", "higher", recall, "voicing recall: reference-voiced frames found voiced"),
    _measure("vfa", "VFA", "lower", false_alarms,
             "voicing false alarm: reference-unvoiced frames found voiced"),
    Measure("f0_cents", "F0 error", "cents", "lower", 1, "pitch", "f0", f0_cents, MEDIAN_ABS,
            "median of the absolute error of F0 over frames voiced in both, of all recordings together"),
)
"""Of F0 in Hz, 0 where unvoiced, of both at the reference's times."""
NOTES = tuple(
    Measure(key, label, "", "higher", 3, "notes", "notes", lambda ref, est: np.zeros(0), RATIO, text)
    for key, label, text in (
        ("con", "COn", "F1 of notes whose onset is within 50 ms"),
        ("conp", "COnP", "F1 of notes whose onset is within 50 ms and whose pitch is within 50 cents"),
        ("conpoff", "COnPOff", "the same of notes which also end within 50 ms, or a fifth of their length"),
    )
)
"""F1 of each recording (Molina et al., 2014, "Evaluation framework for automatic singing transcription")."""
# fmt: on

Vectors = dict[str, dict[str, np.ndarray]]
"""Measure to recording to what it adds."""


def track_recordings(
    data: str | os.PathLike,
    out: str | os.PathLike,
    trackers: Sequence[str] = TRACKERS,
    *,
    floor: float = 60.0,
    ceil: float = 1200.0,
    jobs: int = 1,
) -> tuple[bool, list[str]]:
    """Writes F0 and notes of every recording by every tracker: ``out/<tracker>/{f0.scp,notes.ctm}``.

    F0 is every :data:`SHIFT` seconds, searched from ``floor`` to ``ceil`` Hz.

    Returns whether anything was done, and a line for each tracker that is not installed, which is left out.

    Raises DataError for an unknown tracker, F0 that none can search, and a recording that cannot be read.
    """
    if not LOWEST <= floor < ceil:
        raise DataError(f"must be at least {LOWEST:g} and below --ceil {ceil:g}, not {floor:g}", "--floor")
    for name in trackers:
        if name not in TRACKERS:
            raise DataError(
                f"unknown tracker {name!r}{nearest(name, TRACKERS)}; known: {', '.join(TRACKERS)}"
            )
    out, skipped = Path(out), [f"{name} is skipped: {lacking(name)}" for name in trackers if lacking(name)]
    trackers = [name for name in trackers if not lacking(name)]
    wavs, _ = read_truths(data)
    options = {"tracking": TRACKING, "trackers": trackers, "floor": floor, "ceil": ceil}
    done = Done(out, "track", sorted(set(wavs.values())), options)
    if done.is_current():
        return False, skipped
    done.clear()
    for name in set(TRACKERS) - set(trackers):
        # What an earlier run left would be scored beside this one.
        shutil.rmtree(out / name, ignore_errors=True)
    config = FeatureConfig(8000, SHIFT, f0=F0Config(floor=floor, ceil=ceil))
    found = list(run_jobs(functools.partial(_track, trackers, config), list(wavs.values()), jobs))
    outputs = []
    for k, name in enumerate(trackers):
        with FeatureWriter(out / name, "f0") as writer:
            for utt, rows in zip(wavs, found):
                writer.write(utt, rows[k][0][:, None])
        write_notes(out / name / "notes.ctm", {utt: rows[k][1] for utt, rows in zip(wavs, found)})
        outputs += [out / name / file for file in ("f0.scp", "f0.ark", "notes.ctm")]
    done.set(outputs)
    return True, skipped


def _track(trackers: Sequence[str], config: FeatureConfig, wav: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """F0 (T,) and notes (N, 3) of a recording by each tracker."""
    x, rate = read_wav(wav)
    if config.f0.ceil > rate / 4:
        raise DataError(f"has {rate} Hz: --ceil must be at most {rate / 4:g}, not {config.f0.ceil:g}", wav)
    frames = analyse(resample(x, rate, _NOTE_RATE), _NOTE_RATE, SHIFT)
    rows = []
    for name in trackers:
        own = dataclasses.replace(config.f0, tracker=name)
        setting = dataclasses.replace(config, sample_rate=rate, f0=own)
        f0 = track(x, setting, len(frames), own.floor, own.ceil)
        heard = hear_notes(dataclasses.replace(frames, f0=f0))
        notes = np.array([[n.start, n.end, midi_to_hz(n.pitch)] for n in heard]).reshape(-1, 3)
        rows.append((f0, notes))
    return rows


def score_tracks(truths: Mapping[str, KnownPitch], f0: Mapping[str, np.ndarray]) -> Vectors:
    """What each recording with known F0 adds to each of :data:`FRAMES`; ``f0`` (T, 1) every :data:`SHIFT`."""
    vectors: Vectors = {measure.key: {} for measure in FRAMES}
    for utt, truth in truths.items():
        if truth.f0 is None:
            continue
        found = f0[utt][:, 0]
        times, ref = truth.f0.T
        est = at_times(np.arange(len(found)) * SHIFT, found, times)
        for measure in FRAMES:
            vectors[measure.key][utt] = measure.pooling.vector(measure.compute(ref, est))
    return vectors


def score_notes(ref: Mapping[str, np.ndarray], est: Mapping[str, np.ndarray]) -> Vectors:
    """What each recording of ``ref`` adds to each of :data:`NOTES`; notes are (N, 3), seconds and Hz."""
    from mir_eval.transcription import onset_precision_recall_f1, precision_recall_f1_overlap

    vectors: Vectors = {measure.key: {} for measure in NOTES}
    for utt, rows in ref.items():
        a, b = rows[:, :2], rows[:, 2]
        c = est.get(utt, np.zeros((0, 3)))
        c, d = c[:, :2], c[:, 2]
        if len(b) and len(d):
            found = (
                onset_precision_recall_f1(a, c)[2],
                *(precision_recall_f1_overlap(a, b, c, d, offset_ratio=ratio)[2] for ratio in (None, 0.2)),
            )
        else:
            found = (float(len(b) == len(d)),) * 3
        for measure, value in zip(NOTES, found):
            vectors[measure.key][utt] = np.array([value, 1.0])
    return vectors


def agreement(
    f0: Mapping[str, Mapping[str, np.ndarray]], utts: Iterable[str]
) -> dict[tuple[str, str], float]:
    """Of each two trackers the share of frames voiced by either that both have within 50 cents."""
    utts, shares = list(utts), {}
    for one, two in itertools.combinations(f0, 2):
        both, either = 0, 0
        for utt in utts:
            a, b = (f0[name][utt][:, 0] for name in (one, two))
            cents = 1200.0 * np.log2(np.where(b > 0, b, 1.0) / np.where(a > 0, a, 1.0))
            both += int(((a > 0) & (b > 0) & (np.abs(cents) < 50.0)).sum())
            either += int(((a > 0) | (b > 0)).sum())
        shares[one, two] = both / either if either else float("nan")
    return shares


def tracked(exp: str | os.PathLike) -> tuple[dict[str, FeatureReader], dict[str, dict[str, np.ndarray]]]:
    """F0 and notes by tracker, of those that :func:`track_recordings` wrote; DataError where none is."""
    found = [name for name in TRACKERS if (Path(exp) / name / "f0.scp").exists()]
    if not found:
        raise DataError("holds no F0 of a tracker; nnsvs-lite pitch track makes it", exp)
    f0 = {name: FeatureReader(Path(exp) / name / "f0.scp") for name in found}
    return f0, {name: read_notes(Path(exp) / name / "notes.ctm") for name in found}
