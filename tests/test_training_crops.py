"""What vocoders hear: pieces of recordings, read as such, and what is made of them."""

import dataclasses
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import soundfile
from toy import make_dump, make_recordings

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.features.audio import resample
from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.features.utterance import analyse
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.batch import Example
from nnsvs_lite.models.config import TrainingOptions
from nnsvs_lite.training.crops import cropped, faster, louder, speed_of
from nnsvs_lite.training.data import DumpDataset, Versions
from nnsvs_lite.training.recordings import Recordings

CONFIG = FeatureConfig.from_dict(
    {"sample_rate": 24000, "frame_shift": 0.005, "dither": 0, "world": {"mgc_order": 24}, "mel": {"bins": 40}}
)


@pytest.fixture(scope="module")
def song(tmp_path_factory) -> DataDir:
    """Four seconds of noise at 44.1 kHz, as WAV and FLAC, of which an utterance is a part."""
    folder = tmp_path_factory.mktemp("song")
    x = np.random.default_rng(0).normal(0, 0.1, 4 * 44100)
    for name in ("song.wav", "song.flac"):
        soundfile.write(str(folder / name), x, 44100)
    wavs = {"s_wav": folder / "song.wav", "s_flac": folder / "song.flac"}
    utts = {"u_wav": ("s_wav", 0.7, 3.1), "u_flac": ("s_flac", 0.7, 3.1)}
    return DataDir(folder / "data", wavs, dict.fromkeys(utts, "u"), segments=utts)


@pytest.mark.parametrize("rate", [44100, 24000, 48000])
@pytest.mark.parametrize("utt", ["u_wav", "u_flac"])
def test_a_piece_is_the_slice_of_the_whole(song, utt, rate):
    config = FeatureConfig.from_dict({"sample_rate": rate, "frame_shift": 0.005, "world": {}})
    whole = resample(*song.audio(utt), rate)
    recordings = Recordings(song, config)
    for first, count in ((0, 500), (0, len(whole)), (1, 1), (12345, 3000), (len(whole) - 700, 700)):
        piece = recordings.piece(utt, first, count)
        np.testing.assert_allclose(piece, whole[first : first + count], atol=1e-9)
    around = recordings.piece(utt, -40, len(whole) + 100)
    np.testing.assert_allclose(around, np.pad(whole, (40, 60)), atol=1e-9)
    assert not recordings.piece(utt, len(whole) + 99, 50).any()


def test_of_a_long_song_no_more_is_read_than_is_heard(song, monkeypatch):
    read = []
    real = soundfile.SoundFile.read

    def counted(self, frames=-1, *args, **more):
        read.append(frames)
        return real(self, frames, *args, **more)

    recordings = Recordings(song, dataclasses.replace(CONFIG, sample_rate=24000))
    recordings.check("u_wav", 10)
    monkeypatch.setattr(soundfile.SoundFile, "read", counted)
    recordings.piece("u_wav", 20_000, 2400)
    assert 0 < sum(read) < 2400 * 44100 / 24000 + 800


def test_played_faster_it_is_the_whole_resampled(song):
    speed = Fraction(5, 4)
    config = dataclasses.replace(CONFIG, sample_rate=44100)
    whole = resample(song.audio("u_wav")[0], 5, 4)
    piece = Recordings(song, config).piece("u_wav", 3001, 2000, speed)
    np.testing.assert_allclose(piece, whole[3001:5001], atol=1e-9)


def glide(rate: int = 24000, seconds: float = 1.5, low: float = 150.0, high: float = 300.0) -> np.ndarray:
    """A voice-like tone that glides up, with eight harmonics and a floor of noise."""
    f0 = np.linspace(low, high, round(seconds * rate))
    turns = np.cumsum(f0) / rate
    noise = np.random.default_rng(0).normal(0, 2e-3, len(turns))
    return noise + 0.1 * sum(np.cos(2 * np.pi * k * turns) / k for k in range(1, 9))


@pytest.fixture(scope="module")
def sung(tmp_path_factory) -> DumpDataset:
    """A dump of one glide, analysed, with its recording."""
    folder = tmp_path_factory.mktemp("sung")
    dump = make_dump(folder / "dump", {"train": 1}, notes=(1, 1))
    x = glide()
    soundfile.write(str(folder / "x.wav"), x, 24000, subtype="FLOAT")
    streams = analyse(x, CONFIG)
    recordings = DataDir(folder / "data", {"toy_train000": folder / "x.wav"}, {"toy_train000": "toy"})
    data = DumpDataset(dump, "train", Spec.read(dump), streams=("lf0",), score=False, recordings=recordings)
    data.spec = dataclasses.replace(data.spec, feature_config=CONFIG)
    data.recordings = Recordings(recordings, CONFIG)
    data.frames = [len(streams["lf0"])]
    data._cache[0] = Example("toy_train000", streams=streams)
    return data


def test_a_gain_is_that_of_the_louder_recording_analysed(sung):
    whole = sung[0]
    for decibels in (-23.0, 5.0):
        made = louder(whole, decibels, CONFIG)
        gain = 10 ** (decibels / 20)
        np.testing.assert_allclose(made.streams["wav"], whole.streams["wav"] * gain, rtol=1e-5)
        there = analyse(made.streams["wav"][:, 0].astype(np.float64), CONFIG, made.frames)
        for name, within in {"mel": 2e-3, "mgc": 2e-3, "lf0": 1e-3}.items():
            # The tracker may find the glide's two ends otherwise.
            inner = slice(20, -20)
            np.testing.assert_allclose(made.streams[name][inner], there[name][inner], atol=within)
        np.testing.assert_array_equal(made.streams["bap"], whole.streams["bap"])
    assert np.abs(louder(whole, 60.0, CONFIG).streams["wav"]).max() <= 0.9901


@pytest.mark.parametrize(("log", "power"), [("natural", 1.0), ("log10", 2.0)])
def test_a_gain_leaves_the_floor_of_the_logarithm(log, power):
    config = dataclasses.replace(CONFIG, mel=dataclasses.replace(CONFIG.mel, log=log, power=power))
    x = np.concatenate([np.zeros(4800), glide(seconds=0.3)])
    streams = analyse(x, config)
    whole = Example("u", streams=streams | {"wav": x[:, None].astype(np.float32)})
    for decibels in (-30.0, 4.0):
        made = louder(whole, decibels, config).streams
        there = analyse(x * 10 ** (decibels / 20), config, whole.frames)
        # A band that was above the floor nowhere tells nothing; between, the floor is a bound.
        sure = streams["mel"] > streams["mel"].min() + 1e-6
        np.testing.assert_allclose(made["mel"][sure], there["mel"][sure], atol=2e-3)
        assert made["mel"].min() == streams["mel"].min()


@pytest.mark.parametrize("semitones", [4.0, -3.0])
def test_played_faster_a_recording_is_higher_and_its_features_are_its_own(sung, semitones):
    speed = speed_of(semitones)
    assert abs(12 * np.log2(float(speed)) - semitones) < 0.15
    piece = faster(sung, 0, 40, 60, speed)
    assert piece.frames == 60 and len(piece.streams["wav"]) == 60 * 120
    whole = resample(glide(), speed.numerator, speed.denominator)
    np.testing.assert_allclose(piece.streams["wav"][:, 0], whole[4800:12000], atol=1e-4)
    there = analyse(whole, CONFIG)
    at = slice(40, 100)
    np.testing.assert_allclose(piece.streams["lf0"], there["lf0"][at], atol=4e-3)
    np.testing.assert_allclose(piece.streams["mel"], there["mel"][at], atol=2e-2)
    assert np.abs(piece.streams["mgc"] - there["mgc"][at])[:, :10].mean() < 0.05
    f0 = np.exp(piece.streams["lf0"][:, 0])
    seconds = (40 + np.arange(60)) * 0.005 * float(speed)
    np.testing.assert_allclose(f0, (150 + 100 * seconds) * float(speed), rtol=0.01)


def drawn_in(sung, options: TrainingOptions, epoch: int) -> Example:
    """The first utterance as one epoch sees it."""
    return Versions(sung, partial(cropped, options=options), options.seed, epoch)[0]


def test_what_is_drawn_depends_on_seed_epoch_and_utterance(sung):
    options = TrainingOptions(crop_frames=30, loudness=12.0, transpose=5)

    def draw(**more) -> Example:
        epoch = more.pop("epoch", 1)
        return drawn_in(sung, dataclasses.replace(options, **more), epoch)

    first, again = draw(), draw()
    for name, values in first.streams.items():
        np.testing.assert_array_equal(values, again.streams[name])
        assert len(values) == (30 * 120 if name == "wav" else 30)
    others = (draw(seed=1), draw(epoch=2), draw(loudness=0.0), draw(transpose=0))
    assert all((other.streams["wav"] != first.streams["wav"]).any() for other in others)
    # Phrases that are too short stay whole.
    whole = draw(crop_frames=1000, loudness=0.0, transpose=0)
    np.testing.assert_array_equal(whole.streams["wav"], sung[0].streams["wav"])


@pytest.mark.parametrize("crop", [0, 290, 1000])
def test_whole_phrases_too_are_sung_higher_and_lower(crop, sung):
    options = TrainingOptions(crop_frames=crop, transpose=6)
    drawn = [drawn_in(sung, options, epoch) for epoch in range(40)]
    # Played faster, a phrase is shorter; played slower, what a batch has room for is taken of it.
    plain = min(crop or sung.frames[0], sung.frames[0])
    shorter = sum(example.frames < plain for example in drawn)
    assert 8 < shorter < 32 and all(example.frames <= plain for example in drawn)


def test_a_recording_that_is_too_short_is_refused_when_it_is_played_faster_too(sung):
    sung.recordings._rates.clear()
    frames = sung.frames[0]
    sung.frames[0] = frames * 2
    try:
        with pytest.raises(DataError, match="are recorded, the features have"):
            faster(sung, 0, 0, 20, Fraction(5, 4))
    finally:
        sung.frames[0] = frames


def test_recordings_that_are_too_short_are_refused(song):
    recordings = Recordings(song, CONFIG)
    with pytest.raises(DataError, match=r"u_wav: 2.400 s are recorded, the features have 2.500 s"):
        recordings.check("u_wav", 500)
    recordings.check("u_wav", 485)


def test_pieces_of_a_dump_are_slices_of_its_examples(tmp_path):
    dump = make_dump(tmp_path / "dump", {"train": 2}, notes=(1, 2))
    data = DataDir.read(make_recordings(dump, tmp_path / "data", ("train",)) / "train")
    given = {"streams": ("lf0", "mgc"), "score": False, "recordings": data}
    phrases = DumpDataset(dump, "train", Spec.read(dump), **given)
    whole, piece = phrases[1], phrases.piece(1, 13, 25)
    assert piece.frames == 25
    np.testing.assert_array_equal(piece.streams["mgc"], whole.streams["mgc"][13:38])
    np.testing.assert_array_equal(piece.streams["wav"], whole.streams["wav"][13 * 120 : 38 * 120])
