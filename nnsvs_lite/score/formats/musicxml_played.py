"""From measures as written to notes as sung: verses, ties, grace notes, seconds."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.leftout import left_out
from nnsvs_lite.score.formats.assemble import NoLyrics
from nnsvs_lite.score.formats.limits import MAX_NOTES, checked_length
from nnsvs_lite.score.formats.musicxml_voices import Voices
from nnsvs_lite.score.formats.musicxml_written import WrittenMeasure, WrittenNote
from nnsvs_lite.score.languages import Language
from nnsvs_lite.score.lyrics import clean_alias, is_breath, is_continuation
from nnsvs_lite.score.timeline import Metre, Timeline
from nnsvs_lite.score.types import REST, Note, joined_rests


def play(
    measures: Sequence[WrittenMeasure],
    order: Sequence[tuple[int, int]],
    timeline: Timeline,
    verse: int,
    voices: Voices,
    language: Language | None,
    bare: bool = False,
) -> list[Note]:
    """Notes in the order they are played, contiguous from 0, neighbouring rests joined.

    ``order`` has the indices of measures and the pass of each, ``timeline`` belongs to it. ``voices`` chooses
    what is sung of a measure. A language, where one is at hand, says whether the lyric of a tied note is only
    the vowel before it again.

    ``bare`` takes notes without lyrics, or whose lyrics are not sung.

    Raises DataError where there is nothing to sing, or what is to be sung has no end.
    """
    written = [(measure, event) for measure in measures for event in measure.notes]
    sung = [(measure, event) for measure, event in written if event.pitch != REST]
    verses = sorted({v for _, event in written for v in event.lyrics})
    if not sung:
        raise DataError("lyrics without notes" if verses else "the score is empty: it has no notes")
    if not verses and not bare:
        place = sung[0][0].place(sung[0][1].offset)
        raise NoLyrics(f"notes without lyrics: all {len(sung)}, the first at {place}")
    # Verse 1 means the first one, whatever its number.
    skipped = verses[0] - 1 if verse == 1 and verses else 0
    verse += skipped
    if verses and verse not in verses:
        raise DataError(f"no verse {verse}; there are: {', '.join(map(str, verses))}")
    total = sum(len(measures[i].notes) for i, _ in order)
    if total > MAX_NOTES:
        raise DataError(f"its repeats unfold to {total} notes; at most {MAX_NOTES} can be read")
    notes: list[Note] = []
    words: list[str] = []
    at = Fraction(0)
    for index, passed in order:
        measure = measures[index]
        after_rest = not notes or notes[-1].is_rest
        ranks = list(dict.fromkeys((passed + skipped if verse == skipped + 1 else verse, verse, 1)))
        events = _with_lyrics(voices.choose(measure, ranks), ranks, after_rest)
        for event in _with_rests(events, measure.length):
            note = Note(
                timeline.seconds(at + event.offset),
                timeline.seconds(at + event.end),
                event.pitch,
                tempo=timeline.tempo(at + event.offset),
                beats=float(event.beats),
                measure=measure.number,
                beat=float(measure.pickup + event.offset),
                measure_beats=float(measure.bar),
                key=measure.key,
                velocity=event.velocity,
                breath=event.breath,
            )
            if event.pitch == REST and event.lyric and not is_continuation(event.lyric):
                # Signs of voice banks for a breath would be words on a note.
                event.lyric = "br" if clean_alias(event.lyric, "ja") == "br" else ""
                words += [note.place] * (not event.lyric)
            _append(notes, note, event.lyric, event.tied, language)
        at += measure.length
        checked_length(timeline.seconds(at))
    if not notes:
        raise DataError("the score is empty: none of its notes is played")
    voices.tell()
    left_out("words on rests are left out", [] if bare else words)
    notes = list(joined_rests(notes))
    times = [round(note.start, 7) for note in notes] + [round(notes[-1].end, 7)]
    return [
        dataclasses.replace(note, start=start, end=end) for note, start, end in zip(notes, times, times[1:])
    ]


def timeline_of(measures: Sequence[WrittenMeasure], order: Sequence[tuple[int, int]]) -> Timeline:
    """Tempo, bars and keys in the order they are played, in exact positions."""
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
        counted = (*Timeline(metres=tuple(metres[-1:])).bar(at), metres[-1].beat_type) if metres else ()
        if counted != (measure.number, measure.pickup, length, measure.beat_type):
            metres.append(Metre(at, measure.number, length, measure.pickup, measure.beat_type))
        at += measure.length
    return Timeline(tuple(tempi), tuple(metres), tuple(keys))


def _with_lyrics(events: Sequence[WrittenNote], ranks: Sequence[int], after_rest: bool) -> list[WrittenNote]:
    """The events with lyrics of the first of ``ranks``, or of what stands in for it (``docs/scores.md``)."""
    wanted = ranks[0]
    foreign = not any(v in event.lyrics for event in events for v in ranks)
    last = max((i for i, event in enumerate(events) if wanted in event.lyrics), default=-1)
    worded, in_word, end = [], False, Fraction(0)
    for i, event in enumerate(events):
        after_rest |= event.offset > end
        text, goes_on = event.lyrics.get(wanted, ("", False))
        if text:
            in_word = goes_on
        elif event.lyrics and i > last and not in_word:
            text = next((event.lyrics[v][0] for v in ranks if v in event.lyrics), "")
        if not text and event.lyrics and (foreign or after_rest):
            text = event.lyrics[min(event.lyrics)][0]
        worded.append(dataclasses.replace(event, lyric=text))
        after_rest, end = event.pitch == REST, event.end
    return worded


def _append(notes: list[Note], note: Note, lyric: str, tied: bool, language: Language | None) -> None:
    """Appends a note with its lyric, or lets the last one last till its end."""
    last = notes[-1] if notes else None
    after_note = last is not None and not last.is_rest
    carries = not lyric or is_continuation(lyric)
    if is_breath(lyric):
        notes.append(dataclasses.replace(note, pitch=REST, lyric="br", breath=False))
    elif (
        after_note
        and tied
        and last.pitch == note.pitch
        and (carries or (language and last.lyric and language.prolongs(last.lyric, lyric)))
    ):
        beats, breath = last.beats + note.beats, last.breath or note.breath
        notes[-1] = dataclasses.replace(last, end=note.end, beats=beats, breath=breath)
    elif carries:
        notes.append(dataclasses.replace(note, slur=after_note and not note.is_rest))
    else:
        notes.append(dataclasses.replace(note, lyric=lyric))


def _with_rests(events: Iterable[WrittenNote], length: Fraction) -> Iterator[WrittenNote]:
    """The events of a measure of ``length`` quarters, with rests in the gaps."""
    position = Fraction(0)
    for event in events:
        if event.offset > position:
            yield WrittenNote(position, event.offset - position)
        position = event.end
        yield event
    if position < length:
        yield WrittenNote(position, length - position)
