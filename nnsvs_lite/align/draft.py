"""Scores for recordings of which only the lyrics are known, made of what is heard.

Vowels are voiced and loud, consonants short, soft or unvoiced, pauses quiet. With that much known beforehand
the search of the refinement places the syllables of a recording without a score or a trained model.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from nnsvs_lite.align.config import RefineConfig
from nnsvs_lite.align.frames import QUIET, Frames
from nnsvs_lite.align.segmental import Evidence, Priors, running_sums, search
from nnsvs_lite.align.slots import Item, manner, slots_of
from nnsvs_lite.features.f0 import hz_to_midi
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages import Language, LyricError, get_language
from nnsvs_lite.score.lyrics import is_continuation, without_number
from nnsvs_lite.score.phonemize import attach_phones, carried
from nnsvs_lite.score.types import Note, Score

_STEP = 2
"""Frames of the evidence to one of the search."""
_REACH, _SHARE = 3.0, 0.1
"""Seconds, and share of the recording, by which a syllable may lie from where it were if all were as long."""
_SCALE, _FLUX, _VOICED = 0.2, 1.5, 0.6
"""Weights of a frame's likelihood and of a change of spectrum; the least voicing of a sung frame."""
_HELD, _SPREAD = 0.75, 0.6
"""Share of a syllable that its vowel has, and spread of the logarithm of its length."""
_EXPECTED = {
    # By manner: share of frames that are voiced; level against sung frames, dB, and its spread. Whatever is
    # 45 dB below is silent.
    "vowel": (0.97, 0.0, 7.0),
    "silence": (0.03, -40.0, 12.0),
    "breath": (0.03, -35.0, 12.0),
    "closure": (0.05, -35.0, 12.0),
    "affricate": (0.15, -18.0, 9.0),
    "plosive": (0.2, -20.0, 10.0),
    "fricative": (0.15, -16.0, 9.0),
    "glottal": (0.3, -14.0, 8.0),
}
_OTHERS, _LOWEST = (0.85, -5.0, 6.0), -45.0
"""The same of all other manners; dB, the level below which nothing is told apart."""
_STEADY, _FARTHEST = 0.25, 2.0
"""Semitones times seconds that a further note in a syllable must explain, so that neither vibrato nor a slide
into a note is one; and the semitones beyond which a frame counts no more."""
_TEMPO, _METRE = 120.0, 4.0
_REST = Note(0.0, 0.0, 0, "", ("pau",))


def unplaced(text: str, lang: str, where: str | os.PathLike) -> Score:
    """Lyrics as a score without times and pitches (all 0 and 60): a note a syllable, between two rests.

    Raises DataError where the language is unknown, a word cannot be read, or there is none.
    """
    language = get_language(lang)
    words = [word for word in without_number(text, lang).split() if not is_continuation(word)]
    try:
        readings = language.read_phrase(words)
    except LyricError as error:
        word = words[error.index][:40]
        raise DataError(f"cannot read {word!r}: {error} (the language is {language.name})", where) from None
    parts = [part for word, units in zip(words, readings) for part in _parts(word, units.units, language)]
    sung = [Note(0.0, 0.0, 60, part) for part in parts]
    return attach_phones(Score((_REST, *sung, _REST), lang), where=where)


def _parts(word: str, units: list[list[str]], language: Language) -> list[str]:
    """The lyrics of a word's notes: one a syllable, which has a vowel."""
    found: list[list[str]] = []
    for unit in units:
        found[-1:] = [found[-1] + unit] if found and language.nuclei.isdisjoint(unit) else [*found[-1:], unit]
    if language.spreads or len(found) < 2:
        return [word] + ["+"] * (len(found) - 1)
    parts, left, before = [], word, [""]
    for k, unit in enumerate(found, 1):
        sizes = range(1, len(left) + 1) if k < len(found) else [len(left)]
        parts.append(left[: next((n for n in sizes if _sings(left[:n], unit, before, language)), 0)])
        left, before = left[len(parts[-1]) :], unit
    # Where no letters of its own sing a syllable, as with kanji, its phones do.
    return parts if all(parts) else [f"[{' '.join(unit)}]" for unit in found]


def _sings(text: str, unit: list[str], before: list[str], language: Language) -> bool:
    """Whether a lyric is a syllable's, after the one before."""
    try:
        return [phone for part in language.units(text) for phone in part] == unit
    except LyricError:
        return is_continuation(text) and unit == before[-1:]


def draft(score: Score, frames: Frames) -> Score:
    """The score of :func:`unplaced` with times, pauses and pitches as they are heard.

    A syllable that is sung on several pitches has a note for each.
    """
    language, shift = get_language(score.lang), frames.shift * _STEP
    sung, midi = _voice(frames)
    voiced, level, flux = sung[::_STEP], frames.level[::_STEP], frames.flux[::_STEP]
    level = np.maximum(level - np.median(level[voiced] if voiced.any() else level), _LOWEST)
    # Where the notes were if their voiced parts were equally long.
    count, seconds = len(voiced), len(voiced) * shift
    shares = np.arange(len(score.notes) - 1) / (len(score.notes) - 2) * sung.sum()
    times = [0.0, *(np.searchsorted(np.cumsum(sung), shares) * frames.shift), seconds]
    notes = tuple(replace(note, start=a, end=b) for note, a, b in zip(score.notes, times, times[1:]))
    config = RefineConfig(frame_shift=shift, window=_REACH + _SHARE * seconds)
    slots = slots_of(Item("", "", replace(score, notes=notes), Path(), count), config)
    states, priors = {}, Priors(default=np.inf)
    for slot in slots:
        name, length, spread = manner(language, slot.phone)
        share, middle, width = _EXPECTED.get(name, _OTHERS)
        likely = np.log(np.where(voiced, share, 1.0 - share) / width) - 0.5 * ((level - middle) / width) ** 2
        states[slot.key] = running_sums(_SCALE * np.tile(likely, (3, 1)))
        if slot.vowel:
            length, spread = max(_HELD * shares[1], 3.0) * frames.shift, _SPREAD
        if length:
            priors.length[slot.key] = (np.log(length / shift), spread)
    boundary = _FLUX * np.log(flux / max(float(np.median(flux)), 1e-3) + 1e-2)
    onsets, _ = search(slots, count, Evidence(states, {}, np.append(boundary, boundary[-1])), priors)
    heard, labels = {}, []
    for slot, start, end in zip(slots, onsets, onsets[1:]):
        if end > start or not slot.optional:
            labels.append(Segment(start * shift, end * shift, "pau" if slot.optional else slot.phone))
            heard[slot.note, not slot.optional] = _REST if slot.optional else score.notes[slot.note]
    return _divided(timed(replace(score, notes=tuple(heard.values())), labels, frames), midi, frames.shift)


def _voice(frames: Frames) -> tuple[np.ndarray, np.ndarray]:
    """Which frames are sung (T,), and their MIDI numbers, NaN where they are not."""
    sung = (frames.f0 > 0) & (frames.voicing > _VOICED) & (frames.level > QUIET)
    return sung, np.where(sung, hz_to_midi(np.maximum(frames.f0, 1.0)), np.nan)


def timed(score: Score, labels: Sequence[Segment], frames: Frames) -> Score:
    """A drafted score with notes where its labels have their vowels, and the pitch that is sung there.

    The pitch is the middle of F0 over the phones from the vowel on, in whole semitones.
    """
    language, (_, midi) = get_language(score.lang), _voice(frames)
    first = np.cumsum([0] + [len(note.phones) for note in score.notes])
    begins = [k + language.onset_count(note.phones) for k, note in zip(first, score.notes)]
    times = [0.0, *(labels[k].start for k in begins[1:]), labels[-1].end]
    notes: list[Note] = []
    usual = 60.0 if np.isnan(midi).all() else float(np.nanmedian(midi))
    for note, start, end, last in zip(score.notes, times, times[1:], first[1:]):
        part = midi[int(start / frames.shift) : int(labels[last - 1].end / frames.shift)]
        part = part[~np.isnan(part)]
        pitch = min(max(round(float(np.median(part)) if len(part) else usual), 24), 96)
        notes.append(_placed(note, start, end, 0 if note.is_rest else pitch))
    return replace(score, notes=tuple(notes))


def _placed(note: Note, start: float, end: float, pitch: int) -> Note:
    """A note at its time; bars are unknown, and counted as if it were sung at one tempo."""
    measure, beat = divmod(start * _TEMPO / 60.0, _METRE)
    place = {
        "measure": int(measure) + 1,
        "beat": round(beat, 4),
        "beats": round((end - start) * _TEMPO / 60, 6),
    }
    return replace(note, start=round(start, 7), end=round(end, 7), pitch=pitch, tempo=_TEMPO, **place)


def _divided(score: Score, midi: np.ndarray, shift: float) -> Score:
    """A note for each pitch of a syllable."""
    notes: list[Note] = []
    for note in score.notes:
        first = round(note.start / shift)
        steps = [] if note.is_rest else _steps(midi[first : round(note.end / shift)], shift)
        steps = steps or [(0, note.pitch)]
        times = [note.start, *((first + at) * shift for at, _ in steps[1:]), note.end]
        parts = zip(carried(note.phones, len(steps), get_language(score.lang)), times, times[1:], steps)
        for k, (phones, start, end, (_, pitch)) in enumerate(parts):
            held = {"slur": True, "lyric": ""} if k else {}
            notes.append(_placed(replace(note, phones=phones, **held), start, end, pitch))
    return replace(score, notes=tuple(notes))


def _steps(midi: np.ndarray, shift: float) -> list[tuple[int, int]]:
    """Frames at which whole semitones begin, and these: the steps nearest to F0 for what they cost."""
    sung = midi[~np.isnan(midi)]
    if not len(sung):
        return []
    pitches = np.arange(round(float(sung.min())), round(float(sung.max())) + 1)
    away = np.nan_to_num(np.minimum(np.abs(midi[:, None] - pitches), _FARTHEST), nan=0.0) * shift
    cost, back = np.zeros(len(pitches)), []
    for row in away:
        best = int(cost.argmin())
        stays = cost <= cost[best] + _STEADY
        back.append(np.where(stays, np.arange(len(pitches)), best))
        cost = np.where(stays, cost, cost[best] + _STEADY) + row
    path = [int(cost.argmin())]
    for row in back[:0:-1]:
        path.append(int(row[path[-1]]))
    path.reverse()
    return [(t, int(pitches[p])) for t, p in enumerate(path) if t == 0 or p != path[t - 1]]
