"""Scores to models' input, in phrases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nnsvs_lite.corpus.segment import cut_labels, phrase_spans
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.batch import Example, ScoreExample
from nnsvs_lite.models.spec import Spec
from nnsvs_lite.score.context import note_columns, note_context, phone_columns, phone_context
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.types import Score


class Phrase(NamedTuple):
    """A phrase of a song.

    Attributes:
        start: seconds from the song's beginning.
        score: its notes, time 0 at ``start``.
        first_note: index in the song of its first note.
        labels: phone times that were imposed, time 0 at ``start``; none otherwise.
    """

    start: float
    score: Score
    first_note: int = 0
    labels: Sequence[Segment] = ()


def split(score: Score, labels: Sequence[Segment] = ()) -> list[Phrase]:
    """Cuts a score at its rests, as stage 0 cuts songs, so that a voice meets in singing
    what it met in training.

    Args:
        score: with phones attached where there are labels.
        labels: phone times to be sung, if they are given; cuts lie in the pauses of both.
    """
    end = max(score.duration, labels[-1].end) if labels else score.duration
    phrases = []
    for span in phrase_spans(score, labels, end):
        first = sum(len(note.phones) for note in score.notes[: span.first_note])
        own = labels[first : first + len(span.score.phones)]
        cut = cut_labels(list(own), span.start, span.end) if labels else ()
        phrases.append(Phrase(span.start, span.score, span.first_note, cut))
    return phrases


def check_score(score: Score, spec: Spec) -> None:
    """Checks that a voice can sing a score.

    A language may have gained phones at its end since the voice was trained; a score
    that does without them can be sung.

    Raises:
        DataError: where language, phones or columns are not the voice's.
    """
    lang, where = spec.schema["lang"], score.title or None
    if score.lang != lang:
        raise DataError(f"the score is in {score.lang!r}, the voice sings {lang!r}", where)
    language = get_language(lang)
    if list(language.phones[: len(spec.phones)]) != list(spec.phones):
        raise DataError(f"the voice was made with another phone set of {lang!r}; train it again")
    for level, now in (("note", note_columns(language)), ("phone", phone_columns(language))):
        if [(c.name, c.kind) for c in now] != [(c["name"], c["kind"]) for c in spec.columns(level)]:
            raise DataError(f"the voice was made with other {level} columns; train it again")
    for note in score.notes:
        for phone in note.phones:
            if phone not in spec.phones:
                raise DataError(f"{note.place}: the voice has never sung the phone {phone!r}", where)


def example_of(utt: str, score: Score, singer: int = 0) -> Example:
    """What models are told of a phrase; the same functions as in feature extraction.

    ``score`` has phones attached.
    """
    return Example(
        utt=utt,
        score=ScoreExample(
            note_context=note_context(score),
            phone_context=phone_context(score),
            note_index=np.array(score.note_index, np.int64),
            note_time=np.array([[n.start, n.end] for n in score.notes], np.float64),
        ),
        singer=singer,
    )
