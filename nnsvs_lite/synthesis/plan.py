"""How a song is to be sung, before it is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.score.types import Score
from nnsvs_lite.synthesis.byhand import ByHand
from nnsvs_lite.synthesis.curves import Curves
from nnsvs_lite.synthesis.phrases import PhraseToSing
from nnsvs_lite.synthesis.predict import TimedExamples, Timing
from nnsvs_lite.synthesis.style import Style
from nnsvs_lite.synthesis.takes import Retake


class Plan(NamedTuple):
    """A song that is to be sung: its score, the singer's name, where it ends at least, in seconds; phrases
    with their timings and what models are told of them; takes, of which the first is that of all notes;
    the notes' numbers in chance.
    """

    score: Score
    singer: str
    end: float
    phrases: list[PhraseToSing]
    timings: list[Timing]
    ready: TimedExamples
    takes: list[Retake]
    temperature: float
    style: Style
    curves: Curves | None
    by_hand: ByHand
    numbers: np.ndarray
    config: FeatureConfig
