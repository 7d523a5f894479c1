"""Options of singing, measured in the waveform.

The acoustic model is a hummer: the score's pitch with a known vibrato, and a spectrum with one
known resonance, so that every answer is known.
"""

import numpy as np
import pytest
from hummer import DEPTH, RATE, RESONANCE, make_hummer

from nnsvs_lite.features.f0 import track
from nnsvs_lite.features.vibrato import CENTS, find_vibrato
from nnsvs_lite.features.world import (
    alpha_of,
    analyse,
    fft_size_of,
    mgc_to_spectrum,
)
from nnsvs_lite.score import Note, Score
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.synthesis.performance import Performance
from nnsvs_lite.synthesis.singer import Singer

SCORE = attach_phones(
    Score((Note(0, 0.5, 0), Note(0.5, 2.5, 57, "ら"), Note(2.5, 4.5, 62, "ら"), Note(4.5, 5, 0)))
)


@pytest.fixture(scope="module")
def singer(toy_voice) -> Singer:
    return make_hummer(toy_voice)


def heard_f0(song: Performance, singer: Singer) -> np.ndarray:
    assert singer.spec.feature_config.f0.tracker == "dio"
    frames = singer.spec.feature_config.n_frames(len(song.waveform))
    return track(song.waveform, singer.spec.feature_config, frames, 80.0, 700.0)


def note_frames(song: Performance, number: int) -> slice:
    """The middle of a note, 0.3 s from either end."""
    note = song.score.notes[number]
    return slice(round((note.start + 0.3) / 0.005), round((note.end - 0.3) / 0.005))


def heard_cents(song: Performance, singer: Singer, number: int) -> np.ndarray:
    """F0 of the waveform over the middle of a note, in cents from its pitch."""
    f0 = heard_f0(song, singer)[note_frames(song, number)]
    assert (f0 > 0).all()
    return 1200 * np.log2(f0 / 440) - 100 * (song.score.notes[number].pitch - 69)


def depth_of(cents: np.ndarray, rate: float = RATE) -> float:
    """Amplitude of the sine of ``rate`` Hz in a curve."""
    time = np.arange(len(cents)) * 0.005
    waves = np.stack(
        [np.sin(2 * np.pi * rate * time), np.cos(2 * np.pi * rate * time), np.ones(len(time))], 1
    )
    sine, cosine, _ = np.linalg.lstsq(waves, cents, rcond=None)[0]
    return float(np.hypot(sine, cosine))


@pytest.fixture(scope="module")
def plain(singer) -> Performance:
    return singer.sing(SCORE)


def test_it_is_in_tune(plain, singer):
    for number in (1, 2):
        assert abs(np.median(heard_cents(plain, singer, number))) < 8
        assert depth_of(heard_cents(plain, singer, number)) == pytest.approx(DEPTH, abs=4)


@pytest.mark.parametrize("semitones", [-5, 3, 12])
def test_transposing_is_heard(semitones, plain, singer):
    moved = singer.sing(SCORE, transpose=semitones)
    for number in (1, 2):
        part = note_frames(plain, number)
        interval = 1200 * np.log2(heard_f0(moved, singer)[part] / heard_f0(plain, singer)[part])
        assert np.median(interval) == pytest.approx(100 * semitones, abs=3)


@pytest.mark.parametrize("strength", [0.0, 0.5, 2.0])
def test_vibrato_is_heard(strength, singer):
    song = singer.sing(SCORE, vibrato=strength)
    for number in (1, 2):
        cents = heard_cents(song, singer, number)
        assert depth_of(cents) == pytest.approx(strength * DEPTH, abs=4)
        assert abs(np.median(cents)) < 8


def test_vibrato_in_absolute_terms_is_heard(singer):
    song = singer.sing(SCORE, vibrato_depth=80, vibrato_rate=6.5)
    for number in (1, 2):
        cents = heard_cents(song, singer, number)
        found = find_vibrato(cents / CENTS, np.ones(len(cents), bool), 0.005)
        assert found.rate == pytest.approx(6.5, rel=0.08) and found.extent == pytest.approx(80, rel=0.25)


def test_without_deviation_the_score_is_heard(singer):
    song = singer.sing(SCORE, pitch_deviation=0)
    for number in (1, 2):
        assert np.abs(heard_cents(song, singer, number)).max() < 5


def test_tempo_is_heard(plain, singer):
    fast = singer.sing(SCORE, tempo=2)
    assert fast.duration == pytest.approx(plain.duration / 2, abs=0.006)
    second = heard_f0(fast, singer)[round(1.7 / 0.005)]
    assert 1200 * np.log2(second / 293.66) == pytest.approx(0, abs=DEPTH + 8)


def envelope_and_noise(song: Performance, singer: Singer) -> tuple[np.ndarray, float]:
    """Mean log spectrum over the middle of the second note, and its mean aperiodicity in dB."""
    f0 = heard_f0(song, singer)
    config = singer.spec.feature_config
    mgc, bap = analyse(np.pad(song.waveform, (0, 240)), f0, config)
    part = note_frames(song, 2)
    spectrum = mgc_to_spectrum(mgc[part], alpha_of(config), fft_size_of(config))
    return np.log(spectrum).mean(axis=0), float(bap[part].mean())


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_gender_is_heard_as_a_moved_resonance(factor, plain, singer):
    song = singer.sing(SCORE, gender=factor)
    np.testing.assert_array_equal(song.f0, plain.f0)
    before, _ = envelope_and_noise(plain, singer)
    after, _ = envelope_and_noise(song, singer)
    peak = before.argmax() * singer.spec.feature_config.sample_rate / fft_size_of(singer.spec.feature_config)
    assert peak == pytest.approx(RESONANCE, abs=100)
    # The new envelope at f is the old one at f / factor; from 500 Hz to 8 kHz.
    bins, old = np.arange(21, 341), np.arange(len(before))
    factors = np.linspace(0.7, 1.4, 71)
    misfits = [np.std(after[bins] - np.interp(bins / f, old, before)) for f in factors]
    assert factors[int(np.argmin(misfits))] == pytest.approx(factor, abs=0.03)
    assert abs(np.median(heard_cents(song, singer, 2))) < 8


def test_breathiness_is_heard_as_aperiodicity(plain, singer):
    levels = [
        envelope_and_noise(singer.sing(SCORE, breathiness=decibels), singer)[1] for decibels in (-9, 0, 9)
    ]
    assert levels[1] - levels[0] > 3 and levels[2] - levels[1] > 3
