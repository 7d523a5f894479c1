"""What a voice gives back: the waveform of a song, and all that it was made of."""

import math
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from nnsvs_lite.evaluation.reference import f0_in_hertz
from nnsvs_lite.features.audio import write_audio
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.tables import write_features, write_table
from nnsvs_lite.score.drawn import STEP, Drawn
from nnsvs_lite.score.types import Phone, Score
from nnsvs_lite.synthesis.curves import song_curves, write_curves
from nnsvs_lite.synthesis.decode import phone_times, write_times
from nnsvs_lite.synthesis.impose import write_lab


@dataclass(frozen=True)
class SungPhrase:
    """One phrase of a performance.

    Attributes:
        start: seconds from the song's beginning. score: its notes, time 0 at ``start``.
        first_note: index in the song's score of its first note. time_lag: (N,) frames. duration: (P,) frames.
        streams: vocoder features, (T, D) each.
    """

    start: float
    score: Score
    first_note: int
    time_lag: np.ndarray
    duration: np.ndarray
    streams: dict[str, np.ndarray]


@dataclass(frozen=True)
class Performance:
    """A sung song.

    Attributes:
        waveform: float64 (samples,); its peak may exceed 1, :meth:`write` sees to it.
        sample_rate: Hz. frame_shift: seconds. score: what was sung. phrases: its parts with their features.
        singer: the name of who sings it. spec: of the voice.
    """

    waveform: np.ndarray
    sample_rate: int
    frame_shift: float
    score: Score
    phrases: list[SungPhrase]
    singer: str
    spec: Spec = field(repr=False)

    @property
    def duration(self) -> float:
        """Seconds of the waveform."""
        return len(self.waveform) / self.sample_rate

    @property
    def phones(self) -> list[Phone]:
        """The score's phones with sung times in seconds, without gaps; rests that were cut are one again."""
        out: list[Phone] = []
        for phrase in self.phrases:
            times = phrase.start + phone_times(phrase.duration, self.frame_shift)
            rows = [
                Phone(symbol, float(a), float(b), phrase.first_note + note)
                for symbol, a, b, note in zip(phrase.score.phones, times, times[1:], phrase.score.note_index)
            ]
            if out and out[-1].note == rows[0].note:
                out[-1] = out[-1]._replace(end=rows.pop(0).end)
            out += rows
        if out and self.score.notes[out[0].note].is_rest:
            out[0] = out[0]._replace(start=0.0)
        if out and self.score.notes[out[-1].note].is_rest:
            out[-1] = out[-1]._replace(end=max(out[-1].end, self.duration))
        return out

    @property
    def _frames(self) -> int:
        ends = [round(p.start / self.frame_shift) + len(p.streams["lf0"]) for p in self.phrases]
        return max(int(np.ceil(self.duration / self.frame_shift - 1e-6)), *ends)

    @property
    def f0(self) -> np.ndarray:
        """(T,) Hz, a value each ``frame_shift`` from 0 to the song's end; 0 where unvoiced."""
        out = np.zeros(self._frames)
        for phrase in self.phrases:
            first = round(phrase.start / self.frame_shift)
            value = f0_in_hertz(phrase.streams["lf0"], phrase.streams["vuv"])
            out[first : first + len(value)] = np.maximum(out[first : first + len(value)], value)
        return out

    @property
    def curves(self) -> dict[str, np.ndarray]:
        """Loudness, breathiness, voicing and tension in dB, (T,) float32 each, at the frames of :attr:`f0`.

        See :mod:`nnsvs_lite.features.variance`; a voice of mel spectra has a loudness alone, an
        end-to-end voice none.
        """
        phrases = [(round(p.start / self.frame_shift), p.streams) for p in self.phrases]
        return song_curves(phrases, self._frames, self.spec.feature_config)

    def write_curves(self, path: str | os.PathLike) -> None:
        """Writes :attr:`curves` as an NPZ file: change it and sing with it."""
        write_curves(path, self.curves, self.frame_shift)

    def write_score(self, path: str | os.PathLike) -> None:
        """Writes the song as it was sung, for another editor, in the format that the suffix names: with its
        pitch, and phones and their times where the format holds them.

        See :func:`nnsvs_lite.score.formats.writers.write_score`, which says what is refused.
        """
        from nnsvs_lite.score.formats.writers import write_score

        time = np.arange(math.ceil(self.score.duration / STEP) + 1) * (STEP / self.frame_shift)
        f0 = self.f0
        voiced = np.flatnonzero(f0)
        pitch = np.full(len(time), np.nan)
        if len(voiced):
            sung = f0[np.round(time).astype(int).clip(0, len(f0) - 1)] > 0
            number = 69 + 12 * np.log2(np.interp(time, voiced, f0[voiced]) / 440)
            pitch = np.where(sung, number, np.nan)
        drawn = replace(self.score.drawn or Drawn(), pitch=pitch if len(voiced) else None)
        write_score(path, replace(self.score, drawn=drawn), self.phones)

    def write(self, path: str | os.PathLike) -> float:
        """Writes a wav or flac; returns the gain applied, 1.0 unless it was too loud. Raises DataError."""
        return write_audio(path, self.waveform, self.sample_rate)

    def write_tables(self, folder: str | os.PathLike) -> None:
        """Writes the phrases as a decode dir.

        ``song.lab`` has the song's phone times and ``curves.npz`` its curves, to be sung to.
        """
        out = Path(folder)
        song = f"{self.singer}_song"
        utts = {f"{song}_{k:03d}": phrase for k, phrase in enumerate(self.phrases, start=1)}
        write_features(out, self.spec.streams, ((u, p.streams) for u, p in utts.items()))
        rows = ((u, p.score.phones, p.time_lag, p.duration) for u, p in utts.items())
        write_times(out, rows, self.frame_shift)
        write_lab(out / "song.lab", [Segment(p.start, p.end, p.symbol) for p in self.phones])
        self.write_curves(out / "curves.npz")
        write_table(out / "score", {u: p.score.to_json() for u, p in utts.items()})
        write_table(out / "utt2spk", dict.fromkeys(utts, self.singer))
        ends = {u: p.start + p.duration.sum() * self.frame_shift for u, p in utts.items()}
        spans = {u: f"{song} {p.start:.7f} {ends[u]:.7f}" for u, p in utts.items()}
        write_table(out / "segments", spans)
        self.spec.write(out)
