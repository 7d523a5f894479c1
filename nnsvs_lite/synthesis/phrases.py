"""Scores to models' input, in phrases."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nnsvs_lite.corpus.segment import phrase_spans
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.batch import Example
from nnsvs_lite.models.spec import Spec
from nnsvs_lite.score.context import note_context, phone_context
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.types import Score


class Phrase(NamedTuple):
    """A phrase of a song: its place in seconds, and its score with time 0 at ``start``."""

    start: float
    score: Score


def split(score: Score) -> list[Phrase]:
    """Cuts a score at its rests, as stage 0 cuts songs, so that a voice meets in singing
    what it met in training."""
    return [Phrase(span.start, span.score) for span in phrase_spans(score)]


def check_score(score: Score, spec: Spec) -> None:
    """Checks that a voice can sing a score.

    Raises:
        DataError: where its language or a phone is not the voice's.
    """
    lang = spec.schema["lang"]
    if score.lang != lang:
        raise DataError(f"the score is in {score.lang!r}, the voice sings {lang!r}", score.title or None)
    if list(get_language(lang).phones) != list(spec.phones):
        raise DataError(f"the voice was made with another phone set of {lang!r}; train it again")


def example_of(utt: str, score: Score, singer: int = 0) -> Example:
    """What models are told of a phrase; the same functions as in feature extraction.

    ``score`` has phones attached.
    """
    return Example(
        utt=utt,
        note_context=note_context(score),
        phone_context=phone_context(score),
        note_index=np.array(score.note_index, np.int64),
        note_time=np.array([[n.start, n.end] for n in score.notes], np.float64),
        singer=singer,
    )
