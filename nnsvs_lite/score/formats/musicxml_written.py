"""The parts and measures of MusicXML as they are written."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from xml.etree.ElementTree import Element

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.assemble import UNSPACED
from nnsvs_lite.score.formats.limits import checked_tempo
from nnsvs_lite.score.formats.rawfile import get_number
from nnsvs_lite.score.lyrics import clean_alias, is_continuation, without_number
from nnsvs_lite.score.types import REST

_LIMITS = {"beats": 1000, "beat-type": 1024, "divisions": 10**7, "duration": 10**10, "offset": 10**10}
"""Largest numbers read; of others 1000."""

GRACE_BEATS = Fraction(1, 8)
"""Length in quarters of a grace note with a slash, or after its note: a 32nd."""

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_UNITS = {"long": 16, "breve": 8, "whole": 4, "half": 2, "quarter": 1, "eighth": 1 / 2, "16th": 1 / 4}
_UNITS |= {"32nd": 1 / 8, "64th": 1 / 16}
_DYNAMICS = {"n": 0.0, "pppp": 0.1, "ppp": 0.15, "pp": 0.25, "p": 0.35, "mp": 0.45, "mf": 0.55, "f": 0.7}
_DYNAMICS |= {"fp": 0.75, "sf": 0.85, "ff": 0.85, "fff": 0.9, "ffff": 0.95}
UNMARKED = 0.5


@dataclass
class WrittenNote:
    """A note, chord or rest as written; lengths in quarters, ``offset`` from the measure's start."""

    offset: Fraction
    beats: Fraction
    pitch: float = REST  # MIDI number at sounding pitch, the highest of a chord; NaN where it has none
    lyrics: dict[int, tuple[str, bool]] = field(default_factory=dict)  # by verse: text, its word goes on
    lyric: str = ""  # the one that is sung
    tied: bool = False  # goes on from the note before
    grace: bool = False
    value: Fraction | None = None  # of a grace note without a slash: quarters as written, 0 where unknown
    small: bool = False  # printed small: another reading
    cue: bool = False  # not to be played
    breath: bool = False  # a breath mark follows
    velocity: float = UNMARKED  # dynamics, 0..1
    voice: str = ""
    staff: int = 0  # 0 where none is named
    chord: bool = False  # several pitches sound

    @property
    def end(self) -> Fraction:
        return self.offset + self.beats


@dataclass
class WrittenMeasure:
    """A measure as written; lengths in quarters."""

    number: int  # as printed
    bar: Fraction = Fraction(4)  # what its time signature asks for
    beat_type: int = 4  # the signature's lower number
    key: int = 0  # sharps, flats negative
    length: Fraction = Fraction(0)  # what it holds
    pickup: Fraction = Fraction(0)  # how far into its bar it begins
    tempi: list[tuple[Fraction, float]] = field(default_factory=list)
    """(offset, quarters a minute); of measures to be sung the first stands at offset 0."""
    printed: list[tuple[Fraction, float]] = field(default_factory=list)  # tempi that no sound plays
    notes: list[WrittenNote] = field(default_factory=list)
    dynamics: list[tuple[Fraction, int, float]] = field(default_factory=list)  # (offset, staff, 0..1)
    marks: list[tuple[Fraction, Element, bool]] = field(default_factory=list)
    """Bar lines, directions and sounds: (offset, the element, whether a note of its part begins later)."""

    def place(self, offset: Fraction) -> str:
        """Where an offset stands, for messages."""
        return f"measure {self.number}, beat {float(self.pickup + offset) + 1:g}"


class WrittenPart:
    """Reads a part measure by measure; what is in force goes on into the next.

    Raises DataError where a number is none or out of range; names the measure.
    """

    def __init__(self, element: Element, lang: str):
        self.lang = lang
        self.semitones, self.sharps, self.staves = 0, 0, 1
        self.back = 0  # measures that a repeat sign in place of notes goes back
        self.number, self.place = 0, ""
        self.undivided = element.find("measure/attributes/divisions") is None
        self.divisions = self._divisions_of_types(element) if self.undivided else Fraction(1)
        self.bar, self.beat_type, self.key = Fraction(4), 4, 0
        self.absurd: list[str] = []  # where tempi stand that cannot be sung
        self.stray: list[str] = []  # where lyrics stand that are punctuation alone
        self.measures: list[WrittenMeasure] = []
        for item in element.findall("measure"):
            self.measures.append(self._measure(item))

    def staff_numbers(self) -> list[int]:
        """Numbers of its staves where it has several; else 0 alone, which stands for all there is."""
        found = {note.staff for measure in self.measures for note in measure.notes} - {0}
        return sorted(found) if self.staves > 1 and found else [0]

    def _number(self, text: str | None, what: str, low: int = 0, whole: bool = False) -> Fraction:
        most, text = _LIMITS.get(what, 1000), (text or "").strip()
        if not re.fullmatch(r"[+-]?[0-9]{1,20}" + ("" if whole else r"(\.[0-9]{1,20})?"), text):
            raise DataError(f"{self.place}: {what} of {text[:20]!r} is not a number")
        if not low <= (value := Fraction(text)) <= most:
            raise DataError(f"{self.place}: {what} of {text[:20]} is out of range")
        return value

    def _whole(self, item: Element, tag: str, default: int | None = None) -> int:
        text = item.findtext(tag)
        return default if text is None and default is not None else int(self._number(text, tag, -1000))

    def _divisions_of_types(self, part: Element) -> Fraction:
        """Divisions of a quarter in a part that does not give them: those of its first plain note; else 1."""
        odd = ("dot", "time-modification", "rest", "grace")
        for measure in part.iterfind("measure"):
            self.place = f"measure {measure.get('number', '')}"
            for item in measure.iterfind("note"):
                unit = _UNITS.get((item.findtext("type") or "").strip())
                if unit is None or any(item.find(tag) is not None for tag in odd):
                    continue
                if lasts := self._number(item.findtext("duration", "0"), "duration"):
                    return lasts / Fraction(unit)
        return Fraction(1)

    def _measure(self, element: Element) -> WrittenMeasure:
        label = element.get("number", "")
        self.place = f"measure {label}"
        # Finale calls measures without a number X1, X2 and so on.
        if not re.fullmatch(r"X[0-9]*", label):
            self.number = int("".join(re.findall(r"[0-9]", label))[:9] or 0)
        measure = WrittenMeasure(self.number)
        marks: list[tuple[Fraction, Element]] = []
        at, furthest, voice = Fraction(0), Fraction(0), ""
        for item in element:
            voice = (item.findtext("voice") or "").strip() or voice
            if item.tag == "attributes":
                self._attributes(item)
            elif item.tag in ("backup", "forward"):
                step = self._quarters(item, "duration")
                at = max(at - step, Fraction(0)) if item.tag == "backup" else at + step
            elif item.tag == "barline":
                marks.append((at, item))
            elif item.tag in ("direction", "sound"):
                offset = at + self._quarters(item, "offset", low=-(10**10))
                marks.append((offset, item))
                played, tempi = self._tempi(item)
                (measure.tempi if played else measure.printed).extend((offset, tempo) for tempo in tempi)
                for mark in item.findall("direction-type/dynamics/*"):
                    loudness = _DYNAMICS.get(mark.tag, UNMARKED)
                    measure.dynamics.append((offset, self._whole(item, "staff", 0), loudness))
            elif item.tag == "note" and item.find("chord") is not None and measure.notes:
                if item.find("rest") is None and item.find("cue") is None:
                    self._join(measure.notes[-1], self._note(item, measure.notes[-1].offset))
            elif item.tag == "note":
                note = self._note(item, at)
                note.voice = voice
                if item.find("rest") is not None and self._is_sign(item, note):
                    note.beats = self.bar
                measure.notes.append(note)
                at = note.end
            furthest = max(furthest, at)
        # Cue notes are those of others, but for such as have the rhythm of a further verse.
        cues = [note for note in measure.notes if note.cue]
        verses = {(note.voice, verse) for note in cues for verse in note.lyrics}
        further = {voice for voice, _ in verses if (voice, 1) not in verses}
        for note in cues:
            if note.voice not in further:
                note.pitch, note.lyrics = REST, {}
        measure.bar, measure.beat_type, measure.key = self.bar, self.beat_type, self.key
        last = max((note.offset for note in measure.notes if note.pitch != REST), default=Fraction(0))
        measure.marks = [(offset, item, offset < last) for offset, item in marks]
        measure.length, measure.notes = furthest, _with_graces(measure.notes)
        if 0 < self.back <= len(self.measures) and all(note.pitch == REST for note in measure.notes):
            repeated = self.measures[-self.back]
            measure.length, measure.notes = repeated.length, [replace(note) for note in repeated.notes]
        return measure

    def _is_sign(self, item: Element, rest: WrittenNote) -> bool:
        """Whether a rest stands for the bar, and its duration only says how long its sign would last."""
        of_bar = item.find("rest[@measure='yes']") is not None
        if item.find("dot") is not None or item.find("time-modification") is not None:
            return False
        lasts = _UNITS.get((item.findtext("type") or "").strip(), 0)
        return (of_bar and rest.beats == 0) or (
            lasts >= 4 and rest.beats == lasts and (of_bar or lasts > self.bar)
        )

    def _quarters(self, item: Element, tag: str, low: int = 0) -> Fraction:
        text = item.findtext(tag)
        return self._number(text, tag, low) / self.divisions if text is not None else Fraction(0)

    def _attributes(self, item: Element) -> None:
        if item.find("divisions") is not None:
            self.divisions = self._number(item.findtext("divisions"), "divisions")
            if not self.divisions:
                raise DataError(f"{self.place}: divisions of 0 is out of range")
        self.staves = max(self.staves, self._whole(item, "staves", 1))
        for transpose in item.findall("transpose"):
            semitones = self._whole(transpose, "chromatic", 0)
            self.semitones = semitones + 12 * self._whole(transpose, "octave-change", 0)
            steps = self._whole(transpose, "diatonic", round(semitones * 7 / 12))
            self.sharps = 7 * semitones - 12 * steps
        for key in item.findall("key"):
            sharps = self._whole(key, "fifths", 0) + self.sharps
            self.key = sharps if -7 <= sharps <= 7 else (sharps + 6) % 12 - 6
        for sign in item.findall("measure-style/measure-repeat"):
            ends = sign.get("type") == "stop"
            self.back = 0 if ends else int(self._number(sign.text or "1", "measure-repeat", 1, whole=True))
        for time in item.findall("time"):
            if time.find("senza-misura") is None:
                self._time(time)

    def _time(self, time: Element) -> None:
        lengths, units = [], []
        for beats, unit in zip(time.findall("beats"), time.findall("beat-type")):
            parts = (beats.text or "").split("+")
            count = sum(int(self._number(part, "beats", whole=True)) for part in parts)
            units.append(int(self._number(unit.text, "beat-type", whole=True)))
            lengths.append(Fraction(4 * count, units[-1] or 1))
            if count < 1 or units[-1] < 1 or units[-1] & (units[-1] - 1):
                raise DataError(f"{self.place}: a time signature of {count}/{units[-1]} cannot be read")
        if not lengths:
            raise DataError(f"{self.place}: a time signature of '' beats")
        self.bar, self.beat_type = sum(lengths, Fraction(0)), max(units)

    def _tempi(self, item: Element) -> tuple[bool, list[float]]:
        """Whether a direction or sound plays a tempo, and that, or what is printed, in quarters a minute."""
        sounds = [item] if item.tag == "sound" else item.findall("sound")
        texts = [sound.attrib["tempo"] for sound in sounds if "tempo" in sound.attrib]
        tempi = [tempo for text in texts for tempo in self._sane(text)]
        said = []
        for mark in item.findall("direction-type/metronome"):
            number = re.search(r"\d+(\.\d+)?", mark.findtext("per-minute") or "")
            unit = _UNITS.get((mark.findtext("beat-unit") or "quarter").strip())
            if number and unit and len(mark.findall("beat-unit")) < 2:
                printed = float(number.group()) * (unit * (2 - 0.5 ** len(mark.findall("beat-unit-dot"))))
                # Where both say the same but for rounding, the printed one is exact.
                if not tempi or abs(printed - tempi[0]) <= 0.001 * tempi[0]:
                    said += self._sane(round(printed, 6))
        return bool(tempi), said or [round(tempo, 6) for tempo in tempi]

    def _sane(self, tempo: str | float) -> list[float]:
        """A tempo that can be sung, or none."""
        try:
            return [checked_tempo(get_number(tempo, "tempo"), "tempo")]
        except DataError:
            self.absurd.append(self.place)
            return []

    def _note(self, item: Element, at: Fraction) -> WrittenNote:
        grace = item.find("grace") is not None
        note = WrittenNote(at, Fraction(0) if grace else self._quarters(item, "duration"), grace=grace)
        if grace and item.find("grace[@slash='yes']") is None:
            note.value = Fraction(_UNITS.get((item.findtext("type") or "").strip(), 0))
        note.cue = item.find("cue") is not None
        note.small = note.cue or item.find("type[@size='cue']") is not None
        note.staff = self._whole(item, "staff", 0)
        for i, lyric in enumerate(item.findall("lyric"), 1):
            # Sibelius names a verse part1verse2.
            verse = re.fullmatch(r"\s*(?:\w*verse)?0*([1-9][0-9]{0,5})\s*", lyric.get("number", ""))
            passes = re.findall(r"[1-9][0-9]{0,2}", lyric.get("time-only", ""))
            text, goes_on = _syllable(lyric, self.lang)
            signs = text and not any(c.isalnum() for c in text) and not is_continuation(text)
            if signs and clean_alias(text, self.lang, bank=False) == text:
                self.stray.append(self.place)
            elif text:
                for number in passes or [verse[1] if verse else i]:
                    note.lyrics.setdefault(int(number), (text, goes_on))
        if item.find("rest") is not None:
            return note
        pitch = item.find("pitch")
        note.pitch = math.nan
        if pitch is not None:
            step = (pitch.findtext("step") or "").strip()
            if step not in _STEPS:
                raise DataError(f"{self.place}: a pitch of step {step[:20]!r}")
            alter = float(self._number(pitch.findtext("alter") or "0", "alter", -1000))
            note.pitch = 12 * (self._whole(pitch, "octave") + 1) + _STEPS[step] + alter + self.semitones
        ties = item.findall("tie") or item.findall("notations/tied")
        note.tied = any(tie.get("type") == "stop" for tie in ties)
        marks = {mark.tag for mark in item.findall("notations/articulations/*")}
        note.breath = bool(marks & {"breath-mark", "caesura"})
        return note

    @staticmethod
    def _join(note: WrittenNote, other: WrittenNote) -> None:
        """Makes a chord of two notes."""
        note.pitch = max(note.pitch, other.pitch) if note.pitch == note.pitch else other.pitch
        note.tied, note.breath, note.chord = note.tied or other.tied, note.breath or other.breath, True
        note.lyrics = other.lyrics | note.lyrics


def _with_graces(notes: Sequence[WrittenNote]) -> list[WrittenNote]:
    """The notes; grace notes take time from the note they lead to or, without one, from the note before."""
    timed: list[WrittenNote] = []
    waiting: dict[str, list[WrittenNote]] = {}
    last: dict[str, WrittenNote] = {}
    ends = [WrittenNote(Fraction(0), Fraction(0), voice=v) for v in dict.fromkeys(n.voice for n in notes)]
    for note in [*notes, *ends]:
        if note.grace:
            waiting.setdefault(note.voice, []).extend([note] if note.pitch != REST else [])
            continue
        graces = waiting.pop(note.voice, [])
        if note.pitch != REST:
            last[note.voice] = note
        if graces and note.voice in last:
            _share(last[note.voice], graces, before=note.pitch != REST)
            timed += graces
        timed.append(note)
    return [note for note in timed if note.beats or note.pitch != REST]


def _share(note: WrittenNote, graces: Sequence[WrittenNote], before: bool) -> None:
    """Gives the beginning or end of a note to the grace notes before or after it, in order.

    One without a slash takes half of the note, several what they are written as, up to half, as notation
    programs play them. A syllable begins on the first of them.
    """
    taken = note.beats / 2
    if not before or any(grace.value is None for grace in graces):
        taken = min(GRACE_BEATS * len(graces), taken)
    elif len(graces) > 1 and all(grace.value for grace in graces):
        taken = min(sum(grace.value for grace in graces), taken)
    note.beats -= taken
    start = note.offset if before else note.end
    for i, grace in enumerate(graces):
        grace.beats = taken / len(graces)
        grace.offset = start + i * grace.beats
    if before:
        note.offset += taken
        if not any(grace.lyrics for grace in graces):
            graces[0].lyrics, note.lyrics = note.lyrics, {}


_CLOSED = re.compile(r"[\s.]*[0-9]{1,2}\s*[])）】」]$")
_TIES = re.compile("[\u203f\u2040\u035c\u0361\ue550-\ue552]")
"""Signs that tie two words on one note; music fonts write them as private letters."""


def _syllable(lyric: Element, lang: str) -> tuple[str, bool]:
    """Text of a lyric, without a printed verse number, and whether its word goes on."""
    text, between, count = "", "", 0
    for item in lyric:
        if item.tag == "text":
            text, between, count = f"{text}{between}{(item.text or '').strip()}", " ", count + 1
        elif item.tag == "elision" and count:
            between = item.text or ""
    text = " ".join(_TIES.sub(" ", text).split())
    # A letter more, since a number alone is one of a verse too.
    text = _CLOSED.sub("", without_number(f"{text}a", lang)[:-1])
    text = re.sub(r"^[-‐‑–]\s*(?=\w)", "", text)
    places = [(item.text or "").strip() for item in lyric.findall("syllabic")]
    goes_on = 0 < count <= len(places) and places[count - 1] in ("begin", "middle")
    spread = lang not in UNSPACED or (lang == "ja" and re.search("[A-Za-z]$", text))
    if goes_on and spread and text and not text.endswith("-") and not is_continuation(text):
        text += "-"
    return text, goes_on
