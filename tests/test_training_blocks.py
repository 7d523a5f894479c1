"""Blocks of networks: compiled, and computed again, they give the numbers of the plain ones."""

import copy
import json
import shutil

import pytest
import torch
from models_common import ROOT, batch_of, examples
from torch.autograd.graph import saved_tensors_hooks

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.checkpoint import load
from nnsvs_lite.models.config import Config
from nnsvs_lite.training.blocks import blocks, prepare
from nnsvs_lite.training.run import train

# Transformer blocks with dropout, a denoiser's residual ones, and a mixer's.
SYSTEMS = ("fft_singer_tiny", "diffsinger_tiny", "mlp_singer_tiny")


def pair(name: str, dump, **how):
    """A system whose weights are far from where they begin, as it is and prepared; and two batches."""
    spec = Spec.read(dump)
    plain = Config.read(ROOT / "conf" / "acoustic" / f"{name}.yaml").build(spec).train()
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    prepared = copy.deepcopy(plain)
    assert prepare(prepared, **how) == len(list(blocks(plain))) > 1
    assert list(prepared.state_dict()) == list(plain.state_dict())
    items = examples(dump, "train", spec)
    return plain, prepared, [batch_of(items[:3], spec), batch_of(items[3:5], spec)]


def learnt(model: torch.nn.Module, batch) -> dict[str, torch.Tensor]:
    """The loss, and the gradient of each parameter."""
    torch.manual_seed(1)
    model.zero_grad()
    loss = model.loss(batch)["loss"]
    loss.backward()
    grads = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {"loss": loss.detach(), **grads}


def kept(model: torch.nn.Module, batch) -> int:
    """Bytes that the forward pass keeps for the backward pass, without weights."""
    sizes = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = model.loss(batch)["loss"]
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    assert loss.requires_grad
    return sum(size for place, size in sizes.items() if place not in weights)


@pytest.mark.parametrize("name", SYSTEMS)
def test_computed_again_gradients_are_the_same_and_less_is_kept(name, toy_mel_dump):
    plain, prepared, batches = pair(name, toy_mel_dump, recompute=True)
    for batch in batches:
        torch.testing.assert_close(learnt(prepared, batch), learnt(plain, batch), rtol=1e-6, atol=1e-7)
    assert kept(prepared, batches[0]) < 0.7 * kept(plain, batches[0])


def test_compiled_numbers_are_those_of_the_plain_network(toy_mel_dump):
    plain, prepared, batches = pair("fft_singer_tiny", toy_mel_dump, backend="aot_eager")
    for batch in batches:
        torch.testing.assert_close(learnt(prepared, batch), learnt(plain, batch), rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_compiled_by_inductor_too(toy_mel_dump):
    if not shutil.which("g++"):
        pytest.skip("needs g++")
    plain, prepared, batches = pair("fft_singer_tiny", toy_mel_dump, backend="inductor")
    for model in (plain, prepared):
        # Its masks of dropout are others.
        for part in model.modules():
            for option in ("dropout", "p"):
                if isinstance(getattr(part, option, None), float):
                    setattr(part, option, 0.0)
    for batch in batches:
        torch.testing.assert_close(learnt(prepared, batch), learnt(plain, batch), rtol=1e-3, atol=1e-5)


def test_all_of_many_blocks_are_compiled():
    """Each of its own dilation, whatever the number of variants that torch keeps of one code."""
    calls = []

    class Dilated(torch.nn.Module):
        def __init__(self, dilation):
            super().__init__()
            self.dilation = dilation
            self.convs = torch.nn.ModuleList(torch.nn.Conv1d(2, 2, 1) for _ in range(2))

        def forward(self, x):
            return self.convs[1](self.convs[0](x)) * self.dilation

    def backend(graph, inputs):
        calls.append(graph)
        return graph.forward

    network = torch.nn.Sequential(torch.nn.ModuleList(Dilated(2**n) for n in range(12)))
    assert prepare(network, backend=backend) == 12
    x = torch.ones(1, 2, 3)
    for part in network[0]:
        x = part(x)
    assert len(calls) == 12


def test_what_counts_its_batches_is_left_alone():
    layers = [torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)]
    counting = [torch.nn.BatchNorm1d(2), torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(2, 2))]
    kinds = [torch.nn.Sequential(*layers), *(torch.nn.Sequential(*layers, more) for more in counting)]
    found = [len(list(blocks(torch.nn.Sequential(torch.nn.ModuleList([part]))))) for part in kinds]
    assert found == [1, 0, 0]


def test_a_copy_calls_its_own_weights(toy_mel_dump):
    _, prepared, (batch, _) = pair("fft_singer_tiny", toy_mel_dump, recompute=True)
    mean = copy.deepcopy(prepared)
    before = learnt(mean, batch)["loss"]
    with torch.no_grad():
        for module, _ in blocks(prepared):
            for parameter in module.parameters():
                parameter.zero_()
    assert learnt(mean, batch)["loss"] == before != learnt(prepared, batch)["loss"]


def test_a_run_may_be_gone_on_with_either_way(toy_mel_dump, tmp_path):
    words = ["--training.min_steps=0", "--training.ema_decay=0.5", "--training.epochs=2"]
    path = ROOT / "conf" / "acoustic" / "fft_singer_tiny.yaml"
    for name, way in (("plain", "false"), ("again", "true")):
        more = [*words, f"--training.recompute={way}"]
        train(path, toy_mel_dump, "train", "dev", tmp_path / name, overrides=more)
    rows = [(tmp_path / name / "losses.jsonl").read_text().splitlines() for name in ("plain", "again")]
    assert len(rows[0]) == 3
    for plain, again in zip(*rows):
        assert json.loads(again)["dev"] == pytest.approx(json.loads(plain)["dev"], rel=1e-5)
    assert (
        load(tmp_path / "again" / "model.pt")["weights"].keys()
        == load(tmp_path / "plain" / "model.pt")["weights"].keys()
    )
    # It is no other experiment, and there is nothing left to do.
    assert train(path, toy_mel_dump, "train", "dev", tmp_path / "again", overrides=words)


@pytest.mark.parametrize("option", ["compile", "recompute"])
def test_what_repeats_nothing_says_so(option, toy_dump, tmp_path):
    words = ["--training.epochs=1", f"--training.{option}=true"]
    path = ROOT / "conf" / "duration" / "lstm_tiny.yaml"
    with pytest.raises(DataError, match=r"do nothing here: \w+ repeats no blocks"):
        train(path, toy_dump, "train", "dev", tmp_path, overrides=words)


def test_without_a_compiler_nothing_is_compiled(monkeypatch):
    monkeypatch.setenv("CXX", "/nowhere/g++")
    with pytest.raises(DataError, match="training.compile needs a C.. compiler: install g"):
        prepare(torch.nn.Linear(1, 1), "inductor")
