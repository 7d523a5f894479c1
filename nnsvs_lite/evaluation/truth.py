"""Known truth of synthetic recordings: the phone times and the F0 that the virtual singer meant.

The folder holds ``phones.ctm`` and ``f0.scp``/``f0.ark``, keyed by recording (a whole
song): phone times in seconds, and F0 as ``(frames, 2)``, a time in seconds and a
frequency in Hz (0 where unvoiced) a row.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nnsvs_lite.io.ctm import Segment, read_ctm
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader


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

    def phones(self, utt: str, expected: Sequence[str]) -> list[Segment]:
        """Phone times of a phrase, in seconds from its start, for the phones ``expected``.

        A phrase keeps the sung phones of its song whole; silences at its ends are cut.

        Raises:
            DataError: where the song is missing or the phones are others.
        """
        song, start, end = self._place(utt)
        if song not in self._phones:
            raise DataError(f"no phone times of {song!r}", self.path / "phones.ctm")
        inside = [
            Segment(max(p.start - start, 0.0), min(p.end, end) - start, p.label)
            for p in self._phones[song]
            if p.end > start + 1e-4 and p.start < end - 1e-4
        ]
        if [p.label for p in inside] != list(expected):
            raise DataError(f"{utt}: its phones are not those of the score", self.path / "phones.ctm")
        return inside

    def f0(self, utt: str, frame_shift: float) -> np.ndarray:
        """Intended F0 in Hz, 0 where unvoiced, at ``t * frame_shift`` from the phrase's start.

        Interpolated in log F0 between voiced neighbours; unvoiced where the nearest
        row is.

        Raises:
            DataError: where the song is missing or has no rows.
        """
        song, start, end = self._place(utt)
        rows = np.asarray(self._f0[song], dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != 2 or not len(rows):
            raise DataError(f"{song}: rows of time and Hz are needed", self.path / "f0.scp")
        times, hertz = rows.T
        count = int((min(end, times[-1]) - start) / frame_shift + 1e-6) + 1
        wanted = start + np.arange(max(count, 0)) * frame_shift
        voiced = hertz > 0
        if not voiced.any():
            return np.zeros(len(wanted))
        curve = np.exp(np.interp(wanted, times[voiced], np.log(hertz[voiced])))
        right = np.clip(np.searchsorted(times, wanted), 1, len(times) - 1)
        nearest = np.where(wanted - times[right - 1] <= times[right] - wanted, right - 1, right)
        return np.where(voiced[nearest], curve, 0.0)
