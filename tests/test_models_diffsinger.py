"""FFT-Singer and DiffSinger: their layers against known answers, and what their switches do."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from models_common import ROOT, batch_of, shaken

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader
from nnsvs_lite.models.batch import collate
from nnsvs_lite.models.checkpoint import load_model, save_model
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.models.layers.lynxnet import LynxNet2
from nnsvs_lite.models.layers.outputs import OutputSpace
from nnsvs_lite.models.layers.pitch_embedding import PitchEmbedding, PitchExtractor, coarse_pitch
from nnsvs_lite.models.layers.ssim import ssim
from nnsvs_lite.models.layers.transformer import SelfAttention, rotated
from nnsvs_lite.models.layers.vibrato import CENT
from nnsvs_lite.synthesis.decode import decode
from nnsvs_lite.training.transfer import transfer

ROWS = {
    "diffspeech": (["phone"], "explicit", True, "ddpm"),
    "diffsinger_popcs": (["phone"], "given", True, "ddpm"),
    "diffsinger": (["phone", "pitch", "length"], "explicit", True, "ddpm"),
    "fft_singer": (["phone", "pitch", "length"], "explicit", None, None),
    "diffsinger_e2e": (["phone", "pitch", "length"], "implicit", False, "ddpm"),
    "diffsinger_pndm": (["phone", "pitch", "length"], "implicit", False, "plms"),
    "diffspeech_pndm": (["phone"], "implicit", False, "plms"),
}
"""The table of pipelines: what is told, how F0 is found, whether diffusion is shallow, the sampler."""


def named(name: str, spec, *words: str):
    torch.manual_seed(0)
    return (
        Config.read(ROOT / f"conf/acoustic/{name}.yaml", [f"--model.{w}" for w in words]).build(spec).eval()
    )


# Layers


def test_similarity_of_pictures_is_the_published_formula():
    rng = np.random.default_rng(0)
    a, b = (torch.tensor(rng.random((1, 40, 20)), dtype=torch.float32) for _ in range(2))
    mask = torch.ones(1, 40, dtype=torch.bool)
    torch.testing.assert_close(ssim(a, a, mask), torch.ones_like(a), rtol=0, atol=1e-4)
    torch.testing.assert_close(ssim(a, b, mask), ssim(b, a, mask))
    window = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(window, window) / window.sum() ** 2
    x, y = (v[0, 12:23, 4:15].double().numpy() for v in (a, b))
    mx, my = (window * x).sum(), (window * y).sum()
    vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
    both = (window * (x - mx) * (y - my)).sum()
    expected = (2 * mx * my + 1e-4) * (2 * both + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
    assert float(ssim(a, b, mask)[0, 17, 9]) == pytest.approx(expected, abs=1e-5)
    # Blurred, it is less like itself, though its mean error is small.
    blurred = torch.nn.functional.avg_pool2d(a[None], 5, 1, 2)[0]
    assert float(ssim(a, blurred, mask).mean()) < 0.5


def test_pitch_has_its_place_on_the_mel_scale():
    """Worked by hand: 1127 ln(1 + f / 700), from 50 Hz at 1 to 1100 Hz at 255."""
    hertz = torch.tensor([50.0, 110.0, 220.0, 440.0, 880.0, 1100.0, 20.0, 2000.0])
    expected = torch.tensor([1.0, 23.33, 60.27, 122.48, 217.18, 255.0, 1.0, 255.0])
    torch.testing.assert_close(coarse_pitch(hertz), expected, rtol=0, atol=0.01)
    table = PitchEmbedding(4, coarse=True)
    lf0 = torch.tensor([440.0]).log().reshape(1, 1, 1)
    below, above = table.table.weight[122], table.table.weight[123]
    share = float(coarse_pitch(hertz)[3]) - 122
    torch.testing.assert_close(table(lf0, torch.tensor([[[True]]]))[0, 0], below + share * (above - below))
    assert torch.equal(table(lf0, torch.tensor([[[False]]]))[0, 0], table.table.weight[0])


def test_rotary_attention_knows_how_far_rows_lie_apart_and_not_where():
    x = torch.randn(1, 2, 30, 8)
    dots = rotated(x[..., :1, :].expand(-1, -1, 30, -1)) @ rotated(x[..., 1:2, :].expand(-1, -1, 30, -1)).mT
    # The same two vectors at all places: what counts is the distance, a diagonal.
    torch.testing.assert_close(dots[..., 5, 9], dots[..., 20, 24], rtol=1e-4, atol=1e-4)
    assert (dots[..., 5, 9] - dots[..., 5, 12]).abs().min() > 1e-3
    torch.testing.assert_close(rotated(x).norm(dim=-1), x.norm(dim=-1))
    torch.manual_seed(0)
    attention = SelfAttention(8, 2, rotary=True)
    rows = torch.randn(1, 10, 8)
    moved = torch.cat([torch.zeros(1, 6, 8), rows], dim=1)
    mask = torch.arange(16)[None] >= 6
    torch.testing.assert_close(
        attention(moved, mask)[:, 6:],
        attention(rows, torch.ones(1, 10, dtype=torch.bool)),
        rtol=1e-4,
        atol=1e-5,
    )
    with pytest.raises(DataError, match="pairs of"):
        SelfAttention(6, 2, rotary=True)


def test_lynxnet_starts_at_nothing_and_hears_step_condition_and_neighbours():
    torch.manual_seed(0)
    net, mask = LynxNet2(3, 5, 8, 2, kernel=5), torch.ones(1, 40, dtype=torch.bool)
    x, cond, t = torch.randn(1, 40, 3), torch.randn(1, 40, 5), torch.tensor([500.0])
    assert not net(x, t, cond, mask).any()
    torch.nn.init.normal_(net.exit.weight)
    base, other = net(x, t, cond, mask), cond.clone()
    assert (net(x, t + 100, cond, mask) - base).abs().max() > 1e-4
    other[0, 20] += 1
    moved = (net(x, t, other, mask) - base).abs().sum(-1)[0] > 1e-6
    assert moved.nonzero().flatten().tolist() == list(range(16, 25)), "two blocks of width 5"


def test_the_range_of_training_is_one_either_way(spec):
    space = OutputSpace(spec, False, scaling="range")
    moments = spec.stats.streams["mgc"]
    for values, number in ((moments.min, -1.0), (moments.max, 1.0)):
        streams = {"mgc": torch.tensor(values)[None, None], "lf0": torch.zeros(1, 1, 1)}
        base = {"mgc": space.mean_mgc, "lf0": torch.zeros(1)}
        numbers = space.encode(streams, base)["mgc"]
        torch.testing.assert_close(numbers, torch.full_like(numbers, number))
    assert torch.equal(space.mean_lf0, torch.tensor(spec.stats.streams["lf0"].mean))


# Pipelines


@pytest.mark.parametrize(
    "words", [(), ("scaling=range",), ("scaling=range", "options.residual_to_rule=false")]
)
def test_likeness_is_that_of_whole_spectra_however_far_from_the_rule(words, spec, items):
    model, batch = named("fft_singer_tiny", spec, *words), batch_of(items[:2], spec)
    base, mask = model.space.base(batch, phone_of_frame(batch)), batch.frame_mask
    true = model.joined(model.space.encode(batch.streams, base))
    # Five deviations off, and blurred over time.
    found = (true + 5 + true.roll(1, 1)).requires_grad_()
    out = model.errors(found, true, mask, base)
    sung, height = model.space.decode(model.parted(found), base), []
    for name in model.spectra:
        moments = spec.stats.streams[name]
        least, most, std = map(torch.tensor, (moments.min, moments.max, moments.std))
        unit = (most - least) / 2 if words else std
        height.append([(x - least) / unit for x in (sung[name], batch.streams[name])])
    alike = ssim(*(torch.cat(pair, -1) for pair in zip(*height)), mask)[mask].mean()
    assert out["loss_ssim"].item() == pytest.approx(0.5 * (1 - alike.item()), abs=1e-5)
    out["loss_ssim"].backward()
    assert found.grad[mask].ne(0).all() and not found.grad[~mask].any()


@pytest.mark.parametrize("name", ROWS)
def test_the_rows_of_the_table_of_pipelines(name, spec):
    inputs, f0, shallow, sampler = ROWS[name]
    for stem in (name, f"{name}_tiny"):
        model = named(stem, spec) if "tiny" in stem else meta(stem, spec)
        assert list(model.embedding.tables) == inputs and model.f0 == f0
        if shallow is None:
            assert not hasattr(model, "stream")
            continue
        assert (model.stream.depth < 1) == shallow == (model.decoder is not None)
        assert model.stream.sampler.__name__ == sampler


def meta(name: str, spec):
    with torch.device("meta"):
        return Config.read(ROOT / f"conf/acoustic/{name}.yaml").build(spec)


def test_published_steps(spec):
    """K = 60 of 100 for Opencpop, 51 for PopCS; every 40th of 1000 for PLMS; from 0.4 on for flow."""
    for name, expected in (
        ("diffsinger", list(range(59, -1, -1))),
        ("diffsinger_popcs", list(range(50, -1, -1))),
        ("diffsinger_e2e", list(range(99, -1, -1))),
        ("diffsinger_pndm", list(range(999, 0, -40))),
    ):
        stream = meta(name, spec).stream
        assert stream.path.times(stream.sampling_steps, stream.depth) == expected
    stream = meta("diffsinger_rectified_flow", spec).stream
    times = stream.path.times(stream.sampling_steps, stream.depth)
    assert times == pytest.approx([0.4 + 0.03 * i for i in range(20)])


def test_frames_hear_f0_where_it_is_explicit_or_given_alone(spec, items):
    batch = batch_of(items[:2], spec)
    higher = replace(batch, streams=batch.streams | {"lf0": batch.streams["lf0"] + 100 * CENT})
    for name, hears in (
        ("diffsinger_tiny", True),
        ("diffsinger_popcs_tiny", True),
        ("diffsinger_e2e_tiny", False),
    ):
        model = shaken(named(name, spec))
        phone = phone_of_frame(batch)
        x, y = (model.told(b, phone, model.space.base(b, phone), {"x": phone})[0] for b in (batch, higher))
        assert ((x - y).abs().max() > 1e-3) == hears


def test_given_f0_is_sung_and_without_it_the_score(spec, items):
    model, item = shaken(named("diffsinger_popcs_tiny", spec)), items[0]
    drawn = {"lf0": item.streams["lf0"] + np.float32(50 * CENT), "vuv": item.streams["vuv"]}
    alone, told = (batch_of([replace(item, given=given)], spec) for given in ({}, drawn))
    with torch.no_grad():
        plain, sung = model.infer(alone), model.infer(told)
    torch.testing.assert_close(sung["lf0"], torch.tensor(drawn["lf0"])[None])
    assert torch.equal(sung["vuv"] > 0.5, torch.tensor(drawn["vuv"])[None] > 0.5)
    floor = model.space.floor
    torch.testing.assert_close(plain["lf0"], floor.pitch_of(alone, phone_of_frame(alone)))
    assert (plain["mgc"] - sung["mgc"]).abs().max() > 1e-3, "the timbre follows F0"
    # A system that predicts F0 takes none.
    other = shaken(named("diffsinger_tiny", spec))
    with torch.no_grad():
        assert torch.equal(other.infer(alone)["lf0"], other.infer(told)["lf0"])


def test_the_extractor_finds_pitch_that_spectra_tell():
    torch.manual_seed(0)
    net, mask = PitchExtractor(4, 16, 2, 3, 0.0), torch.ones(8, 50, dtype=torch.bool)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    directions = torch.randn(2, 4)

    def draw():
        truth = torch.randn(8, 50, 2)
        return truth @ directions + 0.01 * torch.randn(8, 50, 4), truth

    for _ in range(60):
        spectra, truth = draw()
        found = torch.cat(net(spectra, torch.zeros(8, 50, 1), mask), dim=-1)
        optimiser.zero_grad()
        (found - truth).square().mean().backward()
        optimiser.step()
    spectra, truth = draw()
    with torch.no_grad():
        found = torch.cat(net(spectra, torch.zeros(8, 50, 1), mask), dim=-1)
    assert float((found - truth).square().mean()) < 0.1


def test_an_extractor_leaves_the_rest_alone_and_hears_what_is_sung(spec, items):
    model, batch = shaken(named("diffsinger_e2e_tiny", spec)), batch_of(items[:2], spec)
    out = model.predict(batch, teacher=True)
    (out["lf0"].sum() + out["vuv_logit"].sum()).backward()
    heard = {n.split(".")[0] for n, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert heard == {"extractor"}
    with torch.no_grad():
        low, high = (model.infer(replace(batch, seed=seed)) for seed in (0, 1))
    assert (low["lf0"] - high["lf0"]).abs().max() > 0, "another timbre is another pitch"


def test_a_seed_is_the_same_singing_in_any_batch(spec, items):
    for name in ("diffsinger_tiny", "diffsinger_rectified_flow_tiny", "diffsinger_fewstep_tiny"):
        model = shaken(named(name, spec), 0.05)
        with torch.no_grad():
            together = model.infer(collate(items[:3], spec.frame_shift, 7))["mgc"]
            again, other = (model.infer(collate(items[:3], spec.frame_shift, s))["mgc"] for s in (7, 8))
            alone = model.infer(collate(items[2:3], spec.frame_shift, 7))["mgc"]
        assert torch.equal(together, again) and (together - other).abs().max() > 1e-2
        torch.testing.assert_close(together[2:, : alone.shape[1]], alone, rtol=1e-4, atol=1e-4)


# Training on top of others


def test_a_denoiser_learns_on_top_of_a_frozen_fft_singer(spec, items, tmp_path):
    base = shaken(named("fft_singer_tiny", spec), 0.05)
    model = named("diffsinger_tiny", spec, "freeze=true")
    transfer(model, base, tmp_path)
    for name, value in base.named_parameters():
        assert name.startswith("embedding.") or torch.equal(model.get_parameter(name), value)
    before = copy.deepcopy(model.state_dict())
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model.train().loss(batch_of(items[:2], spec))["loss"].backward()
    optimiser.step()
    changed = {n for n, v in model.state_dict().items() if not torch.equal(v, before[n])}
    assert changed and all(name.startswith("stream.net.") for name in changed)
    # Without depth, it sings as its base.
    model.eval().stream.depth = 0.0
    batch = batch_of(items[:2], spec)
    with torch.no_grad():
        torch.testing.assert_close(model.infer(batch)["mgc"], base.infer(batch)["mgc"], rtol=1e-4, atol=1e-4)
    with pytest.raises(DataError, match="a FftSinger is to be trained, it is a DiffSinger"):
        transfer(base, model, tmp_path)


def test_the_depth_is_found_on_a_trained_base_and_goes_with_the_weights(spec, items, tmp_path):
    words = ("freeze=true", "boundary=20", "depth=1.0")
    model = named("diffsinger_tiny", spec, *words)
    assert model.fits and model.stream.depth == 1
    with pytest.raises(DataError, match="--init"):
        model.fit(items)
    transfer(model, shaken(named("fft_singer_tiny", spec), 0.05), tmp_path)
    state = torch.get_rng_state()
    model.fit(items)
    depth = model.stream.depth
    assert 0 < depth < 1 and torch.equal(torch.get_rng_state(), state)
    options = [f"--model.{word}" for word in words]
    config = Config.read(ROOT / "conf/acoustic/diffsinger_tiny.yaml", options)
    save_model(tmp_path / "model.pt", model, config, {})
    again = load_model(tmp_path / "model.pt")
    assert again.stream.depth == depth
    again.stream.depth = 0.0
    assert again.stream.depth == 0
    for other in (["boundary=5"], ["boundary=5", "freeze=true", "decoder=null", "depth=1.0"]):
        with pytest.raises(DataError, match="needs a decoder and freeze: true"):
            named("diffsinger_tiny", spec, *other)


def test_few_steps_need_a_teacher_and_learn_its_ways(spec, items):
    model = named("diffsinger_fewstep_tiny", spec)
    assert model.fits
    with pytest.raises(DataError, match="--init"):
        model.fit(items[:2])
    model = shaken(model, 0.05)
    model.fit(items[:2])
    batch = batch_of(items[:2], spec)
    names = set(model.state_dict())
    assert not any("teacher" in name for name in names)
    with torch.no_grad():
        first = model.loss(batch)
        assert torch.equal(first["denoiser"], model.loss(batch)["denoiser"])
        data = model.loss(replace(batch, streams=batch.streams | {"mgc": batch.streams["mgc"] + 3.0}))
    assert torch.equal(first["denoiser"], data["denoiser"]), "the data is the teacher's, not the singer's"


@pytest.mark.parametrize(
    "words, reason",
    [
        (["sampler=plms", "path=flow"], "plms is none for flow"),
        (["sampler=euler"], "euler is none for diffusion"),
        (["decoder=null"], "less than 1 needs a decoder"),
        (["reflow=4"], "needs path: flow"),
        (["depth=1.5"], "depth"),
    ],
)
def test_what_does_not_go_together_is_refused(words, reason, spec):
    with pytest.raises(DataError, match=reason):
        named("diffsinger_tiny", spec, *words)


def test_an_fft_singer_has_a_decoder(spec):
    with pytest.raises(DataError, match="decoder"):
        named("fft_singer_tiny", spec, "decoder=null")


def test_a_performance_is_sung_with_its_own_times_and_f0(toy_dump, spec, tmp_path):
    path = ROOT / "conf/acoustic/diffsinger_popcs_tiny.yaml"
    save_model(tmp_path / "exp" / "model.pt", named("diffsinger_popcs_tiny", spec), Config.read(path), {})
    assert decode(toy_dump, "eval", tmp_path / "out", acoustic=tmp_path / "exp")
    for name in ("lf0", "duration", "time_lag"):
        sung, real = (FeatureReader(f / f"{name}.scp") for f in (tmp_path / "out", toy_dump / "eval"))
        assert all(np.array_equal(sung[utt], real[utt]) for utt in real)
