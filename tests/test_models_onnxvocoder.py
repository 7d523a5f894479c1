"""Vocoders sung with by onnxruntime, a piece at a time: as torch makes them, whatever they are."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from models_common import shaken
from vocoder_common import CONF, TINY, build, phrase

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models import chance
from nnsvs_lite.models.checkpoint import model_bytes
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.foreign import bare_spec
from nnsvs_lite.models.graphfacts import Draw
from nnsvs_lite.models.layers import noise
from nnsvs_lite.models.onnxvocoder import OnnxVocoder
from nnsvs_lite.models.onnxvoice import RUNNING, loaded

pytest.importorskip("onnx", reason="needs onnx: pip install nnsvs_lite[export]")

from nnsvs_lite.export.static import fft, irfft, rfft, static
from nnsvs_lite.export.wavegraphs import sizes_of, vocoder_graphs

MEL, WORLD = ({"mel": {"bins": 12, "fft_size": 512, "win_size": 480}}, {"world": {"mgc_order": 11}})
EVERY = [*TINY, *(CONF / "vocoder" / f"{name}.yaml" for name in ("hn", "hn_istft_tiny", "ddsp_tiny"))]
SLOW = pytest.mark.slow
QUICK = {("hn", "world"), ("hn_istft_tiny", "mel"), ("nsf_hifigan_tiny", "mel")}
"""Those that are tried each time: of them all else is made, and noise drawn in every way."""


def spec_of(kind: dict, rate: int = 24000, **frames: float):
    return bare_spec(FeatureConfig.from_dict({"sample_rate": rate, **(frames or {"hop_size": 120}), **kind}))


def both(path, spec) -> tuple:
    """A new vocoder, and its graphs."""
    model = build(path, spec)
    if model.trains:
        shaken(model, 0.02)
    checkpoint = model_bytes(model, Config.read(path))
    examples = [inputs(model, n) for n in (9, 700)]
    files, facts, wave = vocoder_graphs(model, checkpoint, "vocoder", examples)
    graphs = {name: loaded(name, files[name], told, checkpoint) for name, told in facts.items()}
    told = (wave, facts["vocoder"].draws, spec)
    return model, OnnxVocoder(model.name, graphs["vocoder"], graphs.get(RUNNING), *told)


def inputs(model, frames: int):
    """A phrase with spectra as quiet as a voice's."""
    example = phrase(model.spec, frames, frames, wav=False)
    quiet = {name: 0.1 * value for name, value in example.streams.items() if name not in ("lf0", "vuv")}
    return replace(example, streams=example.streams | quiet)


def made(vocoder, example, seed: int) -> np.ndarray:
    return np.concatenate([*vocoder.pieces([example], seed)], 1)[0]


@pytest.fixture(scope="module")
def hn() -> tuple:
    """Of WORLD's streams."""
    return both(CONF / "vocoder" / "hn.yaml", spec_of(WORLD))


CASES = [
    pytest.param(path, kind, id=f"{path.stem}-{name}", marks=() if (path.stem, name) in QUICK else SLOW)
    for path in EVERY
    for name, kind in (("mel", MEL), ("world", WORLD))
    # Of most networks it makes no difference what they are told.
    if name == "mel" or path.stem in ("hn", "ddsp_tiny")
]


@pytest.mark.parametrize(("path", "kind"), CASES)
def test_it_makes_what_torch_makes(path, kind):
    model, sung = both(path, spec_of(kind))
    size = sung.facts.frames
    # One frame; a piece that is full; one frame more; many.
    for frames in (1, size, size + 1, 3 * size + 17):
        there, here = (made(x, inputs(model, frames), frames) for x in (model, sung))
        assert there.shape == here.shape == (frames * 120,)
        assert np.abs(there - here).max() < 3e-4 * max(1.0, np.abs(there).max())
    certain = np.array_equal(here, made(sung, inputs(model, frames), 0))
    assert certain == (not any(draw.what == "running" for draw in sung.draws))


def test_memory_is_that_of_a_piece_however_long_the_song(hn):
    _, sung = hn
    heard = sung.facts.frames - 2 * sung.facts.around
    minutes = inputs(sung, 24_000)
    sizes = [piece.shape[1] for piece in sung.pieces([minutes], 0, seconds=60.0)]
    assert sum(sizes) == 24_000 * 120 and len(sizes) == math.ceil((24_000 - 2 * sung.facts.around) / heard)
    assert max(sizes) <= sung.facts.frames * 120
    # Some at once are those alone.
    short = [inputs(sung, n) for n in (30, 400)]
    (together,) = sung.pieces(short, 5)
    assert together.shape == (2, 400 * 120) and not together[0, 30 * 120 :].any()
    np.testing.assert_array_equal(together[0, : 30 * 120], made(sung, short[0], 5))


def test_pieces_begin_on_whole_samples():
    spec = spec_of({"mel": {"bins": 12, "fft_size": 512, "win_size": 480}}, 44100, frame_shift=0.005)
    model, sung = both(CONF / "vocoder" / "hn.yaml", spec)
    assert sung.facts.frames % 2 == sung.facts.around % 2 == 0
    there, here = (made(x, inputs(model, 802), 3) for x in (model, sung))
    assert len(here) == 802 * 441 // 2
    assert np.abs(there - here).max() < 1e-4 * np.abs(there).max()


def test_what_makes_no_pieces_is_refused():
    model = build(CONF / "vocoder" / "hn.yaml", spec_of(WORLD))
    model.reach = None
    with pytest.raises(ValueError, match="it makes no pieces"):
        sizes_of(model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": 60}, "makes another number of samples"),
        ({"around": 200}, "pieces are none"),
        ({"features": {"sample_rate": 24000, "frame_shift": 0.005, "world": {}, "hop": 3}}, "hop"),
        ({"features": {"sample_rate": 24000, "hop_size": 240, "world": {}}}, "another number of samples"),
    ],
)
def test_facts_that_are_not_those_of_the_graph_are_refused(change, message, hn):
    _, sung = hn
    with pytest.raises((DataError, ValueError), match=message):
        OnnxVocoder("Hn", sung.graph, None, replace(sung.facts, **change), sung.draws, sung.spec)


@pytest.mark.parametrize(
    "draw", [Draw("running", 1, 0, 0), Draw("frame", 1, 0, 9), Draw("running", 1 << 16, 0, 1 << 26)]
)
def test_draws_that_no_vocoder_asks_for_are_refused(draw, hn):
    _, sung = hn
    with pytest.raises(ValueError, match="draws what no vocoder does"):
        OnnxVocoder("Hn", sung.graph, None, sung.facts, [draw], sung.spec)


def test_running_noise_and_uniform_numbers_are_those_of_torch():
    for first, rows, dim in ((0, 10, 1), (4090, 20, 3), (9000, 8192, 2)):
        drawn = noise.running_noise(first, torch.tensor([rows]), rows, dim, 7)[0]
        np.testing.assert_allclose(chance.running_noise(first, rows, dim, 7), drawn, atol=1e-5)
    for dim in (1, 9, 16, 33):
        np.testing.assert_array_equal(chance.uniform(dim, 2**40 + 3)[None], noise.uniform(dim, 2**40 + 3))


@pytest.mark.parametrize("size", [2, 14, 882, 1024, 1000])
def test_transforms_in_pairs_are_those_of_torch(size):
    x = torch.randn(1, 7, size, generator=torch.Generator().manual_seed(size))
    there, here = torch.fft.rfft(x), rfft(x)
    torch.testing.assert_close(torch.complex(here.real, here.imag), there, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(irfft(here, size), x, atol=1e-5, rtol=1e-5)
    # As torch does it, whatever the imaginary parts of the ends are.
    here.imag[..., 0] += 1.0
    torch.testing.assert_close(irfft(here, size), x, atol=1e-5, rtol=1e-5)
    y = torch.randn(1, 7, size)
    whole, there = fft(x, y), torch.fft.fft(torch.complex(x, y))
    torch.testing.assert_close(torch.complex(whole.real, whole.imag), there, atol=1e-4, rtol=1e-5)


def test_other_words_say_the_same():
    x = torch.randn(2, 3, 40)
    with static():
        wide = x.repeat_interleave(3, dim=-1), x.repeat_interleave(2, dim=1)
        rows, sinc = x[:, 0].unfold(1, 7, 2), torch.sinc(torch.tensor([0.0, 0.5, -2.5]))
        assert x.shape == (2, 3, 40)
    for ours, theirs in zip(wide, (x.repeat_interleave(3, dim=-1), x.repeat_interleave(2, dim=1))):
        assert torch.equal(ours, theirs)
    assert torch.equal(rows, x[:, 0].unfold(1, 7, 2))
    torch.testing.assert_close(sinc, torch.sinc(torch.tensor([0.0, 0.5, -2.5])))
