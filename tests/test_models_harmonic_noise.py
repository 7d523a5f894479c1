"""Vocoders of filtered harmonics and noise: exact in pitch, the same in batches and pieces, and learning."""

import copy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from models_common import shaken
from vocoder_common import (
    CONF,
    TRAINED,
    batch_of,
    build,
    check_alone_and_in_pieces,
    check_falls,
    check_reach,
    features_of,
    head,
    padded,
    tone,
)

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.mel import log_mel
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.batch import Example, collate
from nnsvs_lite.models.checkpoint import load_model, save_model
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.foreign import bare_spec
from nnsvs_lite.models.layers.harmonics import HarmonicComb
from nnsvs_lite.models.vocoder.harmonic_noise import HarmonicNoise


def spec_of(**config):
    return bare_spec(FeatureConfig.from_dict(config))


MEL = spec_of(sample_rate=24000, hop_size=120, mel={"bins": 24, "fft_size": 512, "win_size": 480})
WORLD = spec_of(sample_rate=24000, frame_shift=0.005, world={"mgc_order": 11})
HALF = spec_of(sample_rate=44100, frame_shift=0.005, world={"mgc_order": 11})
SLOW = spec_of(sample_rate=44100, hop_size=512, mel={"bins": 24, "fft_size": 2048, "win_size": 2048})
SPECS = {"mel": MEL, "world": WORLD, "hop220.5": HALF, "hop512": SLOW}

PATHS = [path for path in TRAINED if issubclass(Config.read(path).model_class, HarmonicNoise)]
TINY = {path.stem: path for path in PATHS if path.stem.endswith("_tiny")}
SINS = Config.read(TINY["ddsp_tiny"], ["--model.synthesiser=sins"])
every_path = pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
every_system = pytest.mark.parametrize("name", [*TINY, "sins", "hn"])
every_learner = pytest.mark.parametrize("name", [*TINY, "sins"])


def made(name: str, spec, size: float = 0.02):
    torch.manual_seed(0)
    path = CONF / "vocoder" / "hn.yaml" if name == "hn" else TINY.get(name)
    model = SINS.build(spec).eval() if name == "sins" else build(path, spec)
    if size:
        return shaken(model, size)
    with torch.no_grad():
        # As it is before it has learnt anything, with one filter for all frames and hardly any noise.
        if name not in ("hn", "hn_istft_tiny"):
            model.leave[1].parametrizations.weight.original0.zero_()
            model.leave[1].bias[-model.sizes[-1] :] = -6
    return model


@every_path
def test_parameters_are_as_many_as_the_head_says(path):
    with torch.device("meta"):
        count = sum(p.numel() for p in build(path, bare_spec(features_of(path))).parameters())
    assert head(path, "Parameters") == f"{count:,}"


@every_system
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_phrase_in_a_batch_and_in_pieces_is_as_it_is_alone(name, spec):
    check_alone_and_in_pieces(made(name, spec), spec, 3, 170, 75)


@every_system
@pytest.mark.parametrize("spec", [MEL, WORLD, SLOW], ids=["mel", "world", "hop512"])
def test_what_lies_further_than_its_reach_is_not_heard(name, spec):
    model = made(name, spec)
    batch = batch_of(spec, 2 * model.reach + 61, wav=False)
    batch.streams |= model.running(batch)
    batch.first_frame = 4
    check_reach(model, batch, model.inputs, 0.3)


@every_system
def test_chance_is_of_the_seed(name):
    model = made(name, MEL)
    with torch.inference_mode():
        a, b, c = (model.synthesize(batch_of(MEL, 20, wav=False, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)


@every_learner
@pytest.mark.parametrize("spec", [MEL, WORLD], ids=["mel", "world"])
def test_it_learns_one_batch(name, spec):
    check_falls(made(name, spec, 0), batch_of(spec, 24, 30), steps=15, lr=1e-2, least=0.1, clip=1.0)


@every_learner
def test_padding_changes_no_loss(name):
    model = made(name, MEL)
    batch = batch_of(MEL, 20, 31)
    wider = padded(batch, 9, 120)
    with torch.no_grad():
        for loss in ("loss", "plain"):
            a, b = (
                model.loss(x)["loss"] if loss == "loss" else model.distance(*model.pair(x), x)["loss"]
                for x in (batch, wider)
            )
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@every_learner
def test_a_checkpoint_sings_the_same(name, tmp_path):
    model = made(name, WORLD)
    config = SINS if name == "sins" else Config.read(TINY[name])
    save_model(tmp_path / "model.pt", model, config, {})
    batch = batch_of(WORLD, 9, wav=False)
    with torch.inference_mode():
        expected = model.synthesize(batch)
        assert torch.equal(load_model(tmp_path, "vocoder").synthesize(batch), expected)
        assert torch.equal(copy.deepcopy(model).synthesize(batch), expected), "as means of weights are made"


@every_path
def test_no_tensor_is_made_on_a_fixed_device(path):
    spec = MEL if path in TINY.values() else bare_spec(features_of(path))
    with torch.device("meta"):
        model = build(path, spec)
    batch = batch_of(spec, 8, 12).to("meta")
    model = model.to("meta")
    losses = [model.loss(batch)["loss"], model.distance(*model.pair(batch), batch)["loss"]]
    assert {loss.device.type for loss in losses} == {"meta"}


def sung(model, hz: np.ndarray, vuv: np.ndarray | None = None, **streams) -> np.ndarray:
    """The waveform of a pitch curve; other streams are 0 where not given."""
    given = {name: np.zeros((len(hz), size)) for name, size in model.spec.streams.items()}
    given |= {name: np.broadcast_to(value, given[name].shape) for name, value in streams.items()}
    given["lf0"] = np.log(hz)[:, None]
    given["vuv"] = (np.ones(len(hz)) if vuv is None else vuv)[:, None]
    given = {name: np.float32(given[name]) for name in model.inputs}
    with torch.inference_mode():
        batch = collate([Example("u", streams=given)], model.spec.frame_shift)
        return model.synthesize(batch)[0].double().numpy()


def fundamental(x: np.ndarray, rate: int, highest: float) -> np.ndarray:
    """Frequency in Hz of what lies below ``highest``, sample by sample, as a mean over 10 ms."""
    from scipy.signal import butter, hilbert, sosfiltfilt

    low = sosfiltfilt(butter(8, highest, fs=rate, output="sos"), x)
    turns, span = np.unwrap(np.angle(hilbert(low))) / (2 * np.pi), round(0.005 * rate)
    turns = np.pad(turns, span, mode="edge")
    return (turns[2 * span :] - turns[: -2 * span]) * rate / (2 * span)


@every_system
@pytest.mark.parametrize("spec", [MEL, WORLD, SLOW], ids=["mel", "world", "hop512"])
def test_a_wide_vibrato_on_a_long_note_is_sung_within_ten_cents(name, spec):
    """Four seconds, 120 cents to either side of 330 Hz, six a second."""
    model, shift = made(name, spec, 0), spec.frame_shift
    seconds = np.arange(round(4 / shift)) * shift
    hz = 330 * 2 ** (0.1 * np.sin(2 * np.pi * 6 * seconds))
    quiet = {"bap": -60.0} if spec is WORLD else {}
    found = fundamental(sung(model, hz, **quiet), spec.sample_rate, 480)
    at = np.arange(len(found)) / spec.sample_rate
    true = 330 * 2 ** (0.1 * np.sin(2 * np.pi * 6 * at))
    inside = slice(spec.sample_rate // 4, -spec.sample_rate // 4)
    cents = 1200 * np.log2(found[inside] / true[inside])
    assert np.abs(cents).max() < 10 and np.abs(np.median(cents)) < 1


@every_system
def test_a_glide_over_three_octaves_has_its_harmonics_and_nothing_between(name):
    model = made(name, WORLD, 0)
    hz = 110 * 2 ** np.linspace(0, 3, 600)
    x = sung(model, hz, bap=-60.0)
    for place in np.linspace(0.15, 0.95, 9):
        middle = round(place * len(x))
        # A piece on a time axis that turns with the phase has harmonics that stand still.
        at = np.arange(middle - 1800, middle + 1800)
        log_hz = np.log(110) + np.log(8) * at / 120 / 599
        phase = np.cumsum(np.exp(log_hz)) / 24000
        even = np.linspace(phase[0], phase[-1], 4 * len(at))
        piece = np.interp(even, phase, x[at]) * np.blackman(len(even))
        spectrum = np.abs(np.fft.rfft(piece)) ** 2
        cycles = np.fft.rfftfreq(len(even), even[1] - even[0])
        below = cycles < 4000 / np.exp(log_hz.mean())
        near = np.abs(cycles - np.round(cycles)) * (phase[-1] - phase[0]) < 4
        # A filter of random phases, such as an untrained DDSP has, answers for longer.
        limit = 1e-5 if name in ("hn", "hn_istft_tiny") else 1e-3
        assert spectrum[below & ~near].max(initial=0) < limit * spectrum[below].max()


@pytest.mark.parametrize("name", ["hn_istft_tiny"])
def test_what_is_changed_in_streams_is_heard(name):
    """Pitch, breathiness (bap) and gender (mgc) reach the sound past whatever the network learnt."""
    model = made(name, WORLD)
    assert model.controls == ("pitch", "breathiness", "gender")
    assert made(name, MEL).controls == ("pitch",)
    hz, mgc = np.full(200, 220.0), np.zeros(12)
    mgc[:4] = -3, 1.0, 0.3, -0.2

    def harmonicity(x):
        spectrum = np.abs(np.fft.rfft(x[4800:19200] * np.hanning(14400))) ** 2
        bins = np.arange(len(spectrum)) * 24000 / 14400
        on = np.abs(bins / 220 - np.round(bins / 220)) < 0.1
        high = (bins > 3000) & (bins < 9000)
        return 10 * np.log10(spectrum[high & on].sum() / spectrum[high & ~on].sum())

    clear, breathy = (harmonicity(sung(model, hz, mgc=mgc, bap=bap)) for bap in (-40.0, -3.0))
    assert clear > breathy + 15
    a, b = (np.abs(np.fft.rfft(sung(model, hz, mgc=m, bap=-40.0))).argmax() for m in (mgc, 0.0 * mgc))
    assert a != b
    for octave in (0.5, 2.0):
        x = sung(model, octave * hz, mgc=mgc, bap=-40.0)
        assert np.median(fundamental(x, 24000, 330 * octave)) == pytest.approx(220 * octave, rel=1e-3)


@pytest.mark.parametrize("name", ["hn", "hn_istft_tiny"])
def test_untrained_it_sings_as_world_does(name):
    from nnsvs_lite.features.world import synthesize

    model = made(name, WORLD if name != "hn" else replace(WORLD, stats=None), 0)
    hz = np.full(400, 220.0)
    mgc = np.zeros((400, 12))
    mgc[:, :6] = -4, 1.5, 0.5, -0.4, 0.3, 0.2
    for vuv, bap in ((1.0, [-40.0] * 3), (1.0, [-6.0] * 3), (0.0, [0.0] * 3)):
        given = {"vuv": np.full((400, 1), vuv), "mgc": mgc, "bap": np.tile(bap, (400, 1))}
        world = synthesize(np.log(hz)[:, None], config=WORLD.feature_config, **given)
        ours = sung(model, hz, np.full(400, vuv), mgc=mgc, bap=np.array(bap))
        # WORLD takes its mean off each piece of noise.
        for low, high in ((100 if vuv else 500, 1000), (1000, 4000), (4000, 11000)):
            levels = [level(x[4800:-4800], low, high) for x in (world, ours)]
            assert levels[0] == pytest.approx(levels[1], abs=1.0)


def level(x: np.ndarray, low: float, high: float, rate: int = 24000) -> float:
    """Decibels of a band."""
    spectrum = np.abs(np.fft.rfft(x)) ** 2
    hz = np.fft.rfftfreq(len(x), 1 / rate)
    return 10 * np.log10(spectrum[(hz >= low) & (hz < high)].sum())


def test_untrained_it_has_the_mel_spectra_that_it_is_given():
    model = made("hn", replace(MEL, stats=None), 0)
    hz = 200 * 2 ** (0.05 * np.sin(np.arange(300) / 20))
    rng = np.random.default_rng(0)
    turns = np.cumsum(np.repeat(hz, 120)) / 24000
    voice = sum(np.cos(2 * np.pi * k * turns + k) / k for k in range(1, 50)) * 0.05
    for x, vuv in ((voice, np.ones(300)), (0.05 * rng.standard_normal(36000), np.zeros(300))):
        mel = log_mel(x, MEL.feature_config, 300)
        again = log_mel(sung(model, hz, vuv, mel=mel), MEL.feature_config, 300)
        difference = (again - mel)[20:-20]
        # Bands narrower than F0 tell harmonics apart, and only those are sung.
        heard = mel[20:-20] > mel[20:-20].max() - 5
        assert np.abs(difference[heard]).mean() < (0.15 if vuv.any() else 0.45)
        assert abs(np.mean(difference[heard])) < 0.1


def decibels(x: np.ndarray) -> float:
    """The level of what is not near the ends."""
    return 20 * np.log10(x[len(x) // 5 : -len(x) // 5].std())


@pytest.mark.parametrize("name", ["mel_24k", "mel_44k"])
def test_a_tone_keeps_its_level_from_110_to_880_hz(name):
    config = FeatureConfig.read(CONF / f"features/{name}.yaml")
    spec = replace(bare_spec(config), stats=None)
    model, frames = made("hn", spec, 0), round(1 / spec.frame_shift)
    for hz in (110.0, 155.6, 220.0, 311.1, 440.0, 622.3, 880.0):
        for slope in (4.0, 12.0):
            x = tone(hz, spec.sample_rate, slope)
            again = sung(model, np.full(frames, hz), mel=log_mel(x, config, frames))
            assert decibels(again) == pytest.approx(decibels(x), abs=1.0), (hz, slope)


@pytest.mark.parametrize("name", ["mel_24k", "mel_44k"])
def test_means_over_pitches_with_one_pitchs_comb_are_sung_as_loud_as_it(name):
    """As the rule and all that count from it predict: means of logarithms, in which no harmonics are left."""
    config = FeatureConfig.read(CONF / f"features/{name}.yaml")
    spec = replace(bare_spec(config), stats=None)
    model, frames = made("hn", spec, 0), round(1 / spec.frame_shift)
    rng = np.random.default_rng(0)
    pitches = np.log(260.0) + 0.25 * rng.normal(size=40)
    mels = [log_mel(tone(hz, spec.sample_rate, 4.0), config, frames) for hz in np.exp(pitches)]
    mean = np.mean([mel[frames // 4 : -frames // 4].mean(0) for mel in mels], axis=0)
    moments = SimpleNamespace(mean=[pitches.mean()], std=[pitches.std()])
    stats = SimpleNamespace(streams={"lf0": moments})
    comb = HarmonicComb(SimpleNamespace(feature_config=config, stats=stats))
    for hz in (196.0, 277.2, 392.0):
        mel = mean + comb(torch.full((1, frames, 1), np.log(hz)))[0].numpy()
        again = sung(model, np.full(frames, hz), mel=mel)
        assert decibels(again) == pytest.approx(decibels(tone(hz, spec.sample_rate, 4.0)), abs=1.5), hz


def test_what_does_not_fit_is_said():
    path = CONF / "vocoder" / "hn_istft_tiny.yaml"
    with pytest.raises(DataError, match="needs mgc, bap, which these features lack"):
        Config.read(path, ["--model.conditioned_on=world"]).build(MEL)
    odd = spec_of(sample_rate=24000, frame_shift=0.0100137, world={})
    with pytest.raises(DataError, match="frames of 240.329 samples cannot be cut into steps of 2 to 6 ms"):
        Config.read(path).build(odd)
