"""Vocoders make long songs piece by piece, and nobody hears where."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from contributing import installed
from models_common import batch_of, examples, shaken

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.models.batch import Example, collate
from nnsvs_lite.models.layers.noise import BLOCK, running_noise
from nnsvs_lite.models.vocoder.world import World
from nnsvs_lite.synthesis.vocoder import pieces_of, waveform_of, waveforms_of


@pytest.fixture(scope="module")
def sine_filter():
    with installed("A vocoder") as module:
        yield module.SineFilter


@pytest.fixture(params=[(24000, 0.005), (44100, 0.005)], ids=["hop120", "hop220.5"])
def vocoder(request, spec, sine_filter):
    rate, shift = request.param
    config = FeatureConfig.from_dict({"sample_rate": rate, "frame_shift": shift, "world": {}})
    return shaken(sine_filter(replace(spec, feature_config=config), channels=4).eval())


@pytest.mark.parametrize("frames", [1, 7, 50, 400])
def test_pieces_are_the_whole(vocoder, toy_dump, spec, frames):
    batch = batch_of(examples(toy_dump, "eval", spec), spec)
    with torch.inference_mode():
        whole = vocoder.synthesize(batch)
        pieces = list(vocoder.in_pieces(batch, frames))
    joined = torch.cat(pieces, dim=1)
    assert joined.shape == whole.shape and whole.abs().max() > 0.1
    assert len(pieces) >= batch.max_frames // (frames + 2)
    for made, expected, size in zip(joined, whole, vocoder.samples(batch).tolist()):
        assert (made - expected)[:size].abs().max() < 1e-3 * expected[:size].abs().max()


def test_pieces_without_what_is_around_them_are_not(vocoder, toy_dump, spec):
    batch = batch_of(examples(toy_dump, "eval", spec)[:1], spec)
    with torch.inference_mode():
        whole = vocoder.synthesize(batch)
        vocoder.reach = 0
        joined = torch.cat(list(vocoder.in_pieces(batch, 50)), dim=1)
        vocoder.running = lambda batch: {"turns": torch.zeros_like(batch.streams["lf0"])}
        unphased = torch.cat(list(vocoder.in_pieces(batch, 50)), dim=1)
    assert (joined - whole).abs().max() > 1e-3 * whole.abs().max()
    assert (unphased - whole).abs().max() > 0.1 * whole.abs().max()


def test_a_vocoder_that_hears_everything_makes_the_whole_at_once(toy_dump, spec):
    batch = batch_of(examples(toy_dump, "eval", spec), spec)
    (made,) = World(spec).in_pieces(batch, 50)
    assert torch.equal(made, World(spec).synthesize(batch))


def test_the_phase_of_a_long_note_keeps_its_pitch(vocoder):
    """A phase that ran on in single precision would be a tone of another pitch after some minutes."""
    frames, hz = 60_000, 440.0
    streams = {"lf0": np.full((frames, 1), np.log(hz)), "vuv": np.ones((frames, 1))}
    batch = collate([Example("u", streams=streams)], vocoder.spec.frame_shift)
    turns = vocoder.running(batch)["turns"][0, :, 0].double()
    f0 = float(np.exp(np.float64(np.float32(np.log(hz)))))
    expected = (torch.arange(frames, dtype=torch.float64) * f0 * vocoder.spec.frame_shift) % 1.0
    assert ((turns - expected + 0.5) % 1.0 - 0.5).abs().max() < 1e-5


@pytest.mark.parametrize("first", [0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 17])
def test_running_noise_is_one_noise(first):
    size = 2 * BLOCK + 5
    whole = running_noise(0, torch.tensor([6 * BLOCK]), 6 * BLOCK, 2, seed=5)
    lengths = torch.tensor([size, 100, 0])
    piece = running_noise(first, lengths, size, 2, seed=5)
    for row, length in zip(piece, lengths.tolist()):
        assert torch.equal(row[:length], whole[0, first : first + length]) and not row[length:].any()
    assert not torch.equal(running_noise(first, lengths, size, 2, seed=6)[0], piece[0])


def test_running_noise_is_white():
    noise = running_noise(0, torch.tensor([1 << 18]), 1 << 18, 1, seed=1)[0, :, 0].double()
    assert abs(float(noise.mean())) < 0.01 and abs(float(noise.std()) - 1) < 0.01
    for lag in (1, BLOCK, 2 * BLOCK):
        assert abs(float((noise[lag:] * noise[:-lag]).mean())) < 0.01
    assert running_noise(3, torch.tensor([4], device="meta"), 4, 2, 0).is_meta


def test_utterances_made_together_and_in_pieces_are_as_they_are_alone(vocoder, toy_dump, spec):
    several = [{name: e.streams[name] for name in vocoder.inputs} for e in examples(toy_dump, "eval", spec)]
    together = waveforms_of(vocoder, several, seed=2)
    for streams, made in zip(several, together, strict=True):
        alone = waveform_of(vocoder, streams, seed=2)
        assert made.dtype == np.float64
        assert made.shape == alone.shape == (vocoder.spec.feature_config.n_samples(len(streams["lf0"])),)
        np.testing.assert_allclose(made, alone, atol=1e-4)
        joined = np.concatenate([*pieces_of(vocoder, [streams], 2, seconds=0.1)], axis=1)
        np.testing.assert_allclose(joined[0], alone, atol=1e-3 * np.abs(alone).max())


def test_memory_does_not_grow_with_the_song(vocoder):
    """A song of a minute and one of ten seconds: what the network holds at once is the same."""
    sizes = []
    vocoder.enter.register_forward_hook(lambda module, given, out: sizes.append(out.shape[1]))
    for seconds in (10, 60):
        frames = round(seconds / vocoder.spec.frame_shift)
        streams = {name: np.zeros((frames, vocoder.spec.streams[name])) for name in vocoder.inputs}
        made = sum(piece.shape[1] for piece in pieces_of(vocoder, [streams], seconds=4.0))
        assert made == seconds * vocoder.spec.sample_rate
    assert max(sizes) <= (4.0 + 0.05) * vocoder.spec.sample_rate
