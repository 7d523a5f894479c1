"""Tidies MusicXML before music21 reads it: one form, no layout, tempo marks settled."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.limits import MAX_MEASURES, checked_tempo


def partwise(root: ElementTree.Element) -> ElementTree.Element:
    """The score by parts; a score by measures (``score-timewise``) is turned round.

    Raises:
        DataError: where it is neither, has no measures, or has too many.
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
    measures = max(len(part.findall("measure")) for part in root.findall("part"))
    if measures > MAX_MEASURES:
        raise DataError(f"it has {measures} measures; at most {MAX_MEASURES} can be read")
    return root


_KEPT = {
    "score-partwise": "work movement-title part-list part",
    "measure": "note backup forward attributes direction sound",
    "attributes": "divisions key time staves transpose",
    "direction": "direction-type offset staff voice sound",
    "direction-type": "dynamics metronome",
    "note": "grace cue chord rest pitch unpitched duration tie voice type dot time-modification staff lyric "
    "notations",
    "notations": "tied articulations",
    "articulations": "breath-mark caesura",
    "lyric": "syllabic text elision",
}
"""What is sung of an element; its other children are layout, or told by the rest."""

_LIMITS = {"beats": 1000, "beat-type": 1024, "staves": 64, "divisions": 10**7, "duration": 10**10}
"""Largest numbers read; beyond them music21 runs out of memory rather than out of patience."""

_KEPT_ATTRIBUTES = {"part", "score-part", "measure", "sound", "tie", "tied", "lyric", "rest"}


def tidy(root: ElementTree.Element) -> None:
    """Takes out what music21 need not read, and settles what it would read otherwise.

    Barlines go too: :func:`nnsvs_lite.score.formats.repeats.read_marks` must have seen them.

    Raises:
        DataError: where a tempo is not a number from ``MIN_TEMPO`` to ``MAX_TEMPO``.
    """
    for element in root.iter():
        if element.tag in _KEPT:
            kept = _KEPT[element.tag].split()
            element[:] = [child for child in element if child.tag in kept]
        if element.tag == "lyric":
            element.attrib = {k: v for k, v in element.attrib.items() if k == "number"}
            for syllabic in element.findall("syllabic"):
                if syllabic.text not in ("single", "begin", "middle", "end"):
                    syllabic.text = "single"
        elif element.tag not in _KEPT_ATTRIBUTES:
            element.attrib.clear()
    _name_parts(root)
    for measure in root.iterfind("part/measure"):
        place = f"measure {measure.get('number')}"
        for element in measure.iter():
            _check_numbers(element, place)
        for element in measure:
            if element.tag == "note":
                _settle_note(element)
            elif element.tag == "direction":
                _settle_tempo(element, place)
            elif element.tag == "sound":
                _sound_tempo(element, place)


def _check_numbers(element: ElementTree.Element, place: str) -> None:
    """Refuses what music21 would choke on, in words that help more than its own."""
    if element.tag == "time" and element.find("senza-misura") is None:
        for tag in ("beats", "beat-type"):
            text = element.findtext(tag, "")
            if not re.fullmatch(r"\s*[0-9]+(\s*\+\s*[0-9]+)*\s*", text):
                raise DataError(f"{place}: a time signature of {text!r} {tag}")
    if element.tag in _LIMITS:
        for number in re.findall(r"[0-9]+", element.text or ""):
            if len(number) > 12 or int(number) > _LIMITS[element.tag]:
                raise DataError(f"{place}: {element.tag} of {number[:20]} is out of range")


def _name_parts(root: ElementTree.Element) -> None:
    """music21 passes over parts that the part list does not name; they are named here."""
    names = root.find("part-list")
    if names is None:
        names = ElementTree.Element("part-list")
        root.insert(0, names)
    known = {name.get("id") for name in names.findall("score-part")}
    for number, part in enumerate(root.findall("part"), 1):
        part.set("id", part.get("id") or f"P{number}")
        if part.get("id") not in known:
            ElementTree.SubElement(names, "score-part", {"id": part.get("id", "")})


def _settle_note(note: ElementTree.Element) -> None:
    """Cue notes become rests; ties that are only drawn are made real."""
    if note.find("cue") is not None:
        kept = ("grace", "duration", "voice", "type", "dot", "time-modification", "staff")
        note[:] = [ElementTree.Element("rest"), *(child for child in note if child.tag in kept)]
    drawn = [tied.get("type", "") for tied in note.findall("notations/tied")]
    if note.find("tie") is None:
        note.extend(ElementTree.Element("tie", {"type": kind}) for kind in drawn if kind in ("start", "stop"))
    for notations in note.findall("notations"):
        notations[:] = notations.findall("articulations")


def _settle_tempo(direction: ElementTree.Element, place: str) -> None:
    """Where both a printed and a played tempo stand, one of them is kept."""
    played = [_sound_tempo(sound, place) for sound in direction.findall("sound")]
    tempo = next((t for t in played if t is not None), None)
    for kind in direction.findall("direction-type"):
        for metronome in kind.findall("metronome"):
            for printed in metronome.findall("per-minute"):
                number = re.search(r"\d+(\.\d+)?", printed.text or "")
                printed.text = number.group() if number else ""
            if tempo is not None and not _agrees(metronome, tempo):
                kind.remove(metronome)


def _sound_tempo(sound: ElementTree.Element, place: str) -> float | None:
    text = sound.get("tempo")
    if text is None:
        return None
    try:
        return checked_tempo(float(text), place)
    except ValueError:
        raise DataError(f"{place}: tempo {text!r} is not a number") from None


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
