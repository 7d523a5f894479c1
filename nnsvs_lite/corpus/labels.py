"""Brings a corpus' phone labels and its score to one sequence of phones.

What a singer's breaths and a labeller's conventions change is put right and reported; a sung
phone that differs is a fault of the data.
"""

import dataclasses
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages import Language, LyricError, get_language
from nnsvs_lite.score.timing import find_difference
from nnsvs_lite.score.types import REST, Note, Score

DEVOICED = {"A": "a", "I": "i", "U": "u", "E": "e", "O": "o"}
"""Devoiced vowels of Japanese labels; lyrics give the plain vowel, which is what is kept."""

GRID = 16
"""Carved rests begin on a grid of so many steps a quarter note."""

FAR = 0.5
"""Seconds between a note's vowel and its place in the score that are worth a remark."""

TOO_FAR = 2.0
"""Seconds at which score and recording cannot belong together as they are."""

OFFSET = 0.06
"""Seconds; a song sung so far from its score in the median is not a singer's habit, which is 0.05 at most."""

_SILENCES = frozenset({"pau", "br"})
_FEW = 4
"""Notes of which no offset is taken."""
_UNITS = 5.0
"""A factor between labels and recording that no tempo explains."""
_SHORT = 0.02
_MINIMUM = 0.001
_BACKWARDS = 0.1


class Reconciled(NamedTuple):
    """A score and labels with the same phones, and what was put right, one sentence each, in order.

    The score's rests hold one ``pau`` or ``br``; labels are contiguous from 0, one for each phone.
    """

    score: Score
    labels: list[Segment]
    remarks: list[str]


def reconcile(
    score: Score, labels: Sequence[Segment], *, where: str, duration: float | None = None
) -> Reconciled:
    """Makes labels and score agree phone by phone.

    - ``sil`` and other aliases of the language are folded; adjacent silences merge,
      in the labels and in the score; gaps and overlaps of the labels are closed; a label whose start
      cannot be right starts where the one before ends.
    - A score that is constantly late or early against the labels is moved.
    - A devoiced vowel of the labels becomes the score's plain one.
    - A silence of the labels without a rest in the score becomes a rest, carved from
      the end of the note before at the sung time, on a grid of a 64th note.
    - A rest that the singer sings through is given to the note before.
    - A score that ends without a rest, or begins without one, gets one.

    Args:
        score: with phones; contiguous from 0.
        labels: phone times in seconds, in order.
        where: the song, for messages.
        duration: seconds of audio; the last silence is drawn out to it.

    Raises DataError where a sung phone differs, naming song, phone, time and measure; where labels run
    backwards or are in another unit; where a note is sung 2 s or more from its place in the score.
    """
    remarks: list[str] = []
    if not score.notes or not labels:
        raise DataError("the labels are empty" if score.notes else "the score has no notes", where)
    language = get_language(score.lang)
    check_unit(labels, duration or score.duration, where, "score" if duration is None else "recording")
    rows = _repair(plain(labels, language), where, duration, remarks)
    notes = _merge_rests(score.notes, remarks)
    rows = _check_sung(rows, notes, where, remarks)
    rows = _absorb(rows, notes, frozenset(language.vowels), remarks)
    sung = next((i for i, note in enumerate(notes) if not note.is_rest), 0)
    begin = notes[sung].start
    notes = _without_offset(_outer_rests(notes, rows, remarks), rows, language, remarks)
    shift = next((note.start for note in notes if not note.is_rest), begin) - begin
    timeline = score.timeline if not shift or score.timeline is None else score.timeline.moved(shift)
    notes = _match(notes, rows, language, remarks)
    _check_times(notes, rows, language, where, remarks)
    return Reconciled(dataclasses.replace(score, notes=tuple(notes), timeline=timeline), rows, remarks)


def plain(labels: Sequence[Segment], language: Language) -> list[Segment]:
    """The same labels under the language's own names of phones: ``sil`` and ``SP`` are pauses."""
    return [Segment(start, end, language.normal(name)) for start, end, name in labels]


def check_unit(labels: Sequence[Segment], seconds: float, where: str, what: str = "score") -> None:
    """Raises DataError where labels end so far from their score's end that their unit must be another."""
    # However long the silence after the last phone is.
    if labels[-1].end < seconds / _UNITS or labels[-1].start > seconds * _UNITS:
        ends = f"the labels end at {labels[-1].end:g} s, the {what} at {seconds:g} s"
        raise DataError(f"{ends}; are the times in 100 ns (or seconds with a decimal point)?", where)


def _repair(rows: list[Segment], where: str, duration: float | None, remarks: list[str]) -> list[Segment]:
    """Labels that follow one another without gap or overlap, from 0."""
    result: list[Segment] = []
    moved = 0
    for number, (start, end, name) in enumerate(rows, start=1):
        before = result[-1].end if result else 0.0
        if start < before - _BACKWARDS and end < before + _MINIMUM:
            what = f"label {number} ({name!r}) runs backwards, from {before:.3f} to {start:.3f} s"
            raise DataError(what, where)
        kept = start - result[-1].start if result else 0.0
        crossed = end < start + _MINIMUM and start > before + _SHORT and end > before + _MINIMUM
        if crossed or (result and start < before - 1e-6 and kept < (before - result[-1].start) / 3):
            # Its end is that of the next one's start, or past the label before: the start is the slip.
            what = f"label {number} ({name!r}, {start:.4f} to {end:.4f} s)"
            if end < before + _MINIMUM:
                raise DataError(f"{what} lies on the one before, which ends at {before:.4f} s", where)
            remarks.append(f"{what} starts where the one before ends, at {before:.4f} s")
            start = before
        elif end < start - _MINIMUM and result:
            end = next((row.start for row in rows[number:] if row.start > start), end)
            if end < start:
                raise DataError(f"label {number} ({name!r}) ends at {end:.4f} s, before {start:.4f} s", where)
            remarks.append(
                f"label {number} ({name!r}) ends before it starts, at {start:.4f} s; it ends at {end:.4f} s"
            )
        if start > before + _SHORT:
            if result and result[-1].label in _SILENCES:
                result[-1] = result[-1]._replace(end=start)
            else:
                remarks.append(f"{before:.3f} s: unlabelled until {start:.3f} s, taken as a pause")
                result.append(Segment(before, start, "pau"))
        else:
            moved += abs(start - before) > 1e-6
            if result:
                # The start of the later label counts, as long as the earlier one keeps some length.
                start = max(start, result[-1].start + _MINIMUM)
                result[-1] = result[-1]._replace(end=start)
            else:
                start = 0.0
        if end < start + _MINIMUM:
            moved += 1
            end = start + _MINIMUM
        result.append(Segment(round(start, 7), round(end, 7), name))
    if moved:
        remarks.append(f"{moved} label boundaries with a small gap, an overlap or no length were closed")
    if duration is not None and result[-1].end < duration - _SHORT and result[-1].label not in _SILENCES:
        remarks.append(f"{result[-1].end:.3f} s: unlabelled until the audio's end, taken as a pause")
        result.append(Segment(result[-1].end, duration, "pau"))
    if duration is not None and result[-1].label in _SILENCES and duration > result[-1].start + _MINIMUM:
        result[-1] = result[-1]._replace(end=round(duration, 7))
    return merge_silences(result, remarks)


def merge_silences(rows: list[Segment], remarks: list[str]) -> list[Segment]:
    """Adjacent silences as one; its name is that of the longer part."""
    result: list[Segment] = []
    longest = 0.0
    for row in rows:
        length = row.end - row.start
        if result and row.label in _SILENCES and result[-1].label in _SILENCES:
            name = row.label if length > longest else result[-1].label
            remarks.append(f"{row.start:.3f} s: {result[-1].label} and {row.label} merged to one {name}")
            longest = max(length, longest)
            result[-1] = Segment(result[-1].start, row.end, name)
        else:
            longest = length
            result.append(row)
    return result


def _merge_rests(notes: Sequence[Note], remarks: list[str]) -> list[Note]:
    """Adjacent rests as one."""
    result: list[Note] = []
    for note in notes:
        if result and note.is_rest and result[-1].is_rest:
            before = result[-1]
            remarks.append(f"{before.place}: adjacent rests of the score merged")
            result[-1] = dataclasses.replace(before, end=note.end, beats=before.beats + note.beats)
        else:
            result.append(note)
    return result


def _check_sung(rows: list[Segment], notes: list[Note], where: str, remarks: list[str]) -> list[Segment]:
    """Sung phones must be the same, but for devoicing; the first difference is the fault."""
    for note in notes:
        if not note.phones:
            raise DataError(f"{note.place}: a note without phones", where)
    sung = [row for row in rows if row.label not in _SILENCES]
    written = tuple(note for note in notes if not note.is_rest)
    found = find_difference(Score(written), sung, DEVOICED)
    if found is not None:
        raise DataError(f"{found[1]} (silences not counted)", where)
    phones = iter(phone for note in written for phone in note.phones)
    plain = [row if row.label in _SILENCES else row._replace(label=next(phones)) for row in rows]
    devoiced = sum(a.label != b.label for a, b in zip(rows, plain, strict=True))
    if devoiced:
        remarks.append(f"{devoiced} devoiced vowels of the labels taken as the score's plain ones")
    return plain


def _absorb(
    rows: list[Segment], notes: list[Note], vowels: frozenset[str], remarks: list[str]
) -> list[Segment]:
    """Silences where no note can be split: no vowel of the note before or none after them."""
    owners = [(i, k) for i, note in enumerate(notes) if not note.is_rest for k in range(len(note.phones))]
    result: list[Segment] = []
    sung = 0
    pending = None
    for row in rows:
        if row.label in _SILENCES:
            inside = 0 < sung < len(owners) and owners[sung - 1][0] == owners[sung][0]
            phones = notes[owners[sung][0]].phones if inside else ()
            cut = owners[sung][1] if inside else 0
            if not inside or (vowels.intersection(phones[:cut]) and vowels.intersection(phones[cut:])):
                result.append(row)
                continue
            later = bool(vowels.intersection(phones[:cut]))
            side = "after" if later else "before"
            remarks.append(f"{row.start:.3f} s: {row.label} inside a syllable given to the phone {side} it")
            if later:
                pending = row.start
            else:
                result[-1] = result[-1]._replace(end=row.end)
            continue
        result.append(row if pending is None else row._replace(start=pending))
        pending = None
        sung += 1
    return result


def _outer_rests(notes: list[Note], rows: list[Segment], remarks: list[str]) -> list[Note]:
    """Rests before the first and after the last note exactly where the labels have silence."""
    first, last = notes[0], notes[-1]
    if rows[0].label in _SILENCES and not first.is_rest:
        step = 60 / first.tempo / GRID
        length = max(round(rows[0].end / step), 1) * step
        remarks.append(f"{first.place}: the score begins without a rest; moved {length:.3f} s later")
        lead = rest_like(first, 0.0, length, rows[0].label)
        notes = [dataclasses.replace(lead, beat=0.0), *_moved(notes, length)]
    elif rows[0].label not in _SILENCES and first.is_rest:
        what = f"the recording begins without the rest; score moved {first.end:.3f} s earlier"
        remarks.append(f"{first.place}: {what}")
        notes = _moved(notes[1:], -first.end)
    last = notes[-1]
    if rows[-1].label in _SILENCES and not last.is_rest:
        end = round(max(rows[-1].end, last.end + 60 / last.tempo / GRID), 7)
        remarks.append(f"{last.place}: the score ends without a rest; one of {end - last.end:.3f} s added")
        notes = [*notes, rest_like(last, last.end, end, rows[-1].label)]
    elif rows[-1].label not in _SILENCES and last.is_rest:
        remarks.append(f"{last.place}: the recording ends without the rest; left out")
        notes = notes[:-1]
    return notes


def _without_offset(
    notes: list[Note], rows: list[Segment], language: Language, remarks: list[str]
) -> list[Note]:
    """Notes moved by the constant offset of their singing, which a rest before them takes up."""
    apart = [seconds for seconds, _ in sung_apart(notes, rows, language)]
    offset = round(statistics.median(apart), 4) if len(apart) >= _FEW else 0.0
    first, last = notes[0], notes[-1]
    if abs(offset) <= OFFSET:
        return notes
    if not first.is_rest or first.end + offset < _SHORT:
        remarks.append(
            f"all is sung {offset:+.3f} s from the score, which has no rest before it to take that up"
        )
        return notes
    remarks.append(f"all is sung {offset:+.3f} s from the score in the median, which was moved")
    moved = [
        rest_like(first, 0.0, round(first.end + offset, 7), first.phones[0]),
        *_moved(notes[1:], offset),
    ]
    if last.is_rest and last.end > moved[-1].start + _SHORT:
        moved[-1] = rest_like(moved[-1], moved[-1].start, last.end, last.phones[0])
    return moved


def sung_apart(
    notes: Sequence[Note], rows: Sequence[Segment], language: Language
) -> list[tuple[float, Note]]:
    """Of each note, how many seconds after its place in the score its vowel is sung."""
    sung = [row.start for row in rows if row.label not in _SILENCES]
    apart, first = [], 0
    for note in notes:
        if not note.is_rest:
            apart.append((sung[first + language.onset_count(note.phones)] - note.start, note))
            first += len(note.phones)
    return apart


def _match(notes: list[Note], rows: list[Segment], language: Language, remarks: list[str]) -> list[Note]:
    """The notes with a rest wherever the labels have a silence, and nowhere else."""
    silences: dict[int, Segment] = {}
    sung = 0
    for row in rows:
        if row.label in _SILENCES:
            silences[sung] = row
        else:
            sung += 1
    result: list[Note] = []
    first = 0
    for note in notes:
        if note.is_rest:
            if first in silences:
                result.append(dataclasses.replace(note, phones=(silences.pop(first).label,), lyric=""))
            else:
                before = result.pop()
                remarks.append(f"{note.place}: a rest of {note.duration:.3f} s is sung through")
                result.append(dataclasses.replace(before, end=note.end, beats=before.beats + note.beats))
            continue
        last = first + len(note.phones)
        start = first
        for cut in range(first, last):
            silence = silences.pop(cut, None)
            if silence is None:
                continue
            if cut > start:
                part, note = _split(note, cut - start, silence.end, language)
                result.append(part)
                start = cut
            result[-1:] = _carve(result[-1], silence, remarks)
        result.append(note)
        first = last
    return result


def _check_times(
    notes: list[Note], rows: list[Segment], language: Language, where: str, remarks: list[str]
) -> None:
    """Compares where vowels are sung with where their notes stand."""
    apart = sung_apart(notes, rows, language)
    far = [item for item in apart if abs(item[0]) > FAR]
    if not far:
        return
    worst, note = max(far, key=lambda item: abs(item[0]))
    place = f"({note.place}, {note.start:.3f} s)"
    what = f"sung at {note.start + worst:.3f} s, {abs(worst):.3f} s from its place in the score {place}"
    if abs(worst) > TOO_FAR:
        raise DataError(f"a note is {what}; are tempo and beginning of the score those of the song?", where)
    remarks.append(f"{len(far)} of {len(apart)} notes are sung over {FAR} s from their place; one {what}")


def _grid_time(note: Note, time: float) -> float:
    """The time on the note's grid, in the second half of the note but before its end."""
    step = 60 / note.tempo / GRID
    steps = round(note.duration / step)
    if steps < 2:
        return note.start + note.duration / 2
    return note.start + min(max(round((time - note.start) / step), (steps + 1) // 2), steps - 1) * step


def _carve(note: Note, silence: Segment, remarks: list[str]) -> list[Note]:
    """The note, shortened, and a rest that ends where the note ended."""
    start = round(_grid_time(note, silence.start), 7)
    rest = rest_like(note, start, note.end, silence.label)
    remarks.append(
        f"{note.place}: {silence.label} at {silence.start:.3f} s is not in the score;"
        f" the last {rest.duration:.3f} s of the note became a rest"
    )
    return [dataclasses.replace(note, end=start, beats=round(note.beats - rest.beats, 6)), rest]


def _split(note: Note, phones: int, time: float, language: Language) -> tuple[Note, Note]:
    """Two notes of one pitch: the first phones, and those from ``time`` on."""
    middle = round(_grid_time(note, time), 7)
    part = (middle - note.start) / note.duration
    beats = round(note.beats * part, 6)
    lyric, rest = _split_lyric(note, phones, language)
    before = dataclasses.replace(note, end=middle, beats=beats, phones=note.phones[:phones], lyric=lyric)
    after = dataclasses.replace(note, start=middle, phones=note.phones[phones:], lyric=rest, slur=not rest)
    after = dataclasses.replace(after, beats=round(note.beats - beats, 6), beat=note.beat + beats)
    return before, _in_measure(after)


def _split_lyric(note: Note, phones: int, language: Language) -> tuple[str, str]:
    """The lyric cut so that both parts read as their phones; else the whole and an empty one."""
    for cut in range(1, len(note.lyric)):
        try:
            before, after = (
                tuple(phone for unit in language.units(text) for phone in unit)
                for text in (note.lyric[:cut], note.lyric[cut:])
            )
        except LyricError:
            continue
        if (before, after) == (note.phones[:phones], note.phones[phones:]):
            return note.lyric[:cut], note.lyric[cut:]
    return note.lyric, ""


def rest_like(note: Note, start: float, end: float, phone: str = "pau") -> Note:
    """A rest with the tempo, key and measure of ``note``."""
    rest = dataclasses.replace(note, pitch=REST, lyric="", phones=(phone,), slur=False, breath=False)
    return clipped(rest, start, end)


def clipped(note: Note, start: float, end: float) -> Note:
    """A note with other times; its beats and its place in the measure follow."""
    beats = round((end - start) * note.tempo / 60, 6)
    beat = max(note.beat + (start - note.start) * note.tempo / 60, 0.0)
    return _in_measure(dataclasses.replace(note, start=start, end=end, beats=beats, beat=beat))


def _in_measure(note: Note) -> Note:
    """The same note with its beat inside a measure."""
    beat, measure = note.beat, note.measure
    while beat >= note.measure_beats > 0:
        beat -= note.measure_beats
        measure += 1
    return dataclasses.replace(note, beat=round(beat, 6), measure=measure)


def _moved(notes: list[Note], seconds: float) -> list[Note]:
    times = [(round(note.start + seconds, 7), round(note.end + seconds, 7)) for note in notes]
    return [dataclasses.replace(note, start=s, end=e) for note, (s, e) in zip(notes, times, strict=True)]
