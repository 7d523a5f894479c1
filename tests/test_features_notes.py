"""Notes, tuning and key of melodies that are known."""

import numpy as np
import pytest

from nnsvs_lite.features.notes import STEP, find_notes, key_of, settle, tuning

WAVE = 6.0


def melody(*notes: tuple[float, float], vibrato: float = 0.0, gap: int = 0, glide: int = 4) -> np.ndarray:
    """F0 of notes (pitch, seconds), each reached from the one before in a few frames."""
    parts = []
    for pitch, seconds in notes:
        count = round(seconds / STEP)
        part = np.full(count, float(pitch))
        if parts and not gap:
            part[:glide] += (parts[-1][-1] - pitch) * np.linspace(0.8, 0.1, glide)
        parts += [part, np.full(gap, np.nan)] if gap else [part]
    curve = np.concatenate(parts)
    return curve + vibrato * np.sin(2 * np.pi * WAVE * np.arange(len(curve)) * STEP)


TUNE = [(60, 0.4), (64, 0.3), (62, 0.5), (67, 0.2), (65, 0.6)]


@pytest.mark.parametrize("vibrato", [0.0, 0.4, 0.7])
@pytest.mark.parametrize("detuned", [0.0, 0.3, -0.45])
def test_a_legato_melody(vibrato, detuned):
    found = find_notes(melody(*TUNE, vibrato=vibrato) + detuned)
    assert [round(note.pitch - detuned) for note in found] == [60, 64, 62, 67, 65]
    starts = np.cumsum([0.0, *(seconds for _, seconds in TUNE)])
    assert np.abs([note.start for note in found] - starts[:-1]).max() <= 0.05
    assert abs(found[-1].end - starts[-1]) <= 0.02
    assert max(abs(n.pitch - detuned - p) for n, (p, _) in zip(found, TUNE)) < 0.15 + vibrato / 2


def test_gaps_part_notes_of_one_pitch_and_short_ones_do_not():
    twice = [(60, 0.4), (60, 0.4)]
    assert len(find_notes(melody(*twice, gap=12))) == 2
    assert len(find_notes(melody(*twice, gap=3))) == 1


def test_an_onset_parts_notes_of_one_pitch():
    curve, onset = melody((60, 0.8)), np.zeros(80)
    assert len(find_notes(curve, onset)) == 1
    onset[40] = 1.0
    one, two = find_notes(curve, onset)
    assert one.end == pytest.approx(0.4, abs=0.011) and two.start == 0.4


def test_syllables_begin_notes_and_nothing_else_does_on_one_pitch():
    curve, loud = melody((60, 0.5), (60, 0.5), (64, 0.5)), np.ones(150)
    found = find_notes(curve, loud, starts=[0, 50])
    assert [round(note.pitch) for note in found] == [60, 60, 64]
    assert np.abs(np.subtract([note.start for note in found], [0.0, 0.5, 1.0])).max() <= 0.03


def test_a_slide_and_a_speck_are_no_notes():
    slide = np.r_[np.linspace(57.5, 60, 12), np.full(50, 60.0)]
    assert [round(note.pitch) for note in find_notes(slide)] == [60]
    speck = np.full(100, np.nan)
    speck[40:43] = 72.0
    assert find_notes(speck) == [] and find_notes(np.full(10, np.nan)) == [] and find_notes(np.zeros(0)) == []


@pytest.mark.parametrize("cents", [-0.45, -0.2, 0.0, 0.1, 0.4])
def test_tuning(cents):
    curve = melody(*TUNE) + cents + 0.01 * np.random.default_rng(0).standard_normal(200)
    assert tuning(curve) == pytest.approx(cents, abs=0.03)
    assert tuning(np.full(5, np.nan)) == 0.0


MAJOR = [0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0, 7, 0]


@pytest.mark.parametrize(
    ("tonic", "sharps"), [(60, 0), (67, 1), (62, 2), (65, -1), (58, -2), (61, -5), (66, 6)]
)
def test_the_key_of_a_major_tune(tonic, sharps):
    assert key_of([tonic + step for step in MAJOR], [1.0] * len(MAJOR)) == sharps


def test_the_key_of_a_minor_tune_and_of_none():
    minor = [0, 2, 3, 5, 7, 8, 11, 12, 7, 3, 0, 7, 0]
    assert key_of([57 + step for step in minor], [1.0] * len(minor)) == 0
    assert key_of(range(60, 72), [1.0] * 12) == 0


def test_notes_between_two_semitones_are_those_of_the_key():
    sung = [60 + step + 0.1 for step in MAJOR]
    sung[2], sung[4] = 63.45, 66.45
    lengths = [1.0] * len(sung)
    assert settle(sung, lengths, key=0) == settle(sung, lengths) == [60 + step for step in MAJOR]
    # What is sung clearly stays, in the key or out of it.
    assert settle([66.0, 66.1, 63.05], [1.0] * 3, key=0) == [66, 66, 63]
    assert settle([], []) == []
