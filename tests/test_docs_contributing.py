"""The system that CONTRIBUTING.md walks through is a whole one."""

import re

import pytest
import torch
from contributing import blocks, installed
from models_common import batch_of, examples, shaken
from toy import make_dump

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.settings import parse_settings
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.neural import NeuralAcoustic


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    """The code blocks of the section on models, by language."""
    return blocks("A model")


@pytest.fixture(scope="module")
def spec_and_items(tmp_path_factory):
    dump = make_dump(tmp_path_factory.mktemp("dump"), {"train": 3}, mgc=60)
    spec = Spec.read(dump)
    return spec, examples(dump, "train", spec)


@pytest.fixture
def model(written, spec_and_items) -> NeuralAcoustic:
    settings = parse_settings(written["yaml"], "CONTRIBUTING.md")
    torch.manual_seed(0)
    with installed("A model"):
        return Config.from_dict(settings.value, settings.where).build(spec_and_items[0])


def test_its_head_counts_its_parameters(model, written):
    stated = re.search(r"^# Parameters: ([\d,]+)", written["yaml"], re.MULTILINE)
    assert stated[1] == f"{sum(p.numel() for p in model.parameters()):,}"


def test_it_learns_and_gives_each_what_it_gives_alone(model, spec_and_items):
    spec, items = spec_and_items
    batch = batch_of(items, spec)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    losses = []
    for _ in range(10):
        loss = model.loss(batch)["loss"]
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0] - 0.01
    model = shaken(model.eval())
    with torch.no_grad():
        together = model.infer(batch)
        for row, example in enumerate(items):
            for name, value in model.infer(batch_of([example], spec)).items():
                expected = together[name][row, : example.frames]
                torch.testing.assert_close(value[0], expected, rtol=1e-4, atol=1e-4)
