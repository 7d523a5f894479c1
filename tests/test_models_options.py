"""Options of every acoustic model: singer, language, style tokens, perceptual entropy, GV."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from models_common import ROOT, batch_of, examples, shaken

from nnsvs_lite.features.config import MelConfig
from nnsvs_lite.features.mel import mel_edges
from nnsvs_lite.features.spec import PhoneSet, Spec
from nnsvs_lite.features.world import alpha_of, fft_size_of, mgc_to_spectrum
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.checkpoint import load_model, save_model
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.layers.conditions import CHANNELS, STYLE, StyleTokens
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.models.layers.perceptual import PerceptualEntropy, threshold_in_quiet
from nnsvs_lite.models.layers.postfilter import VarianceScaling
from nnsvs_lite.models.neural import NeuralAcoustic

SYSTEMS = ("resf0_conv", "nnsvs_diffusion_world_tiny", "xiaoicesing_tiny", "muskits_rnn_tiny")
every_system = pytest.mark.parametrize("name", SYSTEMS)


@pytest.fixture(scope="module")
def spec(toy_dump) -> Spec:
    """Of three singers and two languages."""
    spec = Spec.read(toy_dump)
    both = replace(spec, speakers=("a", "b", "c"), languages=(PhoneSet("en", ()), *spec.languages))
    names = dict(zip(spec.phones, both.phones))
    seen = {names[phone]: stats for phone, stats in spec.stats.phones.items()}
    return replace(both, stats=replace(spec.stats, phones=seen))


@pytest.fixture(scope="module")
def items(toy_dump, spec):
    return examples(toy_dump, "train", spec)


def make(name: str, spec: Spec, **options) -> NeuralAcoustic:
    """A system with noise on its weights; options that add to streams are off if not given."""
    options = {"gv": 0.0, "movement": 0.0, "retrieval": 0.0} | options
    config = Config.read(
        ROOT / f"conf/acoustic/{name}.yaml", [f"--model.options.{k}={v}" for k, v in options.items()]
    )
    torch.manual_seed(0)
    return shaken(config.build(spec).eval())


def as_singer(items, **ids):
    return [replace(e, **ids) for e in items]


@every_system
@pytest.mark.parametrize("kind", ["singer", "language"])
def test_another_id_sounds_different_and_only_its_vector_learns(name, kind, spec, items):
    model = make(name, spec)
    with torch.no_grad():
        one, other = (model.infer(batch_of(as_singer(items[:2], **{kind: i}), spec)) for i in (0, 1))
    assert all((one[n] - other[n]).abs().max() > 1e-4 for n in ("mgc", "lf0"))
    model.train()
    model.loss(batch_of(as_singer(items[:2], **{kind: 1}), spec))["loss"].backward()
    tables = {n: p for n, p in model.named_parameters() if n.endswith(f"{kind}.weight")}
    assert tables, "no embedding"
    for table in tables.values():
        moved = table.grad.abs().sum(1) > 0
        assert moved.tolist() == [row == 1 for row in range(len(table))]


@every_system
def test_embeddings_can_be_left_out_and_need_several_ids(name, toy_dump, spec):
    without = make(name, spec, singer=False, language=False)
    assert not [n for n, _ in without.named_parameters() if ".singer" in n or ".language" in n]
    alone = make(name, Spec.read(toy_dump))
    assert not [n for n, _ in alone.named_parameters() if ".singer" in n or ".language" in n]


@pytest.fixture(scope="module")
def entropy(spec) -> PerceptualEntropy:
    return PerceptualEntropy(spec)


def test_a_checkpoint_keeps_options_and_the_style_that_was_heard(spec, items, tmp_path):
    words = ["style_tokens=3", "perceptual=0.01", "gv=0.7"]
    config = Config.read(
        ROOT / "conf/acoustic/resf0_conv.yaml", [f"--model.options.{word}" for word in words]
    )
    model = shaken(config.build(spec)).train()
    batch = batch_of(items[:2], spec)
    model.loss(batch)
    save_model(tmp_path / "model.pt", model.eval(), config, {})
    again = load_model(tmp_path, "acoustic")
    assert again.options == model.options and again.options.gv == 0.7
    with torch.no_grad():
        expected = model.infer(batch)
        assert all(torch.equal(v, expected[n]) for n, v in again.infer(batch).items())
    with pytest.raises(DataError, match="style_token"):
        Config.read(ROOT / "conf/acoustic/resf0_conv.yaml", ["--model.options.style_token=3"])


class TestStyle:
    """Global style tokens."""

    @every_system
    def test_singing_has_no_reference_and_the_users_weights_are_heard(self, name, spec, items):
        model = make(name, spec, style_tokens=5)
        batch = batch_of(items[:2], spec)
        blind = replace(batch, streams={})
        with torch.no_grad():
            mean = model.infer(batch)
            assert all(torch.equal(v, mean[n]) for n, v in model.infer(blind).items())
            model.style.use([0, 0, 1, 0, 0])
            third = model.infer(blind)
        assert (third["mgc"] - mean["mgc"]).abs().max() > 1e-4
        with pytest.raises(DataError, match="2 weights of style tokens are given, the model has 5"):
            model.style.use([0.5, 0.5])

    @every_system
    def test_in_training_the_streams_are_the_reference_and_all_of_it_learns(self, name, spec, items):
        model = make(name, spec, style_tokens=5).train()
        model.loss(batch_of(items[:2], spec))["loss"].backward()
        for part in (model.style.tokens, model.style.query.weight, model.style.encoder.convs[0].weight):
            assert part.grad.abs().max() > 0
        # What was heard is the mean that is sung with: the first batch's.
        with torch.no_grad():
            heard = model.style.weights
        assert float(model.style.heard) == 1 and not torch.allclose(heard, torch.full_like(heard, 0.2))
        torch.testing.assert_close(heard.sum(1), torch.ones(4))

    @every_system
    def test_tests_are_of_what_is_sung(self, name, spec, items):
        model = make(name, spec, style_tokens=5)
        batch = batch_of(items[:2], spec)
        before = copy.deepcopy(model.style.state_dict())
        model.loss(batch)
        assert all(torch.equal(v, before[n]) for n, v in model.style.state_dict().items())

    def test_padding_is_not_heard(self, spec, items):
        torch.manual_seed(0)
        style = StyleTokens(spec, 10).eval()
        short, long = sorted(items, key=lambda e: e.frames)[:: len(items) - 1]
        together = batch_of([short, long], spec)
        for stream in together.streams.values():
            stream[0, short.frames :] = 7.0
        with torch.no_grad():
            both, alone = style.attend(together), style.attend(batch_of([short], spec))
        torch.testing.assert_close(both[0], alone[0])
        assert (both[0] - both[1]).abs().max() > 1e-4

    def test_training_statistics_leave_padding_out(self, spec, items):
        torch.manual_seed(0)
        style = StyleTokens(spec, 10).train()
        batch = batch_of([items[0]], spec)
        first = style.attend(batch)
        wide = replace(batch, max_frames=batch.max_frames + 200)
        wide.streams = {n: torch.nn.functional.pad(v, (0, 0, 0, 200)) for n, v in batch.streams.items()}
        torch.testing.assert_close(style.attend(wide), first, rtol=1e-4, atol=1e-5)

    def test_it_has_the_published_sizes(self, spec):
        style = StyleTokens(spec, 10)
        assert [c.out_channels for c in style.encoder.convs] == list(CHANNELS) == [32, 32, 64, 64, 128, 128]
        assert style.encoder.gru.hidden_size == 128
        assert style.tokens.shape == (10, 64) and STYLE == 256  # 4 heads of 64

    def test_one_token_alone_is_its_value(self, spec):
        style = StyleTokens(spec, 3)
        weights = torch.tensor([0.0, 1.0, 0.0]).expand(2, 4, 3)
        expected = style.value(torch.tanh(style.tokens[1]))
        torch.testing.assert_close(style.mix(weights), expected.expand(2, -1))


class TestPerceptualEntropy:
    """Known answers of the loss."""

    def test_cepstra_become_worlds_spectra(self, entropy, spec):
        config = spec.feature_config
        mgc = np.random.default_rng(0).normal(0, 0.5, (4, spec.streams["mgc"]))
        size = fft_size_of(config)
        expected = mgc_to_spectrum(mgc, alpha_of(config), size)
        found = entropy.power(torch.tensor(mgc)) / math.exp(entropy.level)
        np.testing.assert_allclose(found, expected, rtol=1e-4)

    def test_a_sine_of_full_scale_has_96_db(self, entropy, spec):
        """White noise of a sine's variance has its level over all bins."""
        size = fft_size_of(spec.feature_config)
        mgc = torch.zeros(1, spec.streams["mgc"])
        mgc[0, 0] = 0.5 * math.log(0.5)  # the logarithm of an amplitude
        total = float(entropy.power(mgc)[0, :-1].sum())
        assert len(entropy.power(mgc)[0]) == size // 2 + 1
        assert 10 * math.log10(total) == pytest.approx(96.0, abs=0.05)

    def test_silence_holds_nothing_loud_spectra_hold_the_same(self, entropy):
        shape = torch.linspace(0, -3, entropy.log_spectra.shape[1]).exp()
        levels = [float(entropy.entropy(shape * 10 ** (db / 10))) for db in range(-60, 121, 10)]
        assert levels[0] < 0.1
        assert all(b >= a - 1e-3 for a, b in zip(levels, levels[1:]))
        assert levels[-1] > 10 and levels[-1] == pytest.approx(levels[-2], rel=1e-3)

    @pytest.mark.parametrize("share", [1e-6, 1e-4, 1e-3])
    def test_below_the_threshold_in_quiet_only_quiet_counts(self, entropy, share):
        """Bands of ``share`` of the threshold: ``2 log2(1 + 2 sqrt(share / 12))`` each, by the formula."""
        member = (entropy.member > 0).float()
        power = share * (entropy.quiet / entropy.bins) @ member
        bands = len(entropy.bins)
        expected = bands * 2 * math.log2(1 + 2 * math.sqrt(share / 12))
        assert float(entropy.entropy(power)) == pytest.approx(expected, rel=1e-3)
        assert bands == 23, "critical bands up to 12 kHz"
        assert share > 1e-6 or expected < 0.05

    def test_known_points_of_the_threshold_in_quiet(self):
        hz = np.array([100.0, 1000.0, 3300.0, 10000.0])
        np.testing.assert_allclose(threshold_in_quiet(hz), [22.95, 3.37, -4.99, 10.58], atol=0.05)

    @every_system
    def test_it_is_a_term_of_the_loss(self, name, spec, items):
        batch = batch_of(items[:2], spec)
        plain, model = make(name, spec).loss(batch), make(name, spec, perceptual=0.5)
        losses = model.loss(batch)
        assert "perceptual" not in plain
        assert 0 < losses["perceptual"] < 0.5
        torch.testing.assert_close(losses["loss"] - plain["loss"], losses["perceptual"], rtol=1e-3, atol=1e-5)
        wider = replace(batch, max_frames=batch.max_frames + 9)
        wider.streams = {n: torch.nn.functional.pad(v, (0, 0, 0, 9)) for n, v in batch.streams.items()}
        torch.testing.assert_close(
            model.loss(wider)["perceptual"], losses["perceptual"], rtol=1e-4, atol=1e-6
        )

    def test_half_precision_around_it_changes_little(self, entropy, spec):
        generator = torch.Generator().manual_seed(0)
        mgc = torch.randn(1, 20, spec.streams["mgc"], generator=generator)
        mask = torch.ones(1, 20, dtype=torch.bool)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = entropy(mgc.bfloat16().float(), mask)
        torch.testing.assert_close(half, entropy(mgc.bfloat16().float(), mask), rtol=1e-5, atol=0)

    def test_it_needs_cepstra(self, spec):
        bare = replace(spec, streams={"lf0": 1, "vuv": 1, "mel": 80})
        with pytest.raises(DataError, match="needs the stream mgc"):
            PerceptualEntropy(bare)


class TestVarianceScaling:
    """The GV post-filter."""

    def sung(self, batch, spec) -> torch.Tensor:
        note = batch.score.note_index.gather(1, phone_of_frame(batch))
        rest = batch.score.note_context[..., spec.column("note", "is_rest")].gather(1, note) > 0.5
        return ~rest & batch.frame_mask

    @every_system
    def test_sung_variance_becomes_that_of_recordings(self, name, spec, items):
        batch = batch_of(items, spec)
        with torch.no_grad():
            plain, full = make(name, spec).infer(batch), make(name, spec, gv=1.0).infer(batch)
            zero, half = make(name, spec, gv=0.0).infer(batch), make(name, spec, gv=0.5).infer(batch)
        sung = self.sung(batch, spec)
        gv = torch.tensor(spec.stats.gv["mgc"])
        for row in range(len(items)):
            before, after = plain["mgc"][row, sung[row]], full["mgc"][row, sung[row]]
            assert torch.equal(before[:, :2], after[:, :2])
            reached = (gv / before.var(0, correction=0)).sqrt() < 10
            assert reached[2:].any()
            keep = reached & (torch.arange(len(gv)) >= 2)
            torch.testing.assert_close(
                after.var(0, correction=0)[keep], gv[keep].float(), rtol=1e-3, atol=1e-6
            )
            torch.testing.assert_close(after.mean(0), before.mean(0), rtol=1e-3, atol=1e-3)
            between = half["mgc"][row, sung[row]].var(0, correction=0)[keep]
            expected = (gv[keep].float() * before.var(0, correction=0)[keep]).sqrt()
            torch.testing.assert_close(between, expected, rtol=1e-3, atol=1e-6)
            assert torch.equal(plain["mgc"][row, ~sung[row]], full["mgc"][row, ~sung[row]])
        assert all(torch.equal(v, zero[n]) for n, v in plain.items())
        assert all(torch.equal(plain[n], full[n]) for n in ("lf0", "vuv", "bap"))

    @every_system
    def test_padding_does_not_count(self, name, spec, items):
        model = make(name, spec, gv=1.0)
        short, long = sorted(items, key=lambda e: e.frames)[:: len(items) - 1]
        with torch.no_grad():
            both = model.infer(batch_of([short, long], spec))["mgc"]
            alone = model.infer(batch_of([short], spec))["mgc"]
        torch.testing.assert_close(both[0, : short.frames], alone[0], rtol=1e-3, atol=1e-3)

    def test_mel_bands_below_1200_hz_stay(self, spec, items):
        features = replace(spec.feature_config, world=None, mel=MelConfig(fmin=63))
        stats = replace(spec.stats, gv={"mel": (4.0,) * 80})
        mel_spec = replace(spec, feature_config=features, streams=features.streams, stats=stats)
        layer = VarianceScaling(mel_spec, 1.0)
        batch = batch_of(items[:2], spec)
        mel = torch.randn(2, batch.max_frames, 80, generator=torch.Generator().manual_seed(0))
        out = layer({"mel": mel}, batch)["mel"]
        sung = self.sung(batch, spec)
        kept = (out == mel).all((0, 1)).nonzero().flatten().tolist()
        edges = mel_edges(80, 63, 12000)
        assert kept == list(range(len(kept))) and edges[len(kept)] < 1200 <= edges[len(kept) + 1]
        var = out[0, sung[0]].var(0, correction=0)
        torch.testing.assert_close(var[len(kept) :], torch.full((80 - len(kept),), 4.0), rtol=1e-3, atol=0)

    def test_statistics_without_variance_give_one_clear_line(self, spec, items):
        bare = replace(spec, stats=replace(spec.stats, gv={}))
        assert make("resf0_conv", bare).infer(batch_of(items[:1], bare))
        with pytest.raises(DataError, match="needs the variance of utterances"):
            make("resf0_conv", bare, gv=0.5)
        with pytest.raises(DataError, match="within 0..1"):
            make("resf0_conv", spec, gv=1.5)
