"""Seeded sampling as it is heard: waveform files of systems and vocoders that draw by chance."""

from pathlib import Path

import numpy as np
import pytest
import torch
from models_common import ROOT, build, examples, shaken

from nnsvs_lite.features.audio import read_wav, write_audio
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.config import Config
from nnsvs_lite.synthesis.predict import predict_acoustic
from nnsvs_lite.synthesis.vocoder import waveforms_of


@pytest.fixture(scope="module")
def voice(toy_mel_dump):
    """Phrases of several lengths, a diffusion system and a vocoder that takes noise."""
    spec = Spec.read(toy_mel_dump)
    items = [*examples(toy_mel_dump, "eval", spec), *examples(toy_mel_dump, "dev", spec)]
    acoustic = shaken(build(ROOT / "conf/acoustic/diffsinger_tiny.yaml", spec), 0.05)
    torch.manual_seed(0)
    return items, acoustic, Config.read(ROOT / "conf/vocoder/nsf_hifigan_tiny.yaml").build(spec).eval()


def files(voice, folder: Path, seed: int, budget: int, together: int) -> list[Path]:
    """A waveform file of each phrase; spectra are made in batches of ``budget`` frames, sound of so many."""
    items, acoustic, vocoder = voice
    sung = dict(predict_acoustic(items, acoustic, budget=budget, seed=seed))
    waves = []
    for first in range(0, len(items), together):
        streams = [sung[i] for i in range(first, min(first + together, len(items)))]
        waves += waveforms_of(vocoder, streams, seed=seed)
    folder.mkdir()
    for number, wave in enumerate(waves):
        # As loud as singing is: an untrained vocoder whispers.
        write_audio(folder / f"{number}.wav", wave / max(np.abs(waves[0]).max(), 1e-3) * 0.5, 24000)
    return sorted(folder.iterdir())


def test_a_seed_is_one_waveform_whatever_the_batch(voice, tmp_path):
    made = files(voice, tmp_path / "a", 7, 5000, 5)
    for path, again in zip(made, files(voice, tmp_path / "again", 7, 5000, 5), strict=True):
        assert path.read_bytes() == again.read_bytes()
    for path, other in zip(made, files(voice, tmp_path / "other", 8, 5000, 5), strict=True):
        assert path.read_bytes() != other.read_bytes()
    for name, budget, together in (("alone", 1, 1), ("pairs", 1200, 2)):
        for path, other in zip(made, files(voice, tmp_path / name, 7, budget, together), strict=True):
            (own, _), (found, _) = read_wav(path), read_wav(other)
            assert own.shape == found.shape and np.abs(own).max() > 0.1
            # Sums in another order differ in the last bits of single precision: 16 bits may round apart.
            assert np.abs(own - found).max() <= 2 / 32768
