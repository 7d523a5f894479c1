"""Listens to the utterances of a data dir: what neither headers nor tables tell."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.labels import OFFSET, sung_apart
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages import Language, get_language
from nnsvs_lite.score.timing import find_difference
from nnsvs_lite.score.types import Score

HOP = 0.01
"""Seconds between frames."""

_SILENT, _QUIET = 1e-4, 0.02
_BIAS, _LEAST_BIAS = 0.05, 2e-4  # of the mean to the deviation, and of full scale
_PLATEAUS, _FLAT = 4, 2  # clipped peaks, and samples of the least
_OFF_KEY = 0.6  # semitones
_REACH, _NEAR = 50, 4  # frames that labels are moved by, and that are no fault
_LOWEST_RATE = 8000


class Heard(NamedTuple):
    """What an utterance sounds like.

    Attributes:
        faults: what is wrong, by its kind. loudness: RMS of each frame (T,); empty where nothing is heard.
        apart: seconds from each note's place in the score to its singing by the labels.
    """

    faults: dict[str, str] = {}
    loudness: np.ndarray = np.zeros(0)
    apart: Sequence[float] = ()


def listen(data: DataDir, utt: str) -> Heard:
    """Listens to one utterance. What cannot be read is named by :mod:`~nnsvs_lite.corpus.check_audio`."""
    try:
        x, rate = data.audio(utt)
    except DataError:
        return Heard()
    if bad := int((~np.isfinite(x)).sum()):
        return Heard({"not finite": f"{bad} samples are NaN or infinite"})
    peak = float(np.abs(x).max())
    if peak <= _SILENT:
        return Heard({"silent": "the audio is silent"})
    step = max(round(rate * HOP), 1)
    loudness = np.sqrt(np.square(x[: len(x) // step * step].reshape(-1, step)).mean(axis=1))
    faults, apart = dict(_check_level(x, peak)), []
    score, labels = data.scores.get(utt), data.labels.get(utt, [])
    language = _language_of(score)
    if language is not None and rate >= _LOWEST_RATE and len(loudness) > _REACH:
        if find_difference(score, labels):
            labels = []
        faults |= _check_voice(_track(x, rate, score), score, labels, language)
        if labels:
            apart = [seconds for seconds, _ in sung_apart(score.notes, labels, language)]
    return Heard(faults, loudness.astype(np.float32), apart)


def _language_of(score: Score | None) -> Language | None:
    """The language of a score that can be compared with its singing."""
    if score is None or not any(note.pitch for note in score.notes):
        return None
    try:
        language = get_language(score.lang)
    except DataError:
        return None
    phones = ((phone, note.is_rest) for note in score.notes for phone in note.phones)
    right = all(phone in language and language.is_silence(phone) == rest for phone, rest in phones)
    return language if right else None


def _check_level(x: np.ndarray, peak: float) -> Iterator[tuple[str, str]]:
    """Kinds and words of what is wrong with samples (n,) that are not silent."""
    if peak < _QUIET:
        yield "very quiet", f"very quiet: the peak is {20 * math.log10(peak):.0f} dB of full scale"
    if abs(x.mean()) > max(_BIAS * x.std(), _LEAST_BIAS):
        yield "a DC offset", f"a DC offset of {x.mean():+.4f} of full scale"
    if not (np.rint(x * 2**15) % 2**8).any():
        yield "8 bits", "samples of 8 bits in a wider format"
    flat = 0
    for top in (x >= x.max() - 2.0**-16, x <= x.min() + 2.0**-16):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], top, [0]])))
        flat += int((edges[1::2] - edges[::2] >= _FLAT).sum())
    if flat >= _PLATEAUS:
        yield "clipped", f"clipped: {flat} peaks are cut off at {20 * math.log10(peak):.1f} dB"


def _track(x: np.ndarray, rate: int, score: Score) -> np.ndarray:
    """F0 of each frame (T,) in Hz, 0 where unvoiced, an octave and a half around the score's notes."""
    import pyworld

    pitches = [note.pitch for note in score.notes if note.pitch]
    low, high = (440 * 2 ** ((p - 69) / 12) for p in (min(pitches) - 19, max(pitches) + 19))
    limits = {"f0_floor": max(low, 40.0), "f0_ceil": min(high, rate / 4, 2000.0)}
    return pyworld.dio(np.ascontiguousarray(x), rate, frame_period=1000 * HOP, **limits)[0]


def _spread(times: Sequence[tuple[float, float]], values: Sequence[float], frames: int) -> np.ndarray:
    """Values of stretches of time, frame by frame; 0 outside."""
    out = np.zeros(frames)
    for (start, end), value in zip(times, values):
        out[max(round(start / HOP), 0) : round(end / HOP)] = value
    return out


def _check_voice(
    f0: np.ndarray, score: Score, labels: Sequence[Segment], language: Language
) -> Iterator[tuple[str, str]]:
    """Kinds and words of where pitch and voicing are not those of score and labels, if there are any."""
    if labels:
        times = [(label.start, label.end) for label in labels]
        pitches = [score.notes[i].pitch for i in score.note_index]
    else:
        times, pitches = [(n.start, n.end) for n in score.notes], [n.pitch for n in score.notes]
    note = _spread(times, pitches, len(f0))
    both = (f0 > 0) & (note > 0)
    if both.sum() <= 0.2 * (note > 0).sum():
        yield "no voice", "no voice is heard where the score has notes"
        return
    apart = 69 + 12 * np.log2(f0[both] / 440) - note[both]
    middle = float(np.median(apart))
    # Octaves are the tracker's.
    right = np.mean(np.abs((apart + 6) % 12 - 6) < 1)
    if abs(middle) > _OFF_KEY and np.mean(np.abs(apart - middle) < 1) > 0.5:
        yield "another pitch", f"sung {middle:+.1f} semitones from the score"
    elif right < 0.55:
        yield (
            "another tune",
            f"F0 is that of the score in {right:.0%} of its frames: another song, or reversed?",
        )
    if labels:
        voiced = _spread(times, [language.is_voiced(label.label) for label in labels], len(f0))
        yield from _check_shift(voiced, f0 > 0)


def _check_shift(voiced: np.ndarray, heard: np.ndarray) -> Iterator[tuple[str, str]]:
    """Moves labels against what is heard, (T,) each, and looks where they differ least."""
    overlap = np.correlate(np.pad(heard.astype(float), _REACH), voiced, "valid")
    differ = (voiced.sum() + heard.sum() - 2 * overlap) * HOP
    best = int(np.argmin(differ))
    shift, gain = (best - _REACH) * HOP, differ[_REACH - _NEAR : _REACH + _NEAR + 1].min() - differ[best]
    if abs(shift) > OFFSET - 1e-9 and gain > 0.05 + 0.15 * differ[best]:
        late = "earlier" if shift > 0 else "later"
        yield "labels moved", f"labels are {abs(shift):.2f} s {late} than what is heard"
