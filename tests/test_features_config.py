"""Feature configurations: what is read, and what is refused with file and line."""

from pathlib import Path

import pytest

from nnsvs_lite.features.config import FeatureConfig, bap_size
from nnsvs_lite.io.errors import DataError

CONF = Path(__file__).parents[1] / "conf" / "features"
PLAIN = "sample_rate: 24000\nframe_shift: 0.005\nworld:\n  mgc_order: 59\n"


def read(tmp_path, text):
    path = tmp_path / "feats.yaml"
    path.write_text(text, encoding="utf-8")
    return FeatureConfig.read(path)


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_config_reads_and_survives_a_round_trip(path):
    config = FeatureConfig.read(path)
    assert FeatureConfig.from_dict(config.to_dict()) == config
    # F0 is extracted up to where metrics look for it.
    assert config.f0.ceil >= 1100
    assert path.read_text(encoding="utf-8").startswith("#")


def test_streams_and_sizes():
    assert FeatureConfig.read(CONF / "world_24k.yaml").streams == {"lf0": 1, "vuv": 1, "mgc": 60, "bap": 3}
    assert FeatureConfig.read(CONF / "world_48k.yaml").streams == {"lf0": 1, "vuv": 1, "mgc": 60, "bap": 5}
    assert FeatureConfig.read(CONF / "mel_24k.yaml").streams == {"lf0": 1, "vuv": 1, "mel": 80}
    assert [bap_size(rate) for rate in (16000, 22050, 24000, 44100, 48000, 96000)] == [1, 2, 3, 5, 5, 5]


def test_hop_size_is_exact(tmp_path):
    config = read(tmp_path, "sample_rate: 24000\nhop_size: 128\nmel:\n  bins: 80\n")
    assert config.frame_shift == 128 / 24000
    assert config.n_samples(1000) == 128000
    assert config.to_dict()["hop_size"] == 128 and "frame_shift" not in config.to_dict()


def test_a_number_without_a_dot_is_a_number(tmp_path):
    assert read(tmp_path, PLAIN + "dither: 1e-5\n").dither == 1e-5


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (PLAIN + "f0:\n  traker: dio\n", 6, ["unknown key f0.traker", "'tracker'"]),
        (PLAIN + "f0:\n  tracker: doi\n", 6, ["f0.tracker", "harvest", "did you mean 'dio'"]),
        (PLAIN + "sample_rates: 1\n", 5, ["unknown key", "'sample_rate'"]),
        (PLAIN + "dither: loud\n", 5, ["dither must be a number", "'loud'"]),
        (PLAIN + "resample: 1\n", 5, ["resample must be true or false"]),
        (PLAIN + "hop_size: 120\n", 2, ["frame_shift", "hop_size", "not both"]),
        (PLAIN + "f0:\n  ceil: 9000\n", 6, ["f0.ceil"]),
        (PLAIN + "f0:\n  floor: .nan\n", 6, ["f0.floor must be a number"]),
        (PLAIN + "f0: dio\n", 5, ["f0 must be a mapping"]),
        (PLAIN + "  fft_size: 512\n", 5, ["world.fft_size", "too small"]),
        (PLAIN + "  fft_size: 1000\n", 5, ["power of two"]),
        (PLAIN + "mel:\n  fmax: 16000\n", 6, ["mel.fmax", "half the sampling rate"]),
        (PLAIN + "dither: 0\ndither: 0\n", 6, ["twice"]),
        ("sample_rate: 24000\nworld: {}\n", None, ["frame_shift must lie"]),
        ("frame_shift: 0.005\nworld: {}\n", None, ["sample_rate is missing"]),
        ("sample_rate: 24000\nframe_shift: 0.005\n", None, ["'world'", "'mel'"]),
        ("sample_rate: 24000\nframe_shift: 5\nworld: {}\n", 2, ["frame_shift", "s"]),
        ("a: [1\n", 2, ["not YAML"]),
        ("- 1\n", None, ["mapping"]),
    ],
)
def test_faults_are_named_with_their_line(tmp_path, text, line, words):
    with pytest.raises(DataError) as caught:
        read(tmp_path, text)
    where = str(tmp_path / "feats.yaml") + (f":{line}" if line else "")
    assert str(caught.value.where) == where
    assert all(word in caught.value.what for word in words), caught.value.what
