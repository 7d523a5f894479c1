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
from nnsvs_lite.features.notes import STEP, find_notes, settle, tuning
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages import Language, LyricError, get_language
from nnsvs_lite.score.lyrics import is_continuation, without_number, without_unseen
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
_TEMPO, _METRE = 120.0, 4.0
_REST = Note(0.0, 0.0, 0, "", ("pau",))


def unplaced(text: str, lang: str, where: str | os.PathLike) -> Score:
    """Lyrics as a score without times and pitches (all 0 and 60): a note a syllable, between two rests.

    Raises DataError where the language is unknown, a word cannot be read, or there is none.
    """
    language = get_language(lang)
    words = [word for word in without_number(without_unseen(text), lang).split() if not is_continuation(word)]
    try:
        readings = language.read_phrase(words)
    except LyricError as error:
        word = words[error.index][:40]
        raise DataError(f"cannot read {word!r}: {error} (the language is {language.name})", where) from None
    parts = [part for word, units in zip(words, readings) for part in _parts(word, units.units, language)]
    if language.spreads:
        return _score([lyric for lyric, _ in parts], lang, where)
    # Beside phones that stand for one part of a word (ev- ery), others are read otherwise, or not at all.
    before = [[""], *(unit for _, unit in parts)]
    alone = [
        lyric if _sings(lyric, unit, last, language) else _spelt(unit)
        for (lyric, unit), last in zip(parts, before)
    ]
    for lyrics in ([lyric for lyric, _ in parts], alone):
        try:
            score = _score(lyrics, lang, where)
        except DataError:
            continue
        if all(
            note.is_rest or not unit or note.phones == (*unit,)
            for note, (_, unit) in zip(score.notes[1:], parts)
        ):
            return score
    return _score([_spelt(unit) for _, unit in parts], lang, where)


def _score(lyrics: Sequence[str], lang: str, where: str | os.PathLike) -> Score:
    notes = (Note(0.0, 0.0, 60, lyric) for lyric in lyrics)
    return attach_phones(Score((_REST, *notes, _REST), lang), where=where)


def _spelt(unit: list[str]) -> str:
    return f"[{' '.join(unit)}]" if unit else "-"


def _parts(word: str, units: list[list[str]], language: Language) -> list[tuple[str, list[str]]]:
    """Lyric and phones of each of a word's notes: one a syllable, which has a vowel."""
    found: list[list[str]] = []
    for unit in units:
        found[-1:] = [found[-1] + unit] if found and language.nuclei.isdisjoint(unit) else [*found[-1:], unit]
    if language.spreads or len(found) < 2:
        return list(zip([word] + ["+"] * (len(found) - 1), found or [[]]))
    parts, left, before = [], word, [""]
    for k, unit in enumerate(found, 1):
        sizes = range(1, len(left) + 1) if k < len(found) else [len(left)]
        parts.append(left[: next((n for n in sizes if _sings(left[:n], unit, before, language)), 0)])
        left, before = left[len(parts[-1]) :], unit
    # Where no letters of its own sing a syllable, as with kanji, its phones do.
    return list(zip(parts if all(parts) else map(_spelt, found), found))


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

    The pitch is the middle of F0 over the phones from the vowel on, in whole semitones of her tuning;
    where it lies between two, that of the key that is heard.
    """
    language, (_, midi) = get_language(score.lang), _voice(frames)
    first = np.cumsum([0] + [len(note.phones) for note in score.notes])
    begins = [k + language.onset_count(note.phones) for k, note in zip(first, score.notes)]
    times = [0.0, *(labels[k].start for k in begins[1:]), labels[-1].end]
    usual = 60.0 if np.isnan(midi).all() else float(np.nanmedian(midi))
    heard: list[float] = []
    for start, last in zip(times, first[1:]):
        part = midi[int(start / frames.shift) : int(labels[last - 1].end / frames.shift)]
        heard.append(float(np.median(part[~np.isnan(part)])) if not np.isnan(part).all() else usual)
    sung = [k for k, note in enumerate(score.notes) if not note.is_rest]
    whole = settle(
        np.array(heard)[sung] - tuning(midi, frames.shift), [times[k + 1] - times[k] for k in sung]
    )
    pitches = dict(zip(sung, whole))
    notes = (
        _placed(note, start, end, min(max(pitches[k], 24), 96) if k in pitches else 0)
        for k, (note, start, end) in enumerate(zip(score.notes, times, times[1:]))
    )
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
    step, tuned, parts = round(STEP / shift), tuning(midi, shift), []
    for note in score.notes:
        first = round(note.start / shift)
        part = [] if note.is_rest else midi[first : round(note.end / shift) : step]
        heard = find_notes(np.asarray(part, float), starts=[0], tuned=tuned) or [None]
        times = [note.start, *(first * shift + row.start for row in heard[1:]), note.end]
        phones = carried(note.phones, len(heard), get_language(score.lang))
        for k, (row, own, start, end) in enumerate(zip(heard, phones, times, times[1:])):
            held = {"slur": True, "lyric": ""} if k else {}
            # Of all frames: what is held in a short syllable may be its end.
            sung = midi[round(start / shift) : round(end / shift)] if row else np.full(1, np.nan)
            pitch = float(note.pitch) if np.isnan(sung).all() else float(np.nanmedian(sung))
            parts.append((replace(note, phones=own, **held), start, end, pitch - tuned))
    sung = [k for k, (note, *_) in enumerate(parts) if not note.is_rest]
    whole = settle([parts[k][3] for k in sung], [parts[k][2] - parts[k][1] for k in sung])
    pitches = dict(zip(sung, whole))
    notes = (_placed(*part[:3], pitches.get(k, 0)) for k, part in enumerate(parts))
    return replace(score, notes=tuple(notes))
