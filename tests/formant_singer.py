"""A singer of any language, whose phones sound by their phonetic features: enough to be told apart by ear.

Vowels are harmonics under two formants, nasals and liquids are darker ones, fricatives and bursts are noise
of their place.
"""

from collections.abc import Iterable

import numpy as np

from nnsvs_lite.score.languages import Language, get_language

HEIGHT = (("high", 300.0), ("low", 800.0), ("mid", 500.0))
PLACE = {
    "labial": 900.0,
    "dental": 5000.0,
    "alveolar": 5500.0,
    "palatal": 3200.0,
    "velar": 1800.0,
    "glottal": 1300.0,
}
"""Hz of the noise; of nasals and liquids half of it is the second formant."""


def formants(language: Language, phone: str, end: bool = False) -> tuple[float, float]:
    """Hz of both formants of a voiced phone, at its end where it is a diphthong."""
    names = set(language.features[phone].split())
    if "vowel" not in names:
        return 270.0, next((hz for name, hz in PLACE.items() if name in names), 1400.0) / 2
    # A glide begins open and ends where the other features are.
    glides = "diphthong" in names
    first = next((hz for name, hz in HEIGHT if name in names), 500.0)
    second = 2200.0 if "front" in names else 900.0 if "back" in names else 1400.0
    if "rounded" in names:
        second *= 0.8
    return (350.0 if end else 700.0, second) if glides else (first, second)


def sing(rows: Iterable[tuple[str, float, float, float]], code: str, rate: int, seconds: float) -> np.ndarray:
    """Samples (n,) of phones with start and end in seconds and the MIDI pitch of their notes, 0 for rests."""
    language, rng = get_language(code), np.random.default_rng(0)
    x, phase = np.zeros(round(seconds * rate)), 0.0
    for phone, start, end, pitch in rows:
        first, last = round(start * rate), min(round(end * rate), len(x))
        phone, size = language.normal(phone), last - first
        if pitch <= 0 or size < 2 or phone in language.silences:
            continue
        ramp = np.minimum(1.0, np.minimum(np.arange(size), np.arange(size)[::-1]) / (0.006 * rate))
        names = set(language.features[phone].split())
        wave = np.zeros(size)
        if "voiced" in names:
            hz, way = 440.0 * 2 ** ((pitch - 69) / 12), np.arange(size) / size
            begin, stop = formants(language, phone), formants(language, phone, end=True)
            turns = phase + hz * np.arange(size) / rate
            for k in range(1, int(min(5000, rate / 2.2) / hz) + 1):
                gain = sum(1 / (1 + ((k * hz - a - (b - a) * way) / 150) ** 2) for a, b in zip(begin, stop))
                wave += (gain + 0.01) * np.sin(2 * np.pi * k * turns) / k**0.3
            wave *= 0.15 if names & {"vowel", "glide"} else 0.06
            phase = float(turns[-1]) % 1.0
        if names & {"fricative", "affricate", "plosive"}:
            spectrum = np.fft.rfft(rng.standard_normal(size))
            middle = next((hz for name, hz in PLACE.items() if name in names), 1300.0)
            spectrum *= np.exp(-(((np.fft.rfftfreq(size, 1 / rate) - middle) / (0.3 * middle)) ** 2))
            noise = np.fft.irfft(spectrum, size)
            noise *= 0.05 / max(float(np.sqrt(np.mean(noise**2))), 1e-9)
            # The closure before a burst.
            noise[: size // 2 if "fricative" not in names else 0] *= 0.01
            wave = 0.3 * wave + noise
        x[first:last] += wave * ramp
    return x
