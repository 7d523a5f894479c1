"""Notes of recordings of which nothing is known: onsets on one pitch."""

import numpy as np
import pytest

from nnsvs_lite.align.frames import analyse
from nnsvs_lite.align.hear import hear_notes

RATE = 24000
STARTS = (0.2, 0.6, 1.0, 1.4)


def hummed(parts: int) -> np.ndarray:
    """Two seconds at 220 Hz: vowels, before each 60 ms of the lowest harmonics alone, as in nasals.

    The level stays as it is. Without parts one vowel is held.
    """
    t = np.arange(2 * RATE) / RATE
    wave = [np.sin(2 * np.pi * 220 * k * t + k * k) / k for k in range(1, 30)]
    bright, dull = sum(wave), sum(wave[:2])
    dull *= np.sqrt(np.mean(bright**2) / np.mean(dull**2))
    nasal = np.zeros(len(t))
    for start in STARTS[:parts]:
        nasal[round((start - 0.06) * RATE) : round(start * RATE)] = 1.0
    nasal = np.convolve(nasal, np.hanning(480) / np.hanning(480).sum(), "same")
    sung = (t > STARTS[0] - 0.06) & (t < 1.8)
    return 0.1 * sung * (nasal * dull + (1 - nasal) * bright)


@pytest.mark.parametrize("parts", [0, 4])
def test_nasals_part_notes_of_one_pitch(parts):
    found = hear_notes(analyse(hummed(parts), RATE))
    starts = STARTS if parts else STARTS[:1]
    assert [note.start for note in found] == pytest.approx(starts, abs=0.07)
    assert [note.pitch for note in found] == pytest.approx([57.0] * len(starts), abs=0.05)


def test_a_slow_change_of_vowel_parts_nothing():
    t = np.arange(2 * RATE) / RATE
    wave = [np.sin(2 * np.pi * 220 * k * t + k * k) / k for k in range(1, 30)]
    slowly = np.clip((t - 0.6) / 0.6, 0.0, 1.0)
    x = 0.1 * (sum(wave[:6]) + 0.1 ** (1 - slowly) * sum(wave[6:]))
    assert len(hear_notes(analyse(x, RATE))) == 1
