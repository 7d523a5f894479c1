"""The sine source sings what it is told, for as long as it is told."""

import numpy as np
import pytest
import torch

from nnsvs_lite.models.layers.sine_source import SineSource

RATE, SHIFT = 24000, 0.005


def made(lf0, vuv=None, seed=0, size=None, **options):
    lf0 = torch.as_tensor(lf0, dtype=torch.float32).reshape(1, -1, 1)
    vuv = torch.ones_like(lf0) if vuv is None else torch.as_tensor(vuv).float().reshape(1, -1, 1)
    source = SineSource(options.pop("rate", RATE), options.pop("shift", SHIFT), **options).eval()
    lengths = torch.tensor([lf0.shape[1]])
    size = size or round(lf0.shape[1] * source.frame_shift * source.sample_rate)
    return source(lf0, vuv, source.turns(lf0), lengths, size, seed=seed)


def instantaneous(x: np.ndarray, rate: float = RATE) -> np.ndarray:
    from scipy.signal import hilbert

    return np.diff(np.unwrap(np.angle(hilbert(x)))) * rate / (2 * np.pi)


@pytest.mark.parametrize("shift", [SHIFT, 220.5 / 44100], ids=["whole", "half"])
def test_the_instantaneous_frequency_is_f0(shift):
    rate = 24000 if shift == SHIFT else 44100
    frames = np.arange(400)
    hz = 220.0 * 2 ** (np.sin(2 * np.pi * 6 * frames * shift) / 10)
    sines, voiced = made(np.log(hz), harmonics=2, noise=0.0, rate=rate, shift=shift)
    assert sines.shape == (1, round(400 * shift * rate), 3) and voiced.eq(1).all()
    at = (np.arange(sines.shape[1] - 1) + 0.5) / (rate * shift)
    expected = np.interp(at, frames, hz)
    # A Hilbert transform is not exact near the ends.
    middle = slice(8000, -8000)
    for harmonic in (1, 2, 3):
        found = instantaneous(sines[0, :, harmonic - 1].double().numpy(), rate)
        np.testing.assert_allclose(found[middle], harmonic * expected[middle], rtol=2e-3)
    assert float(sines.abs().max()) == pytest.approx(0.1, abs=1e-4)


def test_overtones_end_at_half_the_rate():
    # In the middle the 8th overtone, 9 F0, passes 12 kHz.
    hz = np.linspace(1000, 1700, 200)
    sines = made(np.log(hz), noise=0.0)[0][0].numpy()
    at = np.interp(np.arange(len(sines)) / 120, np.arange(200), hz)
    for number in range(1, 10):
        silent = np.abs(sines[:, number - 1]) < 1e-12
        assert silent[number * at >= 12000 + 1].all()
        assert silent[number * at < 12000 - 1].mean() < 1e-3


def test_unvoiced_frames_are_noise_at_the_stated_level():
    vuv = np.r_[np.ones(200), np.zeros(200)]
    sines, voiced = made(np.full(400, np.log(300.0)), vuv, harmonics=1)
    noise = sines[0, 24000:].numpy()
    assert voiced[0, :24000].eq(1).all() and voiced[0, 24000:].eq(0).all()
    assert noise.std() == pytest.approx(0.1 / 3, rel=0.03) and abs(noise.mean()) < 2e-3
    spectrum = np.abs(np.fft.rfft(noise[:, 0])) ** 2
    assert spectrum.max() < 20 * spectrum.mean(), "no line stands out"
    clean = made(np.full(400, np.log(300.0)), vuv, harmonics=1, noise=0.0)[0][0, :24000]
    assert (sines[0, :24000] - clean).std() == pytest.approx(0.003, rel=0.03)


def test_the_phase_does_not_drift_over_five_minutes():
    frames = 60_000
    source, lf0 = SineSource(44100, 0.005), torch.full((1, frames, 1), float(np.log(441.3)))
    turns = source.turns(lf0)
    hz = lf0.double().exp()[0, 0, 0].item()
    exact = (hz * 0.005 * np.arange(frames)) % 1.0
    off = (turns[0, :, 0].numpy() - exact + 0.5) % 1.0 - 0.5
    assert np.abs(off).max() < 1e-6
    # From frame to frame, too: the parabola of one frame ends where the next one begins.
    lf0 = torch.log(200 + 100 * torch.rand(1, 50, 1, generator=torch.Generator().manual_seed(0)))
    phase, f0 = source.phase(lf0, source.turns(lf0), torch.tensor([50]), 50 * 220)
    step = (phase.diff(dim=1) + 0.5) % 1.0 - 0.5
    torch.testing.assert_close(step * 44100, (f0[:, 1:] + f0[:, :-1]) / 2, rtol=1e-3, atol=0)


def test_chance_is_of_the_seed_alone():
    curve, vuv = np.full(20, 5.5), np.arange(20) < 10
    assert torch.equal(made(curve, vuv, 3)[0], made(curve, vuv, 3)[0])
    other = made(curve, vuv, 4)[0]
    assert not torch.equal(made(curve, vuv, 3)[0], other)
    torch.testing.assert_close(
        other[..., 0][:, :1200], made(curve, vuv, 3)[0][..., 0][:, :1200], atol=0.03, rtol=0
    )


def test_rows_and_pieces_are_as_they_are_in_the_whole():
    curve = torch.randn(2, 30, 1, generator=torch.Generator().manual_seed(0)).cumsum(1) * 0.02 + 5.5
    vuv = (torch.arange(30) % 9 > 2).float().expand(2, 30)[..., None]
    source, lengths = SineSource(RATE, SHIFT).eval(), torch.tensor([22, 30])
    turns = source.turns(curve)
    together, _ = source(curve, vuv, turns, lengths, 3600, seed=1)
    short = slice(0, 22)
    alone, _ = source(
        curve[:1, short], vuv[:1, short], source.turns(curve[:1, short]), lengths[:1], 2640, seed=1
    )
    torch.testing.assert_close(together[:1, :2640], alone, rtol=0, atol=1e-6)
    piece = slice(10, 20)
    given = (curve[1:, piece], vuv[1:, piece], turns[1:, piece], torch.tensor([10]))
    made, _ = source(*given, 1200, first=1200, seed=1)
    # The last frame of a piece does not know where F0 goes.
    torch.testing.assert_close(made[:, :1080], together[1:, 1200:2280], rtol=0, atol=1e-6)
