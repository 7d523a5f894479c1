"""Which systems of the zoo onnxruntime can sing with: each is a graph that was compared, or is named."""

from pathlib import Path

import pytest
from models_common import CONFIGS, ROOT, build, shaken, wants_mel

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.checkpoint import model_bytes
from nnsvs_lite.models.config import Config

pytest.importorskip("onnx", reason="needs onnx: pip install nnsvs_lite[export]")

from nnsvs_lite.export.voicegraphs import graph_and_facts

HEARS = "its decoder hears its own frames, one by one"
REFUSED = dict.fromkeys(
    (
        "deepvoice3_singing",
        "flow_world",
        "nnsvs_diffusion_world",
        "nnsvs_mel_v2",
        "nnsvs_mel_v3",
        "nnsvs_world_v2",
        "nnsvs_world_v3",
        "nnsvs_world_v4",
        "snu2019",
        "tacotron2_singing",
        "tacotron_singing",
        "transformer_tts_singing",
        "very_attentive_singing",
    ),
    HEARS,
) | {"hmm": "its trajectories are solved frame by frame", "resf0_path": "a path through frames has no graph"}


def name_of(path: Path) -> str:
    return path.stem.removesuffix("_tiny")


GRAPHS = [path for path in CONFIGS if name_of(path) not in REFUSED]
OTHERS = [path for path in CONFIGS if name_of(path) in REFUSED]


def made(path: Path, spec: Spec, toy_mel_dump: Path) -> tuple:
    """A new model's graph, and its facts."""
    model = build(path, Spec.read(toy_mel_dump) if wants_mel(path) else spec)
    if model.trains:
        shaken(model, 0.02)
    return graph_and_facts(model, model_bytes(model, Config.read(path)))


@pytest.mark.slow
@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_it_is_a_graph_that_gives_the_same(path, spec, toy_mel_dump):
    data, facts = made(path, spec, toy_mel_dump)
    assert data and facts


@pytest.mark.parametrize("path", OTHERS, ids=name_of)
def test_it_is_refused_in_a_line_that_says_why(path, spec, toy_mel_dump):
    with pytest.raises(DataError) as caught:
        made(path, spec, toy_mel_dump)
    kind = Config.read(path).model_class.__name__
    assert str(caught.value) == f"{kind} cannot be sung with by onnxruntime: {REFUSED[name_of(path)]}"


def test_the_documentation_names_them():
    text = (ROOT / "docs" / "singing.md").read_text()
    assert len(OTHERS) == len(REFUSED) and {path.parent.name for path in OTHERS} == {"acoustic"}
    told = text[text.index("Systems that cannot be a graph") :].partition("\n\n")[0].split("`")[1::2]
    assert sorted(told) == sorted(REFUSED)
