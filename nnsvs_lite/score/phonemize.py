"""From lyrics to the phones of each note."""

import dataclasses
import itertools
import os

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages import Language, LyricError, get_language
from nnsvs_lite.score.types import Note, Score

CONTINUATIONS = frozenset("ー－ｰ-~〜～–—―_+")
"""Lyrics made of these alone carry on the syllable before."""

_SHOWN = 40
"""Characters of a lyric that a message repeats."""

BREATHS = frozenset({"br", "(br)", "[br]"})
"""Lyrics that mean a breath, on a rest or in place of one."""


def is_continuation(lyric: str) -> bool:
    """Whether a lyric is only a sign for holding on, such as ``ー`` or ``-``."""
    text = "".join(lyric.split())
    return bool(text) and set(text) <= CONTINUATIONS


def is_breath(lyric: str) -> bool:
    """Whether a lyric stands for a breath."""
    return lyric.strip().lower() in BREATHS


def attach_phones(score: Score, *, where: str | os.PathLike | None = None) -> Score:
    """The score with ``phones`` of every note filled in.

    A rest gets ``("pau",)``, or ``("br",)`` where its lyric says breath. A syllable
    sung over several notes gives its first note the phones up to the part that can be
    held, each further note that held phone again, and the last note what follows it:
    きっ over two notes is ``k i`` and ``i cl``. In languages that spread words over notes
    (``Language.spreads``) each of these notes takes one syllable more while there are any;
    if some notes are marked ``+``, only those do.

    Args:
        score: notes with lyrics; ``lang`` names the language.
        where: file name for messages; the score's title if not given.

    Raises DataError where the language is unknown, a lyric cannot be read, or a note has no syllable to carry
    on; names file, measure, beat and text.
    """
    language = get_language(score.lang)
    where = where if where is not None else (score.title or None)
    _check_syllables(score.notes, where)
    notes = list(score.notes)
    for is_rest, run in itertools.groupby(range(len(notes)), key=lambda i: score.notes[i].is_rest):
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


def _check_syllables(notes: tuple[Note, ...], where: str | os.PathLike | None) -> None:
    """Every note must sing something; reports all that do not at once."""
    if all(note.is_rest for note in notes):
        raise DataError("the score is empty: it has no notes", where)
    bare = [note for i, note in enumerate(notes) if continues(note) and (i == 0 or notes[i - 1].is_rest)]
    if bare:
        raise DataError(f"notes without lyrics: {len(bare)}, the first at {bare[0].place}", where)


def _read_phrase(
    notes: list[Note], first: int, last: int, language: Language, where: str | os.PathLike | None
) -> None:
    """Gives the notes of one phrase, ``first`` to ``last``, their phones and tones."""
    starts = [i for i in range(first, last) if not continues(notes[i])]
    try:
        readings = language.read_phrase([notes[i].lyric for i in starts])
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
        marks = ["".join(note.lyric.split()) == "+" for note in notes[begin + 1 : end]]
        for i, phones in enumerate(_spread(reading.units, marks, language), begin):
            notes[i] = dataclasses.replace(notes[i], phones=phones, tone=reading.tone)


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
        phones += _carry(tuple(phone for unit in sung for phone in unit), end - step, language)
    return phones


def _carry(syllable: tuple[str, ...], count: int, language: Language) -> list[tuple[str, ...]]:
    """A syllable spread over ``count`` notes."""
    if count == 1:
        return [syllable]
    end = len(syllable) - language.coda_count(syllable)
    held = syllable[end - 1]
    return [syllable[:end], *[(held,)] * (count - 2), (held, *syllable[end:])]
