"""A toy singer with known phone times, for the tests of alignment.

Vowels are harmonics under formants, consonants noise or hum: enough for an
aligner to tell them apart, and made in milliseconds.
"""

import dataclasses
from pathlib import Path

import numpy as np

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.kana import add_lyrics
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.score.types import Note, Score

RATE = 16000
FORMANTS = {
    "a": (800, 1300), "i": (300, 2300), "u": (350, 1200), "e": (500, 1900), "o": (500, 850),
    "m": (250, 1000), "n": (280, 1600),
}  # fmt: skip
NOISE = {"s": (4500, 7500), "sh": (2500, 5500), "k": (1200, 2200), "t": (3000, 6000), "h": (600, 3500)}
LENGTH = {"s": 0.11, "sh": 0.12, "k": 0.08, "t": 0.07, "h": 0.07, "m": 0.07, "n": 0.06}
ONSETS = ("", "k", "s", "t", "m", "n", "h", "sh")
VOWELS = "aiueo"


def _voiced(phone: str, f0: np.ndarray) -> np.ndarray:
    phase = 2 * np.pi * np.cumsum(f0) / RATE
    out = np.zeros(len(f0))
    for k in range(1, 24):
        hertz = k * f0
        gain = sum(1.0 / (1.0 + ((hertz - f) / 120.0) ** 2) for f in FORMANTS[phone])
        out += np.where(hertz < RATE / 2, gain, 0.0) * np.sin(k * phase) / k**0.5
    return out * (0.12 if phone in "mn" else 0.3)


def _noise(phone: str, count: int, rng: np.random.Generator) -> np.ndarray:
    low, high = NOISE[phone]
    spectrum = np.fft.rfft(rng.standard_normal(count + 512))
    hertz = np.fft.rfftfreq(count + 512, 1 / RATE)
    spectrum *= (hertz > low) & (hertz < high)
    out = 0.25 * np.fft.irfft(spectrum)[:count]
    if phone in "kt":
        out[: count // 2] *= 0.01  # the closure before the burst
    return out


def random_score(rng: np.random.Generator, notes: int = 7) -> Score:
    """A melody of single morae between two rests of 0.4 s."""
    found = [Note(0.0, 0.4, 0, "", ("pau",))]
    pitch = 62
    for _ in range(notes):
        start = found[-1].end
        length = float(rng.choice([0.3, 0.4, 0.6]))
        pitch = int(np.clip(pitch + rng.choice([-4, -3, -2, 2, 3, 4]), 57, 72))
        onset, vowel = str(rng.choice(ONSETS)), str(rng.choice(list(VOWELS)))
        # Morae that are not written as they are sung.
        onset = {"si": "sh", "hu": "k", "tu": "k", "ti": "k"}.get(onset + vowel, onset)
        phones = (onset, vowel) if onset else (vowel,)
        found.append(Note(start, round(start + length, 3), pitch, "".join(phones), phones))
    end = found[-1].end
    found.append(Note(end, round(end + 0.4, 3), 0, "", ("pau",)))
    placed = (dataclasses.replace(n, measure=i // 4 + 1, beat=float(i % 4)) for i, n in enumerate(found))
    return add_lyrics(Score(tuple(placed)))


def sing(score: Score, rng: np.random.Generator, lag: float = 0.02, spread: float = 0.012):
    """Audio (samples,) of a score and its phone labels; vowels begin ``lag`` after their notes."""
    starts, phones, notes = [0.0], ["pau"], [0]
    for i, note in enumerate(score.notes[1:], start=1):
        beat = note.start + lag + float(np.clip(rng.normal(0, spread), -2 * spread, 2 * spread))
        at = beat - sum(LENGTH[p] for p in note.phones[:-1])
        for phone in note.phones:
            starts.append(round(at, 3))
            phones.append(phone)
            notes.append(i)
            at += LENGTH.get(phone, 0.0)
    labels = [
        Segment(round(a, 7), round(b, 7), p) for a, b, p in zip(starts, [*starts[1:], score.duration], phones)
    ]
    total = round(score.duration * RATE)
    midi = np.zeros(total)
    for label, note in zip(labels, notes):
        midi[round(label.start * RATE) : round(label.end * RATE)] = score.notes[note].pitch or midi.max()
    smooth = np.convolve(np.pad(midi, 400, mode="edge"), np.ones(801) / 801, "valid")
    f0 = 440.0 * 2 ** ((smooth - 69) / 12)
    audio = 1e-4 * rng.standard_normal(total)
    fade = round(0.008 * RATE)
    for label in labels:
        if label.label == "pau":
            continue
        a, b = round(label.start * RATE), round(label.end * RATE)
        wave = _noise(label.label, b - a, rng) if label.label in NOISE else _voiced(label.label, f0[a:b])
        edge = np.minimum(1.0, np.minimum(np.arange(b - a), np.arange(b - a)[::-1]) / fade)
        audio[a:b] += wave * edge
    return 0.6 * audio, labels


def make_corpus(folder: Path, count: int, seed: int = 0, notes: int = 7) -> DataDir:
    """A data dir of ``count`` phrases by one singer with labels, written to ``folder``."""
    import soundfile

    rng = np.random.default_rng(seed)
    data = DataDir(path=folder, wavs={}, utt2spk={})
    (folder.parent / f"{folder.name}_wav").mkdir(parents=True, exist_ok=True)
    for i in range(count):
        utt = f"toy_{i:03d}"
        score = random_score(rng, notes)
        audio, labels = sing(score, rng)
        data.wavs[utt] = folder.parent / f"{folder.name}_wav" / f"{utt}.wav"
        soundfile.write(data.wavs[utt], audio, RATE)
        data.scores[utt], data.labels[utt], data.utt2spk[utt] = score, labels, "toy"
        data.text[utt], data.utt2lang[utt] = score.lyrics, "ja"
    return data.write(folder)
