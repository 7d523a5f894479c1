"""Phone times that someone else has set: read from a file, laid under a score."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nnsvs_lite.corpus.labels import DEVOICED, check_unit, merge_silences, plain
from nnsvs_lite.io.atomic import write_text
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.htslabel import HUNDRED_NS
from nnsvs_lite.score.formats.labelfile import read_times
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.timing import find_difference
from nnsvs_lite.score.types import Score

MAX_GAP = 0.005
"""Seconds by which a label may start off the end of the one before it."""
MAX_EXCESS = 60.0
"""Seconds by which labels may end after their score."""


def read_labels(path: str | os.PathLike) -> list[Segment]:
    """Phone times from a file, in seconds from the song's beginning, of any form that
    :func:`~nnsvs_lite.score.formats.labelfile.read_times` knows.

    Raises DataError where the file cannot be read, has another suffix, or its labels overlap or leave gaps.
    """
    labels = read_times(path)
    _check(labels, Path(path))
    return labels


def write_lab(path: str | os.PathLike, labels: Sequence[Segment]) -> None:
    """Writes ``start end phone`` lines in units of 100 ns, as HTS has them."""
    lines = (f"{round(s.start / HUNDRED_NS)} {round(s.end / HUNDRED_NS)} {s.label}\n" for s in labels)
    write_text(path, "".join(lines))


def _check(labels: Sequence[Segment], where: Path) -> None:
    if abs(labels[0].start) > MAX_GAP:
        raise DataError(f"the first label starts at {labels[0].start:g} s, 0 is needed", where)
    for k, label in enumerate(labels):
        after = labels[k - 1].end if k else 0.0
        if not label.start < label.end:
            raise DataError(f"label {k + 1} ({label.label}) ends before it starts", where)
        if not abs(label.start - after) <= MAX_GAP:
            what = "overlaps the one before" if label.start < after else "leaves a gap before it"
            raise DataError(f"label {k + 1} ({label.label}, {label.start:g} s) {what}", where)


def fit_labels(score: Score, labels: Sequence[Segment], where: str) -> tuple[Score, list[Segment]]:
    """Labels that can be sung to a score: contiguous from 0, the score's phones.

    Other names of phones (``sil``, ``SP``) are read as in a corpus' labels, devoiced vowels as plain ones; a
    breath where the score has a plain rest is sung.

    Args:
        score: with phones attached. labels: as :func:`read_labels` gives them.
        where: the labels' file, for messages.

    Raises DataError where a phone is not the score's, naming the first difference, or the labels are in
    another unit or a minute longer than the score.
    """
    check_unit(labels, score.duration, where)
    language, notes, first = get_language(score.lang), [], 0
    labels = plain(labels, language)
    if len(labels) > len(score.phones):
        labels = merge_silences(labels, [])
    for note in score.notes:
        sung = tuple(label.label for label in labels[first : first + len(note.phones)])
        silent = note.is_rest and sung and all(map(language.is_silence, sung))
        notes.append(replace(note, phones=sung) if silent else note)
        first += len(note.phones)
    score = replace(score, notes=tuple(notes))
    if found := find_difference(score, labels, DEVOICED):
        raise DataError(found[1], where)
    if labels[-1].end > score.duration + MAX_EXCESS:
        raise DataError(f"the labels end at {labels[-1].end:g} s, the score at {score.duration:g} s", where)
    ends = [label.end for label in labels]
    return score, [Segment(a, b, phone) for a, b, phone in zip([0.0, *ends], ends, score.phones)]
