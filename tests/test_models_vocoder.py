"""Vocoders are models: chosen for a specification, each row of a batch as it would be alone."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from models_common import ROOT, examples, mel_spec
from torch import nn
from toy import make_score

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.features.world import synthesize
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.base import VocoderModel
from nnsvs_lite.models.batch import collate
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.vocoder.griffin_lim import GriffinLim
from nnsvs_lite.models.vocoder.world import World
from nnsvs_lite.synthesis.singer import Singer
from nnsvs_lite.synthesis.vocoder import choose_vocoder, load_vocoder, waveform_of, waveforms_in_turn


class Hum(VocoderModel):
    """A sine of the pitch, times a weight."""

    inputs = ("lf0",)
    controls = ("pitch",)

    def __init__(self, spec):
        super().__init__(spec)
        self.loudness = nn.Parameter(torch.tensor(0.1))

    def loss(self, batch):
        raise NotImplementedError

    def synthesize(self, batch):
        hop = round(self.spec.frame_shift * self.spec.sample_rate)
        hz = batch.streams["lf0"][..., 0].exp().repeat_interleave(hop, dim=1)
        return self.loudness * torch.sin(2 * torch.pi * hz.cumsum(1) / self.spec.sample_rate)


@pytest.fixture(scope="module")
def phrases(toy_dump, spec):
    return examples(toy_dump, "eval", spec)


def test_world_gives_the_samples_of_the_analysis_it_undoes(spec, phrases):
    for phrase in phrases:
        made = waveform_of(World(spec), phrase.streams)
        expected = synthesize(**phrase.streams, config=spec.feature_config)
        assert made.dtype == np.float64 and np.array_equal(made, expected)


def test_phrases_are_made_at_once_and_come_in_order(spec, phrases, monkeypatch):
    class Meeting(World):
        """Goes on once another phrase is begun: one after the other, none would be."""

        meeting = threading.Barrier(2, timeout=20)

        def waveform(self, streams, seed):
            self.meeting.wait()
            return super().waveform(streams, seed)

    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    several = [phrase.streams for phrase in phrases[:2]] * 2
    made = list(waveforms_in_turn(Meeting(spec), several))
    expected = [waveform_of(World(spec), streams) for streams in several]
    assert len(several[0]["lf0"]) != len(several[1]["lf0"])
    assert all(map(np.array_equal, made, expected)) and len(made) == 4


@pytest.mark.parametrize("name", ["world", "griffin_lim"])
def test_each_row_of_a_batch_is_what_it_is_alone(name, spec, phrases):
    config = Config.read(ROOT / "conf" / "vocoder" / f"{name}.yaml")
    if name == "griffin_lim":
        spec = mel_spec(spec)
        phrases = [replace(p, streams=p.streams | {"mel": p.streams["mgc"]}) for p in phrases]
    vocoder = config.model_class(spec, **config.init_args)
    assert not list(vocoder.parameters()) and not vocoder.trains
    batch = collate(phrases, spec.frame_shift, seed=3)
    made = vocoder.synthesize(batch)
    sizes = [spec.feature_config.n_samples(p.frames) for p in phrases]
    assert made.shape == (len(phrases), max(sizes))
    for row, size, phrase in zip(made, sizes, phrases):
        assert np.array_equal(row[:size], waveform_of(vocoder, phrase.streams, seed=3))
        assert not row[size:].any()


def test_streams_that_do_not_fit_are_an_error(spec, phrases):
    streams = phrases[0].streams
    for wrong, message in (
        ({"mgc": streams["mgc"][1:]}, "finite and of one length"),
        ({"bap": streams["bap"] * np.nan}, "finite and of one length"),
        ({"lf0": streams["lf0"] * 0 + 12}, "an F0 above 12000 Hz, half the sampling rate"),
        ({"mgc": streams["mgc"] * 0 + 1e6}, "no finite waveform"),
    ):
        with pytest.raises(DataError, match=message):
            waveform_of(World(spec), streams | wrong)


def test_a_trained_one_is_taken_where_it_fits(spec, phrases):
    assert isinstance(choose_vocoder(spec), World) and isinstance(choose_vocoder(mel_spec(spec)), GriffinLim)
    hum = Hum(spec)
    assert choose_vocoder(mel_spec(spec), hum) is hum
    made = waveform_of(hum, phrases[0].streams)
    assert len(made) == spec.feature_config.n_samples(phrases[0].frames) and np.abs(made).max() > 0.09
    with pytest.raises(DataError, match="x: the vocoder needs lf0, which these features lack"):
        choose_vocoder(replace(spec, streams={"mgc": 8}), hum, "x")
    slower = replace(spec, feature_config=replace(spec.feature_config, frame_shift=0.01))
    with pytest.raises(
        DataError, match=r"x: the vocoder was trained on features of frame_shift 0.005, not 0.01: it cannot"
    ):
        choose_vocoder(slower, hum, "x")
    world = replace(spec.feature_config.world, alpha=0.3, fft_size=4096)
    other = replace(spec, feature_config=replace(spec.feature_config, world=world))
    with pytest.raises(
        DataError, match=r"world.alpha None, not 0.3; world.fft_size None, not 4096: it cannot"
    ):
        choose_vocoder(other, World(spec), "x")


class Loud(VocoderModel):
    """Hears the loudness of mel spectra, as natural logarithms of amplitudes, and nothing else."""

    inputs = ("mel",)
    reach = 0

    def synthesize(self, batch):
        hop = round(self.spec.frame_shift * self.spec.sample_rate)
        return batch.streams["mel"].exp().mean(-1).repeat_interleave(hop, dim=1)


def test_the_logarithm_of_mel_spectra_may_differ_and_nothing_else(spec):
    own = mel_spec(spec)

    def given(**more) -> Spec:
        features = own.feature_config
        return replace(own, feature_config=replace(features, mel=replace(features.mel, **more)))

    amplitudes = np.geomspace(1e-4, 1, 30 * 8, dtype=np.float32).reshape(30, 8)
    streams = {"mel": np.log(np.maximum(amplitudes, 1e-3))}
    plain = waveform_of(choose_vocoder(given(log_floor=1e-3), Loud(own)), streams)
    assert plain.max() == pytest.approx(amplitudes[-1].mean(), rel=1e-5)
    for log, logarithm in (("log10", np.log10), ("natural", np.log)):
        vocoder = choose_vocoder(given(log=log, log_floor=1e-4), Loud(given(log_floor=1e-3)))
        made = waveform_of(vocoder, {"mel": logarithm(amplitudes)})
        np.testing.assert_allclose(made, plain, rtol=1e-5)
    for name, value, told in (
        ("bins", 4, "bins 8, not 4"),
        ("fft_size", 2048, "fft_size 1024, not 2048"),
        ("win_size", 512, "win_size 1024, not 512"),
        ("fmin", 40.0, r"fmin 0.0, not 40.0"),
        ("fmax", 8000.0, r"fmax 12000.0, not 8000.0"),
        ("scale", "htk", "scale slaney, not htk"),
        ("power", 2.0, r"power 1.0, not 2.0"),
    ):
        with pytest.raises(
            DataError, match=rf"v: the vocoder was trained on features of mel\.{told}: it cannot"
        ):
            choose_vocoder(given(**{name: value}), Loud(own), "v")
    slower = replace(own, feature_config=replace(own.feature_config, sample_rate=44100, frame_shift=0.01))
    with pytest.raises(DataError, match=r"sample_rate 24000, not 44100; frame_shift 0.005, not 0.01: it"):
        choose_vocoder(slower, Loud(own), "v")


def test_those_that_learn_nothing_are_named(spec):
    assert isinstance(load_vocoder(spec, "world"), World)
    hn = load_vocoder(spec, "hn")
    assert not hn.training and not list(hn.parameters())
    both = replace(spec, streams=spec.streams | mel_spec(spec).streams)
    assert isinstance(load_vocoder(both, "griffin_lim"), GriffinLim)
    with pytest.raises(DataError, match="griffin_lim: the vocoder needs mel, which these features lack"):
        load_vocoder(spec, "griffin_lim")
    with pytest.raises(DataError, match="gryffin: no such checkpoint"):
        load_vocoder(spec, "gryffin")


def test_a_voice_sings_through_it(toy_voice, spec):
    voice = Singer.load(toy_voice)
    singer = Singer(voice.timelag, voice.duration, voice.acoustic, Hum(voice.spec))
    song = make_score(np.random.default_rng(0), 3)
    assert np.abs(singer.sing(song, vibrato=0.5).waveform).max() == pytest.approx(0.1, abs=1e-3)
    with pytest.raises(DataError, match="gender cannot be changed: the voice's vocoder, Hum"):
        singer.sing(song, gender=1.1)
