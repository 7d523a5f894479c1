"""A melody in one line of text, and its MusicXML.

The notation is for scores written by hand or by a program: events with blanks
between them, a ``|`` anywhere for the eye.

    A4/1=さ        a note: pitch, length in quarters, lyric
    B4/.5          a note without lyric carries on the syllable before it (a slur)
    R/2            a rest
    A4/1=さ,       a comma: a breath mark after the note
    !mf            a dynamic mark
    @96            a tempo, in quarters a minute
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from xml.sax.saxutils import escape

from nnsvs_lite.io.errors import DataError

DIVISIONS = 24
_EVENT = re.compile(
    r"(?:(?P<step>[A-G])(?P<alter>[#b]?)(?P<octave>\d)|R)/(?P<beats>\d*\.?\d+)(?:=(?P<lyric>.*))?"
)
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
# Lengths with a note head of their own, in quarters: name and dots, longest first.
_HEADS = (
    (4.0, "whole", 0),
    (3.0, "half", 1),
    (2.0, "half", 0),
    (1.5, "quarter", 1),
    (1.0, "quarter", 0),
    (0.75, "eighth", 1),
    (0.5, "eighth", 0),
    (0.375, "16th", 1),
    (0.25, "16th", 0),
    (0.125, "32nd", 0),
)


@dataclass(frozen=True)
class Event:
    """One note or rest of a melody.

    Attributes:
        beats: length in quarters.
        pitch: spelt pitch such as ``Bb4``; empty for a rest.
        lyric: empty on a rest and on a continuation.
        tempo: quarters a minute from here on, 0 for no change.
        dynamic: such as ``mf`` from here on, empty for no change.
        breath: whether a breath mark follows.
    """

    beats: float
    pitch: str = ""
    lyric: str = ""
    tempo: float = 0.0
    dynamic: str = ""
    breath: bool = False


@dataclass(frozen=True)
class Melody:
    """A song or etude: what a score sheet says.

    Attributes:
        name: file name without suffix.
        title: for people.
        composer: whose tune it is.
        lyricist: whose words.
        fifths: key signature, sharps positive.
        beats: time signature, number of beats.
        beat_type: time signature, kind of beat.
        tempo: quarters a minute at the start.
        events: in order.
        minor: whether the key is minor.
    """

    name: str
    title: str
    fifths: int
    beats: int
    beat_type: int
    tempo: float
    events: tuple[Event, ...]
    composer: str = ""
    lyricist: str = ""
    minor: bool = False


def parse(text: str) -> tuple[Event, ...]:
    """Reads the notation above.

    Raises:
        DataError: at an event that is not of these forms.
    """
    events: list[Event] = []
    tempo, dynamic = 0.0, ""
    for token in text.split():
        if token == "|":
            continue
        if token[0] == "@":
            tempo = float(token[1:])
            continue
        if token[0] == "!":
            dynamic = token[1:]
            continue
        breath = token.endswith(",")
        match = _EVENT.fullmatch(token.removesuffix(","))
        if match is None:
            raise DataError(f"not an event of a melody: {token!r}")
        pitch = f"{match['step']}{match['alter']}{match['octave']}" if match["step"] else ""
        events.append(Event(float(match["beats"]), pitch, match["lyric"] or "", tempo, dynamic, breath))
        tempo, dynamic = 0.0, ""
    return tuple(events)


def midi(pitch: str) -> int:
    """The MIDI number of a spelt pitch: ``A4`` is 69."""
    alter = {"#": 1, "b": -1}.get(pitch[1:-1], 0)
    return 12 * (int(pitch[-1]) + 1) + _STEPS[pitch[0]] + alter


def spell(number: int, fifths: int) -> str:
    """A spelt pitch for a MIDI number, with the accidentals of a key signature."""
    names = (
        ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
        if fifths >= 0
        else ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
    )
    return f"{names[number % 12]}{number // 12 - 1}"


@dataclass(frozen=True)
class _Piece:
    """A part of an event that one note head in one measure can show."""

    event: Event
    beats: float
    first: bool
    last: bool
    slur_start: bool
    slur_stop: bool


def _pieces(melody: Melody) -> list[list[_Piece]]:
    """Cuts the events at bar lines and into lengths that have a note head."""
    full = melody.beats * 4 / melody.beat_type
    measures: list[list[_Piece]] = [[]]
    left = full
    events = melody.events
    for i, event in enumerate(events):
        carried = bool(event.pitch) and not event.lyric
        carries_on = i + 1 < len(events) and bool(events[i + 1].pitch) and not events[i + 1].lyric
        remaining, parts = event.beats, []
        while remaining > 1e-9:
            if left < 1e-9:
                left = full
                parts.append(None)
            beats = next((b for b, *_ in _HEADS if b <= min(remaining, left) + 1e-9), None)
            if beats is None:
                raise DataError(f"{melody.name}: a length of {event.beats} quarters has no note head")
            parts.append(beats)
            remaining -= beats
            left -= beats
        heads = [p for p in parts if p is not None]
        at = 0
        for part in parts:
            if part is None:
                measures.append([])
                continue
            first, last = at == 0, at == len(heads) - 1
            piece = _Piece(
                event,
                part,
                first,
                last,
                last and bool(event.pitch) and carries_on and not carried,
                last and carried and not carries_on,
            )
            measures[-1].append(piece)
            at += 1
    if left > 1e-9:
        rest = Event(left)
        beats = [b for b, *_ in _HEADS]
        while left > 1e-9:
            part = next(b for b in beats if b <= left + 1e-9)
            measures[-1].append(_Piece(replace(rest, beats=part), part, True, True, False, False))
            left -= part
    return measures


def _note_xml(piece: _Piece) -> list[str]:
    event = piece.event
    head, dots = next((name, dots) for beats, name, dots in _HEADS if abs(beats - piece.beats) < 1e-9)
    lines = ["   <note>"]
    if event.pitch:
        step, alter, octave = event.pitch[0], event.pitch[1:-1], event.pitch[-1]
        sharp = {"#": "<alter>1</alter>", "b": "<alter>-1</alter>"}.get(alter, "")
        lines.append(f"    <pitch><step>{step}</step>{sharp}<octave>{octave}</octave></pitch>")
    else:
        lines.append("    <rest/>")
    lines.append(f"    <duration>{round(piece.beats * DIVISIONS)}</duration>")
    ties = []
    if event.pitch and not piece.first:
        ties.append("stop")
    if event.pitch and not piece.last:
        ties.append("start")
    lines += [f'    <tie type="{kind}"/>' for kind in ties]
    lines.append(f"    <voice>1</voice><type>{head}</type>" + "<dot/>" * dots)
    notations = [f'<tied type="{kind}"/>' for kind in ties]
    if piece.slur_stop:
        notations.append('<slur number="1" type="stop"/>')
    if piece.slur_start:
        notations.append('<slur number="1" type="start"/>')
    if event.breath and piece.last:
        notations.append("<articulations><breath-mark/></articulations>")
    if notations:
        lines.append(f"    <notations>{''.join(notations)}</notations>")
    if event.lyric and piece.first:
        lines.append(f"    <lyric><syllabic>single</syllabic><text>{escape(event.lyric)}</text></lyric>")
    lines.append("   </note>")
    return lines


def musicxml(melody: Melody) -> str:
    """The melody as a MusicXML 3.1 document (``score-partwise``, one part, one voice).

    Raises:
        DataError: where a length has no note head.
    """
    creators = "".join(
        f'\n  <creator type="{kind}">{escape(name)}</creator>'
        for kind, name in (("composer", melody.composer), ("lyricist", melody.lyricist))
        if name
    )
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 3.1 Partwise//EN"'
        ' "http://www.musicxml.org/dtds/partwise.dtd">',
        '<score-partwise version="3.1">',
        f" <work><work-title>{escape(melody.title)}</work-title></work>",
        f" <identification>{creators}",
        "  <encoding><software>nnsvs_lite</software></encoding>",
        " </identification>",
        ' <part-list><score-part id="P1"><part-name>Voice</part-name></score-part></part-list>',
        ' <part id="P1">',
    ]
    for number, pieces in enumerate(_pieces(melody), start=1):
        lines.append(f'  <measure number="{number}">')
        if number == 1:
            mode = "minor" if melody.minor else "major"
            lines += [
                f"   <attributes><divisions>{DIVISIONS}</divisions>",
                f"    <key><fifths>{melody.fifths}</fifths><mode>{mode}</mode></key>",
                f"    <time><beats>{melody.beats}</beats><beat-type>{melody.beat_type}</beat-type></time>",
                "    <clef><sign>G</sign><line>2</line></clef></attributes>",
                _tempo_xml(melody.tempo),
            ]
        for piece in pieces:
            if piece.first and piece.event.tempo:
                lines.append(_tempo_xml(piece.event.tempo))
            if piece.first and piece.event.dynamic:
                lines.append(
                    '   <direction placement="below"><direction-type><dynamics>'
                    f"<{piece.event.dynamic}/></dynamics></direction-type></direction>"
                )
            lines += _note_xml(piece)
        lines.append("  </measure>")
    lines += [" </part>", "</score-partwise>"]
    return "\n".join(lines) + "\n"


def _tempo_xml(tempo: float) -> str:
    return (
        '   <direction placement="above"><direction-type><metronome><beat-unit>quarter</beat-unit>'
        f"<per-minute>{tempo:g}</per-minute></metronome></direction-type>"
        f'<sound tempo="{tempo:g}"/></direction>'
    )
