"""A tiny sung corpus with exactly known times: harmonic tones for vowels, silence in rests."""

from pathlib import Path

import numpy as np
import soundfile

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.score.types import Note, Score


def tone(pitch: float, seconds: float, rate: int, harmonics: int = 20) -> np.ndarray:
    """A harmonic tone at a MIDI pitch, falling 1/k, with 10 ms ramps."""
    t = np.arange(round(seconds * rate)) / rate
    hz = 440.0 * 2 ** ((pitch - 69) / 12)
    x = sum(
        np.sin(2 * np.pi * hz * k * t + k * k) / k for k in range(1, harmonics + 1) if hz * k < rate / 2.2
    )
    ramp = np.minimum(1.0, np.minimum(t, t[::-1]) / 0.01)
    return 0.15 * x * ramp


def phrase(pitches: list[int], length: float, lag: float) -> tuple[Score, list[Segment]]:
    """Rest, notes on ``a`` of one length each, rest; sung ``lag`` seconds late."""
    times = np.arange(len(pitches) + 3) * length
    notes = [Note(float(times[0]), float(times[1]), 0, phones=("pau",))]
    for i, pitch in enumerate(pitches, start=1):
        notes.append(Note(float(times[i]), float(times[i + 1]), pitch, "あ", ("a",)))
    notes.append(Note(float(times[-2]), float(times[-1]), 0, phones=("pau",)))
    bounds = times.copy()
    bounds[1:-1] += lag
    phones = ["pau", *["a"] * len(pitches), "pau"]
    labels = [Segment(float(a), float(b), p) for a, b, p in zip(bounds, bounds[1:], phones)]
    return Score(tuple(notes)), labels


def render(score: Score, labels: list[Segment], rate: int) -> np.ndarray:
    """The audio of a phrase: a tone over each label of a note."""
    x = np.zeros(round(labels[-1].end * rate))
    for note, label in zip(score.notes, labels):
        if note.pitch:
            first = round(label.start * rate)
            sound = tone(note.pitch, label.end - label.start, rate)[: len(x) - first]
            x[first : first + len(sound)] = sound
    return x


def make_corpus(folder: Path, n_utts: int = 3, rate: int = 24000, lag: float = 0.03) -> DataDir:
    """Writes wavs and a data dir ``<folder>/data`` of ``n_utts`` phrases, and returns it."""
    (folder / "wav").mkdir(parents=True, exist_ok=True)
    wavs, scores, labels, spk = {}, {}, {}, {}
    for i in range(n_utts):
        utt = f"a_{i:03d}"
        scores[utt], labels[utt] = phrase([60 + i % 5, 64, 57 + i % 7], 0.25, lag)
        wavs[utt] = folder / "wav" / f"{utt}.wav"
        soundfile.write(str(wavs[utt]), render(scores[utt], labels[utt], rate), rate)
        spk[utt] = "a"
    data = DataDir(folder / "data", wavs, spk, scores=scores, labels=labels)
    data.text = {utt: score.lyrics for utt, score in scores.items()}
    data.utt2lang = dict.fromkeys(spk, "ja")
    return data.write()
