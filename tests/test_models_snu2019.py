"""Lee et al. 2019: what hears what, the formant mask, coarse bands; and causal convolutions."""

import dataclasses

import numpy as np
import pytest
import torch
from models_common import ROOT, batch_of, build, examples, shaken
from toy import make_dump

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.mel import filterbank, log_mel
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.acoustic.snu2019 import coarse_bands, filtered
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.layers.causal import CausalConv1d, GatedConv, GatedConvs
from nnsvs_lite.models.layers.expand import phone_of_frame

TINY = ROOT / "conf/acoustic/snu2019_tiny.yaml"
LINEAR = FeatureConfig.read(ROOT / "conf/features/linear_24k.yaml")


@pytest.fixture(scope="module")
def spec(toy_mel_dump) -> Spec:
    return Spec.read(toy_mel_dump)


@pytest.fixture(scope="module")
def items(toy_mel_dump, spec):
    return sorted(examples(toy_mel_dump, "train", spec), key=lambda e: e.frames)


def test_linear_features_are_the_spectrum_itself():
    bank = filterbank(24000, LINEAR.mel)
    factor = 1024 / 24000
    np.testing.assert_allclose(bank[:, 1:-1], factor * np.eye(511), atol=1e-12)
    # A sine on bin 100: its log magnitude there is that of half the window's sum.
    x = 0.5 * np.cos(2 * np.pi * 100 / 1024 * np.arange(24000))
    mel = log_mel(x, LINEAR, 200)
    assert mel[100].argmax() == 99
    assert mel[100, 99] == pytest.approx(np.log(0.5 * 1024 / 4 * factor), abs=1e-3)


def test_coarse_bands_are_means_over_triangles():
    dims = {"sample_rate": 24000, "frame_shift": 0.005}
    spec = type("Bare", (), {"feature_config": FeatureConfig.from_dict(dims | LINEAR_MEL, "x")})
    bands = coarse_bands(spec, 80)
    np.testing.assert_allclose(bands.sum(1), 1.0, rtol=1e-6)
    centres = bands @ (np.arange(1, 512) * 24000 / 1024)
    assert (np.diff(centres) > 0).all() and centres[0] < 100 and 10500 < centres[-1] < 12000
    # Where a band is narrower than a bin it has the nearest one, and none is left out on the whole.
    assert (bands.sum(0)[5:] > 0).mean() > 0.9 and ((bands > 0).sum(1) >= 1).all()


LINEAR_MEL = {"mel": {"bins": 511, "fft_size": 1024, "win_size": 1024, "scale": "linear"}}


@pytest.mark.parametrize("highway", [True, False])
def test_causal_layers_hear_no_future_and_step_by_step_are_the_same(highway):
    torch.manual_seed(0)
    stack = GatedConvs(4, 3, (1, 3, 2), causal=True, highway=highway)
    x = torch.randn(2, 12, 4)
    mask = torch.ones(2, 12, dtype=torch.bool)
    with torch.no_grad():
        whole, past = stack(x, mask), stack.start(x)
        steps = torch.stack([stack.step(row, past) for row in x.unbind(1)], dim=1)
        torch.testing.assert_close(steps, whole, rtol=1e-5, atol=1e-6)
        later = x.clone()
        later[:, 7] += 1.0
        moved = (stack(later, mask) != whole).any(-1).any(0)
    assert moved.tolist() == [False] * 7 + [True] * 5


def test_gates_have_their_published_forms():
    x, both = torch.tensor([[2.0]]), torch.tensor([[4.0, 0.0]])
    assert GatedConv(1, 3, highway=True).mix(x, both).item() == pytest.approx(0.5 * 4 + 0.5 * 2)
    assert GatedConv(1, 3).mix(x, both).item() == pytest.approx((2 + 4 * 0.5) * 0.5**0.5)
    assert CausalConv1d(1, 1, 3, 4).reach == 8


def test_a_coarse_frame_hears_no_later_one(spec, items):
    model = shaken(build(TINY, spec))
    batch = batch_of(items[:1], spec)
    phone = phone_of_frame(batch)
    text, pitch = (x[:, ::4] for x in model.texts(batch, phone))
    steps = torch.ones(text.shape[:2], dtype=torch.bool)
    true = torch.randn(*text.shape[:2], model.mel.size)
    with torch.no_grad():
        before = model.mel(text, pitch, steps, true, 0)[0]
        true[:, 20] += 1.0
        pitch[:, 30] += 1.0
        after = model.mel(text, pitch, steps, true, 0)[0]
    moved = (before != after).any(-1)[0]
    assert not moved[:21].any() and moved[21] and moved[30]


def test_the_mask_is_of_the_text_alone_and_within_0_and_1(spec, items):
    model = shaken(build(TINY, spec))
    batch = batch_of(items[:1], spec)
    notes = batch.score.note_context.clone()
    for name in ("pitch", "pitch_held"):
        notes[..., spec.column("note", name)] += 5.0
    phones = batch.score.phone_context.clone()
    phones[..., spec.column("phone", "phone")] = 9.0

    def of(**changed):
        given = dataclasses.replace(batch, score=dataclasses.replace(batch.score, **changed))
        text, pitch = (x[:, ::4] for x in model.texts(given, phone_of_frame(given)))
        mask = torch.ones(text.shape[:2], dtype=torch.bool)
        source, logits = model.mel(text, pitch, mask, None, 0)
        return source, torch.sigmoid(logits)

    with torch.no_grad():
        (source, mask), (higher, same), (_, other) = of(), of(note_context=notes), of(phone_context=phones)
    assert ((mask > 0) & (mask < 1)).all() and mask.std() > 1e-3
    assert torch.equal(mask, same) and not torch.equal(source, higher)
    assert not torch.allclose(mask, other)
    # It multiplies: of a mask of one half nothing is left to add, one of 1 doubles it.
    assert filtered(torch.tensor([0.0, 50.0])).tolist() == pytest.approx([0.0, np.log(2)], abs=1e-6)


def test_singing_on_ones_own_frames_is_hearing_them(spec, items):
    model = shaken(build(TINY, spec))
    batch = batch_of(items[:1], spec)
    text, pitch = (x[:, ::4] for x in model.texts(batch, phone_of_frame(batch)))
    mask = torch.ones(text.shape[:2], dtype=torch.bool)
    with torch.no_grad():
        source, logits = model.mel(text, pitch, mask, None, 3)
        told = model.mel(text, pitch, mask, source + filtered(logits), 3)[0]
    torch.testing.assert_close(told, source, rtol=1e-4, atol=1e-5)


def test_the_discriminators_loss_has_the_penalty(spec, items):
    model = build(TINY, spec)
    judge = shaken(model.discriminator())
    batch = batch_of(items[:2], spec)
    real, fake = judge(batch.streams, batch), judge({"mel": batch.streams["mel"] + 1.0}, batch)
    loss = model.discriminator_loss(real, fake)
    model.penalty = 0.0
    plain = model.discriminator_loss(real, fake)
    assert loss > plain + 1e-3
    loss.backward()
    assert all(p.grad is not None for p in judge.convs.parameters())


def test_spectra_of_world_are_refused(toy_dump, tmp_path):
    with pytest.raises(DataError, match="linear_24k"):
        Config.read(TINY).build(Spec.read(toy_dump))
    # Any filterbank has coarse bands.
    spec = Spec.read(make_dump(tmp_path, {"train": 2}, mgc=30, mel=True))
    assert build(TINY, spec).mel.size == 30
