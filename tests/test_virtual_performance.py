"""Timing, F0, level and spectra of a performance, against what was intended."""

import dataclasses
import importlib.util

import numpy as np
import pytest
import scipy.signal

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.types import Note, Phone, Score
from nnsvs_lite.virtual import render
from nnsvs_lite.virtual.performance import place_phones
from nnsvs_lite.virtual.pitch import OVERSHOOT, PREPARATION, f0_curve, jitter, step_response
from nnsvs_lite.virtual.style import FRAME, SingingStyle
from nnsvs_lite.virtual.voices import load_singer

QUIET = dataclasses.replace(
    SingingStyle(),
    onset_sigma=0.0,
    consonant_sigma=0.0,
    flutter=0.0,
    vibrato_depth=0.0,
    vibrato_rate_sigma=0.0,
)


def _score(*sung: tuple[str, int, float], rest: float = 0.5) -> Score:
    notes = [Note(0.0, rest, 0, phones=("pau",))]
    for phones, pitch, length in sung:
        start = notes[-1].end
        names = tuple(phones.split())
        notes.append(Note(start, start + length, pitch, "" if pitch == 0 else "x", names))
    notes.append(Note(notes[-1].end, notes[-1].end + rest, 0, phones=("pau",)))
    return Score(tuple(notes))


def _starts(phones: list[Phone]) -> dict[int, float]:
    """Where the vowel of each note starts."""
    found: dict[int, float] = {}
    for p in phones:
        if p.symbol in "aiueo":
            found.setdefault(p.note, p.start)
    return found


def test_vowels_land_on_beats_and_consonants_before():
    score = _score(
        ("k a", 60, 0.5), ("s o", 60, 0.5), ("a", 67, 0.5), ("r i", 65, 0.2), ("pau", 0, 0.4), ("n a", 60, 1)
    )
    natural = [10.0] * len(score.phones)
    phones = place_phones(score, natural, QUIET, np.random.default_rng(0))
    assert [p.symbol for p in phones] == score.phones
    assert phones[0].start == 0.0 and phones[-1].end == pytest.approx(score.duration)
    assert all(a.end == b.start for a, b in zip(phones, phones[1:]))
    assert all(abs(p.start / FRAME - round(p.start / FRAME)) < 1e-6 for p in phones)
    lags = {i: round(1000 * (t - score.notes[i].start)) for i, t in _starts(phones).items()}
    # After a rest 35 ms late; a leap of a fifth late by 6 ms for each of four semitones that count,
    # on whole frames; short notes 10 ms early.
    assert lags == {1: 35, 2: 0, 3: 25, 4: -10, 6: 35}
    consonant = next(p for p in phones if p.symbol == "s")
    assert consonant.end == pytest.approx(score.notes[2].start)
    # 10 frames of the voice, times 0.6, times 0.75 + 0.5 * 0.5 / 0.8.
    assert round((consonant.end - consonant.start) / FRAME) == round(10 * 0.6 * (0.75 + 0.5 * 0.5 / 0.8))


def test_noise_has_the_stated_size():
    score = _score(*[("t a", 60, 0.5)] * 400)
    phones = place_phones(score, [8.0] * len(score.phones), SingingStyle(), np.random.default_rng(3))
    starts = _starts(phones)
    lags = np.array([starts[i] - score.notes[i].start for i in range(2, 401)])
    assert abs(lags.mean()) < 0.002
    assert 0.0105 < lags.std() < 0.013


def test_many_phones_in_short_notes_still_fit():
    score = _score(*[("ky a cl", 60, 0.2), ("ch i N", 60, 0.2)] * 10)
    phones = place_phones(score, [40.0] * len(score.phones), SingingStyle(), np.random.default_rng(0))
    assert all(p.end - p.start >= 2 * FRAME - 1e-9 for p in phones)
    assert all(p.end - p.start >= 0.02 for p in phones if p.symbol in "ai")


def test_scores_that_cannot_be_sung_are_named():
    with pytest.raises(DataError, match="must begin with a rest"):
        place_phones(Score((Note(0, 1, 60, "a", ("a",)),)), [5.0], SingingStyle(), np.random.default_rng(0))
    crowded = _score((" ".join(["a"] * 60), 60, 0.2))
    with pytest.raises(DataError, match="too short to sing"):
        place_phones(crowded, [5.0] * 62, SingingStyle(), np.random.default_rng(0))


def test_step_responses_have_the_published_peaks():
    time = np.arange(0, 0.5, 0.0005)
    for system, peak, at in ((OVERSHOOT, 1.132, 0.107), (PREPARATION, 1.060, 0.145)):
        response = step_response(time, *system)
        assert response.max() == pytest.approx(peak, abs=0.001)
        assert time[response.argmax()] == pytest.approx(at, abs=0.001)
    assert step_response(np.array([-1.0, 0.0, 9.0]), *OVERSHOOT) == pytest.approx([0.0, 0.0, 1.0])
    assert step_response(time, 30.0, 1.0).max() < 1.0


def _cents(curve: np.ndarray) -> np.ndarray:
    return 1200 * np.log2(curve / 440) + 6900


def test_f0_overshoots_and_prepares():
    score = _score(("a", 60, 1.0), ("a", 64, 1.0))
    phones = [
        Phone("pau", 0, 0.5, 0),
        Phone("a", 0.5, 1.5, 1),
        Phone("a", 1.5, 2.5, 2),
        Phone("pau", 2.5, 3, 3),
    ]
    cents = _cents(f0_curve(score, phones, QUIET, np.random.default_rng(0)))
    assert cents[240] == pytest.approx(6000, abs=1)
    assert cents[300:400].max() == pytest.approx(6400 + 0.132 * 400, abs=2)
    assert cents[300 + round(0.107 / FRAME)] == pytest.approx(cents[300:400].max(), abs=1)
    assert cents[250:300].min() == pytest.approx(6000 - 0.060 * 400, abs=1)
    assert cents[440] == pytest.approx(6400, abs=2)


def test_vibrato_has_its_rate_and_depth():
    style = dataclasses.replace(QUIET, vibrato_depth=30.0, vibrato_rate_sigma=0.0)
    score = _score(("a", 69, 4.0))
    phones = [Phone("pau", 0, 0.5, 0), Phone("a", 0.5, 4.5, 1), Phone("pau", 4.5, 5, 2)]
    cents = _cents(f0_curve(score, phones, style, np.random.default_rng(0)))[260:860] - 6900
    spectrum = np.abs(np.fft.rfft(cents * np.hanning(len(cents)), 16384))
    assert np.fft.rfftfreq(16384, FRAME)[spectrum.argmax()] == pytest.approx(5.5, abs=0.05)
    assert 22 < cents.max() < 40
    early = _cents(f0_curve(score, phones, style, np.random.default_rng(0)))[140:155] - 6900
    assert np.abs(early).max() < 4


def test_jitter_is_fast_and_as_large_as_published():
    noise = jitter(40000, 5.0, np.random.default_rng(0))
    assert np.abs(noise).max() == pytest.approx(5.0)
    frequency, power = scipy.signal.welch(noise, 1 / FRAME, nperseg=1024)
    slow, fast = (10 * np.log10(power[np.argmin(np.abs(frequency - hz))]) for hz in (2.0, 30.0))
    assert fast - slow > 12, "white noise through a high-pass of the first order at 10 Hz"
    # On a long note it is all there is; without it the note is flat.
    score, drawn = _score(("a", 69, 4.0)), {}
    phones = [Phone("pau", 0.0, 0.5, 0), Phone("a", 0.5, 4.5, 1), Phone("pau", 4.5, 5.0, 2)]
    for size in (0.0, 5.0):
        style = dataclasses.replace(QUIET, jitter=size)
        drawn[size] = f0_curve(score, phones, style, np.random.default_rng(0))
    assert 2 < np.abs(drawn[5.0] - drawn[0.0])[300:700].max() <= 5
    assert np.median(drawn[5.0][300:700]) == pytest.approx(440, abs=0.3)


def test_smoothing_over_harmonics():
    bins, rate = 513, 24000
    flat = np.full((2, bins), 3.0)
    assert render.smooth_over_harmonics(flat, np.array([300.0, 0.0]), rate) == pytest.approx(3.0)
    # A comb with the harmonics of 468.75 Hz (20 bins) becomes flat; unvoiced frames stay.
    comb = np.zeros((2, bins))
    comb[:, ::20] = 20.0
    smooth = render.smooth_over_harmonics(comb, np.array([468.75, 0.0]), rate)
    assert smooth[0, :490] == pytest.approx(1.0, abs=1e-9)
    assert np.array_equal(smooth[1], comb[1])


def test_mel_cepstra_to_spectra():
    # c0 alone is a flat spectrum; log|H| = c0.
    mgc = np.zeros((1, 35))
    mgc[0, 0] = np.log(32768.0)
    assert render.power_spectra(mgc, 48000, 0.55, 48000, 1024) == pytest.approx(1.0)
    # On half the rate the density is kept, so that the level is what lies in the band.
    assert render.power_spectra(mgc, 48000, 0.55, 24000, 1024) == pytest.approx(0.5)
    pysptk = pytest.importorskip("pysptk")
    mgc = np.random.default_rng(0).standard_normal((3, 35)) / np.arange(1, 36)
    theirs = pysptk.mgc2sp(mgc, 0.55, 0.0, 1024).real
    ours = render.power_spectra(mgc, 48000, 0.55, 48000, 1024)
    assert np.log(ours) / 2 + np.log(32768) == pytest.approx(theirs, abs=1e-5)


def test_formants_move_by_their_factor():
    """With factor 2 what was at bin k lies at bin 2 k; beyond the voice its highest stays."""
    mgc = np.random.default_rng(0).normal(0, 0.3, (3, 20))
    plain = render.power_spectra(mgc, 48000, 0.55, 48000, 1024)
    large, small = (render.power_spectra(mgc, 48000, 0.55, 48000, 1024, factor) for factor in (2.0, 0.5))
    np.testing.assert_allclose(large[:, ::2], plain[:, :257], rtol=1e-9)
    np.testing.assert_allclose(small[:, :257], plain[:, ::2], rtol=1e-9)
    np.testing.assert_allclose(small[:, 257:], plain[:, -1:].repeat(256, 1), rtol=1e-9)


@pytest.mark.parametrize("speaker", ["f001", "mei"])
def test_what_is_rendered_is_what_was_meant(speaker):
    if speaker == "f001" and importlib.util.find_spec("pysinsy") is None:
        pytest.skip("needs pysinsy")
    pyworld, pysptk = pytest.importorskip("pyworld"), pytest.importorskip("pysptk")
    singer = load_singer(speaker)
    score = _score(
        ("s a", 64, 0.5),
        ("k u", 66, 0.4),
        ("r a", 68, 1.0),
        ("m i", 66, 0.6),
        ("pau", 0, 0.4),
        ("d o", 62, 1.2),
    )
    performance = singer.perform(score, np.random.default_rng(1))
    again = singer.perform(score, np.random.default_rng(1))
    assert np.array_equal(performance.mgc, again.mgc) and performance.phones == again.phones
    wav = singer.render(performance, 24000)
    assert len(wav) == round(score.duration * 24000)
    assert np.array_equal(wav, singer.render(again, 24000))
    assert np.abs(wav).max() < 0.98
    assert render.active_level(wav, 24000) == pytest.approx(-23, abs=4)

    f0, time = pyworld.harvest(wav, 24000, f0_floor=120.0, frame_period=5.0)
    meant = performance.f0
    f0 = f0[: len(meant)]
    both = (f0 > 0) & (meant > 0)
    assert np.mean(both) / np.mean(meant > 0) > 0.95
    assert np.median(np.abs(1200 * np.log2(f0[both] / meant[both]))) < 2.5

    spectra = singer.spectra(performance.mgc, meant, 24000, 1024)
    analysed = pyworld.cheaptrick(wav, meant, np.arange(len(meant)) * FRAME, 24000, fft_size=1024)
    inner = np.convolve(meant > 0, np.ones(17), mode="same") > 16.5
    a, b = (pysptk.sp2mc(x[inner], 24, 0.466)[:, 1:] for x in (spectra, analysed))
    distortion = 10 / np.log(10) * np.sqrt(2 * ((a - b) ** 2).sum(axis=1))
    assert distortion.mean() < 5.5
    levels = [10 * np.log10(x[inner].mean(axis=1)) for x in (spectra, analysed)]
    assert abs(np.mean(levels[1] - levels[0])) < 2.5

    # No audible steps inside held vowels.
    for p in performance.phones:
        if p.symbol == "a" and p.end - p.start > 0.8:
            first, last = round(p.start / FRAME) + 16, round(p.end / FRAME) - 16
            assert np.ptp(10 * np.log10(spectra[first:last].mean(axis=1))) < 5


def test_sampling_rates_beyond_the_voice_are_refused():
    singer = load_singer("mei")
    performance = singer.perform(_score(("a", 64, 0.5)), np.random.default_rng(0))
    with pytest.raises(DataError, match="8000 to 48000"):
        singer.render(performance, 96000)
    assert len(singer.render(performance, 48000)) == 72000
