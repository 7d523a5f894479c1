"""Every neural vocoder: what it makes, of what, and that it learns."""

import copy
import re

import pytest
import torch
from models_common import shaken
from vocoder_common import (
    CONF,
    FULL,
    NEURAL,
    TINY,
    batch_of,
    build,
    check_alone_and_in_pieces,
    check_falls,
    check_reach,
    features_of,
    head,
    padded,
)

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.checkpoint import load_model, save_model
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.foreign import bare_spec

MEL, WORLD = (
    bare_spec(FeatureConfig.from_dict({"sample_rate": 24000, "hop_size": 120, **more}))
    for more in ({"mel": {"bins": 12, "fft_size": 512, "win_size": 480}}, {"world": {"mgc_order": 11}})
)

CERTAIN = {"hifigan_tiny", "vocos_tiny", "bigvgan_tiny"}
"""Those that make the same whatever the seed."""

every_tiny = pytest.mark.parametrize("path", TINY, ids=lambda p: p.stem)
every_full = pytest.mark.parametrize("path", FULL, ids=lambda p: p.stem)


@pytest.mark.parametrize("path", NEURAL, ids=lambda p: p.stem)
def test_parameters_are_as_many_as_the_head_says_and_as_were_published(path):
    with torch.device("meta"):
        count = sum(p.numel() for p in build(path, bare_spec(features_of(path))).parameters())
    assert head(path, "Parameters") == f"{count:,}"
    published = re.search(r"^# Published: ([\d.]+) M", path.read_text(), re.MULTILINE)
    assert published is None or count / 1e6 == pytest.approx(float(published[1]), rel=0.02)


def test_every_system_has_a_tiny_one_of_its_class():
    classes = {Config.read(path).class_path for path in TINY}
    assert {Config.read(path).class_path for path in FULL} == classes


@every_tiny
@pytest.mark.parametrize("spec", [MEL, WORLD], ids=["mel", "world"])
def test_a_phrase_in_a_batch_and_in_pieces_is_as_it_is_alone(path, spec):
    model = shaken(build(path, spec), 0.02)
    assert set(model.inputs) <= set(spec.streams) and model.reach is not None
    check_alone_and_in_pieces(model, spec, 3, 130, 75)


def test_frames_in_the_middle_of_their_samples_are_cut_into_pieces_too():
    config = Config.read(CONF / "vocoder" / "nsf_hifigan_tiny.yaml", ["--model.middle=true"])
    torch.manual_seed(0)
    model = shaken(config.build(MEL).eval(), 0.02)
    batch = batch_of(MEL, 90, wav=False)
    with torch.inference_mode():
        whole = model.synthesize(batch)
        joined = torch.cat(list(model.in_pieces(batch, 30)), dim=1)
        batch.streams["lf0"][:], batch.streams["vuv"][:] = 5.5, 1.0
        shifted = model.synthesize(batch)
        model.middle = False
        unshifted = model.synthesize(batch)
    assert whole.shape == (1, 90 * 120)
    assert (joined - whole).abs().max() < 1e-3 * whole.std()
    torch.testing.assert_close(shifted[:, :9000], unshifted[:, 60:9060], rtol=1e-3, atol=1e-4)


@every_tiny
def test_what_lies_further_than_its_reach_is_not_heard_and_what_lies_within_is(path):
    model = shaken(build(path, MEL), 0.02)
    check_reach(model, batch_of(MEL, 2 * model.reach + 61, wav=False), ("mel",), 3.0)


@every_tiny
def test_chance_is_of_the_seed(path):
    model = shaken(build(path, MEL), 0.02)
    with torch.inference_mode():
        a, b, c = (model.synthesize(batch_of(MEL, 20, wav=False, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(a, b) and torch.equal(a, c) == (path.stem in CERTAIN)


@every_tiny
def test_both_networks_learn(path):
    model = build(path, MEL).train()
    judge = model.discriminator()
    batch = batch_of(MEL, 30, 30)
    wav, real = model.pair(batch)
    assert wav.shape == real.shape
    model.discriminator_loss(judge(real), judge(wav.detach())).backward()
    assert all(p.grad is not None for p in judge.parameters())
    with torch.no_grad():
        scores = judge(real)
    losses = model.distance(wav, real, batch)
    (losses["loss"] + sum(model.generator_loss(scores, judge(wav)).values())).backward()
    unused = [name for name, p in model.named_parameters() if p.grad is None]
    assert not unused, "parameters without a gradient stop training on several devices"
    assert all(p.grad.isfinite().all() for p in model.parameters())


@every_tiny
def test_the_distance_falls_on_one_batch(path):
    check_falls(build(path, MEL), batch_of(MEL, 24), steps=15, lr=2e-3, least=0.04, clip=10.0)


@every_tiny
def test_padding_changes_no_loss(path):
    model = shaken(build(path, MEL), 0.02)
    batch = batch_of(MEL, 20, 31)
    wider = padded(batch, 9, 120)
    with torch.no_grad():
        torch.testing.assert_close(model.loss(wider)["loss"], model.loss(batch)["loss"], rtol=1e-4, atol=1e-4)


@every_tiny
def test_a_checkpoint_sings_the_same(path, tmp_path):
    model = shaken(build(path, MEL), 0.02)
    save_model(tmp_path / "model.pt", model, Config.read(path), {})
    batch = batch_of(MEL, 9, wav=False)
    with torch.inference_mode():
        expected = model.synthesize(batch)
        assert torch.equal(load_model(tmp_path, "vocoder").synthesize(batch), expected)
        assert torch.equal(copy.deepcopy(model).synthesize(batch), expected), "as means of weights are made"


@pytest.mark.parametrize("path", NEURAL, ids=lambda p: p.stem)
def test_no_tensor_is_made_on_a_fixed_device(path):
    spec = MEL if path in TINY else bare_spec(features_of(path))
    with torch.device("meta"):
        model, judge = build(path, spec), Config.read(path).build(spec).discriminator()
    batch = batch_of(spec, 8, 12).to("meta")
    wav, real = model.to("meta").pair(batch)
    made = {**model.distance(wav, real, batch), **model.generator_loss(judge(real), judge(wav))}
    assert wav.shape == (2, 12 * model.hop)
    assert {value.device.type for value in made.values()} == {"meta"}


@pytest.mark.slow
@every_full
def test_full_size_learns(path):
    spec = bare_spec(features_of(path))
    check_falls(build(path, spec), batch_of(spec, 8), steps=3, lr=1e-4, least=0.0, clip=10.0)


def test_a_true_spectrum_is_the_waveform_that_it_is_of():
    torch.manual_seed(0)
    model, x = build(CONF / "vocoder" / "vocos_tiny.yaml", MEL), torch.randn(2, 3000)
    spectra = torch.stft(x, 512, 120, window=torch.hann_window(512), return_complex=True).transpose(1, 2)
    made = model.waveform(spectra.abs().log(), spectra.angle())
    assert made.shape == (2, 26 * 120)
    torch.testing.assert_close(made[:, 256:2740], x[:, 256:2740], rtol=0, atol=1e-5)


def test_what_does_not_fit_is_said():
    tiny = CONF / "vocoder" / "hifigan_tiny.yaml"
    config = Config.read(tiny, ["--model.rates=[5, 4, 4]", "--model.up_kernels=[11, 8, 8]"])
    with pytest.raises(DataError, match=r"rates 5 \* 4 \* 4 = 80 samples a frame, these features have 120"):
        config.build(MEL)
    for name, option, said in (
        ("hifigan_tiny", "channels=4", "4 rates need 16 channels at least|3 rates need 8 channels at least"),
        ("hn_sinc_nsf_tiny", "order=30", "order 30 must be odd"),
        ("hn_sinc_nsf_tiny", "hidden=2", "hidden 2 at least 4"),
    ):
        with pytest.raises(DataError, match=said):
            Config.read(tiny.with_name(f"{name}.yaml"), [f"--model.{option}"]).build(MEL)
    with pytest.raises(DataError, match="up_kernels must be of one length, not 3 and 1"):
        Config.read(tiny, ["--model.up_kernels=[11]"]).build(MEL)
    with pytest.raises(DataError, match="needs mgc, bap, which these features lack"):
        Config.read(tiny, ["--model.conditioned_on=world"]).build(MEL)
    half = bare_spec(FeatureConfig.from_dict({"sample_rate": 44100, "frame_shift": 0.005, "world": {}}))
    with pytest.raises(DataError, match="a frame of 220.5 samples"):
        Config.read(tiny).build(half)
