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
from nnsvs_lite.align.config import AlignConfig, QualityConfig, RefineConfig
from nnsvs_lite.align.frames import Frames
from nnsvs_lite.align.refine import BATCH, Item, Norm, Refined, item_slots, load_frames
from nnsvs_lite.align.segmental import edges
from nnsvs_lite.align.slots import Slot
from nnsvs_lite.align.sync import Sync
from nnsvs_lite.io.jobs import run_jobs

QUIET = -60.0
"""dB below the loudest frame: nothing is sung there."""
PERIODIC = 0.55
"""Autocorrelation peak from which a frame counts as voiced."""
_SHORT_NOTE = 6
_NOTES_A_FAULT = 25
_GLIDE = 0.06
_AROUND = 0.05
_AUDIBLE = 20.0
_OCTAVE = 9.0
_MARGIN, _INSIDE, _LEAST_LOSS = 8, 12, 5.0


@dataclass(frozen=True)
class Fault:
    """One thing that does not fit.

    Attributes:
        kind: ``unvoiced``, ``short vowel``, ``silence``, ``onset``, ``pitch``,
            ``phone``, ``doubtful phone``, ``inside``, ``gap``,
            ``voice`` (in a rest).
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
        rivals: how other phones stand against those of the score, mean over time: 0
            where each is the likeliest, 1 where it is as unlikely as the median phone.
        vowels: share of vowels that sound most like themselves; 1 if none can be told.
        remarks: what should be known and is no fault.
        rejected: why it is kept out of training; empty if it is not.
    """

    confidence: float = 0.0
    faults: list[Fault] = field(default_factory=list)
    rivals: float = 0.0
    vowels: float = 1.0
    remarks: list[str] = field(default_factory=list)
    rejected: str = ""


@dataclass(frozen=True)
class _Task:
    items: list[Item]
    onsets: dict[str, np.ndarray]
    config: RefineConfig
    limits: QualityConfig
    models: Models
    norms: Mapping[str, Norm]
    lags: Mapping[str, float]


@dataclass(frozen=True)
class _Doubt:
    """How much likelier other phones are in a segment (``phone``), or somewhere in it (``inside``)."""

    kind: str
    slot: Slot
    time: float
    ratio: float


@dataclass(frozen=True)
class _Measured:
    quality: Quality
    notes: int
    doubts: list[_Doubt]


def judge(
    items: Sequence[Item], sync: Mapping[str, Sync], refined: Refined, config: AlignConfig, jobs: int = 1
) -> dict[str, Quality]:
    """Judges all utterances; how well its phones fit is seen against the corpus.

    Args:
        items: as refined.
        sync: by utterance.
        refined: onsets and models.
        config: the limits.
        jobs: processes.
    """
    limits = relaxed(config.quality, float(np.median([item.floor for item in items])))
    lags = {kind: median for kind, (median, _) in refined.priors.onset.items()}
    tasks = [
        _Task(
            part,
            {item.utt: refined.onsets[item.utt] for item in part},
            config.refine,
            limits,
            refined.models,
            refined.norms,
            lags,
        )
        for part in (list(items[i : i + BATCH]) for i in range(0, len(items), BATCH))
    ]
    measured: dict[str, _Measured] = {}
    for found in run_jobs(_measure, tasks, jobs):
        measured.update(found)
    for item in items:
        found = measured[item.utt]
        found.quality.faults += _doubtful(item, found.doubts, limits)
    rivals = np.array([m.quality.rivals for m in measured.values()])
    middle = float(np.median(rivals))
    spread = max(1.4826 * float(np.median(np.abs(rivals - middle))), 0.02)
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


def relaxed(limits: QualityConfig, floor: float) -> QualityConfig:
    """The limits for recordings whose noise lies at ``floor`` dB below the loudest singing.

    In noise phones are harder to tell apart and voicing is harder to hear. Limits that
    depend on it rise in proportion to the decibels above ``limits.clean_floor``, to 1.6
    times their value at most.
    """
    more = float(np.clip(1.0 + (floor - limits.clean_floor) / 40.0, 1.0, 1.6))
    return dataclasses.replace(
        limits,
        max_rival=limits.max_rival * more,
        doubtful_rival=limits.doubtful_rival * more,
        max_inside=limits.max_inside * more,
        max_gap=limits.max_gap * more**2,
        min_voiced=limits.min_voiced / more,
    )


def _doubtful(item: Item, doubts: Sequence[_Doubt], limits: QualityConfig) -> list[Fault]:
    """Faults of phones that are not what is sung."""
    faults = []
    for doubt in doubts:
        slot, name = doubt.slot, repr(doubt.slot.phone)
        where = f"{doubt.time:.2f} s, {item.score.notes[slot.note].place}"
        if doubt.kind == "inside":
            if doubt.ratio > limits.max_inside:
                text = f"{where}: something else is sung inside {name}"
                faults.append(Fault("inside", slot.note, doubt.time, text))
        elif doubt.ratio > limits.max_rival:
            faults.append(Fault("phone", slot.note, doubt.time, f"{where}: {name} is not what is sung there"))
        elif doubt.ratio > limits.doubtful_rival * (0.6 if slot.vowel else 1.0):
            faults.append(
                Fault("doubtful phone", slot.note, doubt.time, f"{where}: {name} sounds like another")
            )
    return faults


def sync_faults(sync: Sync, limits: QualityConfig) -> list[str]:
    """What is wrong with a recording against its score as a whole."""
    why = []
    if abs(sync.offset) > limits.max_offset:
        side = "before" if sync.offset > 0 else "after"
        why.append(f"the score lies {abs(sync.offset):.2f} s {side} the recording")
    if abs(sync.transposition) > limits.max_transposition:
        why.append(f"sung {sync.transposition:+.1f} semitones from the score")
    return why


def _reject(
    quality: Quality,
    sync: Sync,
    found: _Measured,
    faulty: int,
    usual: tuple[float, float],
    limits: QualityConfig,
) -> str:
    """Why a phrase is kept out, all reasons in one line; empty if it is not."""
    why = sync_faults(sync, limits)
    if quality.vowels < limits.min_vowels:
        share = 1.0 - quality.vowels
        why.append(f"{share:.0%} of its vowels sound like others: lyrics and recording do not match")
    z = (quality.rivals - usual[0]) / usual[1]
    if z > limits.outlier:
        why.append(f"its phones fit worse than those of the corpus by {z:.0f} deviations")
    kinds: dict[str, list[Fault]] = {}
    for fault in quality.faults:
        kinds.setdefault(fault.kind, []).append(fault)
    # One is enough in a phrase; a whole song may have one in so many notes.
    if sum(len(kinds.get(kind, [])) for kind in limits.fatal) > found.notes // _NOTES_A_FAULT:
        why += [kinds[kind][0].text for kind in limits.fatal if kind in kinds]
    if faulty > limits.max_faulty * found.notes and faulty > 1:
        named = ", ".join(f"{kind} {len(rows)}" for kind, rows in sorted(kinds.items()))
        why.append(f"{faulty} of {found.notes} notes have faults ({named})")
    if not why and quality.confidence < limits.min_confidence:
        why.append(f"confidence {quality.confidence:.2f} is below {limits.min_confidence:g}")
    return "; ".join(why)


def _measure(task: _Task) -> dict[str, _Measured]:
    """One job."""
    found = {}
    for item in task.items:
        frames = load_frames(item.cache)
        slots = item_slots(item, task.config)
        found[item.utt] = _measure_one(item, slots, task.onsets[item.utt], frames, task)
    return found


def _measure_one(item: Item, slots: list[Slot], onsets: np.ndarray, frames: Frames, task: _Task) -> _Measured:
    limits, shift = task.limits, frames.shift
    quality = Quality()
    voiced = (frames.f0 > 0) & (frames.voicing > PERIODIC) & (frames.level > QUIET)
    midi = 69.0 + 12.0 * np.log2(np.where(frames.f0 > 0, frames.f0, 440.0) / 440.0) - item.transposition
    norm = task.norms[item.speaker]
    silent = {slot.key for slot in slots if slot.silence} | {f"{item.score.lang}:br"}
    keys = [k for k in sorted(task.models.means) if k.startswith(f"{item.score.lang}:") and k not in silent]
    rivals = Rivals(task.models.frames(keys, (frames.features - norm.mean) / norm.deviation), keys)
    by_note: dict[int, list[tuple[Slot, int, int]]] = {}
    vowels = [slot.key for slot in slots if slot.vowel]
    doubts: list[_Doubt] = []
    total, count, right, told = 0.0, 0, 0, 0
    sung = np.median(frames.level[voiced]) if voiced.any() else 0.0
    loud = voiced & (frames.level > sung - _AUDIBLE)
    for slot, start, end in zip(slots, onsets[:-1], onsets[1:]):
        if end <= start:
            continue
        if slot.silence:
            length, at = _longest(loud[start:end])
            if length * shift > limits.max_voice:
                time = round(float(start + at) * shift, 3)
                text = f"{time:.2f} s: {1e3 * length * shift:.0f} ms are sung in {slot.phone!r}"
                quality.faults.append(Fault("voice", slot.note, time, text))
            continue
        by_note.setdefault(slot.note, []).append((slot, int(start), int(end)))
        ratio = rivals.ratio(slot.key, start, end)
        total, count = total + ratio * int(end - start), count + int(end - start)
        doubts.append(_Doubt("phone", slot, round(float(start) * shift, 3), ratio))
        if slot.vowel:
            worst, at = rivals.inside(slot.key, start, end)
            doubts.append(_Doubt("inside", slot, round(float(at) * shift, 3), worst))
            if end - start >= _SHORT_NOTE and len(set(vowels)) > 1:
                told += 1
                right += rivals.best(slot.key, sorted(set(vowels)), start, end)
    for note, parts in sorted(by_note.items()):
        quality.faults += _note_faults(item, note, parts, voiced, midi, frames, limits, task.lags)
    quality.rivals = round(total / max(count, 1), 4)
    quality.vowels = round(right / told, 3) if told else 1.0
    return _Measured(quality, len(by_note), doubts)


class Rivals:
    """How a segment's phone stands against all other phones.

    Args:
        likelihoods: by phone key, (3, T): beginning, middle, end.
        keys: of the phones, silences left out.
    """

    def __init__(self, likelihoods: Mapping[str, np.ndarray], keys: Sequence[str]):
        self._frames = np.stack([likelihoods[key] for key in keys])
        self._sums = np.pad(np.cumsum(self._frames, axis=2), ((0, 0), (0, 0), (1, 0)))
        self._row = {key: i for i, key in enumerate(keys)}

    def _means(self, start: int, end: int) -> np.ndarray:
        edge = int(edges(np.array(end - start)))
        cut = np.array([start, start + edge, end - edge, end])
        parts = self._sums[:, :, cut[1:]] - self._sums[:, :, cut[:-1]]
        return np.einsum("pkk->p", parts) / (end - start)

    def ratio(self, key: str, start: int, end: int) -> float:
        """0 where the phone is the likeliest, 1 where it is as unlikely as the median phone."""
        means = self._means(start, end)
        return _ratio(means, means[self._row[key]])

    def best(self, key: str, among: Sequence[str], start: int, end: int) -> bool:
        """Whether the phone is the likeliest of some."""
        means = self._means(start, end)
        return means[self._row[key]] >= max(means[self._row[other]] for other in among)

    def inside(self, key: str, start: int, end: int) -> tuple[float, int]:
        """The worst ratio in any 60 ms inside a long segment, and the frame where; (0, start) if short."""
        if end - start < 2 * _MARGIN + 3 * _INSIDE:
            return 0.0, start
        span = slice(start + _MARGIN, end - _MARGIN)
        middles = self._frames[:, 1, span]
        own = self._frames[self._row[key], :, span].max(axis=0)
        top = np.maximum(middles.max(axis=0), own)
        flat = np.ones(_INSIDE) / _INSIDE
        lost = np.convolve(top - own, flat, "valid")
        scale = np.convolve(top - np.median(middles, axis=0), flat, "valid")
        ratios = lost / np.maximum(scale, 1e-3)
        # Where all phones are about as likely, a ratio says little.
        ratios[lost < _LEAST_LOSS] = 0.0
        k = int(ratios.argmax())
        return float(ratios[k]), start + _MARGIN + k


def _ratio(means: np.ndarray, own: float) -> float:
    best = float(means.max())
    return (best - float(own)) / max(best - float(np.median(means)), 1e-3)


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
        error = np.where(voiced[inside], midi[inside] - item.score.notes[note].pitch, 0.0)
        # Glides from and to the notes around are no faults; another note sung in this one is.
        glide = round(_GLIDE / shift)
        # An octave away the tracker is more likely to be wrong than the singer.
        astray = (np.abs(error) > limits.max_pitch) & (np.abs(error) < _OCTAVE)
        length, at = _longest(astray[glide:-glide])
        if length * shift > limits.max_astray:
            middle = float(np.median(error[glide + at : glide + at + length]))
            add(
                "pitch",
                inside[glide + at],
                f"{1e3 * length * shift:.0f} ms are sung {middle:+.1f} semitones off",
            )
    for slot, a, b in held:
        if (b - a) * shift < limits.min_vowel:
            add("short vowel", a, f"{slot.phone!r} lasts {1e3 * (b - a) * shift:.0f} ms")
        length, at = _longest(~voiced[a:b] & (frames.level[a:b] < np.median(frames.level[a:b]) - 20.0))
        if length * shift > limits.max_silence:
            add("silence", a + at, f"{1e3 * length * shift:.0f} ms of silence inside {slot.phone!r}")
        length, at = _gap(voiced[a:b], round(_AROUND / shift))
        if length * shift > limits.max_gap:
            add("gap", a + at, f"{1e3 * length * shift:.0f} ms without voice inside {slot.phone!r}")
    for slot, a, _ in parts:
        if not np.isnan(slot.expected):
            lag = (a - slot.expected - lags.get(slot.kind, 0.0)) * shift
            if abs(lag) > limits.max_onset:
                add("onset", a, f"begins {1e3 * abs(lag):.0f} ms {'late' if lag > 0 else 'early'}")
    return found


def _gap(voiced: np.ndarray, around: int) -> tuple[int, int]:
    """The longest unvoiced run with ``around`` voiced frames in all both before and after it."""
    count = np.cumsum(voiced)
    inner = ~voiced & (count >= around) & (count[-1] - count >= around)
    return _longest(inner)


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
