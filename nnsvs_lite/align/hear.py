"""The notes of a recording of which nothing else is known."""

import numpy as np
from scipy.fft import idct
from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d

from nnsvs_lite.align.frames import BANDS, CEPSTRA, Frames
from nnsvs_lite.features.f0 import hz_to_midi
from nnsvs_lite.features.notes import STEP, HeardNote, find_notes

_VOICED, _LOUD = 0.6, -40.0
"""Least voicing of a sung frame, and its level below the loudest, dB."""
_BEFORE, _AFTER = 8, 5
"""Frames in which a note that begins is softer, and those in which it is loud."""
_LEAST, _FULL = 4.0, 12.0
"""dB by which the level must rise for an onset to be thought of, and to be sure."""
_REACH = 0.02
"""Seconds before and after a frame between which its spectrum rises."""
_FRESH, _SURE = 6.0, 14.0
"""The same as ``_LEAST`` and ``_FULL`` of the mean rise of a band."""


def hear_notes(frames: Frames) -> list[HeardNote]:
    """Notes by F0, and onsets on one pitch by how the level rises, or after nasals and liquids the spectrum.

    Seconds; see :func:`find_notes`.
    """
    step = round(STEP / frames.shift)
    sung = (frames.f0 > 0) & (frames.voicing > _VOICED) & (frames.level > _LOUD)
    midi = np.where(sung, hz_to_midi(np.maximum(frames.f0, 1.0)), np.nan)[::step]
    level = uniform_filter1d(frames.level, 4)[::step]
    # Filters are centred: moved, they look back and ahead alone.
    past = minimum_filter1d(level, _BEFORE, origin=(_BEFORE - 1) // 2, mode="nearest")
    ahead = maximum_filter1d(level, _AFTER, origin=-((_AFTER - 1) // 2), mode="nearest")
    onset = np.clip((ahead - past - _LEAST) / (_FULL - _LEAST), 0.0, 1.0)
    # Of a rise, the frame at which it is steepest.
    onset *= (onset >= maximum_filter1d(onset, 2 * _BEFORE + 1)) * (onset > np.roll(onset, 1))
    rise = maximum_filter1d(_rises(frames), step)[::step]
    fresh = np.clip((rise - _FRESH) / (_SURE - _FRESH), 0.0, 1.0) * (level > _LOUD)
    fresh *= rise >= maximum_filter1d(rise, 2 * _BEFORE + 1)
    # One consonant has one onset.
    around = maximum_filter1d(fresh, 2 * _BEFORE + 1)
    return find_notes(midi, np.maximum(np.where(around >= onset, 0.0, onset), fresh))


def _rises(frames: Frames) -> np.ndarray:
    """dB by which the bands of the smoothed mel spectrum rise around each frame, in the mean; falls are none.

    Half-wave rectified spectral flux (Dixon, 2006, "Onset detection revisited", without its normalisation).
    """
    cepstra = np.pad(frames.features[:, :CEPSTRA].astype(np.float64), ((0, 0), (0, BANDS - CEPSTRA)))
    bands = uniform_filter1d(idct(cepstra, type=2, norm="ortho", axis=1), 3, axis=0, mode="nearest")
    reach = round(_REACH / frames.shift)
    padded = np.pad(bands, ((reach, reach), (0, 0)), mode="edge")
    return np.maximum(padded[2 * reach :] - padded[: -2 * reach], 0.0).mean(axis=1)
