"""Quality without truth: what in a phrase does not fit its score, and how sure its labels are.

A phrase is judged by what the alignment cannot change: voice and pitch of its notes, sound and place of
its vowels. One that fails is kept out of training and named.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nnsvs_lite.align.config import AlignConfig, QualityConfig
from nnsvs_lite.align.frames import QUIET, load_frames
from nnsvs_lite.align.refine import BATCH, Refined
from nnsvs_lite.align.segmental import edges, running_sums
from nnsvs_lite.align.slots import Item, Slot, slots_of
from nnsvs_lite.align.sync import Sync
from nnsvs_lite.features.f0 import hz_to_midi, runs
from nnsvs_lite.io.jobs import run_jobs

PERIODIC = 0.55
"""Autocorrelation peak from which a frame counts as voiced."""
CLEAN = -50.0
"""dB below the loudest singing: noise above it makes phones and voice harder to hear."""
FATAL = ("unvoiced", "phone", "inside", "pitch", "gap", "voice")
"""Kinds of faults of which one is enough in a phrase; ``voice`` is that in a rest."""
_MIN_VOICED = 0.3
_DOUBTFUL, _DOUBTFUL_VOWEL, _DOUBTFUL_INSIDE = 0.77, 0.46, 0.55
"""Shares of ``max_rival``: from here on a phone, a vowel, a part of a vowel is doubtful."""
_SHORT_NOTE = 6
_NOTES_A_FAULT = 25
_GLIDE = 0.06
_AROUND = 0.05
_AUDIBLE = 20.0
_OCTAVE = 9.0
_MARGIN, _INSIDE, _LEAST_LOSS = 8, 12, 5.0


@dataclass(frozen=True)
class AlignFault:
    """One thing that does not fit."""

    kind: str  # one of :data:`FATAL`, ``onset`` or ``doubtful phone``
    note: int  # its index
    time: float  # seconds
    text: str  # for people


@dataclass
class Quality:
    """The judgement of one utterance."""

    confidence: float = 0.0  # 0..1: the share of notes without a fault, times ``vowels``
    faults: list[AlignFault] = field(default_factory=list)  # in order of time
    vowels: float = 1.0  # share of vowels that sound most like themselves; 1 if none can be told
    remarks: list[str] = field(default_factory=list)  # what should be known and is no fault
    likelihood: float | None = None  # the aligner's, of its worst part; None where it gives none
    placed: list[str] = field(default_factory=list)  # how its score was moved or transposed
    rejected: str = ""  # why it is kept out of training; empty if it is not
    whole: bool = True  # whether that holds for all of a song, or for its phrases with such faults


def _judge_items(
    config: AlignConfig, noise: float, refined: Refined, sync: Mapping[str, Sync], items: list[Item]
) -> dict[str, Quality]:
    """One job."""
    return {item.utt: _Utterance(config, noise, refined, item).judged(sync[item.utt]) for item in items}


def judge(
    sync: Mapping[str, Sync], refined: Refined, config: AlignConfig, jobs: int = 1
) -> dict[str, Quality]:
    """Judges all utterances.

    In noise phones are harder to tell apart and voicing is harder to hear: limits that depend on
    it rise with the decibels above :data:`CLEAN`, to 1.6 times their value at most.
    """
    items = refined.items
    floor = float(np.median([item.floor for item in items]))
    noise = float(np.clip(1.0 + (floor - CLEAN) / 40.0, 1.0, 1.6))
    worker = functools.partial(_judge_items, config, noise, refined, sync)
    result = {}
    for found in run_jobs(worker, [items[i : i + BATCH] for i in range(0, len(items), BATCH)], jobs):
        result |= found
    return result


def sync_faults(sync: Sync, limits: QualityConfig) -> list[str]:
    """What is wrong with a recording against its score as a whole."""
    why = []
    if abs(sync.offset) > limits.max_offset:
        side = "before" if sync.offset > 0 else "after"
        why.append(f"the score lies {abs(sync.offset):.2f} s {side} the recording")
    if abs(sync.transposition) > limits.max_pitch:
        why.append(f"sung {sync.transposition:+.1f} semitones from the score")
    return why


def _reject(quality: Quality, sync: Sync, faulty: int, notes: int, limits: QualityConfig) -> str:
    """Why a phrase is kept out, all reasons in one line; empty if it is not."""
    why = sync_faults(sync, limits)
    if quality.vowels < limits.min_confidence:
        share = 1.0 - quality.vowels
        why.append(f"{share:.0%} of its vowels sound like others: lyrics and recording do not match")
    kinds: dict[str, list[AlignFault]] = {}
    for fault in quality.faults:
        kinds.setdefault(fault.kind, []).append(fault)
    # One is enough in a phrase; a whole song may have one in so many notes.
    if sum(len(kinds.get(kind, [])) for kind in FATAL) > notes // _NOTES_A_FAULT:
        why += [kinds[kind][0].text for kind in FATAL if kind in kinds]
    if faulty > limits.max_faulty * notes and faulty > 1:
        named = ", ".join(f"{kind} {len(rows)}" for kind, rows in sorted(kinds.items()))
        why.append(f"{faulty} of {notes} notes have faults ({named})")
    if not why and quality.confidence < limits.min_confidence:
        why.append(f"confidence {quality.confidence:.2f} is below {limits.min_confidence:g}")
    return "; ".join(why)


class _Utterance:
    """One utterance that is judged: its evidence beside its segments."""

    def __init__(self, config: AlignConfig, noise: float, refined: Refined, item: Item):
        self.item, self.limits, self.noise, self.usual = item, config.quality, noise, refined.priors.onset
        frames = load_frames(item.cache)
        self.shift = frames.shift
        self.faults: list[AlignFault] = []
        self.voiced = (frames.f0 > 0) & (frames.voicing > PERIODIC) & (frames.level > QUIET)
        self.midi = hz_to_midi(np.where(frames.f0 > 0, frames.f0, 440.0)) - item.transposition
        sung = np.median(frames.level[self.voiced]) if self.voiced.any() else 0.0
        self.loud = self.voiced & (frames.level > sung - _AUDIBLE)
        slots = slots_of(item, config.refine)
        onsets = [int(onset) for onset in refined.onsets[item.utt]]
        self.segments = [(s, a, b) for s, a, b in zip(slots, onsets, onsets[1:]) if b > a]
        models, norm = refined.models, refined.norms[item.speaker]
        lang = item.score.lang
        silent = {slot.key for slot in slots if slot.silence} | {f"{lang}:br"}
        keys = [k for k in sorted(models.means) if k.startswith(f"{lang}:") and k not in silent]
        self.rivals = Rivals(models.frames(keys, norm(frames.features)), keys)
        self.vowels = sorted({slot.key for slot in slots if slot.vowel})

    def judged(self, sync: Sync) -> Quality:
        """The judgement."""
        by_note: dict[int, list[tuple[Slot, int, int]]] = {}
        told = []
        for slot, start, end in self.segments:
            if slot.silence:
                length, at = _longest(self.loud[start:end])
                if length * self.shift > self.limits.max_wrong:
                    self._add(
                        "voice", slot.note, start + at, f"{self._ms(length)} are sung in {slot.phone!r}"
                    )
                continue
            by_note.setdefault(slot.note, []).append((slot, start, end))
            self._judge_phone(slot, start, end)
            if slot.vowel and end - start >= _SHORT_NOTE and len(self.vowels) > 1:
                told.append(self.rivals.best(slot.key, self.vowels, start, end))
        for note, parts in sorted(by_note.items()):
            self._judge_note(note, parts)
        vowels = round(sum(told) / len(told), 3) if told else 1.0
        faults = sorted(self.faults, key=lambda fault: (fault.time, fault.kind))
        faulty = len({fault.note for fault in faults})
        confidence = round(max(1.0 - faulty / max(len(by_note), 1), 0.0) * vowels, 3)
        quality = Quality(confidence, faults, vowels)
        quality.rejected = _reject(quality, sync, faulty, len(by_note), self.limits)
        unsure = bool(quality.confidence < self.limits.min_confidence)
        quality.whole = unsure or bool(sync_faults(sync, self.limits))
        return quality

    def _add(self, kind: str, note: int, frame: int, text: str) -> None:
        time = round(float(frame) * self.shift, 3)
        place = self.item.score.notes[note].place
        self.faults.append(AlignFault(kind, note, time, f"{time:.2f} s, {place}: {text}"))

    def _ms(self, frames: int) -> str:
        return f"{1e3 * frames * self.shift:.0f} ms"

    def _judge_phone(self, slot: Slot, start: int, end: int) -> None:
        """Whether other phones are likelier than the score's, in a segment or somewhere in a vowel."""
        limit, name = self.limits.max_rival * self.noise, repr(slot.phone)
        ratio = self.rivals.ratio(slot.key, start, end)
        if ratio > limit:
            self._add("phone", slot.note, start, f"{name} is not what is sung there")
        elif ratio > limit * (_DOUBTFUL_VOWEL if slot.vowel else _DOUBTFUL):
            self._add("doubtful phone", slot.note, start, f"{name} sounds like another")
        if slot.vowel:
            worst, at = self.rivals.inside(slot.key, start, end)
            if worst > limit * _DOUBTFUL_INSIDE:
                self._add("inside", slot.note, at, f"something else is sung inside {name}")

    def _judge_note(self, note: int, parts: list[tuple[Slot, int, int]]) -> None:
        """Voice, pitch and beginning of one note."""
        noise, seconds = self.noise, self.limits.max_wrong
        held = [(slot, a, b) for slot, a, b in parts if slot.vowel]
        if held:
            inside = np.concatenate([np.arange(a, b) for _, a, b in held])
            share = float(self.voiced[inside].mean())
            if share < _MIN_VOICED / noise:
                self._add("unvoiced", note, inside[0], f"only {share:.0%} of it is voiced")
            pitch = self.item.score.notes[note].pitch
            error = np.where(self.voiced[inside], self.midi[inside] - pitch, 0.0)
            # Glides from and to the notes around are no faults; another note sung in this one is.
            glide = round(_GLIDE / self.shift)
            # An octave away the tracker is more likely to be wrong than the singer.
            astray = (np.abs(error) > self.limits.max_pitch) & (np.abs(error) < _OCTAVE)
            length, at = _longest(astray[glide:-glide])
            if length * self.shift > seconds and not self.item.drafted:
                off = float(np.median(error[glide + at : glide + at + length]))
                text = f"{self._ms(length)} are sung {off:+.1f} semitones off"
                self._add("pitch", note, inside[glide + at], text)
        for slot, a, b in held:
            length, at = _gap(self.voiced[a:b], round(_AROUND / self.shift))
            if length * self.shift > seconds / 3 * noise**2:
                self._add("gap", note, a + at, f"{self._ms(length)} without voice inside {slot.phone!r}")
        for slot, a, _ in parts:
            if not (np.isnan(slot.expected) or self.item.drafted):
                lag = a - slot.expected - self.usual.get(slot.kind, (0.0, 0.0))[0]
                if abs(lag) * self.shift > seconds:
                    side = "late" if lag > 0 else "early"
                    self._add("onset", note, a, f"begins {self._ms(abs(lag))} {side}")


class Rivals:
    """How a segment's phone stands against all other phones.

    Args:
        likelihoods: by phone key, (3, T): beginning, middle, end.
        keys: of the phones, silences left out.
    """

    def __init__(self, likelihoods: Mapping[str, np.ndarray], keys: Sequence[str]):
        self._frames = np.stack([likelihoods[key] for key in keys])
        self._sums = running_sums(self._frames)
        self._row = {key: i for i, key in enumerate(keys)}

    def _means(self, start: int, end: int) -> np.ndarray:
        edge = edges(end - start)
        cut = np.array([start, start + edge, end - edge, end])
        parts = self._sums[:, :, cut[1:]] - self._sums[:, :, cut[:-1]]
        return np.einsum("pkk->p", parts) / (end - start)

    def ratio(self, key: str, start: int, end: int) -> float:
        """0 where the phone is the likeliest, 1 where it is as unlikely as the median phone."""
        means = self._means(start, end)
        best = float(means.max())
        return (best - float(means[self._row[key]])) / max(best - float(np.median(means)), 1e-3)

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


def _gap(voiced: np.ndarray, around: int) -> tuple[int, int]:
    """The longest unvoiced run with ``around`` voiced frames in all both before and after it."""
    count = np.cumsum(voiced)
    return _longest(~voiced & (count >= around) & (count[-1] - count >= around))


def _longest(mask: np.ndarray) -> tuple[int, int]:
    """Length and beginning of the longest run of True."""
    first, end = max(runs(mask), key=lambda run: run[1] - run[0], default=(0, 0))
    return end - first, first
