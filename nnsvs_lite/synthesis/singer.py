"""From a score to a waveform in one call.

    >>> from nnsvs_lite.synthesis.singer import Singer
    >>> singer = Singer.load("exp/acoustic_resf0_conv")   # doctest: +SKIP
    >>> song = singer.sing("song.musicxml")               # doctest: +SKIP
    >>> song.write("song.wav")                            # doctest: +SKIP

It uses the functions of stages 5 and 6; there is no second engine.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from nnsvs_lite.features.audio import write_wav
from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.world import synthesize
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.base import AcousticModel, DurationModel, TimeLagModel
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.score.readers import read_score
from nnsvs_lite.score.types import Phone, Score
from nnsvs_lite.synthesis.join import join
from nnsvs_lite.synthesis.phrases import check_score, example_of, split
from nnsvs_lite.synthesis.predict import phone_times, predict_acoustic, predict_timing
from nnsvs_lite.synthesis.voice import find_voice
from nnsvs_lite.training.checkpoint import load_model
from nnsvs_lite.training.device import find_device


@dataclass(frozen=True)
class SungPhrase:
    """One phrase of a performance.

    Attributes:
        start: seconds from the song's beginning.
        score: its notes, time 0 at ``start``.
        duration: (P,) frames. streams: vocoder features, (T, D) each.
    """

    start: float
    score: Score
    duration: np.ndarray
    streams: dict[str, np.ndarray]


@dataclass(frozen=True)
class Performance:
    """A sung song.

    Attributes:
        waveform: float64 (samples,); its peak may exceed 1, :meth:`write` sees to it.
        sample_rate: Hz. frame_shift: seconds.
        score: what was sung. phrases: its parts with their features.
    """

    waveform: np.ndarray
    sample_rate: int
    frame_shift: float
    score: Score
    phrases: list[SungPhrase]

    @property
    def phones(self) -> list[Phone]:
        """Phones with sung times in seconds; ``note`` counts within the phrase."""
        out = []
        for phrase in self.phrases:
            times = phrase.start + phone_times(phrase.duration, self.frame_shift)
            rows = zip(phrase.score.phones, times, times[1:], phrase.score.note_index)
            out += [Phone(p, float(a), float(b), n) for p, a, b, n in rows]
        return out

    @property
    def f0(self) -> np.ndarray:
        """(T,) Hz from the song's beginning, a value each ``frame_shift``; 0 where unvoiced."""
        ends = [p.start / self.frame_shift + len(p.streams["lf0"]) for p in self.phrases]
        out = np.zeros(int(np.ceil(max(ends))) + 1)
        for phrase in self.phrases:
            first = round(phrase.start / self.frame_shift)
            voiced = phrase.streams["vuv"][:, 0] >= 0.5
            value = np.where(voiced, np.exp(phrase.streams["lf0"][:, 0]), 0.0)
            out[first : first + len(value)] = np.maximum(out[first : first + len(value)], value)
        return out

    def write(self, path: str | os.PathLike) -> float:
        """Writes a wav; returns the gain applied (1.0 unless it was too loud)."""
        return write_wav(path, self.waveform, self.sample_rate)


class Singer:
    """A trained voice.

    Args:
        timelag, duration, acoustic: models on one device.
    """

    def __init__(self, timelag: TimeLagModel, duration: DurationModel, acoustic: AcousticModel):
        self.timelag, self.duration, self.acoustic = timelag, duration, acoustic
        self.spec = acoustic.spec
        self.config = FeatureConfig.from_dict(self.spec.schema["feature_config"], "checkpoint")

    @staticmethod
    def load(folder: str | os.PathLike, device: str = "cpu") -> Singer:
        """Loads the exp dir of a finished recipe's acoustic model.

        Raises:
            DataError: where it is not one, a checkpoint is damaged, or there is no such device.
        """
        voice = find_voice(folder)
        place = find_device(device)
        models = [load_model(getattr(voice, f), f).to(place) for f in voice._fields]
        return Singer(*models)

    def sing(
        self,
        score: Score | str | os.PathLike,
        *,
        part: int | str | None = None,
        verse: int = 1,
        transpose: int = 0,
        tempo: float = 1.0,
        timing: float = 1.0,
        seed: int = 0,
    ) -> Performance:
        """Sings a score.

        Args:
            score: a score file, or a :class:`Score`.
            part, verse: of a file with several.
            transpose: semitones.
            tempo: factor; 2 is twice as fast.
            timing: strength of time lags; 0 keeps to the score's beats.
            seed: of models that draw by chance.

        Raises:
            DataError: for a score that cannot be read or is not in the voice's language,
                or a factor out of range.
        """
        if not isinstance(score, Score):
            where = os.fspath(score)
            score = read_score(score, lang=self.spec.schema["lang"], part=part, verse=verse)
            score = replace(score, title=score.title or Path(where).stem)
        if not 0 <= timing <= 2:
            raise DataError(f"timing strength {timing:g} is out of 0..2")
        score = change(score, transpose, tempo)
        if not all(note.phones for note in score.notes):
            score = attach_phones(score)
        check_score(score, self.spec)
        phrases = split(score)
        examples = [example_of(f"phrase{i:04d}", p.score) for i, p in enumerate(phrases)]
        timings = predict_timing(examples, self.timelag, self.duration, strength=timing)
        ready = [replace(e, duration=t.duration) for e, t in zip(examples, timings)]
        streams = dict(predict_acoustic(ready, self.acoustic, seed=seed))
        sung = [
            SungPhrase(phrase.start, phrase.score, timings[i].duration, streams[i])
            for i, phrase in enumerate(phrases)
        ]
        rate = self.spec.sample_rate
        names = ("lf0", "vuv", "mgc", "bap")
        pieces = [(p.start, synthesize(*(p.streams[n] for n in names), self.config)) for p in sung]
        waveform = join(pieces, rate, score.duration)
        return Performance(waveform, rate, self.spec.frame_shift, score, sung)


def change(score: Score, transpose: int, tempo: float) -> Score:
    """Moves a score's pitches by semitones and its tempo by a factor.

    Raises:
        DataError: where a pitch leaves MIDI 24..108 or the factor 0.25..4.
    """
    if not 0.25 <= tempo <= 4:
        raise DataError(f"tempo factor {tempo:g} is out of 0.25..4")
    notes = []
    for note in score.notes:
        pitch = note.pitch if note.is_rest else note.pitch + transpose
        if not note.is_rest and not 24 <= pitch <= 108:
            raise DataError(f"{note.place}: transposed to MIDI {pitch}, out of 24..108")
        times = {"start": note.start / tempo, "end": note.end / tempo, "tempo": note.tempo * tempo}
        # The key moves along the circle of fifths: seven for a semitone, folded to -6..6.
        key = (note.key + 7 * transpose + 6) % 12 - 6 if transpose else note.key
        notes.append(dataclasses.replace(note, pitch=pitch, key=key, **times))
    return replace(score, notes=tuple(notes))
