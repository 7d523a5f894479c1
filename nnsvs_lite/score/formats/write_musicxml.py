"""Writes a song as MusicXML, so that a notation program or ``nnsvs-lite sing`` can go on with it."""

import math
from fractions import Fraction
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from nnsvs_lite.score.song import Song, SongNote
from nnsvs_lite.score.timeline import NEAR
from nnsvs_lite.score.types import REST

_SHARPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_FLATS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_DYNAMICS = {"ppp": 0.15, "pp": 0.25, "p": 0.35, "mp": 0.45, "mf": 0.55, "f": 0.7, "ff": 0.85, "fff": 0.9}
_UNMARKED = 0.5
_GRID = 20160
"""Finest part of a quarter written: it holds 64ths, triplets, fives and sevens, and ticks of 480 or 960."""


def musicxml(song: Song) -> bytes:
    """A score of one part, in UTF-8; read back, it has the song's notes, tempi, bars and keys.

    Notes are cut at bar lines and changes of tempo, and tied. Dynamics become the nearest mark.
    """
    root = Element("score-partwise", version="4.0")
    _add(_add(root, "work"), "work-title", song.title or "Untitled")
    names = _add(_add(root, "part-list"), "score-part", id="P1")
    _add(names, "part-name", "Voice")
    part = _add(root, "part", id="P1")
    writer = _Writer(song)
    for start, end in writer.bars():
        writer.measure(part, start, end)
    indent(root)
    head = b'<?xml version="1.0" encoding="UTF-8"?>\n'
    return head + tostring(root, encoding="utf-8") + b"\n"


class _Writer:
    """Goes through a song bar by bar, remembering what was last said of metre, key and loudness."""

    def __init__(self, song: Song):
        self.song, self.timeline = song, song.timeline
        self.end = _exact(max(song.length, max((note.end for note in song.notes), default=0.0)))
        places = [_exact(x) for n in song.notes for x in (n.at, n.end)]
        places += [_exact(row[0]) for row in (*self.timeline.tempi, *self.timeline.metres)]
        places += [line for bar in self.bars() for line in bar]
        self.divisions = math.lcm(*(place.denominator for place in places))
        self.signature, self.key, self.velocity = (0, 0), 99, _UNMARKED

    def bars(self) -> list[tuple[Fraction, Fraction]]:
        """Where each bar begins and ends, from 0 on."""
        lines = [_exact(line) for line in self.timeline.bar_lines(self.end)] or [Fraction(0)]
        # The last bar is written out whole: a short one would be read as a pick-up's other half.
        _, beat, beats = self.timeline.bar(lines[-1])
        return list(zip(lines, [*lines[1:], lines[-1] + _exact(beats - beat)]))

    def measure(self, part: Element, start: Fraction, end: Fraction) -> None:
        number, _, _ = self.timeline.bar(start)
        measure = _add(part, "measure", number=str(number))
        self._attributes(measure, self.timeline.metre(start).signature, self.timeline.key(start))
        marks = [(_exact(at), tempo) for at, tempo in self.timeline.tempi if start <= _exact(at) < end]
        cuts = sorted({start, end, *(at for at, _ in marks)})
        inside = [n for n in self.song.notes if _exact(n.at) < end and _exact(n.end) > start]
        for begin, stop in zip(cuts, cuts[1:]):
            for tempo in (tempo for at, tempo in marks if at == begin):
                self._tempo(measure, tempo)
            at = begin
            for note in inside:
                first, last = max(_exact(note.at), begin), min(_exact(note.end), stop)
                if first < last:
                    self._rest(measure, at, first)
                    self._note(measure, note, first, last)
                    at = last
            self._rest(measure, at, stop)

    def _attributes(self, measure: Element, signature: tuple[int, int], key: int) -> None:
        if (signature, key) == (self.signature, self.key):
            return
        attributes = _add(measure, "attributes")
        if not self.signature[0]:
            _add(attributes, "divisions", str(self.divisions))
        if key != self.key:
            _add(_add(attributes, "key"), "fifths", str(key))
        if signature != self.signature:
            time = _add(attributes, "time")
            _add(time, "beats", str(signature[0]))
            _add(time, "beat-type", str(signature[1]))
        self.signature, self.key = signature, key

    def _tempo(self, measure: Element, tempo: float) -> None:
        direction = _add(measure, "direction", placement="above")
        metronome = _add(_add(direction, "direction-type"), "metronome")
        number = f"{tempo:.6f}".rstrip("0").rstrip(".")
        _add(metronome, "beat-unit", "quarter")
        _add(metronome, "per-minute", number)
        _add(direction, "sound", tempo=number)

    def _rest(self, measure: Element, first: Fraction, last: Fraction) -> None:
        if first < last:
            self._note(measure, SongNote(float(first), float(last - first), REST), first, last)

    def _note(self, measure: Element, note: SongNote, first: Fraction, last: Fraction) -> None:
        """What of a note lies between two places."""
        begins, ends = first == _exact(note.at), last == _exact(note.end)
        if note.pitch != REST and abs(note.velocity - self.velocity) > NEAR:
            mark = min(_DYNAMICS, key=lambda name: abs(_DYNAMICS[name] - note.velocity))
            _add(_add(_add(_add(measure, "direction"), "direction-type"), "dynamics"), mark)
            self.velocity = note.velocity
        item = _add(measure, "note")
        if note.pitch == REST:
            _add(item, "rest")
        else:
            name = (_FLATS if self.key < 0 else _SHARPS)[note.pitch % 12]
            pitch = _add(item, "pitch")
            _add(pitch, "step", name[0])
            if name[1:]:
                _add(pitch, "alter", "1" if name[1] == "#" else "-1")
            _add(pitch, "octave", str(note.pitch // 12 - 1))
        _add(item, "duration", str(int((last - first) * self.divisions)))
        if note.pitch != REST:
            ties = [kind for kind, there in (("stop", not begins), ("start", not ends)) if there]
            for kind in ties:
                _add(item, "tie", type=kind)
            breathes = note.breath and ends
            if ties or breathes:
                notations = _add(item, "notations")
                for kind in ties:
                    _add(notations, "tied", type=kind)
                if breathes:
                    _add(_add(notations, "articulations"), "breath-mark")
        if begins and note.lyric:
            # The reader gives a syllable of a longer word its hyphen back.
            goes_on = len(note.lyric) > 1 and note.lyric.endswith("-")
            lyric = _add(item, "lyric", number="1")
            _add(lyric, "syllabic", "begin" if goes_on else "single")
            _add(lyric, "text", note.lyric[:-1] if goes_on else note.lyric)


def _exact(beats: float) -> Fraction:
    return Fraction(round(beats * _GRID), _GRID)


def _add(parent: Element, tag: str, text: str = "", **attributes: str) -> Element:
    item = SubElement(parent, tag, attributes)
    if text:
        item.text = text
    return item
