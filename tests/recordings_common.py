"""A folder as a person with a microphone has it: songs of the toy singer, each beside its score."""

import dataclasses
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
from align_corpus import RATE, random_score, sing
from scorefiles import Tune, ust

from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.score.types import Score

TEMPO = 120.0


@dataclasses.dataclass
class Song:
    """A song of several phrases: its score, audio (samples,) at 16 kHz and true labels."""

    score: Score
    audio: np.ndarray
    labels: list[Segment]


def make_song(seed: int, phrases: int = 4, notes: int = 6) -> Song:
    """Phrases one after the other, 0.8 s of rest between them."""
    rng = np.random.default_rng(seed)
    found, audio, labels, at = [], [], [], 0.0
    for _ in range(phrases):
        score = random_score(rng, notes)
        x, rows = sing(score, rng)
        found += score.slice(0, len(score.notes), offset=-at).notes
        labels += [s._replace(start=round(s.start + at, 7), end=round(s.end + at, 7)) for s in rows]
        audio.append(x)
        at = round(at + len(x) / RATE, 3)
    merged = [found[0]]
    for note in found[1:]:
        if note.is_rest and merged[-1].is_rest:
            merged[-1] = dataclasses.replace(merged[-1], end=note.end)
        else:
            merged.append(note)
    return Song(Score(tuple(merged)), np.concatenate(audio), labels)


def ust_of(score: Score, transpose: int = 0) -> bytes:
    """The score as UTAU's text at :data:`TEMPO`."""
    rows = []
    for note in score.notes:
        start, length = (Fraction(round(x * 960), 480) for x in (note.start, note.duration))
        if not note.is_rest:
            rows.append((start, length, note.pitch + transpose, note.lyric))
    return ust(Tune(rows, [(0, TEMPO)]))


def write_song(folder: Path, name: str, song: Song, suffix: str = ".wav", **form) -> Path:
    """``name`` with its score beside it; ``form``: audio, rate or score that differ from the song's."""
    path = folder / f"{name}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, form.get("audio", song.audio), form.get("rate", RATE))
    if form.get("score", True):
        (path.parent / f"{Path(name).name}.ust").write_bytes(form.get("ust") or ust_of(song.score))
    return path
