"""Parts of vocoders that have exact answers: taps by pitch, activations without aliases, flat excitations."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import freqz, lfilter
from vocoder_common import CONF, batch_of, build

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.models.foreign import bare_spec
from nnsvs_lite.models.layers.pitch_dilated import PitchDilated, distances, shifted
from nnsvs_lite.models.layers.snake import AntiAliased, Snake
from nnsvs_lite.models.layers.source_distance import SourceDistance
from nnsvs_lite.models.layers.upsampling import upsample
from nnsvs_lite.models.vocoder.hn_sinc_nsf import HeldUpsample, filtered, sinc_filters


def test_a_shift_takes_the_samples_at_the_distances_and_zero_outside():
    x = torch.arange(1.0, 7.0).reshape(1, 1, 6).expand(1, 2, 6)
    distance = torch.tensor([[[1, 2, 3, 3, 1, 1]]])
    assert shifted(x, distance)[0, 0].tolist() == [2, 4, 6, 0, 6, 0]
    assert shifted(x, -distance)[0, 1].tolist() == [0, 0, 0, 1, 4, 5]


def test_taps_lie_a_part_of_a_period_away():
    f0 = torch.tensor([[[100.0, 200.0, 300.0, 10.0]]])
    assert distances(f0, 24000, 4, 60)[0, 0].tolist() == pytest.approx([60, 30, 20, 100])
    layer = PitchDilated(1, 1)
    for tap, weight in ((layer.before, 1.0), (layer.here, 10.0), (layer.after, 100.0)):
        tap.weight, tap.bias.data = torch.full((1, 1, 1), weight), torch.zeros(1)
    x = torch.zeros(1, 1, 200)
    x[..., 100] = 1
    made = layer(x, torch.full((1, 1, 200), 30))[0, 0]
    expected = torch.zeros(200)
    expected[[70, 100, 130]] = torch.tensor([100.0, 10.0, 1.0])
    torch.testing.assert_close(made, expected)


def aliased(activation, at: float) -> float:
    """The share of energy that lies at no harmonic of a sine of so many cycles in 1000 samples, in dB."""
    x = 1.5 * torch.sin(2 * math.pi * at / 1000 * torch.arange(3000))[None, None].float()
    spectrum = torch.fft.rfft(activation(x)[0, 0, 1000:2000]).abs().square()
    folded = spectrum.clone()
    folded[:: int(at)] = 0
    return 10 * math.log10(float(folded.sum() / spectrum.sum()))


@pytest.mark.parametrize("at", [170, 210])
def test_what_a_sine_becomes_has_no_aliases(at):
    snake = Snake(1)
    with torch.no_grad():
        plain, clean = aliased(snake, at), aliased(AntiAliased(snake), at)
    assert plain > -30 and clean < plain - 15


def test_what_is_not_changed_passes_through():
    layer = AntiAliased(torch.nn.Identity())
    x = torch.sin(2 * math.pi * 0.05 * torch.arange(400))[None, None].repeat(1, 3, 1)
    made = layer(x)
    assert made.shape == x.shape
    torch.testing.assert_close(made[..., 20:-20], x[..., 20:-20], rtol=0, atol=5e-3)


def test_the_snake_is_its_formula():
    snake = Snake(2)
    snake.log_a.data[:], snake.log_b.data[:] = math.log(2.0), math.log(4.0)
    x = torch.tensor([[[0.3], [-1.0]]])
    expected = [0.3 + math.sin(0.6) ** 2 / 4, -1.0 + math.sin(2.0) ** 2 / 4]
    assert snake(x).flatten().tolist() == pytest.approx(expected)


@pytest.fixture(scope="module")
def voice():
    """Pulses at 150 Hz, and through two resonances: waveforms (1, S), and F0."""
    rate, samples = 24000, 24000
    pulses = np.zeros(samples)
    pulses[np.arange(0, samples, rate // 150)] = 0.5
    sung = pulses
    for hz, width in ((700, 200), (2500, 400)):
        r = math.exp(-math.pi * width / rate)
        sung = lfilter([1 - r], [1, -2 * r * math.cos(2 * math.pi * hz / rate), r * r], sung)
    waves = [torch.tensor(x, dtype=torch.float32)[None] for x in (pulses, sung * 5)]
    return (*waves, torch.full((1, 200, 1), 150.0))


def test_the_envelope_is_that_of_the_resonances(voice):
    pulses, sung, f0 = voice
    layer = SourceDistance(24000, 120, 71)
    made = layer.envelope(sung, f0)[0, 50:150].mean(0).numpy()
    hz = np.arange(1025) * 24000 / 2048
    z = np.exp(-2j * np.pi * hz / 24000)
    true = np.zeros(1025)
    for at, width in ((700, 200), (2500, 400)):
        r = math.exp(-math.pi * width / 24000)
        true -= np.log(np.abs(1 - 2 * r * math.cos(2 * math.pi * at / 24000) * z + r * r * z * z))
    true -= true.mean()
    inner = (hz > 200) & (hz < 9000)
    assert np.abs(made - true)[inner].mean() * 20 / np.log(10) < 1.5, "dB"
    assert np.ptp(layer.envelope(pulses, f0)[0, 50:150, 20:900].mean(0).numpy()) < 0.4, "pulses have none"
    assert np.ptp(made[20:900]) > 3


def test_the_excitation_that_is_wanted_is_the_flat_one(voice):
    pulses, sung, f0 = voice
    layer, lengths = SourceDistance(24000, 120, 71), torch.tensor([24000])
    where = (f0.log(), torch.ones_like(f0), lengths)
    level = float(sung.std() / pulses.std())
    flat, same, loud = (float(layer(x, sung, *where)) for x in (pulses * level, sung, pulses * level * 8))
    assert flat < 0.5 * same and flat < 0.5 * loud


@pytest.mark.parametrize("cutoff", [0.2, 0.5])
def test_sinc_filters_part_a_signal_at_their_cutoff(cutoff):
    low, high = sinc_filters(torch.full((1, 1), cutoff), 31)
    hz, gains = freqz(low[0, 0].numpy(), worN=256)[0] / np.pi, []
    for taps in (low, high):
        gains.append(20 * np.log10(np.abs(freqz(taps[0, 0].numpy(), worN=256)[1]) + 1e-6))
    below, above = hz < cutoff - 0.12, hz > cutoff + 0.12
    assert np.abs(gains[0][below]).max() < 0.5 and gains[0][above].max() < -40
    assert np.abs(gains[1][above]).max() < 0.5 and gains[1][below].max() < -40


def test_each_sample_has_a_filter_of_its_own():
    wav = torch.randn(1, 400, generator=torch.Generator().manual_seed(0))
    cutoff = torch.where(torch.arange(400) < 200, 0.1, 0.8)[None]
    low, _ = sinc_filters(cutoff, 31)
    made = filtered(wav, low)[0].numpy()
    for place, taps in ((100, low[0, 0]), (300, low[0, 399])):
        assert made[place] == pytest.approx(float(wav[0, place - 15 : place + 16] @ taps), abs=1e-5)


def test_frames_are_held_and_smoothed():
    x = torch.randn(2, 3, 9, generator=torch.Generator().manual_seed(0))
    held = x.repeat_interleave(8, dim=-1)
    torch.testing.assert_close(HeldUpsample(8)(x), held)
    padded = torch.nn.functional.pad(held, (20, 20), "replicate")
    mean = padded.unfold(-1, 9, 1).mean(-1)[..., 16 : 16 + 72]
    torch.testing.assert_close(HeldUpsample(8, 9)(x), mean)
    made = HeldUpsample(8, 8, 32)(torch.ones(1, 1, 5))
    torch.testing.assert_close(made, torch.ones(1, 1, 40))


def test_the_template_has_a_pulse_a_period():
    spec = bare_spec(FeatureConfig.from_dict({"sample_rate": 24000, "hop_size": 120, "mel": {"bins": 12}}))
    model = build(CONF / "vocoder" / "refinegan_tiny.yaml", spec)
    batch = batch_of(spec, 100, wav=False)
    batch.streams["lf0"][:], batch.streams["vuv"][:] = math.log(240.0), 1.0
    made = model.pulses(model.continued(batch, 0))[0, 0].numpy()
    peaks = np.flatnonzero(made > 0.07)
    assert peaks.tolist() == list(range(0, 12000, 100)), "24000 / 240 samples a period"
    assert np.abs(np.delete(made, peaks)).max() < 0.02, "between them the noise of voiced frames alone"


@pytest.mark.parametrize("kernel, rate", [(16, 8), (11, 5), (12, 6), (7, 3)])
def test_upsampling_begins_as_straight_lines(kernel, rate):
    layer, x = upsample(2, 3, kernel, rate), torch.arange(20.0).expand(1, 2, 20)
    with torch.no_grad():
        made, still = layer(x), layer(torch.ones_like(x))
    assert made.shape == (1, 3, 20 * rate)
    inner = slice(3 * rate, -3 * rate)
    torch.testing.assert_close(still[..., inner], still[..., 10 * rate, None].expand_as(still[..., inner]))
    torch.testing.assert_close(
        made[..., inner].diff(n=2, dim=-1).abs().max(), torch.tensor(0.0), rtol=0, atol=1e-4
    )
