"""Harmonics in mel spectra: of tones made for the purpose, in the rule, and where the pitch moves."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from models_common import ROOT, batch_of, build, examples
from toy import make_dump
from vocoder_common import tone

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.mel import log_mel, mel_edges
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.layers.acoustic_floor import AcousticFloor, SmoothFloor
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.models.layers.harmonics import FULL, LOWEST, STEPS, HarmonicComb, combs
from nnsvs_lite.models.layers.movement import Movement

CONFIG = FeatureConfig.read(ROOT / "conf/features/mel_24k.yaml")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_dump(tmp_path_factory.mktemp("harmonics"), {"train": 4}, mgc=80, mel=True)


@pytest.fixture(scope="module")
def spec(folder) -> Spec:
    return Spec.read(folder)


@pytest.fixture(scope="module")
def items(folder, spec):
    return examples(folder, "train", spec)


@pytest.mark.parametrize("hz", [150.0, 220.0, 415.3, 880.0])
def test_a_tone_has_the_spectrum_of_its_comb(hz):
    mel = log_mel(tone(hz), CONFIG, 150)[40:110].mean(0)
    expected = combs(CONFIG)[round(12 * STEPS * np.log2(hz / LOWEST))]
    centres = mel_edges(80, 63, 12000)[1:-1]
    near = (centres > 100) & (centres < FULL)
    a, b = mel[near] - mel[near].mean(), expected[near] - expected[near].mean()
    assert np.corrcoef(a, b)[0, 1] > (0.97 if hz > 200 else 0.8)
    assert np.abs(a - b).mean() < 0.3


def test_of_the_pitches_of_training_nothing_is_left_on_average(spec):
    comb = HarmonicComb(spec)
    mean, std = (getattr(spec.stats.streams["lf0"], name)[0] for name in ("mean", "std"))
    torch.manual_seed(0)
    value = comb((mean + std * torch.randn(1, 20000, 1)).clamp(3.8, 7.3))[0]
    assert value.mean(0).abs().max() < 0.05 < value.std(0).max()
    # Beyond what harmonics are heard of, the pitch says nothing.
    assert not comb(torch.full((1, 1, 1), 5.5))[..., -5:].any()


def test_the_rule_has_the_harmonics_of_its_pitch_where_it_is_voiced(spec, items):
    batch = batch_of(items[:2], spec)
    phone = phone_of_frame(batch)
    comb = HarmonicComb(spec)
    for rule, pitch in ((AcousticFloor(spec), "steps"), (SmoothFloor(spec), "smooth")):
        made = rule(batch, phone)
        plain = (rule if pitch == "steps" else rule.steps).plain(batch, phone)["mel"]
        added = made["vuv"] * comb(made["lf0"])
        if pitch == "steps":
            torch.testing.assert_close(made["mel"], plain + added)
        else:
            assert (made["mel"] - added - plain)[batch.frame_mask].abs().mean() < 0.1 * added.abs().mean()


def test_a_vibrato_moves_the_harmonics_along(spec, items):
    config = Config.read(ROOT / "conf/acoustic/resf0_conv.yaml", ["--model.options.gv=0"])
    config.init_args["options"] = replace(config.init_args["options"], movement=0.0)
    model = config.build(spec).eval()
    batch = batch_of(items[:1], spec)
    model.vibrato_habit = None
    still = model.infer(batch)
    wave = 0.05 * torch.sin(torch.arange(batch.max_frames) / 5)[None, :, None]
    model._movement = lambda batch, lf0: wave
    moved = model.infer(batch)
    comb = HarmonicComb(spec)
    difference = comb(moved["lf0"]) - comb(still["lf0"])
    torch.testing.assert_close(moved["mel"] - still["mel"], still["vuv"] * difference, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(moved["lf0"] - still["lf0"], moved["vibrato"], rtol=0, atol=1e-6)


def test_movement_of_mel_is_of_bands_above_1200_hz_and_not_of_the_singers_pitch(spec, items):
    comb, size = HarmonicComb(spec), 80

    def sung(item, wave):
        lf0 = item.streams["lf0"] + (0.03 * np.sin(np.arange(item.frames) / 5)[:, None]).astype(np.float32)
        mel = item.streams["vuv"] * comb(torch.tensor(lf0)[None])[0].numpy()
        mel = (mel + wave(item.frames)).astype(np.float32)
        return replace(item, streams=item.streams | {"lf0": lf0, "mel": mel})

    layer = Movement(spec, 1.0)
    batch = batch_of(items[:2], spec)
    zero = {name: torch.zeros_like(value) for name, value in batch.streams.items()}
    layer.fit([sung(item, lambda n: 0.0) for item in items])
    assert layer(zero, batch, phone_of_frame(batch))["mel"].abs().max() < 1e-2
    layer.fit(
        [sung(item, lambda n: np.sin(2 * np.pi * 20 * np.arange(n) * 0.005)[:, None]) for item in items]
    )
    moved = layer(zero, batch, phone_of_frame(batch))["mel"]
    low = int((mel_edges(size, 0, 12000)[1:-1] < 1200).sum())
    assert not moved[..., :low].any() and moved[..., low:].abs().max() > 0.5 * layer.strength
    assert build(ROOT / "conf/acoustic/resf0_conv.yaml", spec).movement.name == "mel"
