"""A system that is scored: the waveforms and phone times in its decode folder."""

from __future__ import annotations

import os
from collections.abc import Container, Sequence
from pathlib import Path

import numpy as np

from nnsvs_lite.evaluation.timing import match_sung
from nnsvs_lite.features.audio import read_wav
from nnsvs_lite.io.atomic import read_json
from nnsvs_lite.io.ctm import Segment, read_ctm
from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.io.tables import read_table

SILENT = 10 ** (-80 / 20)
"""A waveform that never exceeds this (-80 dB of full scale) is no singing."""


class System:
    """One decode folder: ``wav.scp``, ``pred.ctm`` if there is one, ``timing.json`` if there is one.

    Args:
        name: its row in the table.
        path: the folder.

    Raises:
        DataError: where the folder or its ``wav.scp`` is missing or malformed.
    """

    def __init__(self, name: str, path: str | os.PathLike):
        self.name = name
        self.path = Path(path)
        if not self.path.is_dir():
            raise DataError(f"no such decode folder, for system {name!r}", self.path)
        self.wavs = {utt: self._resolve(Path(wav)) for utt, wav in read_table(self.path / "wav.scp").items()}
        ctm = self.path / "pred.ctm"
        self._phones: dict[str, list[Segment]] | None = read_ctm(ctm) if ctm.exists() else None

    def _resolve(self, wav: Path) -> Path:
        # From the working folder, as Kaldi has it; or beside the scp, so that a moved folder still opens.
        for beside in (self.path / wav, self.path / "wav" / wav.name):
            if not wav.exists() and beside.exists():
                return beside
        return wav

    @property
    def inputs(self) -> list[Path]:
        """All files that scoring reads from it."""
        names = ("wav.scp", "pred.ctm", "timing.json")
        return [self.path / name for name in names] + sorted(set(self.wavs.values()))

    def unknown(self, utts: Sequence[str]) -> list[str]:
        """Ids that it has and the reference has not, sorted."""
        return sorted(self.wavs.keys() - set(utts), key=str.encode)

    def audio(self, utt: str) -> tuple[np.ndarray, int]:
        """The waveform of an utterance, float64 ``(samples,)``, and its rate in Hz.

        Raises:
            DataError: where it is missing, unreadable, empty, not mono, silent, or
                holds NaN or infinity.
        """
        if utt not in self.wavs:
            raise DataError(f"no waveform of {utt!r}{nearest(utt, self.wavs)}", self.path / "wav.scp")
        wave, rate = read_wav(self.wavs[utt])
        if not np.isfinite(wave).all():
            raise DataError("holds NaN or infinity", self.wavs[utt])
        if np.abs(wave).max() < SILENT:
            raise DataError("is silent", self.wavs[utt])
        return wave, rate

    def phones(
        self, utt: str, expected: Sequence[str], silences: Container[str], end: float
    ) -> list[Segment] | None:
        """Predicted times of the phones ``expected``; None where the system has no ``pred.ctm`` at all.

        Silences may be others (:func:`nnsvs_lite.evaluation.timing.match_sung`); ``end`` is the
        utterance's end in seconds.

        Raises:
            DataError: where the utterance is missing, or its sung phones are not those expected.
        """
        if self._phones is None:
            return None
        where = self.path / "pred.ctm"
        if utt not in self._phones:
            raise DataError(f"no phone times of {utt!r}{nearest(utt, self._phones)}", where)
        found = self._phones[utt]
        if [phone.label for phone in found] == list(expected):
            return found
        matched = match_sung(found, expected, silences, end)
        if matched is None:
            sung = [[p for p in row if p not in silences] for row in ((p.label for p in found), expected)]
            raise DataError(f"{utt}: {_difference(*sung)}", where)
        return matched

    def rtf(self) -> float | None:
        """Seconds of computing per second of audio, from ``timing.json``; None without one.

        All its ``*_seconds`` are computing but ``audio_seconds``.
        """
        path = self.path / "timing.json"
        if not path.exists():
            return None
        timing = read_json(path)
        try:
            audio = float(timing["audio_seconds"])
            spent = sum(
                float(value)
                for key, value in timing.items()
                if key.endswith("_seconds") and key != "audio_seconds"
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            raise DataError("needs 'audio_seconds' and other '..._seconds', in numbers", path) from None
        return spent / audio if audio > 0 else None


def _difference(found: Sequence[str], expected: Sequence[str]) -> str:
    for number, (a, b) in enumerate(zip(found, expected), start=1):
        if a != b:
            return f"sung phone {number} is {a!r}, the score has {b!r}"
    return f"{len(found)} sung phones, the score has {len(expected)}"
