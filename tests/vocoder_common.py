"""What tests of neural vocoders share: every configuration, at the sizes of its features or of toy ones."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch, Example, collate
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.layers.harmonics import breath
from nnsvs_lite.models.vocoder.neural import NeuralVocoder

CONF = Path(__file__).parents[1] / "conf"
TRAINED = [p for p in sorted((CONF / "vocoder").glob("[!_]*")) if Config.read(p).model_class.trains]
NEURAL = [p for p in TRAINED if issubclass(Config.read(p).model_class, NeuralVocoder)]
TINY = [path for path in NEURAL if path.stem.endswith("_tiny")]
FULL = [path for path in NEURAL if path not in TINY]


def head(path: Path, name: str) -> str:
    """The first word of a line ``# name: ...`` in the head of a configuration."""
    found = re.search(rf"^# {name}: (\S+)", path.read_text(), re.MULTILINE)
    assert found, f'no line "# {name}: ..." in the head of {path.name}'
    return found[1]


def features_of(path: Path) -> FeatureConfig:
    """The features that the head of a configuration names."""
    return FeatureConfig.read(CONF / "features" / f"{head(path, 'Features')}.yaml")


def phrase(spec: Spec, frames: int, seed: int = 0, wav: bool = True) -> Example:
    """A phrase of random spectra, of a pitch that moves, and of a recording that goes with it."""
    rng = np.random.default_rng(seed)
    streams = {name: rng.normal(0, 1, (frames, size)) for name, size in spec.streams.items()}
    curve = 220 * 2 ** (np.cumsum(rng.normal(0, 0.02, frames)))
    streams["lf0"] = np.log(curve)[:, None]
    streams["vuv"] = (np.arange(frames) % 17 > 4).astype(float)[:, None]
    if wav:
        size = spec.feature_config.n_samples(frames)
        at = np.arange(size) * frames / size
        turns = np.cumsum(np.interp(at, np.arange(frames), curve)) / spec.sample_rate
        x = 0.3 * np.sin(2 * np.pi * turns) + 0.1 * np.sin(6 * np.pi * turns) + rng.normal(0, 0.01, size)
        streams["wav"] = x[:, None]
    return Example(f"u{seed}", streams={k: v.astype(np.float32) for k, v in streams.items()})


def tone(hz: float, rate: int = 24000, slope: float = 0.0) -> np.ndarray:
    """A second of harmonics, their phases by chance, with a voice's noise between them: decibels fall by
    ``slope`` a kHz.
    """
    rng, time = np.random.default_rng(0), np.arange(rate) / rate
    bins = np.fft.rfftfreq(rate, 1 / rate)
    # As dense as cosines of amplitude 1: a power of 1 / 2 in each F0.
    noise = np.fft.rfft(rng.normal(0, np.sqrt(rate / (4 * hz)), rate))
    x = np.fft.irfft(noise * 10 ** ((breath(bins) - slope * bins / 1000) / 20), rate)
    for k in range(1, int(rate / 2 / hz)):
        height = 10 ** (-slope * k * hz / 20000)
        x += height * np.cos(2 * np.pi * k * hz * time + rng.uniform(0, 2 * np.pi))
    return x


def batch_of(spec: Spec, *frames: int, wav: bool = True, seed: int = 0) -> Batch:
    """Phrases of so many frames."""
    items = [phrase(spec, n, i, wav) for i, n in enumerate(frames)]
    return collate(items, spec.frame_shift, seed)


def build(path: Path, spec: Spec, seed: int = 0) -> NeuralVocoder:
    """A new model of a configuration."""
    config = Config.read(path)
    torch.manual_seed(seed)
    return config.build(spec).eval()


def one(batch: Batch, row: int, frames: int) -> Batch:
    """One phrase of a batch, alone."""
    streams = {name: value[row : row + 1, :frames] for name, value in batch.streams.items()}
    lengths = batch.frame_lengths[row : row + 1]
    return replace(batch, utts=["u"], frame_lengths=lengths, max_frames=frames, streams=streams)


def padded(batch: Batch, more: int, hop: int) -> Batch:
    """The same phrases, with so many frames of padding more."""
    streams = {
        name: torch.nn.functional.pad(x, (0, 0, 0, more * (hop if name == "wav" else 1)))
        for name, x in batch.streams.items()
    }
    return replace(batch, max_frames=batch.max_frames + more, streams=streams)


def check_alone_and_in_pieces(model: NeuralVocoder, spec: Spec, *frames: int) -> None:
    """A phrase in a batch, and in pieces, is as it is alone, and its padding silent."""
    with torch.inference_mode():
        batch = batch_of(spec, *frames, wav=False, seed=4)
        together = model.synthesize(batch)
        sizes = model.samples(batch).tolist()
        assert sizes == [spec.feature_config.n_samples(n) for n in frames]
        assert together.shape == (len(frames), max(sizes)) and together.isfinite().all()
        level = together.std()
        for row, (n, size) in enumerate(zip(frames, sizes)):
            alone = model.synthesize(one(batch, row, n))
            assert alone.shape == (1, size)
            assert (together[row, :size] - alone[0]).abs().max() < 1e-4 * max(level, 1)
            assert not together[row, size:].any()
        joined = torch.cat(list(model.in_pieces(batch, 40)), dim=1)
    assert (joined - together).abs().max() < 1e-3 * level
    assert level > 1e-6


def check_reach(model: NeuralVocoder, batch: Batch, streams: tuple[str, ...], by: float) -> None:
    """A change of the middle frame is heard there, and no further than the model's reach."""
    middle = batch.max_frames // 2
    with torch.inference_mode():
        before = model.synthesize(batch)
        for stream in streams:
            batch.streams[stream][:, middle] += by
        moved = (model.synthesize(batch) - before)[0].abs() > 1e-6 * before.std()
    places = torch.nonzero(moved).flatten() / model.hop
    assert middle - model.reach <= places.min() and places.max() < middle + 1 + model.reach
    assert places.min() <= middle <= places.max(), "a frame is heard where it is"


def check_falls(model: NeuralVocoder, batch: Batch, steps: int, lr: float, least: float, clip: float) -> None:
    """So many steps on one batch lower its loss by a share of at least so much; all parameters learn."""
    with torch.no_grad():
        before = float(model.loss(batch)["loss"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        model.loss(batch)["loss"].backward()
        unused = [name for name, p in model.named_parameters() if p.grad is None]
        assert not unused, "parameters without a gradient stop training on several devices"
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
    with torch.no_grad():
        assert float(model.eval().loss(batch)["loss"]) < (1 - least) * before
