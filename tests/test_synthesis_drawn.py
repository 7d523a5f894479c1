"""The boxed voice sings what a file draws: measured in the sound, against the curve by its formula."""

import json

import numpy as np
import pytest
from scorefiles import svp, tune, ustx

from nnsvs_lite import BOXED_VOICE
from nnsvs_lite.features.world import pyworld
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.leftout import listening, strictly
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.synthesis.singer import Singer

SONG = tune("r 1, 60 2 さ, 62 2 の, r 2, 64 3 ら")
"""At 120 quarter notes a minute: from 0.5 s to 2.5 and from 3.5 to 5."""
SOFT = 4.25
"""Seconds from where the last note is 20 dB softer."""


def shape(time):
    """Cents off the notes: a slow wave, half a semitone wide."""
    return 100 * np.sin(2 * np.pi * time / 1.6) + 30 * np.sin(2 * np.pi * 5 * time)


@pytest.fixture(scope="module")
def singer():
    return Singer.load(BOXED_VOICE)


def drawn_ustx(folder):
    xs = np.arange(0, 4805, 5)
    rows = [
        {"xs": (xs - 240).tolist(), "ys": shape(xs / 960).round().astype(int).tolist(), "abbr": "pitd"},
        {"xs": [SOFT * 960 - 241, SOFT * 960 - 240, 9000], "ys": [0, -200, -200], "abbr": "dyn"},
    ]
    path = folder / "a.ustx"
    text = "curves:\n" + "".join(f"  - {json.dumps(row)}\n" for row in rows)
    path.write_text(ustx(SONG).decode().replace("curves: []", text))
    return path


def drawn_svp(folder):
    value = json.loads(svp(SONG).rstrip(b"\0"))
    track, quarter = value["tracks"][0], 705_600_000
    still = dict.fromkeys(("tF0Left", "tF0Right", "dF0Left", "dF0Right", "dF0Vbr"), 0)
    track["groups"] = []
    track["mainGroup"]["notes"] = [
        {
            "onset": int(s * quarter),
            "duration": int(d * quarter),
            "lyrics": y,
            "pitch": p,
            "attributes": still,
        }
        for s, d, p, y in SONG.notes
    ]
    time = np.arange(0, 6, 0.01)
    points = np.stack([time * 2 * quarter, shape(time)]).T.ravel().tolist()
    loud = [0, 0, SOFT * 2 * quarter - 1, 0, SOFT * 2 * quarter, -20, 12 * quarter, -20]
    track["mainGroup"]["parameters"] = {
        "pitchDelta": {"mode": "cubic", "points": points},
        "loudness": {"mode": "linear", "points": loud},
    }
    path = folder / "a.svp"
    path.write_text(json.dumps(value))
    return path


def heard(waveform, rate):
    """Times, F0 and level in dB of a sound, 5 ms apart."""
    rough, time = pyworld.dio(waveform, rate, f0_floor=120, f0_ceil=800)
    f0 = pyworld.stonemask(waveform, rough, time, rate)
    power = np.convolve(waveform**2, np.ones(rate // 50) / (rate // 50), "same")
    level = 10 * np.log10(power[np.minimum((time * rate).astype(int), len(power) - 1)] + 1e-12)
    return time, f0, level


def inside(time):
    """The note at each time, NaN in consonants and within 60 ms of a step."""
    notes = np.full(len(time), np.nan)
    for start, length, pitch, _ in SONG.notes:
        notes[(time > float(start) / 2 + 0.12) & (time < float(start + length) / 2 - 0.06)] = pitch
    return notes


@pytest.mark.parametrize("draw", [drawn_ustx, drawn_svp])
def test_drawn_curves_are_sung(singer, tmp_path, draw):
    path = draw(tmp_path)
    sung, plain = singer.sing(path), singer.sing(path, drawn=False)
    assert plain.waveform.shape == sung.waveform.shape
    time, f0, level = heard(sung.waveform, sung.sample_rate)
    _, own, before = heard(plain.waveform, plain.sample_rate)
    notes = inside(time)
    there = np.isfinite(notes) & (f0 > 0) & (own > 0)
    assert there.sum() > 500
    wanted = 440 * 2 ** ((notes[there] - 69 + shape(time[there]) / 100) / 12)
    off, without = (1200 * np.log2(found[there] / wanted) for found in (f0, own))
    assert np.percentile(np.abs(off), 98) < 2
    assert np.median(np.abs(without)) > 20, "else the curve says nothing"
    for begin, end, change in ((0.7, 1.4, 0), (3.7, 4.2, 0), (4.3, 4.9, -20)):
        stretch = (time > begin) & (time < end)
        moved = level[stretch] - before[stretch]
        assert np.median(moved) == pytest.approx(change, abs=0.2)
        # Single places differ by where the harmonics lie on the formants.
        assert np.abs(moved - change).max() < 1.5


def test_drawn_pitch_moves_with_the_song(singer, tmp_path):
    sung = singer.sing(drawn_ustx(tmp_path), transpose=-3, tempo=0.8, curves=None)
    time = np.arange(len(sung.f0)) * sung.frame_shift
    notes = inside(time * 0.8) - 3
    there = np.isfinite(notes) & (sung.f0 > 0)
    wanted = 440 * 2 ** ((notes[there] - 69 + shape(time[there] * 0.8) / 100) / 12)
    assert np.abs(1200 * np.log2(sung.f0[there] / wanted)).max() < 2


def test_given_curves_go_before_the_score_s(singer, tmp_path):
    path = drawn_ustx(tmp_path)
    plain, sung = singer.sing(path, drawn=False), singer.sing(path)
    louder = {"loudness_change": np.full(len(plain.f0), 3.0)}
    given = singer.sing(path, curves=louder)
    np.testing.assert_array_equal(given.f0, sung.f0)
    voiced = plain.f0 > 0
    moved = given.curves["loudness"] - plain.curves["loudness"]
    assert np.median(moved[voiced]) == pytest.approx(3, abs=0.1)
    steady = {"f0": np.where(np.arange(len(plain.f0)) % 400 < 200, 300.0, 0.0)}
    at = plain.f0 > 0
    mixed = singer.sing(path, curves=steady).f0
    np.testing.assert_allclose(mixed[at & (steady["f0"] > 0)], 300, rtol=1e-5)


def test_diffsinger_curves_are_sung(singer, tmp_path):
    """F0 and energy at steps of 512 / 44100 s, as its tools write them."""
    step = 512 / 44100
    time = np.arange(0, 3, step)
    f0 = 300 + 20 * np.sin(2 * np.pi * time)
    energy = np.where(time < 1.5, -25.0, -40.0)
    segment = {
        "offset": 0.0, "text": "SP さ の SP", "ph_seq": "SP s a n o SP", "ph_num": "2 2 1 1",
        "note_seq": "rest D4 E4 rest", "note_dur": "0.5 1.0 1.0 0.5", "note_slur": "0 0 0 0",
        "f0_seq": " ".join(map(str, f0)), "f0_timestep": str(step),
        "energy": " ".join(map(str, energy)), "energy_timestep": str(step),
    }  # fmt: skip
    (tmp_path / "a.ds").write_text(json.dumps([segment]))
    sung = singer.sing(tmp_path / "a.ds")
    at = np.arange(len(sung.f0)) * sung.frame_shift
    there = sung.f0 > 0
    np.testing.assert_allclose(sung.f0[there], np.interp(at[there], time, f0), rtol=1e-3)
    for begin, end, level in ((0.7, 1.4, -25), (1.6, 2.3, -40)):
        stretch = (at > begin) & (at < end)
        assert np.median(sung.curves["loudness"][stretch]) == pytest.approx(level, abs=0.1)


def test_what_a_vocoder_does_not_honour_is_said(singer, tmp_path, monkeypatch):
    path = drawn_ustx(tmp_path)
    monkeypatch.setattr(type(singer.vocoder), "controls", ())
    with listening() as said:
        sung = singer.sing(path)
    assert said[-1] == "the pitch that the score draws cannot be heard: the vocoder, World, does not allow it"
    np.testing.assert_array_equal(sung.f0, singer.sing(path, drawn=False).f0)
    assert sung.curves["loudness"][round(4.6 / sung.frame_shift)] < -40, "what can be heard is sung"
    score = read_score(drawn_svp(tmp_path))
    with strictly(), pytest.raises(DataError, match="cannot be heard"):
        singer.sing(score)
