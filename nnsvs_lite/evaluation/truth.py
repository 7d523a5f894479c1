"""Known truth of synthetic recordings: the phone times and the F0 that the virtual singer meant.

The folder holds ``phones.ctm`` and ``f0.scp``/``f0.ark``, keyed by recording (a whole
song): phone times in seconds, and F0 in Hz, ``(frames, 1)``, a frame each 5 ms, 0 where
unvoiced. :mod:`nnsvs_lite.virtual.demo` writes it.
"""

from __future__ import annotations

import os
from collections.abc import Container, Sequence
from pathlib import Path

import numpy as np

from nnsvs_lite.evaluation.timing import match_sung
from nnsvs_lite.io.ctm import Segment, read_ctm
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader

FRAME_SHIFT = 0.005
"""Seconds between the frames of the true F0."""


class Truth:
    """The truth of a set of songs, cut into phrases as the data dir cuts them.

    Args:
        path: the folder described above.
        data: data dir whose ``segments`` say where each phrase lies in its song.

    Raises:
        DataError: where a file is missing or malformed.
    """

    def __init__(self, path: str | os.PathLike, data: str | os.PathLike):
        from nnsvs_lite.corpus.datadir import DataDir

        self.path = Path(path)
        if not self.path.is_dir():
            raise DataError("no such folder", self.path)
        self._data = DataDir.read(data)
        self._phones = read_ctm(self.path / "phones.ctm")
        self._f0 = FeatureReader(self.path / "f0.scp")

    def _place(self, utt: str) -> tuple[str, float, float]:
        if not self._data.segments:
            return utt, 0.0, float("inf")
        if utt not in self._data.segments:
            raise DataError(f"no line for {utt!r}", self._data.path / "segments")
        return self._data.segments[utt]

    def phones(self, utt: str, expected: Sequence[str], silences: Container[str]) -> list[Segment]:
        """Phone times of a phrase, in seconds from its start, for the phones ``expected``.

        Silences are not compared, see :func:`nnsvs_lite.evaluation.timing.match_sung`.

        Raises:
            DataError: where the song is missing, or its sung phones are others.
        """
        song, start, end = self._place(utt)
        if song not in self._phones:
            raise DataError(f"no phone times of {song!r}", self.path / "phones.ctm")
        inside = [
            Segment(p.start - start, p.end - start, p.label)
            for p in self._phones[song]
            if start <= (p.start + p.end) / 2 < end
        ]
        matched = match_sung(inside, expected, silences, end - start)
        if matched is None:
            raise DataError(f"{utt}: its sung phones are not those of the score", self.path / "phones.ctm")
        return matched

    def f0(self, utt: str, frame_shift: float) -> np.ndarray:
        """Intended F0 in Hz, 0 where unvoiced, at ``t * frame_shift`` from the phrase's start.

        Interpolated in log F0 between voiced neighbours; unvoiced where the nearest
        frame is.

        Raises:
            DataError: where the song is missing.
        """
        song, start, end = self._place(utt)
        hertz = np.asarray(self._f0[song], dtype=np.float64).reshape(-1)
        end = min(end, (len(hertz) - 1) * FRAME_SHIFT)
        place = (
            start + np.arange(int(max(end - start, 0.0) / frame_shift + 1e-6) + 1) * frame_shift
        ) / FRAME_SHIFT
        voiced = np.flatnonzero(hertz > 0)
        if not len(voiced):
            return np.zeros(len(place))
        curve = np.exp(np.interp(place, voiced, np.log(hertz[voiced])))
        nearest = np.clip(np.round(place).astype(int), 0, len(hertz) - 1)
        return np.where(hertz[nearest] > 0, curve, 0.0)
