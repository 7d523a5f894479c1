"""Audio files: no silent clipping, whole files only."""

import logging

import numpy as np
import pytest
import soundfile

from nnsvs_lite.features.audio import read_wav, resample, write_audio
from nnsvs_lite.io.errors import DataError


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_what_is_written_is_read_back(tmp_path, name):
    x = 0.9 * np.sin(np.arange(1000) * 0.1)
    assert write_audio(tmp_path / name, x, 24000) == 1.0
    y, rate = read_wav(tmp_path / name)
    assert rate == 24000
    assert soundfile.info(str(tmp_path / name)).subtype == "PCM_16"
    assert np.abs(x - y).max() < 1.5 * 2.0**-15


def test_loud_audio_is_scaled_and_said_to_be(tmp_path, caplog):
    x = 3.0 * np.sin(np.arange(1000) * 0.1)
    with caplog.at_level(logging.WARNING):
        gain = write_audio(tmp_path / "a.wav", x, 24000)
    y, _ = read_wav(tmp_path / "a.wav")
    assert gain == pytest.approx(0.33, rel=1e-3)
    assert np.abs(y - gain * x).max() < 1e-4
    assert "a.wav" in caplog.text and "scaled" in caplog.text


def test_quiet_audio_is_left_alone_and_nothing_is_said(tmp_path, caplog):
    assert write_audio(tmp_path / "a.wav", np.full(10, 0.989), 24000) == 1.0
    assert write_audio(tmp_path / "b.wav", np.zeros(0), 24000) == 1.0
    assert not caplog.text


def test_bad_samples_leave_no_file(tmp_path):
    for bad in (np.array([0.0, np.nan]), np.zeros((5, 3))):
        with pytest.raises(ValueError):
            write_audio(tmp_path / "a.wav", bad, 24000)
    assert list(tmp_path.iterdir()) == []


def test_bad_files_are_named(tmp_path):
    soundfile.write(str(tmp_path / "stereo.wav"), np.zeros((100, 2)), 24000)
    soundfile.write(str(tmp_path / "empty.wav"), np.zeros(0), 24000)
    (tmp_path / "text.wav").write_text("hello")
    faults = {"stereo": "2 channels", "empty": "no samples", "text": "cannot", "no": "cannot"}
    for name, words in faults.items():
        with pytest.raises(DataError, match=f"{name}.wav.*{words}"):
            read_wav(tmp_path / f"{name}.wav")


def test_resampling_keeps_time_and_level():
    t = np.arange(48000) / 48000
    x = np.sin(2 * np.pi * 440 * t)
    for rate in (24000, 44100, 16000):
        y = resample(x, 48000, rate)
        expected = np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
        assert len(y) == rate
        assert np.abs(y - expected)[500:-500].max() < 2e-3
    assert resample(x, 48000, 48000) is x
