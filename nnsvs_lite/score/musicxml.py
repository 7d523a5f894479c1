"""MusicXML (``.musicxml``, ``.xml``, ``.mxl``) to a score of one voice, by way of music21.

What becomes of what is written:

- *repeats*, endings, D.C. and D.S. are played out (:mod:`nnsvs_lite.score.repeats`).
  Tempo, key, metre and dynamics are those in force where the measure is written.
- *tempo* changes take effect where they stand, inside notes too. A played tempo
  (``<sound tempo>``) goes before a printed one. Without any, 120 is taken, with a warning.
- *ties* make one note. A note without lyric, or with a sign such as ``ー`` or ``-``,
  carries on the syllable before it and has ``slur`` set.
- *grace notes* last a 32nd each, together at most half of the note they lead to, and take
  that time from it; with no note after them, from the one before. The syllable
  begins on the first of them.
- *chords* are sung on their highest note, with a warning. Cue notes are left out.
- *verses*: ``verse=1`` sings verse n in the n-th pass of a repeat, where there is one;
  another number is sung in every pass. A note that lacks the verse takes verse 1, unless
  it lies within a word or before another syllable of the verse in its measure.
- *syllables* of a word end with ``-`` where the word goes on (in languages that space words).
- *transposing* instruments are read at sounding pitch.
"""

from __future__ import annotations

import bisect
import dataclasses
import logging
import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.score.phonemize import is_breath, is_continuation
from nnsvs_lite.score.repeats import playing_order, read_marks
from nnsvs_lite.score.types import REST, Note, Score
from nnsvs_lite.score.xmlfile import MAX_NOTES, read_xml

log = logging.getLogger(__name__)

DEFAULT_TEMPO = 120.0
MIN_TEMPO, MAX_TEMPO = 10.0, 1000.0
MAX_SECONDS = 4 * 3600
GRACE_BEATS = Fraction(1, 8)
UNSPACED = frozenset({"ja", "zh", "yue"})
"""Languages whose words are not spelt syllable by syllable with hyphens."""


@dataclass
class _Event:
    """A note or rest as written, at an offset in its measure; quarters."""

    offset: Fraction
    beats: Fraction
    pitch: int = REST
    lyrics: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Verse to text and its place in the word (single, begin, middle, end)."""
    tied: bool = False
    """Whether it goes on from the note before."""
    grace: bool = False
    breath: bool = False
    velocity: float = 0.5


@dataclass
class _Measure:
    """A measure as written."""

    number: int
    length: Fraction
    bar: Fraction
    pickup: Fraction
    key: int
    tempi: list[tuple[Fraction, float]]
    events: list[_Event]

    def seconds(self, offset: Fraction) -> float:
        """Time from the measure's start to an offset."""
        total = 0.0
        for i, (start, tempo) in enumerate(self.tempi):
            end = self.tempi[i + 1][0] if i + 1 < len(self.tempi) else offset
            total += float(max(min(end, offset) - start, 0)) * 60.0 / tempo
        return total

    def tempo(self, offset: Fraction) -> float:
        """Tempo at an offset."""
        return self.tempi[max(bisect.bisect_right([t[0] for t in self.tempi], offset) - 1, 0)][1]


def read_musicxml(
    path: str | os.PathLike,
    *,
    lang: str = "ja",
    part: int | str | None = None,
    verse: int = 1,
    voice: str | None = None,
) -> Score:
    """One sung voice of a MusicXML score, with lyrics; phones are attached later.

    Rests are notes (neighbouring ones are joined), times are contiguous seconds from 0.

    Args:
        path: ``.musicxml``, ``.xml`` or ``.mxl``.
        lang: language of the lyrics, kept in the score.
        part: number from 1, id or name of the part; the first with lyrics if not given.
        verse: number of the verse, from 1.
        voice: which voice of a part that has several; the one with lyrics if not given.

    Raises:
        DataError: where the file is not a score that can be sung; names file, measure
            and beat.
    """
    path = Path(path)
    root = _partwise(read_xml(path), path)
    try:
        _simplify(root)
        marks = read_marks(root.findall("part"))
        stream = _parse(root, path)
        chosen = _choose_part(stream, part)
        measures = _read_measures(stream, chosen, voice, lang)
        order = playing_order(marks[: len(measures)])
        notes = _perform(measures, order, verse, path)
    except DataError as error:
        raise error if error.where else DataError(error.what, path) from None
    title = stream.metadata.bestTitle if stream.metadata is not None else None
    return Score(tuple(notes), lang, " ".join((title or "").split()))


def _partwise(root: ElementTree.Element, path: Path) -> ElementTree.Element:
    """The score by parts; scores by time are turned round."""
    if root.tag == "score-timewise":
        parts: dict[str | None, ElementTree.Element] = {}
        for measure in root.findall("measure"):
            for cell in measure.findall("part"):
                part = parts.setdefault(cell.get("id"), ElementTree.Element("part", cell.attrib))
                ElementTree.SubElement(part, "measure", measure.attrib).extend(list(cell))
            root.remove(measure)
        root.extend(parts.values())
        root.tag = "score-partwise"
    if root.tag != "score-partwise":
        raise DataError(f"not a MusicXML score: its root element is <{root.tag}>", path)
    if not root.findall("part/measure"):
        raise DataError("the score is empty: it has no measures", path)
    return root


def _simplify(root: ElementTree.Element) -> None:
    """Takes out what music21 need not read, and settles what it would read otherwise."""
    for tag in ("defaults", "credit"):
        for element in root.findall(tag):
            root.remove(element)
    for measure in root.iterfind("part/measure"):
        place = f"measure {measure.get('number')}"
        for element in list(measure):
            if element.tag in ("print", "harmony", "figured-bass", "listening"):
                measure.remove(element)
            elif element.tag == "note":
                _simplify_note(element)
            elif element.tag == "direction":
                _simplify_direction(element, place)
            elif element.tag == "sound":
                _sound_tempo(element, place)


def _simplify_note(note: ElementTree.Element) -> None:
    """Cue notes become rests; ties that are only drawn are made real."""
    if note.find("cue") is not None:
        for tag in ("cue", "pitch", "chord", "lyric", "tie", "notations"):
            for element in note.findall(tag):
                note.remove(element)
        note.insert(0, ElementTree.Element("rest"))
    if note.find("tie") is None:
        for tied in note.findall("notations/tied"):
            if tied.get("type") in ("start", "stop"):
                ElementTree.SubElement(note, "tie", {"type": tied.get("type", "")})


def _simplify_direction(direction: ElementTree.Element, place: str) -> None:
    """Where both a printed and a played tempo stand, one of them is kept."""
    for kind in direction.findall("direction-type"):
        for tag in ("wedge", "octave-shift", "bracket", "dashes", "pedal"):
            for element in kind.findall(tag):
                kind.remove(element)
    played = [_sound_tempo(sound, place) for sound in direction.findall("sound")]
    tempo = next((t for t in played if t is not None), None)
    if tempo is None:
        return
    for kind in direction.findall("direction-type"):
        for metronome in kind.findall("metronome"):
            if not _agrees(metronome, tempo):
                kind.remove(metronome)


def _sound_tempo(sound: ElementTree.Element, place: str) -> float | None:
    text = sound.get("tempo")
    if text is None:
        return None
    try:
        return _checked_tempo(float(text), place)
    except ValueError:
        raise DataError(f"{place}: tempo {text!r} is not a number") from None


def _checked_tempo(tempo: float, place: str) -> float:
    if not MIN_TEMPO <= tempo <= MAX_TEMPO:
        raise DataError(
            f"{place}: a tempo of {tempo:g} quarter notes a minute; "
            f"{MIN_TEMPO:g} to {MAX_TEMPO:g} can be sung"
        )
    return tempo


_UNITS = {"whole": 4.0, "half": 2.0, "quarter": 1.0, "eighth": 0.5, "16th": 0.25, "32nd": 0.125}


def _agrees(metronome: ElementTree.Element, tempo: float) -> bool:
    """Whether a printed tempo is the played one, but for rounding."""
    unit = _UNITS.get(metronome.findtext("beat-unit", ""), math.nan)
    unit *= 2 - 0.5 ** len(metronome.findall("beat-unit-dot"))
    try:
        printed = float(metronome.findtext("per-minute", "nan")) * unit
    except ValueError:
        return False
    return abs(printed - tempo) <= 0.001 * tempo


def _parse(root: ElementTree.Element, path: Path) -> Any:
    """The music21 score of a tree; what music21 cannot read is the file's fault."""
    from music21.musicxml.xmlToM21 import MusicXMLImporter

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stream = MusicXMLImporter().xmlRootToScore(root)
            for part in stream.parts:
                if any(i.transposition is not None for i in part.getInstruments(recurse=True)):
                    part.toSoundingPitch(inPlace=True)
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise DataError(f"not MusicXML that can be read: {reason}", path) from None
    if not stream.parts:
        raise DataError("the score is empty: it has no parts", path)
    return stream


def _choose_part(stream: Any, part: int | str | None) -> Any:
    parts = list(stream.parts)
    names = [str(p.partName or "").strip() for p in parts]
    if part is None:
        for candidate in parts:
            if any(note.lyrics for note in candidate.recurse().getElementsByClass("GeneralNote")):
                return candidate
        if not any(True for _ in stream.recurse().notes):
            raise DataError("the score is empty: it has no notes")
        return parts[0]
    text = str(part).strip()
    if text.isdecimal() and 1 <= int(text) <= len(parts):
        return parts[int(text) - 1]
    for candidate, name in zip(parts, names):
        if text in (str(candidate.id), name):
            return candidate
    known = ", ".join(f"{i} {name}".strip() for i, name in enumerate(names, 1))
    raise DataError(f"no part {text!r}{nearest(text, names)}; there are: {known}")


def _read_measures(stream: Any, part: Any, voice: str | None, lang: str) -> list[_Measure]:
    """All measures of a part as written, with the tempo marks of every part."""
    columns = [list(p.getElementsByClass("Measure")) for p in stream.parts]
    written = list(part.getElementsByClass("Measure"))
    singing = voice if voice is not None else _singing_voice(written)
    tempo, key, bar, velocity = None, 0, Fraction(4), 0.5
    measures: list[_Measure] = []
    chords = 0
    for index, source in enumerate(written):
        row = [column[index] for column in columns if index < len(column)]
        for signature in source.getElementsByClass("TimeSignature"):
            bar = Fraction(signature.barDuration.quarterLength)
        for signature in source.getElementsByClass("KeySignature"):
            key = int(signature.sharps or 0)
        length = max(_length(column, index) for column in columns if index < len(column))
        place = f"measure {source.number}"
        tempi = _tempi(row, place)
        if not tempi or tempi[0][0] > 0:
            tempi.insert(0, (Fraction(0), tempo or DEFAULT_TEMPO))
        elif tempo is None:
            tempo = tempi[0][1]
        if len(tempi) > 1 or tempo is not None or tempi[0][1] != DEFAULT_TEMPO:
            tempo = tempi[-1][1]
        events, found = _read_events(source, singing, voice is not None, lang, place)
        chords += found
        velocity = _set_velocities(events, source, velocity)
        pickup = _pickup(measures, length, bar)
        measures.append(_Measure(int(source.number), length, bar, pickup, key, tempi, events))
    if tempo is None:
        log.warning("the score has no tempo; %g quarter notes a minute are taken", DEFAULT_TEMPO)
    if chords:
        log.warning("%d chords are sung on their highest note", chords)
    return measures


def _length(column: Sequence[Any], index: int) -> Fraction:
    """Quarters from a measure's start to the next one's."""
    if index + 1 < len(column):
        return Fraction(column[index + 1].offset) - Fraction(column[index].offset)
    return Fraction(column[index].highestTime)


def _pickup(before: Sequence[_Measure], length: Fraction, bar: Fraction) -> Fraction:
    """How far into its bar a short measure begins: a pick-up, or the rest of a split bar."""
    if length >= bar:
        return Fraction(0)
    if not before:
        return bar - length
    previous = before[-1].length
    return previous if previous + length == bar else Fraction(0)


def _tempi(row: Sequence[Any], place: str) -> list[tuple[Fraction, float]]:
    """Tempo changes in a measure of all parts, in order; quarters a minute."""
    tempi: dict[Fraction, float] = {}
    for measure in row:
        for mark in measure.getElementsByClass("TempoIndication"):
            mark = getattr(mark, "newMetronome", mark)
            value = mark.getQuarterBPM() if hasattr(mark, "getQuarterBPM") else None
            if value is not None:
                tempi.setdefault(Fraction(mark.offset), _checked_tempo(float(value), place))
    return sorted(tempi.items())


def _singing_voice(measures: Sequence[Any]) -> str | None:
    """The voice that carries the most lyrics, if measures are split in voices at all."""
    counts: dict[str, int] = {}
    for measure in measures:
        for voice in measure.voices:
            counts[str(voice.id)] = counts.get(str(voice.id), 0) + sum(bool(n.lyrics) for n in voice.notes)
    return max(counts, key=lambda name: (counts[name], -list(counts).index(name))) if counts else None


def _read_events(
    measure: Any, singing: str | None, forced: bool, lang: str, place: str
) -> tuple[list[_Event], int]:
    """Notes and rests of the singing voice in a measure, and how many chords there were.

    Another voice is sung as well where it has lyrics and does not overlap; where it
    does, it must be said which one to sing.
    """
    voices = list(measure.voices)
    streams = [v for v in voices if str(v.id) == singing] if voices else [measure]
    if not forced:
        streams += [v for v in voices if v not in streams and any(n.lyrics for n in v.notes)]
    if voices and not streams:
        streams = voices[:1]
    events: list[_Event] = []
    chords = 0
    for stream in streams:
        base = Fraction(stream.offset) if stream is not measure else Fraction(0)
        for source in stream.notesAndRests:
            if source.isRest and not any(lyric.text for lyric in source.lyrics) and len(streams) > 1:
                continue
            if "ChordSymbol" not in source.classes:
                events.append(_event(source, base, lang, place))
                chords += source.isChord
    # A grace note stands at the offset of the note it leads to.
    events.sort(key=lambda e: (e.offset, not e.grace))
    end = Fraction(0)
    for event in events:
        if event.offset < end:
            others = ", ".join(str(v.id) for v in voices)
            hint = f"; choose one of the voices {others}" if len(voices) > 1 else ""
            raise DataError(f"{place}, beat {float(event.offset) + 1:g}: overlapping voices{hint}")
        end = max(end, event.offset + event.beats)
    return events, chords


def _event(source: Any, base: Fraction, lang: str, place: str) -> _Event:
    offset = base + Fraction(source.offset)
    grace = bool(source.duration.isGrace)
    event = _Event(offset, Fraction(0) if grace else Fraction(source.quarterLength), grace=grace)
    where = f"{place}, beat {float(offset) + 1:g}"
    if not source.isRest:
        pitches = [p.ps for p in getattr(source, "pitches", ())]
        if not pitches:
            raise DataError(f"{where}: a note without pitch cannot be sung")
        event.pitch = math.floor(max(pitches) + 0.5)
        if not 1 <= event.pitch <= 127:
            raise DataError(f"{where}: pitch {event.pitch} is out of range (1 to 127)")
        notes = source.notes if source.isChord else [source]
        event.tied = any(n.tie is not None and n.tie.type in ("stop", "continue") for n in notes)
        event.breath = any("BreathMark" in a.classes or "Caesura" in a.classes for a in source.articulations)
        if not grace and event.beats <= 0:
            raise DataError(f"{where}: a note of no length")
    for lyric in source.lyrics:
        text = " ".join((lyric.text or "").replace("\u203f", " ").split())
        if text:
            event.lyrics.setdefault(int(lyric.number), (_hyphenated(text, lyric, lang), _position(lyric)))
    return event


def _position(lyric: Any) -> str:
    """Place of a syllable in its word."""
    components = lyric.components or [lyric]
    return components[-1].syllabic or "single"


def _hyphenated(text: str, lyric: Any, lang: str) -> str:
    goes_on = _position(lyric) in ("begin", "middle") and not is_continuation(text)
    return text + "-" if goes_on and lang not in UNSPACED and not text.endswith("-") else text


def _set_velocities(events: Sequence[_Event], measure: Any, velocity: float) -> float:
    """Gives each event the dynamic in force; returns the one at the measure's end."""
    dynamics = sorted(
        (Fraction(d.offset), float(d.volumeScalar)) for d in measure.recurse().getElementsByClass("Dynamic")
    )
    for event in events:
        past = [value for offset, value in dynamics if offset <= event.offset]
        event.velocity = past[-1] if past else velocity
    return dynamics[-1][1] if dynamics else velocity


def _perform(
    measures: Sequence[_Measure], order: Sequence[tuple[int, int]], verse: int, path: Path
) -> list[Note]:
    """Notes in the order they are played."""
    known = {v for m in measures for e in m.events for v in e.lyrics}
    sung = sum(len(measures[i].events) for i, _ in order)
    if not any(e.pitch != REST for m in measures for e in m.events):
        raise DataError("lyrics without notes" if known else "the score is empty: it has no notes", path)
    if not known:
        count = sum(e.pitch != REST for m in measures for e in m.events)
        first = next((m, e) for m in measures for e in m.events if e.pitch != REST)
        raise DataError(f"notes without lyrics: {count}, the first at {_place(*first)}", path)
    if verse not in known:
        raise DataError(f"no verse {verse}; there are: {', '.join(map(str, sorted(known)))}", path)
    if sung > MAX_NOTES:
        raise DataError(f"its repeats unfold to {sung} notes; at most {MAX_NOTES} can be read", path)
    notes: list[Note] = []
    start = 0.0
    for index, passed in order:
        measure = measures[index]
        wanted = passed if verse == 1 else verse
        _play_measure(measure, start, wanted, 1 if 1 in known else verse, notes, path)
        start += measure.seconds(measure.length)
        if start > MAX_SECONDS:
            raise DataError(f"the score lasts more than {MAX_SECONDS // 3600} hours", path)
    return _finish(notes, path)


def _place(measure: _Measure, event: _Event) -> str:
    return f"measure {measure.number}, beat {float(measure.pickup + event.offset) + 1:g}"


def _play_measure(
    measure: _Measure, start: float, verse: int, fallback: int, notes: list[Note], path: Path
) -> None:
    """Appends the notes of one measure, gaps as rests."""
    lyrics = _choose_lyrics(measure.events, verse, fallback)
    position = Fraction(0)

    def add(event: _Event, offset: Fraction, beats: Fraction, **values: Any) -> None:
        begin, end = start + measure.seconds(offset), start + measure.seconds(offset + beats)
        notes.append(
            Note(
                begin,
                end,
                event.pitch,
                tempo=measure.tempo(offset),
                beats=float(beats),
                measure=measure.number,
                beat=float(measure.pickup + offset),
                measure_beats=float(measure.bar),
                key=measure.key,
                velocity=event.velocity,
                **values,
            )
        )

    for event, lyric in _spread_graces(measure.events, lyrics):
        if event.offset > position:
            add(_Event(position, Fraction(0)), position, event.offset - position)
        if event.pitch == REST or is_breath(lyric):
            if lyric and not is_breath(lyric):
                raise DataError(f"{_place(measure, event)}: lyric {lyric!r} without a note", path)
            event = dataclasses.replace(event, pitch=REST)
            add(event, event.offset, event.beats, lyric="br" if lyric else "")
        else:
            carried = not lyric or is_continuation(lyric)
            tie = event.tied and carried and notes and notes[-1].pitch == event.pitch
            if tie:
                beats = notes[-1].beats + float(event.beats)
                breath = notes[-1].breath or event.breath
                end = start + measure.seconds(event.offset + event.beats)
                notes[-1] = dataclasses.replace(notes[-1], end=end, beats=beats, breath=breath)
            else:
                text = "" if carried else lyric
                add(event, event.offset, event.beats, lyric=text, slur=carried, breath=event.breath)
        position = max(position, event.offset + event.beats)
    if position < measure.length:
        add(_Event(position, Fraction(0)), position, measure.length - position)


def _choose_lyrics(events: Sequence[_Event], verse: int, fallback: int) -> list[str]:
    """The text of each event in a verse; see the module for what stands in for a missing one."""
    if not any(verse in event.lyrics for event in events):
        return [event.lyrics.get(fallback, ("", ""))[0] for event in events]
    last = max(i for i, event in enumerate(events) if verse in event.lyrics)
    texts = []
    in_word = False
    for i, event in enumerate(events):
        text, position = event.lyrics.get(verse, ("", ""))
        if text:
            in_word = position in ("begin", "middle")
        elif i > last and not in_word:
            text = event.lyrics.get(fallback, ("", ""))[0]
        texts.append(text)
    return texts


def _spread_graces(events: Sequence[_Event], lyrics: Sequence[str]) -> list[tuple[_Event, str]]:
    """Events with grace notes given a length, taken from the note they lead to."""
    spread: list[tuple[_Event, str]] = []
    waiting: list[tuple[_Event, str]] = []
    for event, lyric in zip(events, lyrics):
        if event.grace:
            waiting.append((event, lyric))
            continue
        if waiting and event.pitch != REST:
            each = min(GRACE_BEATS, event.beats / 2 / len(waiting))
            taken = each * len(waiting)
            if not any(text for _, text in waiting):
                waiting[0], lyric = (waiting[0][0], lyric), ""
            for i, (grace, text) in enumerate(waiting):
                spread.append((dataclasses.replace(grace, offset=event.offset + i * each, beats=each), text))
            event = dataclasses.replace(event, offset=event.offset + taken, beats=event.beats - taken)
        elif waiting:
            _append_graces(spread, waiting)
        waiting = []
        spread.append((event, lyric))
    _append_graces(spread, waiting)
    return spread


def _append_graces(spread: list[tuple[_Event, str]], waiting: Sequence[tuple[_Event, str]]) -> None:
    """Grace notes with no note after them take their time from the one before."""
    if not waiting or not spread or spread[-1][0].pitch == REST:
        return
    event, lyric = spread[-1]
    each = min(GRACE_BEATS, event.beats / 2 / len(waiting))
    beats = event.beats - each * len(waiting)
    spread[-1] = (dataclasses.replace(event, beats=beats), lyric)
    for i, (grace, text) in enumerate(waiting):
        offset = event.offset + beats + i * each
        spread.append((dataclasses.replace(grace, offset=offset, beats=each), text))


def _finish(notes: Sequence[Note], path: Path) -> list[Note]:
    """Joins neighbouring rests, rounds times, and checks that every note has a syllable."""
    joined: list[Note] = []
    for note in notes:
        last = joined[-1] if joined else None
        if last is not None and note.is_rest and last.is_rest and not (note.lyric or last.lyric):
            joined[-1] = dataclasses.replace(last, end=note.end, beats=last.beats + note.beats)
        else:
            joined.append(note)
    bare = [note for i, note in enumerate(joined) if note.slur and (i == 0 or joined[i - 1].is_rest)]
    if bare:
        raise DataError(f"notes without lyrics: {len(bare)}, the first at {bare[0].place}", path)
    times = [round(note.start, 7) for note in joined] + [round(joined[-1].end, 7)]
    return [
        dataclasses.replace(note, start=start, end=end) for note, start, end in zip(joined, times, times[1:])
    ]
