"""The vocoder of CONTRIBUTING.md: streams alone, recordings, two optimisers, resumed to the same bytes."""

import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from contributing import blocks, installed
from killing import check_same, killed_at
from models_common import batch_of, shaken
from toy import make_dump, make_recordings

from nnsvs_lite.bin.main import main
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureWriter
from nnsvs_lite.models.base import VocoderModel
from nnsvs_lite.models.checkpoint import load, load_model
from nnsvs_lite.models.config import Config
from nnsvs_lite.training.data import DumpDataset
from nnsvs_lite.training.keep import Keeper, State
from nnsvs_lite.training.loop import Loop
from nnsvs_lite.training.run import train
from nnsvs_lite.training.update import Updater

OPTIONS = ["--training.updates=7", "--training.eval_updates=2", "--training.crop_frames=20"]
OPTIONS += ["--training.batch_frames=60", "--training.lr=1e-3", "--model.channels=4"]


@pytest.fixture(scope="module")
def dump(tmp_path_factory) -> Path:
    return make_dump(
        tmp_path_factory.mktemp("vocoder") / "dump", {"train": 4, "dev": 2}, mgc=60, notes=(1, 2)
    )


@pytest.fixture(scope="module")
def data(dump) -> Path:
    return make_recordings(dump, dump.parent / "data")


@pytest.fixture(scope="module")
def conf(tmp_path_factory):
    """The YAML, with its module in place."""
    path = tmp_path_factory.mktemp("conf") / "sine_filter.yaml"
    path.write_text(blocks("A vocoder")["yaml"])
    with installed("A vocoder"):
        yield path


@pytest.fixture(scope="module")
def run(dump, data, conf):
    def run(out: Path, *more: str) -> Path:
        words = ["train", "--config", conf, "--dump", dump, "--data", data, "--out", out]
        assert main([str(word) for word in (*words, *OPTIONS, *more)]) == 0
        return out

    return run


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory) -> Path:
    return run(tmp_path_factory.mktemp("whole") / "exp")


@pytest.fixture(scope="module")
def phrases(dump, data):
    spec = Spec.read(dump)
    recordings = DataDir.read(data / "train")
    return DumpDataset(dump, "train", spec, streams=("lf0", "vuv", "mgc"), score=False, recordings=recordings)


def test_its_head_counts_its_parameters(conf, dump):
    config = Config.read(conf)
    count = sum(p.numel() for p in config.model_class(Spec.read(dump), **config.init_args).parameters())
    assert f"# Parameters: {count:,}\n" in conf.read_text()


def test_two_networks_learn_and_only_the_one_that_sings_is_kept(whole, dump, conf):
    rows = [json.loads(line) for line in (whole / "losses.jsonl").read_text().splitlines()]
    assert [row["update"] for row in rows] == [0, 2, 4, 6, 7]
    assert {"loss", "adversarial", "discriminator"} == set(rows[1]["train"])
    assert rows[-1]["dev"]["loss"] < rows[0]["dev"]["loss"]
    states = load(whole / "last.pt")["states"]
    assert {"generator", "generator.optimizer", "discriminator", "discriminator.optimizer"} < set(states)
    for name in ("generator", "discriminator"):
        assert {float(s["step"]) for s in states[f"{name}.optimizer"]["state"].values()} == {7.0}
    assert not [name for name in load(whole / "model.pt")["weights"] if name.startswith("layers.")]
    torch.manual_seed(0)
    config = Config.read(conf)
    model = config.model_class(Spec.read(dump), channels=4)
    for name, network in (("generator", model), ("discriminator", model.discriminator())):
        for key, value in network.state_dict().items():
            assert not torch.equal(value, states[name][key]), f"{name}: {key} has not moved"


POINTS = [
    (Updater, "add", 6, True),
    (Updater, "step", 5, True),
    (Updater, "step", 9, False),
    (Loop, "_train", 2, True),
    (Keeper, "write", 3, True),
    (State, "save", 3, False),
    (State, "save", 3, True),
]


@pytest.mark.parametrize("point", POINTS, ids=lambda p: f"{p[1]}-{p[2]}-{'after' if p[3] else 'before'}")
def test_a_killed_run_goes_on_as_if_nothing_had_been(point, run, whole, tmp_path):
    with killed_at(*point):
        run(tmp_path / "exp")
    check_same(run(tmp_path / "exp"), whole)


def test_it_sings_from_streams_alone(whole, phrases):
    model = load_model(whole, "vocoder")
    assert isinstance(model, VocoderModel)
    items = [phrases[i] for i in range(len(phrases))]
    batch = batch_of(items, model.spec)
    assert batch.score is None
    with torch.no_grad():
        together = shaken(model).infer(batch)["wav"]
        assert together.dtype == torch.float32 and torch.isfinite(together).all()
        for row, item in enumerate(items):
            size = round(item.frames * model.spec.frame_shift * model.spec.sample_rate)
            assert int(model.samples(batch)[row]) == size
            alone = model.synthesize(batch_of([item], model.spec))
            assert alone.shape == (1, size)
            torch.testing.assert_close(together[row, :size], alone[0], rtol=1e-4, atol=1e-4)


def test_recordings_are_as_long_as_their_streams(phrases, spec):
    for example in (phrases[i] for i in range(len(phrases))):
        assert example.score is None and example.frames == len(example.streams["mgc"]) > 0
        assert len(example.streams["wav"]) == round(example.frames * spec.frame_shift * spec.sample_rate)


def test_features_of_a_model_are_learnt_from_in_place_of_the_recordings_own(run, dump, data, tmp_path, capfd):
    """As fine-tuning does: an acoustic model sings in true times, and the vocoder hears its spectra."""
    acoustic = tmp_path / "acoustic"
    words = ["train", "--config", "acoustic/rule", "--dump", dump, "--out", acoustic]
    assert main([str(word) for word in words]) == 0
    sung = tmp_path / "sung"
    for name in ("train", "dev"):
        words = ["decode", "--dump", dump, "--set", name, "--out", sung / name, "--acoustic", acoustic]
        assert main([str(word) for word in (*words, "--true-times")]) == 0
    assert not (acoustic / "timelag.pt").exists()
    spec = Spec.read(dump)
    given = {"streams": ("lf0", "mgc"), "score": False, "recordings": DataDir.read(data / "train")}
    natural = DumpDataset(dump, "train", spec, **given)
    predicted = DumpDataset(dump, "train", spec, **given, spectra_from=sung / "train")
    assert predicted.frames == natural.frames
    for a, b in zip(natural, predicted):
        assert np.array_equal(a.streams["lf0"], b.streams["lf0"]), "that of the recording, which is heard"
        assert np.array_equal(a.streams["wav"], b.streams["wav"])
        assert b.streams["mgc"].shape == a.streams["mgc"].shape
        assert not np.array_equal(a.streams["mgc"], b.streams["mgc"])
    base = run(tmp_path / "base")
    tuned = run(tmp_path / "tuned", "--init", str(base), "--features-from", str(sung))
    rows = [json.loads(line) for line in (tuned / "losses.jsonl").read_text().splitlines()]
    assert rows[-1]["dev"]["loss"] < rows[0]["dev"]["loss"]
    capfd.readouterr()
    assert (
        run(tuned, "--init", str(base), "--features-from", str(sung))
        and "up to date" in capfd.readouterr().out
    )
    with pytest.raises(DataError, match="features_from .* -> none"):
        train_again(tuned, dump, data, base)
    other = FeatureWriter(sung / "train", "mgc")
    with other as writer:
        for example in natural:
            writer.write(example.utt, np.zeros((example.frames + 1, 60), np.float32))
    with pytest.raises(
        DataError, match="mgc has .* frames, the recording's features .*: decode with --true-times"
    ):
        DumpDataset(dump, "train", spec, **given, spectra_from=sung / "train")[0]


def train_again(out: Path, dump: Path, data: Path, init: Path) -> None:
    """The training of OPTIONS without a model's features."""
    config = Config.read(out / "config.yaml")
    path = out.parent / "again.yaml"
    config.write(path)
    train(path, dump, "train", "dev", out, data=data, init=init)


def test_there_may_be_no_discriminator_at_first(run, tmp_path, monkeypatch):
    module = sys.modules["nnsvs_lite.models.vocoder.sine_filter"]
    monkeypatch.setattr(module.SineFilter, "adversarial_from", 4)
    out = run(tmp_path / "exp")
    rows = [json.loads(line)["train"] for line in (out / "losses.jsonl").read_text().splitlines()]
    assert ["adversarial" in row for row in rows] == [False, False, False, True, True]
    states = load(out / "last.pt")["states"]
    assert {float(s["step"]) for s in states["discriminator.optimizer"]["state"].values()} == {3.0}
    assert {float(s["step"]) for s in states["generator.optimizer"]["state"].values()} == {7.0}


def test_loader_workers_change_nothing(run, whole, tmp_path):
    out = run(tmp_path / "exp", "--training.workers=2")
    assert (out / "losses.jsonl").read_bytes() == (whole / "losses.jsonl").read_bytes()
    weights = load(whole / "model.pt")["weights"]
    assert all(torch.equal(value, weights[name]) for name, value in load(out / "model.pt")["weights"].items())


def test_half_precision_sees_both_networks_as_they_are(run, tmp_path):
    rows = (run(tmp_path / "exp", "--training.precision=bf16-mixed") / "losses.jsonl").read_text()
    assert all(np.isfinite(json.loads(row)["dev"]["loss"]) for row in rows.splitlines())


def test_what_a_vocoder_cannot_learn_from_is_said(dump, data, conf, tmp_path, capfd):
    words = ["train", "--config", conf, "--dump", dump, "--out", tmp_path / "exp", *OPTIONS]

    def said(*more) -> str:
        assert main([str(word) for word in (*words, *more)]) == 1
        message = capfd.readouterr().err
        assert "Traceback" not in message
        return message

    assert "give --data" in said()
    assert "no such file" in said("--data", tmp_path)
    short = dataclasses.replace(DataDir.read(data / "train"), path=tmp_path / "short" / "train")
    short.segments = {utt: (utt, 0.0, 0.1) for utt in short.utts}
    short.write()
    DataDir.read(data / "dev").write(tmp_path / "short" / "dev")
    for workers in (0, 1):
        message = said("--data", tmp_path / "short", f"--training.workers={workers}")
        assert "0.100 s are recorded, the features have" in message


@pytest.mark.parametrize(("name", "kind"), [("world", "World"), ("hn", "Hn")])
def test_one_that_learns_nothing_is_a_model_all_the_same(name, kind, dump, data, tmp_path, capfd):
    words = ["--dump", dump, "--data", data, "--out", tmp_path / "exp"]
    assert main([str(word) for word in ("train", "--config", f"vocoder/{name}", *words)]) == 0
    assert "learnt from nothing: it is a rule" in capfd.readouterr().out
    assert type(load_model(tmp_path / "exp", "vocoder")).__name__ == kind
    assert not (tmp_path / "exp" / "last.pt").exists()


def test_pieces_are_for_vocoders(toy_dump, tmp_path):
    path = Path(__file__).parents[1] / "conf" / "duration" / "mdn.yaml"
    with pytest.raises(DataError, match="training.crop_frames is for vocoders"):
        train(path, toy_dump, "train", "dev", tmp_path, overrides=["--training.crop_frames=9"])
