"""Full-context labels: the questions of a voice's trees are asked of these strings.

Two formats: singing labels as Sinsy makes them (Oura et al. 2010, "Recent development of the HMM-based
singing voice synthesis system Sinsy"; the label format is described with the HTS demo for singing), and
speech labels as Open JTalk makes them, from which all that is not known of a sung phrase is left out.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.types import Note, Score

SINGING = "HTS_SVSS_JPN"
SPEECH = "HTS_TTS_JPN"

_VOWELS = frozenset("aiueoN")
_PITCHES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
# Crescendi, accents and staccati: the score does not carry them.
_NO_MARKS = "^xx+xx~xx=xx@xx$xx!xx%xx#xx|xx|xx-xx&xx&xx+xx[xx;xx]xx;xx~xx~xx^xx^xx@xx[xx#xx=xx!xx"
_DYNAMICS = ((0.2, "ppp"), (0.3, "pp"), (0.4, "p"), (0.49, "mp"), (0.51, "n"), (0.65, "mf"), (0.8, "f"))
# Phones that neither voice was trained on, and what it sings for them.
_NEAREST = {"kw": "k", "gw": "g", "fy": "hy", "br": "pau"} | {v.upper(): v for v in "aiueo"}


def full_context(score: Score, form: str) -> list[str]:
    """One full-context label for each phone of the score.

    Args:
        score: with phones. form: the voice's label format, :data:`SINGING` or :data:`SPEECH`.

    Raises DataError for another format.
    """
    if form == SINGING:
        return singing_labels(score)
    if form == SPEECH:
        return speech_labels(score)
    raise DataError(f"labels of the form {form!r} are not known here, only {SINGING} and {SPEECH}")


@dataclass
class _Syllable:
    phones: list[str]
    note: int
    position: int = 1
    count: int = 1


@dataclass
class _Position:
    """Where a note stands in a measure or phrase: counts, seconds and 96ths of a whole note."""

    number: int
    count: int
    start: float
    total: float
    ticks: int
    total_ticks: int

    @property
    def percent(self) -> int:
        return int(100 * self.ticks / self.total_ticks) if self.total_ticks else 0


def _syllables(score: Score) -> list[_Syllable]:
    """A syllable is a mora; a closure (cl) ends the one before it. A rest is one too."""
    syllables: list[_Syllable] = []
    for index, note in enumerate(score.notes):
        mine: list[_Syllable] = []
        open_ = False
        for phone in note.phones:
            symbol = _NEAREST.get(phone, phone)
            if symbol == "cl" and mine:
                mine[-1].phones.append(symbol)
                continue
            if not open_:
                mine.append(_Syllable([], index))
            mine[-1].phones.append(symbol)
            open_ = symbol not in _VOWELS and symbol not in ("cl", "pau")
        for position, syllable in enumerate(mine, start=1):
            syllable.position, syllable.count = position, len(mine)
        syllables += mine
    return syllables


def _ticks(beats: float) -> int:
    return round(beats * 24)


def _measure_places(score: Score) -> list[_Position]:
    """Places in the measures; a note belongs to the measure that it starts in."""
    places = []
    for _, run in itertools.groupby(score.notes, key=lambda note: note.measure):
        notes = list(run)
        for number, note in enumerate(notes, start=1):
            beats = note.beat, note.measure_beats
            seconds = (beat * (60.0 / note.tempo) for beat in beats)
            places.append(_Position(number, len(notes), *seconds, *map(_ticks, beats)))
    return places


def _phrases(score: Score) -> list[int]:
    """For each note the number of its phrase from 0; -1 at a rest."""
    numbers, number = [], -1
    for i, note in enumerate(score.notes):
        number += not note.is_rest and (i == 0 or score.notes[i - 1].is_rest)
        numbers.append(-1 if note.is_rest else number)
    return numbers


def _phrase_place(score: Score, phrases: list[int], index: int) -> _Position:
    members = [i for i, phrase in enumerate(phrases) if phrase == phrases[index]]
    first, last = score.notes[members[0]], score.notes[members[-1]]
    ticks = [_ticks(score.notes[i].beats) for i in members]
    at = members.index(index)
    seconds = score.notes[index].start - first.start, last.end - first.start
    return _Position(at + 1, len(members), *seconds, sum(ticks[:at]), sum(ticks))


def _dynamic(velocity: float) -> str:
    return next((name for limit, name in _DYNAMICS if velocity < limit), "ff")


def _beat(note: Note) -> str:
    quarters = note.measure_beats
    return f"{quarters:.0f}/4" if quarters == int(quarters) else f"{round(2 * quarters)}/8"


def _absolute(note: Note) -> str:
    return f"{_PITCHES[note.pitch % 12]}{note.pitch // 12 - 1}"


def _relative(note: Note) -> int:
    return (note.pitch - 7 * note.key) % 12


def _units(seconds: float, a_second: int) -> int:
    return int(a_second * seconds + 1e-6)


def _interval(note: Note, other: Note | None) -> str:
    if other is None:
        return "xx"
    step = other.pitch - note.pitch
    return f"{'m' if step < 0 else 'p'}{abs(step)}"


def _kind(symbol: str) -> str:
    if symbol in _VOWELS:
        return "v"
    return {"pau": "p", "sil": "s", "cl": "b"}.get(symbol, "c")


def _beside(rests: Sequence[bool], at: int, step: int) -> int | None:
    """The nearest that is no rest, before (``step`` -1) or after (1)."""
    at += step
    while 0 <= at < len(rests) and rests[at]:
        at += step
    return at if 0 <= at < len(rests) else None


def singing_labels(score: Score) -> list[str]:
    """Sinsy's full-context labels for singing, one for each phone, without times."""
    syllables = _syllables(score)
    notes = score.notes
    sung = [i for i, note in enumerate(notes) if not note.is_rest]
    phrases = _phrases(score)
    measure_places = _measure_places(score)
    syllables_of: dict[int, int] = {}
    for syllable in syllables:
        syllables_of[syllable.note] = syllable.count
    lengths = [
        (sum(syllables_of[i] for i in sung if phrases[i] == p), sum(phrases[i] == p for i in sung))
        for p in range(max(phrases, default=-1) + 1)
    ]
    measures = len({note.measure for note in notes}) or 1
    note_rests = [note.is_rest for note in notes]
    syllable_rests = [note_rests[syllable.note] for syllable in syllables]
    song = f"{round(sum(n for n, _ in lengths) / measures)}~{round(len(sung) / measures)}@{len(lengths)}"

    def phrase_length(number: int) -> str:
        return f"{lengths[number][0]}_{lengths[number][1]}" if 0 <= number < len(lengths) else "xx_xx"

    flat = [phone for syllable in syllables for phone in syllable.phones]
    labels: list[str] = []
    at = 0
    for index, syllable in enumerate(syllables):
        note = notes[syllable.note]
        before, after = (_beside(note_rests, syllable.note, step) for step in (-1, 1))
        previous, following = (None if i is None else notes[i] for i in (before, after))
        last, next_ = (_beside(syllable_rests, index, step) for step in (-1, 1))
        a = "xx-xx-xx@xx~xx" if last is None else f"{_three(syllables[last], '-')}@JPN~0"
        b = "1_1_1@xx|xx" if note.is_rest else f"{_three(syllable, '_')}@JPN|0"
        c = "xx+xx+xx@xx&xx" if next_ is None else f"{_three(syllables[next_], '+')}@JPN&0"
        d = "xx!xx#xx$xx%xx|xx&xx;xx-xx"
        if previous is not None:
            d = (
                f"{_absolute(previous)}!{_relative(previous)}#{previous.key % 12}${_beat(previous)}"
                f"%{round(previous.tempo)}|{syllables_of[before]}&{_units(previous.duration, 100)}"
                f";{_ticks(previous.beats)}-xx"
            )
        e = _current_note(score, syllable, measure_places[syllable.note], phrases, previous, following)
        f = "xx#xx#xx-xx$xx$xx+xx%xx;xx"
        if following is not None:
            f = (
                f"{_absolute(following)}#{_relative(following)}#{following.key % 12}-{_beat(following)}"
                f"${round(following.tempo)}${syllables_of[after]}+{_units(following.duration, 100)}"
                f"%{_ticks(following.beats)};xx"
            )
        phrase = phrases[syllable.note]
        # A rest stands between the phrase before it and the one that it leads to.
        ahead = max([-1, *phrases[: syllable.note]]) + 1 if note.is_rest else phrase + 1
        past = ahead - 1 if note.is_rest else phrase - 1
        g, h, i = map(phrase_length, (past, phrase, ahead))
        context = f"/A:{a}/B:{b}/C:{c}/D:{d}/E:{e}/F:{f}/G:{g}/H:{h}/I:{i}/J:{song}"
        for position, symbol in enumerate(syllable.phones):
            around = [flat[at + k] if 0 <= at + k < len(flat) else "xx" for k in (-2, -1, 0, 1, 2)]
            flags = ["xx" if name == "xx" else "00" for name in around]
            count = len(syllable.phones)
            to_vowel = "xx"
            if _kind(symbol) == "c":
                vowels = (k for k in range(position + 1, count) if syllable.phones[k] in _VOWELS)
                to_vowel = next((str(k - position) for k in vowels), "xx")
            labels.append(
                f"{_kind(symbol)}@{around[0]}^{around[1]}-{around[2]}+{around[3]}={around[4]}"
                f"_{flags[0]}%{flags[1]}^{flags[2]}_{flags[3]}~{flags[4]}"
                f"-{position + 1}!{count - position}[xx${to_vowel}]xx{context}"
            )
            at += 1
    return labels


def _three(syllable: _Syllable, mark: str) -> str:
    left = syllable.count - syllable.position + 1
    return f"{len(syllable.phones)}{mark}{syllable.position}{mark}{left}"


def _current_note(
    score: Score,
    syllable: _Syllable,
    place: _Position,
    phrases: list[int],
    previous: Note | None,
    following: Note | None,
) -> str:
    note = score.notes[syllable.note]
    pitch = "xx]xx" if note.is_rest else f"{_absolute(note)}]{_relative(note)}"
    in_phrase = "xx#xx_xx;xx$xx&xx%xx[xx"
    if not note.is_rest:
        p = _phrase_place(score, phrases, syllable.note)
        in_phrase = (
            f"{p.number}#{p.count - p.number + 1}_{_units(p.start, 10)};{_units(p.total - p.start, 10)}"
            f"${p.ticks}&{p.total_ticks - p.ticks}%{p.percent}[{100 - p.percent}"
        )
    after = score.notes[syllable.note + 1] if syllable.note + 1 < len(score.notes) else None
    rises = "xx+xx" if note.is_rest else f"{_interval(note, previous)}+{_interval(note, following)}"
    return (
        f"{pitch}^{note.key % 12}={_beat(note)}~{round(note.tempo)}!{syllable.count}"
        f"@{_units(note.duration, 100)}#{_ticks(note.beats)}+xx]{place.number}"
        f"${place.count - place.number + 1}|{_units(place.start, 10)}[{_units(place.total - place.start, 10)}"
        f"&{place.ticks}]{place.total_ticks - place.ticks}={place.percent}^{100 - place.percent}~{in_phrase}"
        f"|{int(note.slur)}]{int(after is not None and after.slur)}-{_dynamic(note.velocity)}"
        f"{_NO_MARKS}~{rises}!xx^xx"
    )


def speech_labels(score: Score) -> list[str]:
    """Open JTalk's labels with the five phones, and a fixed context for the rest.

    A speech voice asks for accent and word class, which a song does not have:
    every mora stands as the third of five in a flat accent phrase.
    """
    phones = [_NEAREST.get(p, p) for p in score.phones]
    labels = []
    for i, phone in enumerate(phones):
        ll, left, right, rr = (
            phones[j] if 0 <= j < len(phones) else "xx" for j in (i - 2, i - 1, i + 1, i + 2)
        )
        silent = phone == "pau"
        a = "xx+xx+xx" if silent else "-2+3+3"
        f = "xx_xx#xx_xx@xx_xx|xx_xx" if silent else "5_5#0_xx@1_1|1_5"
        labels.append(
            f"{ll}^{left}-{phone}+{right}={rr}/A:{a}/B:xx-xx_xx/C:02_xx+xx/D:xx+xx_xx"
            f"/E:5_5!0_xx-1/F:{f}/G:5_5%0_xx_1/H:1_5/I:1-5@1+1&1-1|1+5/J:1_5/K:1+1-5"
        )
    return labels
