"""The measures of one part as they are written, taken from music21's objects."""

from __future__ import annotations

import bisect
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.limits import checked_pitch, checked_tempo
from nnsvs_lite.score.phonemize import is_continuation
from nnsvs_lite.score.types import REST

log = logging.getLogger(__name__)

DEFAULT_TEMPO = 120.0
DEFAULT_VELOCITY = 0.5
UNSPACED = frozenset({"ja", "zh", "yue"})
"""Languages whose words are not spelt syllable by syllable with hyphens."""


@dataclass
class Event:
    """A note or rest as written.

    Attributes:
        offset: quarters from the measure's start.
        beats: length in quarters; 0 for a grace note.
        pitch: MIDI number at sounding pitch, 0 for a rest.
        lyrics: for each verse the text and its place in the word (``single``,
            ``begin``, ``middle`` or ``end``).
        tied: whether it goes on from the note before.
        grace: whether it is a grace note.
        breath: whether a breath mark follows.
        velocity: dynamics, 0..1.
    """

    offset: Fraction
    beats: Fraction
    pitch: int = REST
    lyrics: dict[int, tuple[str, str]] = field(default_factory=dict)
    tied: bool = False
    grace: bool = False
    breath: bool = False
    velocity: float = DEFAULT_VELOCITY


@dataclass
class Measure:
    """A measure as written; lengths in quarters.

    Attributes:
        number: as printed.
        length: what it holds.
        bar: what its time signature asks for.
        beat_type: the signature's lower number.
        pickup: how far into its bar it begins.
        key: sharps, flats negative.
        tempi: (offset, quarters a minute), the first at offset 0.
        events: notes and rests by offset, not overlapping; gaps are silent.
    """

    number: int
    length: Fraction
    bar: Fraction
    beat_type: int
    pickup: Fraction
    key: int
    tempi: list[tuple[Fraction, float]]
    events: list[Event]

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

    def place(self, offset: Fraction) -> str:
        """Where an offset stands, for messages."""
        return f"measure {self.number}, beat {float(self.pickup + offset) + 1:g}"


def read_measures(
    stream: Any, part: Any, *, voice: str | None, lang: str, tempo: float | None
) -> list[Measure]:
    """All measures of a part, with the tempo marks of every part.

    Args:
        stream: music21 Score.
        part: the one of its parts to read.
        voice: id of the voice to read where a measure has several, or None to find it.
        lang: language of the lyrics.
        tempo: taken where the score has none; with None it is ``DEFAULT_TEMPO``, with
            a warning.

    Raises:
        DataError: where voices overlap, a note has no pitch or no length, or a tempo
            is absurd.
    """
    columns = [list(p.getElementsByClass("Measure")) for p in stream.parts]
    written = list(part.getElementsByClass("Measure"))
    rows = [[column[i] for column in columns if i < len(column)] for i in range(len(written))]
    marks = [_tempi(row, f"measure {source.number}") for row, source in zip(rows, written)]
    current = _first_tempo(marks, tempo)
    singing = voice if voice is not None else _singing_voice(written)
    key, bar, beat_type, velocity, chords = 0, Fraction(4), 4, DEFAULT_VELOCITY, 0
    measures: list[Measure] = []
    for index, (source, tempi) in enumerate(zip(written, marks)):
        for signature in source.getElementsByClass("TimeSignature"):
            bar, beat_type = Fraction(signature.barDuration.quarterLength), int(signature.denominator)
        for signature in source.getElementsByClass("KeySignature"):
            key = int(signature.sharps or 0)
        length = max(_length(column, index) for column in columns if index < len(column))
        if not tempi or tempi[0][0] > 0:
            tempi.insert(0, (Fraction(0), current))
        current = tempi[-1][1]
        pickup = _pickup(measures, length, bar)
        measure = Measure(int(source.number), length, bar, beat_type, pickup, key, tempi, [])
        chords += _read_events(source, measure, singing, voice is not None, lang)
        velocity = _set_velocities(measure.events, source, velocity)
        measures.append(measure)
    if chords:
        log.warning("%d chords are sung on their highest note", chords)
    return measures


def _first_tempo(marks: Sequence[Sequence[tuple[Fraction, float]]], tempo: float | None) -> float:
    """The tempo before any mark: that of the first one there is."""
    for tempi in marks:
        if tempi:
            return tempi[0][1]
    if tempo is not None:
        return checked_tempo(tempo, "the tempo asked for")
    log.warning("the score has no tempo; %g quarter notes a minute are taken", DEFAULT_TEMPO)
    return DEFAULT_TEMPO


def _length(column: Sequence[Any], index: int) -> Fraction:
    """Quarters from a measure's start to the next one's."""
    if index + 1 < len(column):
        return Fraction(column[index + 1].offset) - Fraction(column[index].offset)
    return Fraction(column[index].highestTime)


def _pickup(before: Sequence[Measure], length: Fraction, bar: Fraction) -> Fraction:
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
            metronome = getattr(mark, "newMetronome", mark)
            value = metronome.getQuarterBPM() if hasattr(metronome, "getQuarterBPM") else None
            if value is not None:
                # A tempo goes through a division in music21; 58 must not come back as 57.999.
                tempi.setdefault(Fraction(mark.offset), checked_tempo(round(float(value), 6), place))
    return sorted(tempi.items())


def _singing_voice(measures: Sequence[Any]) -> str | None:
    """The voice that carries the most lyrics, if measures are split in voices at all."""
    counts: dict[str, int] = {}
    for measure in measures:
        for voice in measure.voices:
            counts[str(voice.id)] = counts.get(str(voice.id), 0) + sum(bool(n.lyrics) for n in voice.notes)
    return max(counts, key=lambda name: counts[name]) if counts else None


def _read_events(source: Any, measure: Measure, singing: str | None, forced: bool, lang: str) -> int:
    """Fills a measure with the notes and rests of its singing voice; returns the chords met.

    Another voice is sung as well where it has lyrics and does not overlap; where it
    does, it must be said which one to sing.
    """
    voices = list(source.voices)
    streams = [v for v in voices if str(v.id) == singing] if voices else [source]
    if not forced:
        streams += [v for v in voices if v not in streams and any(n.lyrics for n in v.notes)]
        streams = streams or voices[:1]
    events = measure.events
    chords = 0
    for stream in streams:
        base = Fraction(0) if stream is source else Fraction(stream.offset)
        for item in stream.notesAndRests:
            silent = item.isRest and not any(lyric.text for lyric in item.lyrics)
            if silent and (len(streams) > 1 or item.duration.isGrace or not item.quarterLength):
                continue
            events.append(_event(item, base, measure, lang))
            chords += item.isChord
    # A grace note stands at the offset of the note it leads to.
    events.sort(key=lambda event: (event.offset, not event.grace))
    end = Fraction(0)
    for event in events:
        if event.offset < end:
            others = ", ".join(str(v.id) for v in voices)
            hint = f"; choose one of the voices {others}" if len(voices) > 1 else ""
            raise DataError(f"{measure.place(event.offset)}: overlapping voices{hint}")
        end = event.offset + event.beats
    return chords


def _event(item: Any, base: Fraction, measure: Measure, lang: str) -> Event:
    offset = base + Fraction(item.offset)
    grace = bool(item.duration.isGrace)
    event = Event(offset, Fraction(0) if grace else Fraction(item.quarterLength), grace=grace)
    if not item.isRest:
        pitches = [pitch.ps for pitch in getattr(item, "pitches", ())]
        if not pitches:
            raise DataError(f"{measure.place(offset)}: a note without pitch cannot be sung")
        event.pitch = checked_pitch(max(pitches), measure.place(offset))
        if event.beats <= 0 and not grace:
            raise DataError(f"{measure.place(offset)}: a note of no length")
        notes = item.notes if item.isChord else [item]
        event.tied = any(n.tie is not None and n.tie.type in ("stop", "continue") for n in notes)
        event.breath = any({"BreathMark", "Caesura"} & set(a.classes) for a in item.articulations)
    for lyric in item.lyrics:
        text, position = _syllable(lyric, lang)
        if text:
            event.lyrics.setdefault(int(lyric.number), (text, position))
    return event


_VERSE_NUMBER = re.compile(r"^\d{1,2}\s*[.)．）、]\s*(?=\S)")
_LEADING_HYPHEN = re.compile(r"^[-‐‑–]\s*(?=\w)")


def _syllable(lyric: Any, lang: str) -> tuple[str, str]:
    """Text of a lyric, without a printed verse number, and its place in the word."""
    text = " ".join((lyric.text or "").replace("\u203f", " ").split())
    text = _LEADING_HYPHEN.sub("", _VERSE_NUMBER.sub("", text))
    position = (lyric.components or [lyric])[-1].syllabic or "single"
    goes_on = position in ("begin", "middle") and lang not in UNSPACED
    if goes_on and text and not text.endswith("-") and not is_continuation(text):
        text += "-"
    return text, position


def _set_velocities(events: Sequence[Event], source: Any, velocity: float) -> float:
    """Gives each event the dynamic in force; returns the one at the measure's end."""
    dynamics = sorted(
        (Fraction(mark.offset), float(mark.volumeScalar))
        for mark in source.recurse().getElementsByClass("Dynamic")
    )
    for event in events:
        past = [value for offset, value in dynamics if offset <= event.offset]
        event.velocity = past[-1] if past else velocity
    return dynamics[-1][1] if dynamics else velocity
