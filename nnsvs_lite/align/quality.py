"""Quality without truth: what in a phrase does not fit its score, and how sure its labels are.

A phrase is judged by what the alignment cannot change: whether notes are voiced,
whether their pitch is the score's, whether vowels sound like themselves and lie
where their notes are. A phrase that fails is kept out of training and named.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nnsvs_lite.align.acoustic import Models
from nnsvs_lite.align.config import AlignConfig, QualityConfig
from nnsvs_lite.align.frames import Frames
from nnsvs_lite.align.refine import BATCH, Item, Norm, Refined, item_slots, load_frames, run_jobs
from nnsvs_lite.align.slots import Slot
from nnsvs_lite.align.sync import Sync

QUIET = -40.0
"""dB below the loudest frame: nothing is sung there."""
PERIODIC = 0.55
"""Autocorrelation peak from which a frame counts as voiced."""
_SHORT_NOTE = 6


@dataclass(frozen=True)
class Fault:
    """One thing that does not fit.

    Attributes:
        kind: ``unvoiced``, ``short vowel``, ``silence``, ``onset``, ``pitch``,
            ``phone``.
        note: index of the note.
        time: seconds.
        text: for people.
    """

    kind: str
    note: int
    time: float
    text: str


@dataclass
class Quality:
    """The judgement of one utterance.

    Attributes:
        confidence: 0..1: the share of notes without a fault, times the share of
            vowels that sound most like themselves.
        faults: in order of time.
        likelihood: mean log-likelihood a frame of sung phones, against all of them.
        vowels: share of vowels that sound most like themselves; 1 if none can be told.
        remarks: what should be known and is no fault.
        rejected: why it is kept out of training; empty if it is not.
    """

    confidence: float = 0.0
    faults: list[Fault] = field(default_factory=list)
    likelihood: float = 0.0
    vowels: float = 1.0
    remarks: list[str] = field(default_factory=list)
    rejected: str = ""


@dataclass(frozen=True)
class _Task:
    items: list[Item]
    onsets: dict[str, np.ndarray]
    config: AlignConfig
    models: Models
    norms: Mapping[str, Norm]
    lags: Mapping[str, float]


@dataclass(frozen=True)
class _Measured:
    quality: Quality
    notes: int
    margins: list[tuple[int, str, float, float]]


def judge(
    items: Sequence[Item], sync: Mapping[str, Sync], refined: Refined, config: AlignConfig, jobs: int = 1
) -> dict[str, Quality]:
    """Judges all utterances; thresholds of likelihood are relative to the corpus.

    Args:
        items: as refined.
        sync: by utterance.
        refined: onsets and models.
        config: the limits.
        jobs: processes.
    """
    lags = {kind: median for kind, (median, _) in refined.priors.onset.items()}
    tasks = [
        _Task(
            part,
            {item.utt: refined.onsets[item.utt] for item in part},
            config,
            refined.models,
            refined.norms,
            lags,
        )
        for part in (list(items[i : i + BATCH]) for i in range(0, len(items), BATCH))
    ]
    measured: dict[str, _Measured] = {}
    for found in run_jobs(_measure, tasks, jobs):
        measured.update(found)
    limits = config.quality
    _phone_outliers(measured, limits)
    likelihoods = np.array([m.quality.likelihood for m in measured.values()])
    middle = float(np.median(likelihoods))
    spread = max(1.4826 * float(np.median(np.abs(likelihoods - middle))), 0.5)
    result = {}
    for utt, found in measured.items():
        quality = found.quality
        quality.faults.sort(key=lambda fault: (fault.time, fault.kind))
        faulty = len({fault.note for fault in quality.faults})
        clean = 1.0 - faulty / max(found.notes, 1)
        quality.confidence = round(max(clean, 0.0) * quality.vowels, 3)
        quality.rejected = _reject(quality, sync[utt], found, faulty, (middle, spread), limits)
        result[utt] = quality
    return result


def _reject(
    quality: Quality,
    sync: Sync,
    found: _Measured,
    faulty: int,
    usual: tuple[float, float],
    limits: QualityConfig,
) -> str:
    """Why a phrase is kept out, all reasons in one line; empty if it is not."""
    why = []
    if abs(sync.offset) > limits.max_offset:
        side = "before" if sync.offset > 0 else "after"
        why.append(f"the score lies {abs(sync.offset):.2f} s {side} the recording")
    if abs(sync.transposition) > limits.max_transposition:
        why.append(f"sung {sync.transposition:+.1f} semitones from the score")
    if quality.vowels < limits.min_vowels:
        share = 1.0 - quality.vowels
        why.append(f"{share:.0%} of its vowels sound like others: lyrics and recording do not match")
    z = (quality.likelihood - usual[0]) / usual[1]
    if z < -limits.outlier:
        why.append(f"unlike the rest of the corpus (likelihood {-z:.1f} deviations below)")
    kinds: dict[str, list[Fault]] = {}
    for fault in quality.faults:
        kinds.setdefault(fault.kind, []).append(fault)
    for kind in limits.fatal:
        for fault in kinds.get(kind, [])[:1]:
            why.append(fault.text)
    if faulty > limits.max_faulty * found.notes and faulty > 1:
        named = ", ".join(f"{kind} {len(rows)}" for kind, rows in sorted(kinds.items()))
        why.append(f"{faulty} of {found.notes} notes have faults ({named})")
    if not why and quality.confidence < limits.min_confidence:
        why.append(f"confidence {quality.confidence:.2f} is below {limits.min_confidence:g}")
    return "; ".join(why)


def _phone_outliers(measured: dict[str, _Measured], limits: QualityConfig) -> None:
    """Faults where a phone is far less likely than others against all phones of the corpus."""
    by_phone: dict[str, list[float]] = {}
    for found in measured.values():
        for _, phone, _, margin in found.margins:
            by_phone.setdefault(phone, []).append(margin)
    pooled = np.array([value for values in by_phone.values() for value in values] or [0.0])
    middle = float(np.median(pooled))
    width = 1.4826 * float(np.median(np.abs(pooled - middle)))
    for found in measured.values():
        for note, phone, time, margin in found.margins:
            values = np.array(by_phone[phone])
            weight = len(values) / (len(values) + 10.0)
            centre = weight * float(np.median(values)) + (1 - weight) * middle
            own = 1.4826 * float(np.median(np.abs(values - np.median(values))))
            spread = max(weight * own + (1 - weight) * width, 0.3)
            if (margin - centre) / spread < -limits.outlier:
                text = f"{time:.2f} s: {phone!r} does not sound like one"
                found.quality.faults.append(Fault("phone", note, time, text))


def _measure(task: _Task) -> dict[str, _Measured]:
    """One job."""
    found = {}
    for item in task.items:
        frames = load_frames(item.cache)
        slots = item_slots(item, task.config.refine)
        found[item.utt] = _measure_one(item, slots, task.onsets[item.utt], frames, task)
    return found


def _measure_one(item: Item, slots: list[Slot], onsets: np.ndarray, frames: Frames, task: _Task) -> _Measured:
    limits, shift = task.config.quality, frames.shift
    quality = Quality()
    voiced = (frames.f0 > 0) & (frames.voicing > PERIODIC) & (frames.level > QUIET)
    midi = 69.0 + 12.0 * np.log2(np.where(frames.f0 > 0, frames.f0, 440.0) / 440.0) - item.transposition
    norm = task.norms[item.speaker]
    features = (frames.features - norm.mean) / norm.deviation
    keys = sorted(key for key in task.models.means if key.startswith(f"{item.score.lang}:"))
    middles = {key: value[1] for key, value in task.models.frames(keys, features).items()}
    vowels = sorted({slot.key for slot in slots if slot.vowel})
    best = np.maximum.reduce([middles[key] for key in keys])
    by_note: dict[int, list[tuple[Slot, int, int]]] = {}
    total, count, right, told = 0.0, 0, 0, 0
    margins = []
    for slot, start, end in zip(slots, onsets[:-1], onsets[1:]):
        if end <= start or slot.silence:
            continue
        by_note.setdefault(slot.note, []).append((slot, int(start), int(end)))
        margin = middles[slot.key][start:end] - best[start:end]
        total, count = total + float(margin.sum()), count + int(end - start)
        margins.append((slot.note, slot.phone, float(start * shift), float(np.median(margin))))
        if slot.vowel and end - start >= _SHORT_NOTE and len(vowels) > 1:
            means = {key: float(middles[key][start:end].mean()) for key in vowels}
            told += 1
            right += max(means, key=lambda key: means[key]) == slot.key
    for note, parts in sorted(by_note.items()):
        quality.faults += _note_faults(item, note, parts, voiced, midi, frames, limits, task.lags)
    quality.likelihood = round(total / max(count, 1), 3)
    quality.vowels = round(right / told, 3) if told else 1.0
    return _Measured(quality, len(by_note), margins)


def _note_faults(
    item: Item,
    note: int,
    parts: list[tuple[Slot, int, int]],
    voiced: np.ndarray,
    midi: np.ndarray,
    frames: Frames,
    limits: QualityConfig,
    lags: Mapping[str, float],
) -> list[Fault]:
    shift = frames.shift
    found: list[Fault] = []
    place = item.score.notes[note].place
    where = f"{place} ({item.score.notes[note].lyric or parts[0][0].phone})"

    def add(kind: str, frame: float, text: str) -> None:
        time = round(float(frame) * shift, 3)
        found.append(Fault(kind, note, time, f"{time:.2f} s, {where}: {text}"))

    held = [(slot, a, b) for slot, a, b in parts if slot.vowel]
    if held:
        inside = np.concatenate([np.arange(a, b) for _, a, b in held])
        share = float(voiced[inside].mean())
        if share < limits.min_voiced:
            add("unvoiced", inside[0], f"only {share:.0%} of it is voiced")
        elif voiced[inside].sum() >= _SHORT_NOTE:
            error = float(np.median(midi[inside][voiced[inside]])) - item.score.notes[note].pitch
            if abs(error) > limits.max_pitch:
                add("pitch", inside[0], f"sung {error:+.1f} semitones from the score")
    for slot, a, b in held:
        if (b - a) * shift < limits.min_vowel:
            add("short vowel", a, f"{slot.phone!r} lasts {1e3 * (b - a) * shift:.0f} ms")
        length, at = _longest(~voiced[a:b] & (frames.level[a:b] < np.median(frames.level[a:b]) - 20.0))
        if length * shift > limits.max_silence:
            add("silence", a + at, f"{1e3 * length * shift:.0f} ms of silence inside {slot.phone!r}")
    for slot, a, _ in parts:
        if not np.isnan(slot.expected):
            lag = (a - slot.expected - lags.get(slot.kind, 0.0)) * shift
            if abs(lag) > limits.max_onset:
                add("onset", a, f"begins {1e3 * abs(lag):.0f} ms {'late' if lag > 0 else 'early'}")
    return found


def _longest(mask: np.ndarray) -> tuple[int, int]:
    """Length and beginning of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    if not len(edges):
        return 0, 0
    lengths = edges[1::2] - edges[::2]
    k = int(lengths.argmax())
    return int(lengths[k]), int(edges[2 * k])


def to_json(quality: Quality) -> dict:
    """For the report."""
    return dataclasses.asdict(quality)
