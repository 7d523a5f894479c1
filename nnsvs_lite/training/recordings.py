"""Recordings of a set, read piece by piece: never more of a file than is heard."""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.io.errors import DataError

SHORT = 0.05
"""Seconds that a recording may be shorter than its features."""


def recorded(data: str | os.PathLike | None, subset: str) -> DataDir:
    """A set's data dir, below the folder ``data``. Raises DataError where none is given."""
    if data is None:
        raise DataError("this model learns from recordings: give --data, the folder of the data dirs")
    return DataDir.read(Path(data) / subset)


class Recordings:
    """Waveforms of utterances at the rate of their features, in which silence precedes and follows them.

    Args:
        data: where features are analysed from. config: of the analysis.
    """

    def __init__(self, data: DataDir, config: FeatureConfig):
        self.data, self.config = data, config
        self._rates: dict[str, int] = {}

    def check(self, utt: str, frames: int) -> None:
        """Raises DataError where a recording is missing or shorter than its features."""
        if utt in self._rates:
            return
        _, rate = self.data.audio(utt, 0, 0)
        recorded, needed = self.data.duration(utt), frames * self.config.frame_shift
        if needed - recorded > SHORT:
            seconds = f"{recorded:.3f} s are recorded, the features have {needed:.3f} s"
            raise DataError(f"{utt}: {seconds}; extract them again", self.data.path)
        self._rates[utt] = rate

    def piece(self, utt: str, first: int, count: int, speed: Fraction = Fraction(1)) -> np.ndarray:
        """(count,) float64: samples from ``first`` on, which may lie outside.

        They are those of the whole, resampled as for the analysis; at another ``speed``, of the whole played
        so much faster and higher, in which ``first`` is counted.

        Raises DataError where the recording cannot be read.
        """
        if utt not in self._rates:
            self.check(utt, 0)
        ratio = self.config.sample_rate / (self._rates[utt] * speed)
        up, down = ratio.numerator, ratio.denominator
        # Samples around one that its resampling hears, by the default of ``resample_poly``.
        around = 0 if up == down else -(-10 * max(up, down) // up) + 1
        # Where blocks begin, samples of both rates coincide.
        block = max(0, max(first, 0) // up - -(-around // down))
        last = -(-max(first + count, 0) * down // up) + around
        x, _ = self.data.audio(utt, block * down, max(0, last - block * down))
        if up != down and len(x):
            # scipy is slow to load, and whoever sings imports this module.
            from scipy.signal import resample_poly

            x = resample_poly(x, up, down)
        start = first - block * up
        heard = x[max(start, 0) : max(start + count, 0)]
        out = np.zeros(count)
        out[max(-start, 0) :][: len(heard)] = heard
        return out
