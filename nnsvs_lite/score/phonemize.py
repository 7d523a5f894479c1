"""From lyrics to the phones of each note."""

import dataclasses
import itertools
import os
from collections.abc import Sequence

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.leftout import left_out
from nnsvs_lite.score.languages import Language, LyricError, Reading, get_language
from nnsvs_lite.score.lyrics import (
    clean_alias,
    is_breath,
    is_continuation,
    is_next_syllable,
    split_hint,
    without_number,
    without_unseen,
)
from nnsvs_lite.score.types import REST, Note, Score

_SHOWN = 40
"""Characters of a lyric that a message repeats."""


def attach_phones(score: Score, *, where: str | os.PathLike | None = None) -> Score:
    """The score with ``phones`` of every note filled in.

    A rest gets ``("pau",)``, or ``("br",)`` where its lyric says breath. A syllable
    sung over several notes gives its first note the phones up to the part that can be
    held, each further note that held phone again, and the last note what follows it:
    きっ over two notes is ``k i`` and ``i cl``. In languages that spread words over notes
    (``Language.spreads``) each of these notes takes one syllable more while there are any;
    if some notes are marked ``+``, only those do. A note without a syllable, and none before it to
    carry on, becomes a rest, with a warning.

    ``where`` is the file name for messages; the score's title if not given.
    Raises DataError where the language is unknown, a lyric cannot be read, or no note has one; names file,
    measure, beat and text.
    """
    language = get_language(score.lang)
    where = where if where is not None else (score.title or None)
    notes = _without_bare([_cleaned(note, score.lang) for note in score.notes], where)
    hints = [(note.place, *split_hint(note.lyric, score.lang)) for note in notes if not continues(note)]
    odd = [place for place, text, hint in hints if text and hint and not _hinted(hint, language)]
    left_out(f"hints that are not phones of {language.name} are left out", odd)
    rests = [note.is_rest for note in notes]
    for is_rest, run in itertools.groupby(range(len(notes)), key=rests.__getitem__):
        span = list(run)
        if not is_rest:
            _read_phrase(notes, span[0], span[-1] + 1, language, where)
            continue
        for i in span:
            notes[i] = dataclasses.replace(
                notes[i], phones=("br",) if is_breath(notes[i].lyric) else ("pau",)
            )
    return dataclasses.replace(score, notes=tuple(notes))


def continues(note: Note) -> bool:
    """Whether a note carries on the syllable of the one before it."""
    return not note.is_rest and (note.slur or not note.lyric.strip() or is_continuation(note.lyric))


def _cleaned(note: Note, lang: str) -> Note:
    """The note as it is sung: signs and aliases of its lyric read, a verse number left out."""
    if not note.lyric.isascii():
        note = dataclasses.replace(note, lyric=without_unseen(note.lyric))
    if note.is_rest or continues(note):
        return note
    lyric = clean_alias(without_number(note.lyric, lang), lang, bank=False)
    if lyric is None:
        return dataclasses.replace(note, lyric="", slur=True)
    if is_breath(lyric):
        return dataclasses.replace(note, pitch=REST, lyric="br")
    if lyric == "R" and lang == "ja":
        return dataclasses.replace(note, pitch=REST, lyric="")
    return dataclasses.replace(note, lyric=lyric)


def _without_bare(notes: Sequence[Note], where: str | os.PathLike | None) -> list[Note]:
    """The notes, with rests for those that have no syllable to sing."""
    if all(note.is_rest for note in notes):
        raise DataError("the score is empty: it has no notes", where)
    kept: list[Note] = []
    bare = []
    for note in notes:
        if continues(note) and (not kept or kept[-1].is_rest):
            bare.append(note.place)
            note = dataclasses.replace(note, pitch=REST, lyric="", slur=False)
        kept.append(note)
    if all(note.is_rest for note in kept):
        raise DataError(f"notes without lyrics: {len(bare)}, the first at {bare[0]}", where)
    left_out("notes without lyrics are left out as rests", bare)
    return kept


def _read_phrase(
    notes: list[Note], first: int, last: int, language: Language, where: str | os.PathLike | None
) -> None:
    """Gives the notes of one phrase, ``first`` to ``last``, their phones and tones."""
    starts = [i for i in range(first, last) if not continues(notes[i])]
    try:
        readings = _readings([notes[i].lyric for i in starts], language)
        if not readings[0].units:
            raise LyricError("it has no syllable, and there is none before it to hold")
    except LyricError as error:
        note = notes[starts[error.index]]
        lyric = note.lyric if len(note.lyric) <= _SHOWN else note.lyric[:_SHOWN] + "..."
        what = f"{note.place}: cannot read lyric {lyric!r}: {error} (the language is {language.name})"
        raise DataError(what, where) from None
    # A part of a word without a syllable of its own holds the one before.
    begins = [(i, reading) for i, reading in zip(starts, readings) if reading.units]
    ends = [i for i, _ in begins[1:]] + [last]
    for (begin, reading), end in zip(begins, ends):
        marks = [is_next_syllable(note.lyric) for note in notes[begin + 1 : end]]
        for i, phones in enumerate(_spread(reading.units, marks, language), begin):
            notes[i] = dataclasses.replace(notes[i], phones=phones, tone=reading.tone)


def _readings(lyrics: Sequence[str], language: Language) -> list[Reading]:
    """How the lyrics of a phrase are sung; hints by their phones, what is between them by the language."""
    split = [split_hint(lyric, language.code) for lyric in lyrics]
    hints = [_hinted(hint, language) for _, hint in split]
    readings: list[Reading] = []
    for hinted, run in itertools.groupby(range(len(lyrics)), key=lambda i: bool(hints[i])):
        span = list(run)
        try:
            readings += (
                [Reading(language.syllables(hints[i])) for i in span]
                if hinted
                else language.read_phrase([split[i][0] or lyrics[i] for i in span])
            )
        except LyricError as error:
            raise LyricError(str(error), span[0] + error.index) from None
    return readings


def _hinted(hint: list[str], language: Language) -> list[str]:
    """The phones of a hint, none where one is not of the language."""
    phones = [language.normal(phone) for phone in hint]
    return phones if all(phone in language for phone in phones) else []


def _spread(units: list[list[str]], marks: list[bool], language: Language) -> list[tuple[str, ...]]:
    """Phones of a note and of those that carry it on; ``marks`` says which of these have ``+``."""
    steps = [0]
    if language.spreads:
        steps += [i for i, mark in enumerate(marks, 1) if mark or not any(marks)]
        steps = steps[: len(units)]
    phones: list[tuple[str, ...]] = []
    for k, step in enumerate(steps):
        end = steps[k + 1] if k + 1 < len(steps) else len(marks) + 1
        sung = units[k : k + 1] if k + 1 < len(steps) else units[k:]
        phones += carried([phone for unit in sung for phone in unit], end - step, language)
    return phones


def carried(syllable: Sequence[str], count: int, language: Language | None) -> list[tuple[str, ...]]:
    """Phones of a syllable that ``count`` notes share: ``k i cl`` becomes ``k i`` and ``i cl``. Without a
    language the last phone is held.
    """
    if count == 1:
        return [tuple(syllable)]
    end = len(syllable) - (language.coda_count(syllable) if language is not None else 0)
    held = syllable[end - 1]
    return [tuple(syllable[:end]), *[(held,)] * (count - 2), (held, *syllable[end:])]
