"""The score's pitch as a line over frames. It needs no torch."""

import math

import numpy as np

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.example import Example

SCORE_PITCH = "pitch_held"
"""The note column that holds the score's pitch, held through rests."""
LEAP, LEAP_SHARE = 0.025, 0.1
"""Deviation in seconds of the Gaussian that rounds off a leap of log F0, and its bound as a part of the
shorter one of the two notes: a note of any length reaches its pitch."""
_erf = np.frompyfunc(math.erf, 1, 1)


def smooth_score(example: Example, spec: Spec) -> np.ndarray:
    """(T,) log F0 of the score at each frame, held through rests, its steps rounded off: in arrays what
    :func:`~nnsvs_lite.models.layers.acoustic_floor.smooth_pitch` gives models.
    """
    score = example.score
    lengths = np.bincount(score.note_index, score.duration, len(score.note_context)).astype(np.int64)
    pitch = score.note_context[:, spec.column("note", SCORE_PITCH)].astype(np.float64)
    pitch = math.log(440.0) + (pitch - 69.0) * (math.log(2.0) / 12.0)
    ends, curve = np.cumsum(lengths), np.repeat(pitch, lengths)
    for note in range(len(lengths) - 1):
        place, both = ends[note], slice(ends[note] - lengths[note], ends[note + 1])
        width = np.clip(min(lengths[note : note + 2]) * LEAP_SHARE, LEAP_SHARE, LEAP / spec.frame_shift)
        away = np.arange(both.start, both.stop) - (place - 0.5)
        passed = 0.5 + 0.5 * _erf(away / (width * math.sqrt(2.0))).astype(np.float64)
        curve[both] += (pitch[note + 1] - pitch[note]) * (passed - (away > 0))
    return curve
