"""A voice of mel spectra sings by the same call, through Griffin-Lim."""

import numpy as np
import pytest
from models_common import mel_spec

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.acoustic.rule import RuleAcoustic
from nnsvs_lite.score import Note, Score
from nnsvs_lite.synthesis.singer import Singer
from nnsvs_lite.synthesis.vocoder import waveform_of

SCORE = Score((Note(0, 0.5, 0), Note(0.5, 1.0, 60, "ら"), Note(1.0, 1.5, 64, "ま"), Note(1.5, 2.0, 0)))


@pytest.fixture(scope="module")
def singer(toy_voice) -> Singer:
    world = Singer.load(toy_voice)
    return Singer(world.timelag, world.duration, RuleAcoustic(mel_spec(world.spec)))


def test_its_waveform_is_that_of_the_vocoder(singer):
    song = singer.sing(SCORE, seed=3)
    assert sorted(song.phrases[0].streams) == ["lf0", "mel", "vuv"]
    assert len(song.waveform) == 2 * song.sample_rate and np.isfinite(song.waveform).all()
    made = waveform_of(singer.vocoder, song.phrases[0].streams, seed=3)
    start = round(song.phrases[0].start * song.sample_rate)
    sung = song.waveform[start:][song.sample_rate // 4 : song.sample_rate]
    np.testing.assert_allclose(sung, made[song.sample_rate // 4 : song.sample_rate], atol=1e-9)
    assert np.abs(sung).max() > 0
    again, other = singer.sing(SCORE, seed=3), singer.sing(SCORE, seed=4)
    assert (again.waveform == song.waveform).all() and (other.waveform != song.waveform).any()


@pytest.mark.parametrize("option", ["vibrato", "pitch_deviation", "gender"])
def test_what_needs_world_is_refused(singer, option):
    with pytest.raises(DataError, match="cannot be changed: the voice's vocoder, GriffinLim"):
        singer.sing(SCORE, **{option: 1.2})
