"""What tests of models share: every configuration, built on a toy dump."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from nnsvs_lite.features.config import MelConfig
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.base import SvsModel
from nnsvs_lite.models.batch import Batch, Example, collate
from nnsvs_lite.models.config import Config
from nnsvs_lite.training.data import DumpDataset

ROOT = Path(__file__).parents[1]
CONFIGS = [
    path for f in ("timelag", "duration", "acoustic") for path in sorted((ROOT / "conf" / f).glob("[!_]*"))
]
FULL = [path for path in CONFIGS if path.with_name(f"{path.stem}_tiny.yaml").exists()]
"""Systems at their published size; each has a tiny one, on which most tests are run."""
CONFIGS = [path for path in CONFIGS if path not in FULL]
TRAINED = [path for path in CONFIGS if Config.read(path).model_class.trains]
ENDTOEND = [path for path in TRAINED if Config.read(path).model_class.task == "endtoend"]


def name_of(path: Path) -> str:
    """A test's id."""
    return f"{path.parent.name}-{path.stem}"


def batch_key(path: Path) -> str:
    """The training option that measures the batches of a configuration's family."""
    return "batch_frames" if path.parent.name == "acoustic" else "batch_phones"


def named_features(path: Path) -> str:
    """The features that a configuration's head names, of mel spectra; empty where any will do."""
    found = re.search(r"^# Features: (.*)$", path.read_text(), re.MULTILINE)
    return found[1] if found else ""


def wants_mel(path: Path) -> bool:
    """Whether a configuration is for mel spectra alone."""
    return bool(named_features(path))


def mel_spec(spec: Spec) -> Spec:
    """A dump's spec with its spectra called mel and without aperiodicity."""
    size = spec.streams["mgc"]
    moments = {**spec.stats.streams, "mel": spec.stats.streams["mgc"]}
    phones = {
        phone: replace(seen, stream_mean={"mel": seen.stream_mean["mgc"]})
        for phone, seen in spec.stats.phones.items()
    }
    streams = {name: moments[name] for name in ("lf0", "vuv", "mel")}
    stats = replace(spec.stats, streams=streams, phones=phones, gv={"mel": spec.stats.gv["mgc"]})
    features = replace(spec.feature_config, world=None, mel=MelConfig(bins=size))
    return replace(spec, feature_config=features, streams=features.streams, stats=stats)


def build(path: Path, spec: Spec, seed: int = 0) -> SvsModel:
    """A new model of a configuration."""
    config = Config.read(path)
    torch.manual_seed(seed)
    return config.build(spec).eval()


def shaken(model: SvsModel, size: float = 0.1) -> SvsModel:
    """The model with noise on all weights: heads that start at zero would hide faults below."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * size)
    return model


def examples(dump: Path, subset: str, spec: Spec) -> list[Example]:
    """All utterances of a set with targets."""
    data = DumpDataset(dump, subset, spec, streams=True)
    return [data[i] for i in range(len(data))]


def with_recordings(items: list[Example], hop: int) -> list[Example]:
    """The same phrases with F0 and voicing alone, and recordings of harmonics, of ``hop`` samples a frame."""
    out = []
    for example in items:
        lf0, vuv = (example.streams[name] for name in ("lf0", "vuv"))
        frequency = np.exp(np.repeat(lf0[:, 0].astype(np.float64), hop))
        phase = np.cumsum(frequency) / 24000
        sound = sum(np.sin(2 * np.pi * k * phase) / k for k in range(1, 5)) * np.repeat(vuv[:, 0], hop)
        noise = np.random.default_rng(len(lf0)).normal(0, 0.01, len(sound))
        wav = (0.2 * sound + noise)[:, None].astype(np.float32)
        out.append(replace(example, streams={"lf0": lf0, "vuv": vuv, "wav": wav}))
    return out


def batch_of(items: list[Example], spec: Spec) -> Batch:
    """A padded batch."""
    return collate(items, spec.frame_shift)


def length_of(example: Example, family: str) -> int:
    """Rows of a family's predictions for an utterance."""
    return {
        "timelag": len(example.score.note_context),
        "duration": len(example.score.phone_context),
        "acoustic": example.frames,
    }[family]
