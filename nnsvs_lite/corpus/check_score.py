"""Checks of scores, lyrics and phone labels."""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from nnsvs_lite.corpus.faults import Faults, TableRow
from nnsvs_lite.io.ctm import Segment, parse_segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.packed import Packed
from nnsvs_lite.score.languages import Language
from nnsvs_lite.score.phonemize import attach_phones, continues
from nnsvs_lite.score.timing import find_difference
from nnsvs_lite.score.types import Note, Score

PITCHES = range(24, 97)
"""MIDI numbers that are taken for a voice: C1 to C7."""

_SAME = 1e-4
_JOINT = 1e-3


def check_score(score: Score, language: Language | None) -> list[str]:
    """Everything wrong with the notes, phones and lyrics of one score."""
    what: list[str] = []
    if not score.notes:
        return ["a score without notes"]
    if all(note.is_rest for note in score.notes):
        what.append("a score without a sung note")
    if abs(score.notes[0].start) > _SAME:
        what.append(f"the first note starts at {score.notes[0].start:g} s, not at 0")
    before: Note | None = None
    for number, note in enumerate(score.notes, start=1):
        what += [f"note {number} ({note.place}){text}" for text in _check_note(note, before, language)]
        before = note
    if language is not None and not what:
        what += _check_lyrics(score)
    return what


def _check_note(note: Note, before: Note | None, language: Language | None) -> Iterator[str]:
    """What is wrong with one note, to be said after its name."""
    # A sum is finite only if all its parts are.
    if not math.isfinite(
        note.start + note.end + note.tempo + note.beats + note.beat + note.measure_beats + note.velocity
    ):
        yield " holds a number that is not finite"
        return
    if note.end <= note.start:
        yield f" has no length or a negative one ({note.start:g} to {note.end:g} s)"
    if before is not None and note.start < before.end - _SAME:
        yield f" overlaps the note before ({note.start:g} s, it ends at {before.end:g} s)"
    elif before is not None and note.start > before.end + _SAME:
        yield f" leaves a gap after the note before ({before.end:g} to {note.start:g} s)"
    if not note.is_rest and note.pitch not in PITCHES:
        yield f" has pitch {note.pitch}, outside {PITCHES[0]}..{PITCHES[-1]} (and not 0, a rest)"
    if note.tempo <= 0 or note.beats <= 0:
        yield f" has tempo {note.tempo:g} and {note.beats:g} beats, both must be above 0"
    if not note.phones:
        yield " has no phones"
    if language is not None:
        unknown = [phone for phone in note.phones if phone not in language]
        yield from (f": phone {phone!r} is not one of language {language.code!r}" for phone in unknown)
        if not unknown and any(language.is_silence(phone) != note.is_rest for phone in note.phones):
            yield f" is {'a rest' if note.is_rest else 'sung'} but has phones {' '.join(note.phones)!r}"


def _check_lyrics(score: Score) -> list[str]:
    """Whether the lyrics read as the phones that stand there."""
    # A breath may stand within a melisma; the vowel goes on after it.
    sung = [i for i, note in enumerate(score.notes) if not note.is_rest]
    onward = {i for i in sung if continues(score.notes[i])}
    kept = [i for i, note in enumerate(score.notes) if not (note.is_rest and i + 1 in onward and i > sung[0])]
    try:
        read = attach_phones(dataclasses.replace(score, notes=tuple(score.notes[i] for i in kept), title=""))
    except DataError as error:
        return [f"lyrics cannot be read: {error}"]
    return [
        f"note {i + 1} ({there.place}): lyric {there.lyric!r} reads {' '.join(note.phones)!r},"
        f" the phones are {' '.join(there.phones)!r}"
        for i, note in zip(kept, read.notes, strict=True)
        if not (there := score.notes[i]).is_rest and there.phones != note.phones
    ]


def check_text(text: str, score: Score) -> str:
    """What is wrong if the lyrics are not those of the score; spaces do not count."""
    if "".join(text.split()) == "".join(score.lyrics.split()):
        return ""
    return f"lyrics {text!r} are not those of the score, {score.lyrics!r}"


def read_labels(
    rows: Iterable[TableRow], path: Path, faults: Faults
) -> Packed[Sequence[tuple[int, Segment]]]:
    """Labels of each utterance with their lines; malformed ones are noted."""
    table: Packed[Sequence[tuple[int, Segment]]] = Packed()
    for utt, own in itertools.groupby(rows, key=lambda row: row.key):
        labels = list(table.get(utt, ()))
        for row in own:
            try:
                labels.append((row.line, parse_segment(row.value)))
            except DataError as error:
                faults.add(path, row.line, error.what)
        if labels:
            table[utt] = labels
    return table


def check_labels(
    labels: Sequence[tuple[int, Segment]],
    language: Language | None,
    score: Score | None,
    seconds: float | None,
    tolerance: float,
) -> Iterator[tuple[int, str]]:
    """Lines and words of what is wrong with order, gaps, phones and length of an utterance's labels.

    Args:
        labels: with their lines. seconds: length of its audio, if known.
        tolerance: how much shorter than the audio the labels may be.
    """
    before: Segment | None = None
    for line, segment in labels:
        for text in _check_label(segment, before, language):
            yield line, f"label {segment.label!r} at {segment.start:g} s{text}"
        before = segment
    line, last = labels[-1]
    if seconds is not None and last.end > seconds + 0.02:
        yield line, f"labels end at {last.end:g} s, after the audio ({seconds:.3f} s)"
    elif seconds is not None and last.end < seconds - tolerance:
        hint = "; are the times in seconds?" if last.end < seconds / 5 else ""
        yield line, f"labels end at {last.end:g} s, {seconds - last.end:.3f} s before the audio{hint}"
    if score is not None and (found := find_difference(score, [segment for _, segment in labels])):
        yield labels[found[0]][0], found[1]


def _check_label(segment: Segment, before: Segment | None, language: Language | None) -> Iterator[str]:
    """What is wrong with one label, to be said after its name."""
    start, end, label = segment
    if start < 0:
        yield " starts before the audio"
    if end <= start:
        yield f" has no length or a negative one ({end - start:g} s)"
    if before is None:
        if start > _JOINT:
            yield " is the first, which must start at 0"
    elif start < before.start - _SAME:
        yield f" is not sorted, the one before is at {before.start:g} s"
    elif start < before.end - _SAME:
        yield f" overlaps the one before, which ends at {before.end:g} s"
    elif start > before.end + _JOINT:
        yield f" leaves a gap after the one before, which ends at {before.end:g} s"
    if language is not None and label not in language:
        yield f": the phone is not one of language {language.code!r}"
