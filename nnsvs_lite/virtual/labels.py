"""Full-context labels: the questions of a voice's trees are asked of these strings.

Two formats: singing labels as Sinsy makes them (Oura et al. 2010, "Recent development of the HMM-based
singing voice synthesis system Sinsy"; the label format is described with the HTS demo for singing), and
speech labels as Open JTalk makes them, from which all that is not known of a sung phrase is left out.
"""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

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
    """A label for each phone in the form :data:`SINGING` or :data:`SPEECH`; DataError for another."""
    known = {SINGING: singing_labels, SPEECH: speech_labels}
    if form not in known:
        raise DataError(f"labels of the form {form!r} are not known here, only {SINGING} and {SPEECH}")
    return known[form](score)


@dataclass
class _Syllable:
    phones: list[str]
    note: int
    position: int = 1
    count: int = 1


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


def _marked(marks: str, values: Iterable[Any] | None) -> str:
    """Values with a mark between each two; xx for all of them where there are none."""
    values = ["xx"] * (len(marks) + 1) if values is None else values
    return "".join(f"{value}{mark}" for value, mark in itertools.zip_longest(values, marks, fillvalue=""))


def _place(marks: str, number: int, count: int, start: float, total: float, ticks: int, whole: int) -> str:
    """Where a note stands in a measure or phrase: in counts, seconds, 96ths of a whole note and percent."""
    percent = int(100 * ticks / whole) if whole else 0
    places = number, count - number + 1, _units(start, 10), _units(total - start, 10)
    return _marked(marks, (*places, ticks, whole - ticks, percent, 100 - percent))


def _measure_places(score: Score) -> list[str]:
    """Places in the measures; a note belongs to the measure that it starts in."""
    places = []
    for _, run in itertools.groupby(score.notes, key=lambda note: note.measure):
        notes = list(run)
        for number, note in enumerate(notes, start=1):
            beats = note.beat, note.measure_beats
            seconds = (beat * (60.0 / note.tempo) for beat in beats)
            places.append(_place("$|[&]=^", number, len(notes), *seconds, *map(_ticks, beats)))
    return places


def _phrases(score: Score) -> list[int]:
    """For each note the number of its phrase from 0; -1 at a rest."""
    numbers, number = [], -1
    for i, note in enumerate(score.notes):
        number += not note.is_rest and (i == 0 or score.notes[i - 1].is_rest)
        numbers.append(-1 if note.is_rest else number)
    return numbers


def _phrase_place(score: Score, phrases: list[int], index: int) -> str:
    marks = "#_;$&%["
    if score.notes[index].is_rest:
        return _marked(marks, None)
    members = [i for i, phrase in enumerate(phrases) if phrase == phrases[index]]
    first, last = score.notes[members[0]], score.notes[members[-1]]
    ticks = [_ticks(score.notes[i].beats) for i in members]
    at = members.index(index)
    seconds = score.notes[index].start - first.start, last.end - first.start
    return _place(marks, at + 1, len(members), *seconds, sum(ticks[:at]), sum(ticks))


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


def _beside(ascending: Sequence[int], at: int) -> tuple[int | None, int | None]:
    """The nearest of some numbers before and after one."""
    before, after = bisect_left(ascending, at), bisect_right(ascending, at)
    return ascending[before - 1] if before else None, ascending[after] if after < len(ascending) else None


def _note_values(note: Note, syllables: int) -> tuple[Any, ...]:
    """Pitch, pitch above the tonic, key, beat, tempo, syllables and lengths."""
    quarters = note.measure_beats
    beat = f"{quarters:.0f}/4" if quarters == int(quarters) else f"{round(2 * quarters)}/8"
    pitch = "xx", "xx"
    if not note.is_rest:
        pitch = f"{_PITCHES[note.pitch % 12]}{note.pitch // 12 - 1}", (note.pitch - 7 * note.key) % 12
    lengths = _units(note.duration, 100), _ticks(note.beats)
    return *pitch, note.key % 12, beat, round(note.tempo), syllables, *lengths, "xx"


def singing_labels(score: Score) -> list[str]:
    """Sinsy's full-context labels for singing, one for each phone, without times."""
    syllables = _syllables(score)
    notes = score.notes
    sung = [i for i, note in enumerate(notes) if not note.is_rest]
    phrases = _phrases(score)
    measure_places = _measure_places(score)
    counts = {syllable.note: syllable.count for syllable in syllables}
    lengths = [
        (sum(counts[i] for i in sung if phrases[i] == p), sum(phrases[i] == p for i in sung))
        for p in range(max(phrases, default=-1) + 1)
    ]
    measures = len({note.measure for note in notes}) or 1
    sung_syllables = [k for k, syllable in enumerate(syllables) if not notes[syllable.note].is_rest]
    song = f"{round(sum(n for n, _ in lengths) / measures)}~{round(len(sung) / measures)}@{len(lengths)}"

    def beside_note(marks: str, index: int | None) -> str:
        return _marked(marks, None if index is None else _note_values(notes[index], counts[index]))

    def beside_syllable(marks: str, index: int | None) -> str:
        return _marked(marks, None if index is None else _syllable_values(syllables[index]))

    def phrase_length(number: int) -> str:
        return f"{lengths[number][0]}_{lengths[number][1]}" if 0 <= number < len(lengths) else "xx_xx"

    flat = [phone for syllable in syllables for phone in syllable.phones]
    labels: list[str] = []
    at = 0
    for index, syllable in enumerate(syllables):
        note = notes[syllable.note]
        before, after = _beside(sung, syllable.note)
        last, next_ = _beside(sung_syllables, index)
        a, c = beside_syllable("--@~", last), beside_syllable("++@&", next_)
        b = "1_1_1@xx|xx" if note.is_rest else _marked("__@|", _syllable_values(syllable))
        d, f = beside_note("!#$%|&;-", before), beside_note("##-$$+%;", after)
        previous, following = (None if i is None else notes[i] for i in (before, after))
        intervals = "xx+xx" if note.is_rest else f"{_interval(note, previous)}+{_interval(note, following)}"
        next_slur = int(any(n.slur for n in notes[syllable.note + 1 :][:1]))
        dynamic = next((name for limit, name in _DYNAMICS if note.velocity < limit), "ff")
        e = (
            f"{_marked(']^=~!@#+', _note_values(note, syllable.count))}]{measure_places[syllable.note]}"
            f"~{_phrase_place(score, phrases, syllable.note)}|{int(note.slur)}]{next_slur}-{dynamic}"
            f"{_NO_MARKS}~{intervals}!xx^xx"
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
                f"{_kind(symbol)}@{_marked('^-+=', around)}_{_marked('%^_~', flags)}"
                f"-{position + 1}!{count - position}[xx${to_vowel}]xx{context}"
            )
            at += 1
    return labels


def _syllable_values(syllable: _Syllable) -> tuple[Any, ...]:
    left = syllable.count - syllable.position + 1
    return len(syllable.phones), syllable.position, left, "JPN", 0


def speech_labels(score: Score) -> list[str]:
    """Open JTalk's labels with the five phones; every mora is the third of five in a flat accent phrase."""
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
