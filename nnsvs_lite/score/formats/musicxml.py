"""MusicXML (``.musicxml``, ``.xml``, ``.mxl``) to a score of one voice, by way of music21.

What becomes of what is written:

- *repeats*, endings, D.C. and D.S. are played out (:mod:`nnsvs_lite.score.formats.repeats`).
  Tempo, key, metre and dynamics are those in force where the measure is written.
- *tempo* changes take effect where they stand, inside notes too. A played tempo
  (``<sound tempo>``) goes before a printed one. Without any, 120 is taken, with a warning.
- *ties* make one note. A note without lyric, or with a sign such as ``ー`` or ``-``,
  carries on the syllable before it and has ``slur`` set; after a rest it has neither
  lyric nor slur, and phones cannot be attached to it.
- *grace notes* last a 32nd each, together at most half of the note they lead to, and take
  that time from it; with no note after them, from the one before. The syllable
  begins on the first of them.
- *chords* are sung on their highest note, with a warning. Cue notes are left out.
- *verses*: ``verse=1`` sings verse n in the n-th pass of a repeat, where there is one;
  another number is sung in every pass. A note that lacks the verse takes verse 1, unless
  it lies within a word or before another syllable of the verse in its measure.
- *syllables* of a word end with ``-`` where the word goes on (in languages that space
  words). A verse number before a syllable is dropped.
- a lyric ``br`` makes its note or rest a breath; *breath marks* set ``breath``.
- *transposing* instruments are read at sounding pitch; quarter tones are rounded up.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.score.formats.musicxml_played import Prolongs, play, timeline_of
from nnsvs_lite.score.formats.musicxml_tidy import partwise, tidy
from nnsvs_lite.score.formats.musicxml_written import read_measures
from nnsvs_lite.score.formats.repeats import playing_order, read_marks
from nnsvs_lite.score.formats.xmlfile import read_xml
from nnsvs_lite.score.languages import get_language, language_codes
from nnsvs_lite.score.types import Score


def read_musicxml(
    path: str | os.PathLike,
    *,
    lang: str = "ja",
    part: int | str | None = None,
    verse: int = 1,
    voice: str | None = None,
    tempo: float | None = None,
) -> Score:
    """One sung voice of a MusicXML score, with lyrics; phones are attached later.

    Rests are notes (neighbouring ones are joined); times are contiguous seconds from 0.

    Args:
        path: ``.musicxml``, ``.xml`` or ``.mxl``.
        lang: language of the lyrics, kept in the score.
        part: number from 1, id or name of the part; the first with lyrics if not given.
        verse: number of the verse, from 1.
        voice: which voice of a part that has several; the one with lyrics if not given.
        tempo: quarter notes a minute for a score that has no tempo of its own.

    Raises:
        DataError: where the file is not a score that can be sung; names file, measure
            and beat.
    """
    path = Path(path)
    try:
        root = partwise(read_xml(path))
        marks = read_marks(root.findall("part"))
        tidy(root)
        stream, by_id = _parse(root)
        chosen = by_id.get(str(part)) or _choose_part(stream, part)
        measures = read_measures(stream, chosen, voice=voice, lang=lang, tempo=tempo)
        order = playing_order(marks[: len(measures)])
        notes = play(measures, order, verse=verse, prolongs=_prolongs(lang))
        timeline = timeline_of(measures, order)
    except DataError as error:
        raise error if error.where else DataError(error.what, path) from None
    title = stream.metadata.bestTitle if stream.metadata is not None else None
    return Score(tuple(notes), lang, " ".join((title or "").split()), timeline)


def _prolongs(lang: str) -> Prolongs:
    """The language's word on prolonged vowels; a language not at hand says no."""
    return get_language(lang).prolongs if lang in language_codes() else lambda _before, _lyric: False


def _parse(root: ElementTree.Element) -> tuple[Any, dict[str, Any]]:
    """The music21 score of a tree and its parts by id; what music21 cannot read is the file's fault."""
    from music21.musicxml.xmlToM21 import MusicXMLImporter

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importer = MusicXMLImporter()
            stream = importer.stream
            # Parts of several staves go to the importer's own stream, so all must.
            importer.xmlRootToScore(root, stream)
            if root.find("part/measure/attributes/transpose") is not None:
                stream.toSoundingPitch(inPlace=True)
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise DataError(f"not MusicXML that can be read: {reason}") from None
    if not stream.parts:
        raise DataError("the score is empty: it has no parts")
    return stream, {k: p for k, p in importer.m21PartObjectsById.items() if p in stream.parts}


def _choose_part(stream: Any, part: int | str | None) -> Any:
    parts = list(stream.parts)
    if part is None:
        for candidate in parts:
            if any(note.lyrics for note in candidate.recurse().notesAndRests):
                return candidate
        return parts[0]
    names = [str(p.partName or "").strip() for p in parts]
    text = str(part).strip()
    if text.isdecimal() and 1 <= int(text) <= len(parts):
        return parts[int(text) - 1]
    for candidate, name in zip(parts, names):
        if text == name:
            return candidate
    known = ", ".join(f"{i} {name}".strip() for i, name in enumerate(names, 1))
    raise DataError(f"no part {text!r}{nearest(text, names)}; there are: {known}")
