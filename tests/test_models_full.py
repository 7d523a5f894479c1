"""Every system at its published size: its parameters, and a few steps of training."""

import re
from pathlib import Path

import pytest
import torch
from models_common import (
    CONFIGS,
    FULL,
    ROOT,
    TRAINED,
    batch_of,
    build,
    examples,
    length_of,
    name_of,
    named_features,
    with_recordings,
)
from toy import make_dump

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.acoustic import endtoend
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.layers.diffusion import NoisyStream

CONF = ROOT / "conf"
SYSTEMS = sorted([*FULL, *TRAINED])

every_full = pytest.mark.parametrize("path", FULL, ids=name_of)


def hears(path: Path) -> bool:
    """Whether a configuration is of an end-to-end system."""
    return Config.read(path).model_class.task == "endtoend"


@pytest.fixture(scope="module")
def dumps(tmp_path_factory) -> dict[tuple[int, float], Path]:
    """Made by :func:`dump`, by their bands and frame shift."""
    return {}


@pytest.fixture
def dump(path, dumps, tmp_path_factory) -> Path:
    """Made-up features of the dimensions of world_24k, or of the mel spectra that a configuration is for, in
    few frames: LSTMs are slow on meta.
    """
    name = named_features(path)
    features = FeatureConfig.read(CONF / "features" / f"{name}.yaml") if name else None
    bands, shift = features.mel.bins if name else 0, 0.025
    if hears(path):
        # The rates of its vocoder are of so many samples a frame.
        shift = features.frame_shift * features.sample_rate / 24000 if name else 0.005
    if (bands, shift) not in dumps:
        sets, folder = {"train": 2, "dev": 1}, tmp_path_factory.mktemp("full")
        made = make_dump(folder, sets, shift, mgc=bands or 60, notes=(1, 2), mel=bool(bands))
        dumps[bands, shift] = made
    return dumps[bands, shift]


@pytest.fixture
def spec(dump) -> Spec:
    return Spec.read(dump)


def stated_parameters(path: Path) -> int:
    """The count in a configuration's head."""
    found = re.search(r"^# Parameters: ([\d,]+)", path.read_text(), re.MULTILINE)
    assert found, 'no line "# Parameters: N" in the head'
    return int(found[1].replace(",", ""))


@pytest.mark.parametrize("path", SYSTEMS, ids=name_of)
def test_parameters_are_as_many_as_the_head_says(path, spec):
    config = Config.read(path)
    with torch.device("meta"):
        model = config.build(spec)
    count = sum(p.numel() for p in model.parameters())
    assert f"{stated_parameters(path):,}" == f"{count:,}"


def test_a_tiny_configuration_is_of_the_same_class_as_its_full_one():
    for path in FULL:
        tiny = path.with_name(f"{path.stem}_tiny.yaml")
        assert tiny in CONFIGS
        assert Config.read(tiny).class_path == Config.read(path).class_path


@pytest.mark.slow
@every_full
def test_full_size_learns_sings_and_gives_each_what_it_gives_alone(path, spec, dump, monkeypatch):
    items = examples(dump, "train", spec)
    if hears(path):
        items = with_recordings(items, round(spec.frame_shift * spec.sample_rate))
        monkeypatch.setattr(endtoend, "PIECE", 4)  # More would take minutes and show no more.
    model, batch = build(path, spec), batch_of(items, spec)
    family = path.parent.name

    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    model.train()
    losses = []
    for _ in range(4):
        torch.manual_seed(0)  # The same dropout each time: what falls is the loss, not chance.
        loss = model.loss(batch)["loss"]
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    assert losses[-1] < losses[0], losses
    del optimizer

    model.eval()
    for module in model.modules():
        if isinstance(module, NoisyStream):
            module.sampling_steps = 3  # All hundred steps would take minutes and show no more.
    with torch.no_grad():
        together = model.infer(batch)
        for row, example in enumerate(items):
            size = length_of(example, family)
            for name, value in model.infer(batch_of([example], spec)).items():
                assert torch.isfinite(value).all()
                torch.testing.assert_close(together[name][row, :size], value[0], rtol=1e-3, atol=1e-3)
    made = model.to("meta").infer(batch.to("meta"))
    assert {value.device.type for value in made.values()} == {"meta"}
