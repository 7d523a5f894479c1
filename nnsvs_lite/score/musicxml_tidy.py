"""Tidies MusicXML before music21 reads it: one form, no layout, tempo marks settled."""

from __future__ import annotations

import math
from xml.etree import ElementTree

from nnsvs_lite.io.errors import DataError

MIN_TEMPO, MAX_TEMPO = 10.0, 1000.0


def partwise(root: ElementTree.Element) -> ElementTree.Element:
    """The score by parts; a score by measures (``score-timewise``) is turned round.

    Raises:
        DataError: where it is neither, or has no measures.
    """
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
        raise DataError(f"not a MusicXML score: its root element is <{root.tag}>")
    if not root.findall("part/measure"):
        raise DataError("the score is empty: it has no measures")
    return root


def tidy(root: ElementTree.Element) -> None:
    """Takes out what music21 need not read, and settles what it would read otherwise.

    Raises:
        DataError: where a tempo is not a number from ``MIN_TEMPO`` to ``MAX_TEMPO``.
    """
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
        return checked_tempo(float(text), place)
    except ValueError:
        raise DataError(f"{place}: tempo {text!r} is not a number") from None


def checked_tempo(tempo: float, place: str) -> float:
    """The tempo, in quarter notes a minute, if it is one that can be sung.

    Raises:
        DataError: where it is not from ``MIN_TEMPO`` to ``MAX_TEMPO``.
    """
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
