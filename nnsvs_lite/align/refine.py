"""Score-guided refinement: onsets searched in windows around the notes.

Models are learnt from the recordings themselves, by Viterbi training from the score's segmentation on.
After a few rounds the priors are learnt too: how far from its note each kind of syllable begins, and how
long each consonant is. Features stay on disk, so that memory does not grow with the corpus.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nnsvs_lite.align.acoustic import Models, Sums, estimate
from nnsvs_lite.align.config import RefineConfig
from nnsvs_lite.align.frames import Frames, load_frames
from nnsvs_lite.align.segmental import Evidence, Priors, first_onsets, running_sums, search
from nnsvs_lite.align.slots import BREATH, RESTED, UNSUNG, Item, Slot, manner, slots_of
from nnsvs_lite.features.f0 import hz_to_midi
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.jobs import run_jobs
from nnsvs_lite.score.languages import get_language

BATCH = 16
"""Utterances a job; fixed, so that sums do not depend on the number of jobs."""
_LEARN_AFTER = 3
"""Rounds after which priors are learnt from the data."""
_START_AFTER, _STARTS, _STILL, _LEAN = 5, 3, 0.0025, 20.0
"""Rounds before the search may begin anew, how often it may, the seconds within which a start is good, and
notes' worth of belief in the lag of all utterances."""
_ACOUSTIC, _FLUX, _PITCH = 0.1, 1.5, 0.1
"""Weights: of a frame's log-likelihood (frames 5 ms apart overlap, so that each brings less than one
frame of news), of spectral change at a boundary, and of F0's agreement with the note, which tells a
vowel that is sung on into the next note from one that begins with it."""
_ONSET_DEVIATION, _LEAST_SPREAD = 0.08, 0.015
"""Seconds: spread of the onset prior before it is learnt, and the narrowest that is learnt."""
_PITCH_WIDTH = 80.0
_PERIODIC = 0.7
_VOICED_BREATH = (0.3, 1.5)
"""Least and most that a voiced frame costs in a breath; between, as much as in a rest."""
_BELIEF = 5.0


@dataclass(frozen=True)
class Norm:
    """Mean and deviation of a speaker's features (D,), and the median spectral flux."""

    mean: np.ndarray
    deviation: np.ndarray
    flux: float

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Features (T, D) normalised."""
        return (features - self.mean) / self.deviation


@dataclass(frozen=True)
class Refined:
    """Onsets by utterance, (slots + 1,) frames, the last models and priors, norms by speaker.

    ``items`` are the utterances as they were searched last, with offsets of their own.
    """

    onsets: dict[str, np.ndarray]
    models: Models
    priors: Priors
    norms: dict[str, Norm]
    items: list[Item]


def normalise(items: Sequence[Item]) -> dict[str, Norm]:
    """Each speaker's normalisation, one utterance in memory at a time."""
    rows: dict[str, list[tuple]] = {}
    for item in items:
        frames = load_frames(item.cache)
        x = frames.features.astype(np.float64)
        row = len(x), x.sum(axis=0), (x * x).sum(axis=0), float(np.median(frames.flux))
        rows.setdefault(item.speaker, []).append(row)
    norms = {}
    for speaker, found in rows.items():
        *sums, flux = zip(*found)
        count, total, square = map(sum, sums)
        mean = total / count
        deviation = np.sqrt(np.maximum(square / count - mean**2, 1e-6))
        norms[speaker] = Norm(mean, deviation, max(float(np.median(flux)), 1e-3))
    return norms


def evidence_of(
    item: Item, slots: Sequence[Slot], frames: Frames, norm: Norm, models: Models, rest: float
) -> Evidence:
    """Running sums of an utterance's log-likelihoods for the phones in its slots."""
    features = norm(frames.features)
    found = models.frames(sorted({slot.key for slot in slots}), features)
    states = {key: running_sums(_ACOUSTIC * value) for key, value in found.items()}
    voiced = frames.f0 > 0
    midi = hz_to_midi(np.where(voiced, frames.f0, 440.0)) - item.transposition
    pitch = {}
    for note in sorted({slot.pitch for slot in slots if slot.pitch > 0}):
        cents = 100.0 * (midi - note)
        agreement = np.where(voiced, 0.25 - np.log1p((cents / _PITCH_WIDTH) ** 2), 0.0)
        pitch[note] = running_sums(_PITCH * np.maximum(agreement, -3.0))
    # Nobody breathes with a voice: a syllable that the score lacks must not pass for a breath.
    # The model of a breath that no recording holds is that of all frames, nearest to what is odd.
    sung = running_sums(voiced & (frames.voicing > _PERIODIC))
    pitch[UNSUNG], pitch[RESTED] = -np.clip(rest, *_VOICED_BREATH) * sung, -rest * sung
    boundary = _FLUX * np.log(frames.flux / norm.flux + 1e-2)
    return Evidence(states, pitch, np.append(boundary, boundary[-1]))


def _work(
    config: RefineConfig, norms: Mapping[str, Norm], models: Models | None, priors: Priors, items: list[Item]
) -> tuple[dict[str, np.ndarray], Sums, np.ndarray]:
    """One job: searches its utterances, sums their frames; of unvoiced consonants, how many are voiced."""
    found, sums, heard = {}, Sums(), np.zeros(2)
    for item in items:
        frames = load_frames(item.cache)
        norm = norms[item.speaker]
        slots = slots_of(item, config)
        if models is None:
            given = [seconds / config.frame_shift for seconds in item.first]
            onsets = first_onsets(slots, item.frames, priors, given)
        else:
            evidence = evidence_of(item, slots, frames, norm, models, priors.rest)
            onsets, _ = search(slots, item.frames, evidence, priors)
        sums.add(slots, onsets, norm(frames.features))
        found[item.utt] = onsets
        # What the recording ends before has no frame of its own.
        middles = np.minimum((onsets[:-1] + onsets[1:]) // 2, item.frames - 1)
        mute = [m for m, slot in zip(middles, slots) if np.isnan(slot.pitch) and not slot.silence]
        heard += np.sum((frames.f0[mute] > 0) & (frames.voicing[mute] > _PERIODIC)), len(mute)
    return found, sums, heard


def first_priors(items: Sequence[Item], config: RefineConfig) -> Priors:
    """Priors before anything is learnt: general lengths of consonants, broad onsets."""
    priors = Priors(default=_ONSET_DEVIATION / config.frame_shift)
    for item in items:
        language = get_language(item.score.lang)
        for phone in {*item.score.phones, BREATH}:
            _, length, spread = manner(language, phone)
            if length:
                priors.length[f"{item.score.lang}:{phone}"] = (np.log(length / config.frame_shift), spread)
    return priors


def learn_priors(
    items: Sequence[Item], onsets: Mapping[str, np.ndarray], config: RefineConfig, general: Priors
) -> Priors:
    """Priors from a segmentation; rare phones and kinds lean on what is general."""
    lags: dict[str, list[float]] = {}
    lengths: dict[str, list[float]] = {}
    pairs = breaths = 0
    for item in items:
        found = onsets[item.utt]
        for slot, start, end in zip(slots_of(item, config), found, found[1:]):
            pairs += slot.optional
            breaths += slot.optional and end > start
            if not np.isnan(slot.expected):
                lags.setdefault(slot.kind, []).append(start - slot.expected)
            if slot.key in general.length and end > start:
                lengths.setdefault(slot.key, []).append(float(np.log(end - start)))
    priors = Priors(default=general.default)
    sung = [lag for kind, values in lags.items() if kind != "rest" for lag in values]
    middle, spread = _robust(sung or [0.0], general.default)
    for kind, values in lags.items():
        if kind == "rest":
            centre, width = _robust(values, 2 * general.default)
            priors.onset[kind] = (centre, max(width, 5.0))
        else:
            weight = len(values) / (len(values) + _BELIEF)
            centre, width = _robust(values, spread)
            priors.onset[kind] = (
                weight * centre + (1 - weight) * middle,
                max(weight * width + (1 - weight) * spread, _LEAST_SPREAD / config.frame_shift),
            )
    for key, (mean, spread) in general.length.items():
        logs = np.array(lengths.get(key, []))
        new = (logs.sum() + _BELIEF * mean) / (len(logs) + _BELIEF)
        variance = (((logs - new) ** 2).sum() + _BELIEF * spread**2) / (len(logs) + _BELIEF)
        priors.length[key] = (float(new), max(float(np.sqrt(variance)), 0.15))
    share = (breaths + 1.0) / (pairs + 20.0)
    priors.breath = float(np.log(share / (1.0 - share))) + general.breath / 2
    return priors


def _robust(values: Sequence[float], general: float) -> tuple[float, float]:
    """Median and 1.4826 times the median deviation; few values lean on ``general``."""
    centre = float(np.median(values))
    width = 1.4826 * float(np.median(np.abs(np.asarray(values) - centre)))
    weight = len(values) / (len(values) + _BELIEF)
    return centre, weight * width + (1 - weight) * general


def refine(items: Sequence[Item], config: RefineConfig, jobs: int = 1) -> Refined:
    """Finds the onsets of all utterances; the result does not depend on ``jobs``.

    A start that is some hundredths early or late leaves its mark on the models, so that the search is begun
    anew from where the vowels were found until they lie, in the middle, where it began.
    """
    norms, items = normalise(items), list(items)
    general = priors = first_priors(items, config)
    known = {slot.key: slot.group for item in items for slot in slots_of(item, config)}
    models: Models | None = None
    onsets: dict[str, np.ndarray] = {}
    number, starts, rounds = 0, 0, max(config.iterations, 1)
    while number <= rounds:
        work = functools.partial(_work, config, norms, models, priors)
        batches = [items[i : i + BATCH] for i in range(0, len(items), BATCH)]
        sums, before, onsets, heard = Sums(), onsets, {}, np.array([1.0, 2.0])
        for found, part, count in run_jobs(work, batches, jobs):
            sums.merge(part)
            heard += count
            onsets.update(found)
        if before and all(np.array_equal(before[utt], onsets[utt]) for utt in onsets):
            break
        if number == _START_AFTER and starts < _STARTS:
            moves = _moves(items, onsets, config)
            if max(map(abs, moves)) > _STILL:
                items = [replace(item, offset=item.offset + move) for item, move in zip(items, moves)]
                models, priors, onsets, number, starts = None, general, {}, 0, starts + 1
                continue
        if number < rounds:
            models = estimate(sums, known)
            if number >= _LEARN_AFTER:
                priors = learn_priors(items, onsets, config, general)
                # A rest is as silent as consonants without voice are: hardly ever voiced, but in a room that
                # sounds on.
                priors.rest = max(float(np.log(heard[1] / heard[0] - 1.0)), 0.0)
        number += 1
    return Refined(onsets, models, priors, norms, items)


def _moves(items: Sequence[Item], onsets: Mapping[str, np.ndarray], config: RefineConfig) -> list[float]:
    """Seconds by which each utterance's vowels are late, in the middle; those with few lean on all others."""
    lags = []
    for item in items:
        placed = zip(slots_of(item, config), onsets[item.utt])
        lags.append([onset - slot.expected for slot, onset in placed if slot.kind not in ("", "rest")])
    middle = float(np.median([lag for row in lags for lag in row] or [0.0]))
    found = []
    for row in lags:
        weight = len(row) / (len(row) + _LEAN)
        found.append(config.frame_shift * (weight * float(np.median(row or [0.0])) + (1 - weight) * middle))
    return found


def to_labels(item: Item, onsets: np.ndarray, duration: float, config: RefineConfig) -> list[Segment]:
    """Labels in seconds, contiguous from 0 to ``duration``; breaths that were heard are among them."""
    times = [0.0, *(float(t) * config.frame_shift for t in onsets[1:-1]), duration]
    return [
        Segment(round(a, 7), round(b, 7), slot.phone)
        for slot, a, b in zip(slots_of(item, config), times, times[1:])
        if b > a or not slot.optional
    ]
