"""Scores to models' input, in phrases."""

import logging
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nnsvs_lite.corpus.segment import cut_labels, phrase_spans
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.example import Example, ScoreExample
from nnsvs_lite.score.types import Score

log = logging.getLogger(__name__)

MAX_PHRASE = 600.0
"""Seconds of a phrase; models take some 10 MB of memory for each."""


class PhraseToSing(NamedTuple):
    """A phrase of a song.

    Attributes:
        start: seconds from the song's beginning. score: its notes, time 0 at ``start``.
        first_note: index in the song of its first note.
        labels: phone times that were imposed, time 0 at ``start``; none otherwise.
    """

    start: float
    score: Score
    first_note: int = 0
    labels: Sequence[Segment] = ()


def split(score: Score, labels: Sequence[Segment] = ()) -> list[PhraseToSing]:
    """Cuts a score at its rests, as stage 0 cuts songs, so that a voice sings what it met in training.

    Where there are labels, phone times to be sung, it has phones, and cuts lie in the pauses of both.
    Raises DataError where ``MAX_PHRASE`` seconds pass without a rest.
    """
    end = max(score.duration, labels[-1].end) if labels else score.duration
    phrases = []
    for span in phrase_spans(score, labels, end):
        if span.score.duration > MAX_PHRASE:
            raise DataError(
                f"{span.score.notes[0].place}: {span.score.duration:.0f} s without a rest from there on; "
                f"at most {MAX_PHRASE:.0f} s can be sung at a stretch: put rests in between",
                score.title or None,
            )
        first = sum(len(note.phones) for note in score.notes[: span.first_note])
        own = labels[first : first + len(span.score.phones)]
        cut = cut_labels(list(own), span.start, span.end) if labels else ()
        phrases.append(PhraseToSing(span.start, span.score, span.first_note, cut))
    return phrases


def check_language(lang: str, spec: Spec, where: str | os.PathLike | None = None) -> None:
    """Raises DataError where a voice does not sing a language."""
    if lang not in spec.codes:
        sung = ", ".join(map(repr, spec.codes))
        raise DataError(f"the score is in {lang!r}, the voice sings {sung}", where)


def check_score(score: Score, spec: Spec) -> None:
    """Raises DataError where a score's language, or one of its phones, is not the voice's.

    Warns of phones that the voice's training never held.
    """
    where = score.title or None
    check_language(score.lang, spec, where)
    known, unheard = spec.phone_set(score.lang).language, spec.unheard
    for note in score.notes:
        for phone in note.phones:
            if phone not in known:
                raise DataError(f"{note.place}: the voice has no phone {phone!r}", where)
    names = {spec.name_of(score.lang, phone) for note in score.notes for phone in note.phones}
    if told := ", ".join(f"{name} as {unheard[name]}" for name in sorted(names & unheard.keys())):
        log.warning("the voice's training never held some phones, which are sung as the nearest: %s", told)


def example_of(utt: str, score: Score, spec: Spec, singer: int = 0) -> Example:
    """What models are told of a phrase with phones; the same functions as in feature extraction."""
    return Example(
        utt=utt,
        score=ScoreExample(
            note_context=spec.context("note", score),
            phone_context=spec.context("phone", score),
            note_index=np.array(score.note_index, np.int64),
            note_time=np.array([[n.start, n.end] for n in score.notes], np.float64),
        ),
        singer=singer,
        language=spec.codes.index(score.lang),
    )
