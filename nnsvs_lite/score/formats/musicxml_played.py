"""From measures as written to notes as sung: verses, ties, grace notes, seconds."""

import dataclasses
from collections.abc import Callable, Sequence
from fractions import Fraction

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.limits import MAX_NOTES, checked_length
from nnsvs_lite.score.formats.musicxml_written import WrittenMeasure, WrittenNote
from nnsvs_lite.score.phonemize import is_breath, is_continuation
from nnsvs_lite.score.timeline import Metre, Timeline
from nnsvs_lite.score.types import REST, Note

GRACE_BEATS = Fraction(1, 8)
"""Length of a grace note in quarters: a 32nd."""

Prolongs = Callable[[str, str], bool]
"""Whether a second lyric is only the first one's vowel again."""


def play(
    measures: Sequence[WrittenMeasure], order: Sequence[tuple[int, int]], *, verse: int, prolongs: Prolongs
) -> list[Note]:
    """Notes in the order they are played, contiguous from 0.

    Args:
        measures: as written.
        order: indices of measures and the pass of each.
        verse: see :mod:`nnsvs_lite.score.formats.musicxml`.
        prolongs: asked of a tied note with a lyric of its own, which is then no new
            syllable.

    Raises:
        DataError: where there is nothing to sing, or what is to be sung has no end.
    """
    events = [(measure, event) for measure in measures for event in measure.notes]
    sung = [(measure, event) for measure, event in events if event.pitch != REST]
    verses = sorted({v for _, event in events for v in event.lyrics})
    if not sung:
        raise DataError("lyrics without notes" if verses else "the score is empty: it has no notes")
    if not verses:
        place = sung[0][0].place(sung[0][1].offset)
        raise DataError(f"notes without lyrics: all {len(sung)}, the first at {place}")
    if verse not in verses:
        raise DataError(f"no verse {verse}; there are: {', '.join(map(str, verses))}")
    total = sum(len(measures[i].notes) for i, _ in order)
    if total > MAX_NOTES:
        raise DataError(f"its repeats unfold to {total} notes; at most {MAX_NOTES} can be read")
    notes: list[Note] = []
    start = 0.0
    for index, passed in order:
        measure = measures[index]
        after_rest = not notes or notes[-1].is_rest
        lyrics = _choose_lyrics(measure.notes, passed if verse == 1 else verse, verse, after_rest)
        _play_measure(measure, start, lyrics, notes, prolongs)
        start += measure.seconds(measure.length)
        checked_length(start)
    return _finish(notes)


def timeline_of(measures: Sequence[WrittenMeasure], order: Sequence[tuple[int, int]]) -> Timeline:
    """Tempo, bars and keys in the order they are played."""
    tempi: list[tuple[Fraction, float]] = []
    metres: list[Metre] = []
    keys: list[tuple[Fraction, int]] = []
    at = Fraction(0)
    for index, _ in order:
        measure = measures[index]
        for offset, tempo in measure.tempi:
            if (not tempi or tempi[-1][1] != tempo) and (offset < measure.length or not offset):
                tempi.append((at + offset, tempo))
        if not keys or keys[-1][1] != measure.key:
            keys.append((at, measure.key))
        length = max(measure.bar, measure.length)
        metre = Metre(at, measure.number, length, measure.pickup, measure.beat_type)
        if (
            not metres
            or metres[-1].beat_type != metre.beat_type
            or (Timeline(metres=tuple(metres[-1:])).bar(at) != (metre.number, metre.into, length))
        ):
            metres.append(metre)
        at += measure.length
    return Timeline(tuple(tempi), tuple(metres), tuple(keys)).floats()


def _choose_lyrics(events: Sequence[WrittenNote], wanted: int, verse: int, after_rest: bool) -> list[str]:
    """The text of each event in the wanted verse, or in what stands in for it.

    A note without the wanted verse is held on where it lies within a word or where
    another syllable of that verse follows in the measure. Otherwise it takes ``verse``,
    then verse 1. Where a measure has none of these at all, or a note after a rest
    would stay without a syllable, any verse there is will do: some scores number the
    only verse of a passage 2.
    """
    ranks = list(dict.fromkeys((wanted, verse, 1)))
    foreign = not any(v in event.lyrics for event in events for v in ranks)
    last = max((i for i, event in enumerate(events) if wanted in event.lyrics), default=-1)
    texts = []
    in_word = False
    for i, event in enumerate(events):
        text, position = event.lyrics.get(wanted, ("", ""))
        if text:
            in_word = position in ("begin", "middle")
        elif event.lyrics and i > last and not in_word:
            text = next((event.lyrics[v][0] for v in ranks if v in event.lyrics), "")
        if not text and event.lyrics and (foreign or after_rest):
            text = event.lyrics[min(event.lyrics)][0]
        texts.append(text)
        after_rest = event.pitch == REST
    return texts


def _play_measure(
    measure: WrittenMeasure, start: float, lyrics: Sequence[str], notes: list[Note], prolongs: Prolongs
) -> None:
    """Appends the notes of one measure that begins at ``start`` seconds, gaps as rests."""
    position = Fraction(0)
    for event, lyric in _spread_graces(measure.notes, lyrics):
        if event.offset > position:
            notes.append(_note(measure, start, WrittenNote(position, event.offset - position)))
        position = event.offset + event.beats
        note = _note(measure, start, event)
        last = notes[-1] if notes else None
        if is_breath(lyric):
            notes.append(dataclasses.replace(note, pitch=REST, lyric="br", breath=False))
        elif note.is_rest:
            if lyric and not is_continuation(lyric):
                raise DataError(f"{note.place}: lyric {lyric!r} without a note")
            notes.append(note)
        elif last is None or last.is_rest:
            notes.append(dataclasses.replace(note, lyric="" if is_continuation(lyric) else lyric))
        elif event.tied and last.pitch == note.pitch and _held(last, lyric, prolongs):
            beats, breath = last.beats + note.beats, last.breath or note.breath
            notes[-1] = dataclasses.replace(last, end=note.end, beats=beats, breath=breath)
        elif not lyric or is_continuation(lyric):
            notes.append(dataclasses.replace(note, slur=True))
        else:
            notes.append(dataclasses.replace(note, lyric=lyric))
    if position < measure.length:
        notes.append(_note(measure, start, WrittenNote(position, measure.length - position)))


def _held(last: Note, lyric: str, prolongs: Prolongs) -> bool:
    """Whether a tied note's lyric begins nothing new."""
    return not lyric or is_continuation(lyric) or (bool(last.lyric) and prolongs(last.lyric, lyric))


def _note(measure: WrittenMeasure, start: float, event: WrittenNote) -> Note:
    return Note(
        start + measure.seconds(event.offset),
        start + measure.seconds(event.offset + event.beats),
        event.pitch,
        tempo=measure.tempo(event.offset),
        beats=float(event.beats),
        measure=measure.number,
        beat=float(measure.pickup + event.offset),
        measure_beats=float(measure.bar),
        key=measure.key,
        velocity=event.velocity,
        breath=event.breath,
    )


def _spread_graces(events: Sequence[WrittenNote], lyrics: Sequence[str]) -> list[tuple[WrittenNote, str]]:
    """WrittenNotes with grace notes given a length, taken from the note they lead to."""
    spread: list[tuple[WrittenNote, str]] = []
    waiting: list[tuple[WrittenNote, str]] = []
    for event, lyric in zip(events, lyrics):
        if event.grace:
            waiting.append((event, lyric))
            continue
        if waiting and event.pitch != REST:
            each = min(GRACE_BEATS, event.beats / 2 / len(waiting))
            if not any(text for _, text in waiting):
                waiting[0], lyric = (waiting[0][0], lyric), ""
            for i, (grace, text) in enumerate(waiting):
                spread.append((dataclasses.replace(grace, offset=event.offset + i * each, beats=each), text))
            taken = each * len(waiting)
            event = dataclasses.replace(event, offset=event.offset + taken, beats=event.beats - taken)
        else:
            _append_graces(spread, waiting)
        waiting = []
        spread.append((event, lyric))
    _append_graces(spread, waiting)
    return spread


def _append_graces(spread: list[tuple[WrittenNote, str]], waiting: Sequence[tuple[WrittenNote, str]]) -> None:
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


def _finish(notes: Sequence[Note]) -> list[Note]:
    """Joins neighbouring rests and rounds times."""
    joined: list[Note] = []
    for note in notes:
        last = joined[-1] if joined else None
        if last is not None and note.is_rest and last.is_rest and not (note.lyric or last.lyric):
            joined[-1] = dataclasses.replace(last, end=note.end, beats=last.beats + note.beats)
        else:
            joined.append(note)
    times = [round(note.start, 7) for note in joined] + [round(joined[-1].end, 7)]
    return [
        dataclasses.replace(note, start=start, end=end) for note, start, end in zip(joined, times, times[1:])
    ]
