"""Curves that are given to a song and taken from it; files that are none."""

import io
import zipfile

import numpy as np
import pytest
import torch
from models_common import ROOT, shaken
from scorefiles import musicxml, tune

from nnsvs_lite.bin import main as program
from nnsvs_lite.features.variance import FLOOR, measure
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.config import Config
from nnsvs_lite.synthesis.curves import Curves
from nnsvs_lite.synthesis.singer import Singer


@pytest.fixture(scope="module")
def singer(toy_voice) -> Singer:
    return Singer.load(toy_voice)


@pytest.fixture(scope="module")
def score(tmp_path_factory):
    path = tmp_path_factory.mktemp("score") / "song.musicxml"
    path.write_bytes(musicxml(tune("60 4 さ, 62 1 く, r 7, 64 4 ら")))
    return path


@pytest.fixture(scope="module")
def song(singer, score):
    return singer.sing(score)


def test_a_song_has_curves_at_its_frames(song):
    assert len(song.phrases) > 1, "with a gap between"
    assert {name: curve.shape for name, curve in song.curves.items()} == dict.fromkeys(
        ("tension", "breathiness", "voicing", "loudness"), song.f0.shape
    )
    for phrase in song.phrases:
        first = round(phrase.start / song.frame_shift)
        for name, curve in measure(phrase.streams, song.spec.feature_config).items():
            np.testing.assert_array_equal(song.curves[name][first:][: len(curve)], curve.astype(np.float32))
    assert (song.curves["voicing"][song.f0 == 0] == FLOOR).all(), "the gap too"


def test_its_own_curves_change_nothing(song, singer, score, tmp_path):
    song.write_curves(tmp_path / "curves.npz")
    again = singer.sing(score, curves=tmp_path / "curves.npz")
    np.testing.assert_array_equal(again.waveform, song.waveform)
    song.write_tables(tmp_path / "tables")
    assert (tmp_path / "tables" / "curves.npz").read_bytes() == (tmp_path / "curves.npz").read_bytes()


def test_curves_are_sung(song, singer, score):
    voiced = song.f0 > 0
    own = song.curves
    asked = own["loudness"] + np.where(np.arange(len(voiced)) < len(voiced) // 3, 6, 0)
    for curves in ({"loudness": asked}, {"loudness_change": asked - own["loudness"]}):
        sung = singer.sing(score, curves=curves)
        np.testing.assert_allclose(sung.curves["loudness"][voiced], asked[voiced], atol=0.02)
        np.testing.assert_array_equal(sung.f0, song.f0)
    # A curve of another rate: 50 numbers a second.
    coarse = {"loudness_change": np.full(round(song.duration * 50), -3.0), "frame_shift": np.array(0.02)}
    quiet = singer.sing(score, curves=coarse)
    np.testing.assert_allclose(quiet.curves["loudness"][voiced], own["loudness"][voiced] - 3, atol=0.02)


def test_the_command_takes_and_gives_them(singer, score, toy_voice, tmp_path):
    words = ["sing", str(score), "--model", str(toy_voice), "-o", str(tmp_path / "a.wav")]
    assert program.main([*words, "--tables", str(tmp_path / "t")]) == 0
    assert program.main([*words, "--curves", str(tmp_path / "t" / "curves.npz")]) == 0
    assert program.main([*words, "--curves", str(tmp_path / "none.npz")]) == 1


@pytest.mark.parametrize(
    "curves, message",
    [
        ({"loudnes": np.zeros(9)}, "no curve 'loudnes' .did you mean 'loudness'"),
        ({"loudness": np.zeros(100)}, r"100 numbers, one each 0.005 s: that is 0.50 s, the song has"),
        ({"loudness": np.full(9, np.nan)}, "finite"),
        ({"loudness": np.zeros((9, 1))}, r"\(T,\) finite numbers, not \(9, 1\)"),
        ({"loudness": np.zeros(0)}, "finite numbers, not"),
        ({"loudness": np.array(["a"])}, "arrays of numbers"),
        ({"loudness": np.zeros(9), "tension": np.zeros(8)}, "one length, not loudness 9, tension 8"),
        ({"loudness": np.zeros(9), "frame_shift": np.zeros(1)}, "frame_shift must be one number"),
    ],
)
def test_curves_that_are_none_are_refused(curves, message, singer, score):
    with pytest.raises(DataError, match=message):
        singer.sing(score, curves=curves)


def npz(*members: tuple[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def npy(array: np.ndarray, shape: bytes = b"") -> bytes:
    """An ``.npy`` file, with another shape in its header where one is given."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return (
        buffer.getvalue().replace(b"(9,), }".ljust(15), b"(%s,), }" % shape) if shape else buffer.getvalue()
    )


OBJECT = io.BytesIO()
np.save(OBJECT, np.array([{}]), allow_pickle=True)


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "no NPZ file"),
        (b"not a zip", "no NPZ file"),
        (npz(("loudness.npy", b"\x93NUMPY")), "no NPZ file"),
        (npz(("loudness.npy", OBJECT.getvalue())), "size is not that"),
        (npz(("loudness.npy", npy(np.zeros(9), b"999999999"))), "size is not that"),
        (npz(("loudness.npy", npy(np.zeros(1 << 20))), kind=zipfile.ZIP_DEFLATED), "compressed data"),
        (npz(("loudness.npy", npy(np.zeros(9))))[:-30], "no NPZ file"),
    ],
)
def test_files_that_are_none_are_refused(data, message, tmp_path):
    path = tmp_path / "curves.npz"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message):
        Curves.read(path, 0.005)


def test_what_the_vocoder_does_not_honour_is_refused(singer):
    from nnsvs_lite.models.vocoder.griffin_lim import GriffinLim

    for name in ("breathiness", "voicing_change", "tension"):
        with pytest.raises(DataError, match="cannot be drawn: the voice's vocoder, GriffinLim"):
            Curves.of({name: np.zeros(9)}, 0.005).check_heard(GriffinLim(singer.spec))


def test_curves_that_the_acoustic_model_takes_are_told_it_and_sung(score, toy_voice):
    """Loudness is told and kept to; tension is told, and what the model leaves of it is made up."""
    voice = Singer.load(toy_voice)
    flags = [f"--model.variance.predict_{name}=true" for name in ("energy", "tension")]
    config = Config.read(ROOT / "conf/acoustic/fft_singer_tiny.yaml", [*flags, "--model.variance.hidden=16"])
    torch.manual_seed(0)
    voice = Singer(voice.timelag, voice.duration, shaken(config.build(voice.spec).eval(), 0.05))
    assert voice.acoustic.curves == ("loudness", "tension")
    own = voice.sing(score)
    voiced, heard = own.f0 > 0, []
    infer = voice.acoustic.infer
    voice.acoustic.infer = lambda batch: heard.append(set(batch.given)) or infer(batch)
    sung = voice.sing(score, curves={"loudness_change": np.full(len(voiced), 5.0)})
    np.testing.assert_allclose(sung.curves["loudness"][voiced], own.curves["loudness"][voiced] + 5, atol=0.05)
    assert heard[0] == set() and heard[-1] == {"loudness"}, "first as it would sing alone"
    tense = own.curves["tension"] + 2.0
    asked = {"tension": tense, "loudness_change": np.full(len(voiced), 5.0)}
    sung = voice.sing(score, curves=asked)
    assert heard[-1] == {"tension", "loudness"}
    np.testing.assert_allclose(sung.curves["tension"][voiced], tense[voiced], atol=0.1)
    np.testing.assert_allclose(sung.curves["loudness"][voiced], own.curves["loudness"][voiced] + 5, atol=0.05)


def test_a_drawn_f0_is_sung(score, toy_mel_dump, tmp_path):
    """A glide of three semitones where it is drawn, the voice's own F0 elsewhere; and 20 dB less loud."""
    from export_common import make_voice, spec_44k

    from nnsvs_lite.features.world import pyworld

    singer = Singer.load(make_voice(spec_44k(toy_mel_dump), tmp_path))
    song = singer.sing(score)
    drawn = np.zeros(len(song.f0))
    part = slice(len(drawn) // 8, len(drawn) // 2)
    drawn[part] = 250 * 2 ** (np.linspace(0, 3, part.stop - part.start) / 12)
    softer = np.full(len(drawn), -20.0)
    sung = singer.sing(score, curves={"f0": drawn, "loudness_change": softer})
    voiced = sung.f0 > 0
    np.testing.assert_array_equal(voiced, song.f0 > 0)
    inside = voiced & (drawn > 0)
    assert inside.sum() > 50
    np.testing.assert_allclose(sung.f0[inside], drawn[inside], rtol=1e-5)
    np.testing.assert_array_equal(sung.f0[voiced & (drawn == 0)], song.f0[voiced & (drawn == 0)])
    f0, times = pyworld.harvest(sung.waveform, sung.sample_rate, f0_floor=150, f0_ceil=600)
    at = (times / song.frame_shift).round().astype(int).clip(max=len(drawn) - 1)
    near = np.convolve(inside, np.ones(21), "same") > 20
    heard = (f0 > 0) & near[at]
    off = 1200 * np.log2(f0[heard] / drawn[at[heard]])
    assert np.median(np.abs(off)) < 10
    loud = singer.sing(score, curves={"f0": drawn})
    steady = inside & near
    np.testing.assert_allclose(
        sung.curves["loudness"][steady], loud.curves["loudness"][steady] - 20, atol=0.1
    )
    samples = slice(*(np.flatnonzero(steady)[[0, -1]] * song.frame_shift * song.sample_rate).astype(int))
    level = 10 * np.log10(np.mean(sung.waveform[samples] ** 2) / np.mean(loud.waveform[samples] ** 2))
    assert level == pytest.approx(-20, abs=1)


def test_an_f0_that_nobody_sings_is_refused(song, singer, score):
    with pytest.raises(DataError, match="f0 must be 20 to 5000 Hz, or 0"):
        singer.sing(score, curves={"f0": np.full(len(song.f0), 5.0)})
