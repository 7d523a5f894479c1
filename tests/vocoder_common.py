"""What tests of neural vocoders share: every configuration, at the sizes of its features or of toy ones."""

import re
from pathlib import Path

import numpy as np
import torch

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch, Example, collate
from nnsvs_lite.models.config import Config
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


def batch_of(spec: Spec, *frames: int, wav: bool = True, seed: int = 0) -> Batch:
    """Phrases of so many frames."""
    items = [phrase(spec, n, i, wav) for i, n in enumerate(frames)]
    return collate(items, spec.frame_shift, seed)


def build(path: Path, spec: Spec, seed: int = 0) -> NeuralVocoder:
    """A new model of a configuration."""
    config = Config.read(path)
    torch.manual_seed(seed)
    return config.build(spec).eval()
