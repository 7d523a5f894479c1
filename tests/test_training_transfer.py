"""Starting from another voice: what both know is shared by name, what is new starts fresh."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from killing import check_same, killed_at
from models_common import ROOT, batch_of, build, shaken
from toy import LYRICS, make_dump

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.atomic import read_text, write_text
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import write_table
from nnsvs_lite.models.checkpoint import load_model, save_model
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.layers.pitch_bases import PitchBases
from nnsvs_lite.training.keep import State
from nnsvs_lite.training.run import train
from nnsvs_lite.training.transfer import heir, transfer

ACOUSTIC = ROOT / "conf" / "acoustic" / "resf0_conv.yaml"
SMALL = ["--model.hidden=8", "--model.f0_hidden=8", "--training.epochs=2", "--training.min_steps=0"]
TRANSFERRED = ["acoustic/resf0_conv", "acoustic/xiaoicesing_tiny", "timelag/mdn", "duration/mdn"]


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Path:
    """A dump of another singer, of other phones, pitches and noise."""
    few = [("ja", list("らりるれろまみむめも"))]
    return make_dump(tmp_path_factory.mktemp("other"), {"train": 4, "dev": 1}, seed=9, languages=few)


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Path:
    """A dump of two singers."""
    dump = make_dump(tmp_path_factory.mktemp("two"), {"train": 4, "dev": 1}, seed=5)
    spec = replace(Spec.read(dump, stats=False), speakers=("alto", "bass"))
    spec.write(dump)
    names = (line.split()[0] for line in read_text(dump / "train" / "utt2spk").splitlines())
    write_table(dump / "train" / "utt2spk", {utt: "ab"[i % 2] for i, utt in enumerate(names)})
    return dump


def made(dump: Path, config: str = "acoustic/resf0_conv"):
    return shaken(build(ROOT / "conf" / f"{config}.yaml", Spec.read(dump)))


@pytest.mark.parametrize("config", TRANSFERRED)
def test_the_same_data_give_the_same_model(config, toy_dump, spec, items):
    base = made(toy_dump, config)
    model = build(ROOT / "conf" / f"{config}.yaml", spec, seed=3)
    transfer(model, base, "base")
    for name, value in base.state_dict().items():
        if not any(part in name for part in ("embeddings", "tables.phone", "encoder.linear")):
            torch.testing.assert_close(model.state_dict()[name], value, rtol=1e-5, atol=1e-6)
    batch = batch_of(items, spec)
    with torch.no_grad():
        for name, value in base.infer(batch).items():
            torch.testing.assert_close(model.infer(batch)[name], value, rtol=1e-4, atol=1e-4)


def test_phones_have_their_vectors_whatever_their_numbers(tmp_path, other):
    """A base of two languages numbers its phones otherwise, and has more columns."""
    words = (("ja", LYRICS), ("en", ["la", "moon", "sing"]))
    base = made(make_dump(tmp_path, {"train": 4, "dev": 1}, languages=words))
    with pytest.raises(DataError, match="cannot start from it: only one of the two has vectors of language"):
        transfer(build(ACOUSTIC, Spec.read(other)), base, "base")
    model = build(ACOUSTIC, Spec.read(other))
    model.spectrum.encoder.adopt(base.spectrum.encoder)
    tables = [encoder.embeddings[0].weight for encoder in (model.spectrum.encoder, base.spectrum.encoder)]
    places = [spec.phones.index for spec in (model.spec, base.spec)]
    shared = [phone for phone in model.spec.stats.phones if f"ja/{phone}" in base.spec.stats.phones]
    assert "a" in shared
    for phone in shared:
        new, old = places[0](phone) + 1, places[1](f"ja/{phone}") + 1
        assert new != old
        torch.testing.assert_close(tables[0][new], tables[1][old])
    fresh = tables[0][model.spec.phones.index("z") + 1]
    known = [places[1](phone) + 1 for phone in base.spec.stats.phones]
    torch.testing.assert_close(fresh, tables[1][known].mean(0))


def test_a_number_means_the_same_though_the_data_have_another_mean_and_spread(toy_dump, other, items):
    base, model = made(toy_dump).spectrum.encoder, build(ACOUSTIC, Spec.read(other)).spectrum.encoder
    model.adopt(base)
    context = torch.tensor(
        np.concatenate(
            [items[0].score.phone_context, items[0].score.note_context[items[0].score.note_index]], 1
        )
    )[None]
    # Where neither is held at its bounds, both see the same.
    inside = torch.ones(context.shape[1], dtype=torch.bool)
    for encoder in (base, model):
        numbers = (context[0][:, encoder.numeric] - encoder.center) * encoder.scale
        inside &= (numbers.abs() < 3).all(1)
    varies = (model.scale > 0) & (base.scale > 0)
    context[..., torch.tensor(base.numeric)[~varies]] = torch.stack([base.center, model.center]).mean(0)[
        ~varies
    ]
    own = base.linear((context[..., base.numeric] - base.center) * base.scale * varies)
    new = model.linear((context[..., model.numeric] - model.center) * model.scale * varies)
    assert inside.any()
    silent = base.scale * ~varies * (model.center - base.center)
    torch.testing.assert_close(new - base.linear.weight @ silent.clamp(-3, 3), own, rtol=1e-3, atol=1e-3)


def test_singers_are_found_by_name_and_new_ones_begin_between_the_known(two, toy_dump):
    base = made(two)
    spec = heir(Spec.read(toy_dump), base.spec)
    assert spec.speakers == ("toy", "alto", "bass"), "its own first: singer 0 is who it is made of"
    model = build(ACOUSTIC, spec)
    transfer(model, base, "base")
    new, old = model.conditions.singer.weight, base.conditions.singer.weight
    torch.testing.assert_close(new[1:], old)
    torch.testing.assert_close(new[0], old.mean(0))
    alone = heir(Spec.read(toy_dump), Spec.read(toy_dump))
    assert alone.speakers == ("toy",), "a base of one singer has no vectors of singers"


def test_phones_that_only_the_base_knows_are_the_base_s_moved_to_the_new_voice(toy_dump, other):
    base, own = Spec.read(toy_dump), Spec.read(other)
    spec = heir(own, base)
    only = set(base.stats.phones) - set(own.stats.phones)
    assert {"k", "s"} <= only and set(spec.stats.phones) == only | set(own.stats.phones)
    assert only <= set(own.unheard) and not only & set(spec.unheard)
    shared = [p for p in own.stats.phones if p in base.stats.phones]
    classes = {p: np.array(own.phone_classes[own.phones.index(p) + 1]) for p in [*shared, "k"]}
    weight = [
        own.stats.phones[p].frames ** 0.5 * np.exp(-2.0 * (classes[p] != classes["k"]).sum()) for p in shared
    ]

    def mean(spec, phone):
        return np.array(spec.stats.phones[phone].stream_mean["mgc"])

    gap = sum(w * (mean(own, p) - mean(base, p)) for w, p in zip(weight, shared)) / sum(weight)
    np.testing.assert_allclose(mean(spec, "k"), mean(base, "k") + gap, rtol=1e-5, atol=1e-6)
    for phone in own.stats.phones:
        assert spec.stats.phones[phone] == own.stats.phones[phone]


def test_vowels_say_little_of_consonants(toy_dump):
    """A voice whose vowels are 1 higher in all mel-cepstra, and no consonant: t is as in the base."""
    base = Spec.read(toy_dump)
    vowels = base.phone_set("ja").language.vowels

    def raised(seen, rise):
        return seen.stream_mean | {"mgc": tuple(x + rise for x in seen.stream_mean["mgc"])}

    phones = {
        name: replace(seen, stream_mean=raised(seen, name in vowels))
        for name, seen in base.stats.phones.items()
    }
    assert {"t", "k", "a", "o"} <= set(phones)
    left = {name: seen for name, seen in phones.items() if name not in ("t", "o")}
    spec = heir(replace(base, stats=replace(base.stats, phones=left)), base)
    moved = [
        np.subtract(spec.stats.phones[p].stream_mean["mgc"], base.stats.phones[p].stream_mean["mgc"])
        for p in ("t", "o")
    ]
    assert np.abs(moved[0]).max() < 0.1 and moved[1].min() > 0.9


def base_exp(dump: Path, folder: Path, *words: str) -> Path:
    train(ACOUSTIC, dump, "train", "dev", folder, overrides=[*SMALL, *words])
    return folder


def test_training_starts_where_the_base_ended(toy_dump, other, tmp_path, monkeypatch):
    base = base_exp(toy_dump, tmp_path / "base")
    exps = [tmp_path / name for name in ("fresh", "tuned", "killed")]
    train(ACOUSTIC, other, "train", "dev", exps[0], overrides=SMALL)
    assert train(ACOUSTIC, other, "train", "dev", exps[1], overrides=SMALL, init=base)
    first = [json.loads((exp / "losses.jsonl").read_text().splitlines()[0]) for exp in exps[:2]]
    assert first[0]["dev"] != first[1]["dev"], "before a step it is the base that is tested"
    with killed_at(State, "save", 2, after=True):
        train(ACOUSTIC, other, "train", "dev", exps[2], overrides=SMALL, init=base)
    train(ACOUSTIC, other, "train", "dev", exps[2], overrides=SMALL, init=base)
    check_same(exps[2], exps[1])
    told = json.loads((exps[1] / "trained.json").read_text())
    assert told["init"] == str(base) and "init" not in json.loads((exps[0] / "trained.json").read_text())
    assert set(load_model(exps[1]).spec.stats.phones) > set(Spec.read(other).stats.phones)
    # The same again is up to date; without its base, or with another, it is another experiment.
    assert train(ACOUSTIC, other, "train", "dev", exps[1], overrides=SMALL, init=base) is False
    with pytest.raises(DataError, match="another experiment stands here: init [0-9a-f]+ -> none"):
        train(ACOUSTIC, other, "train", "dev", exps[1], overrides=SMALL)
    with pytest.raises(DataError, match="another experiment stands here: init"):
        train(ACOUSTIC, other, "train", "dev", exps[1], overrides=SMALL, init=exps[0])


def test_a_run_of_other_beginnings_is_not_taken_up(toy_dump, other, tmp_path, capfd):
    base = base_exp(toy_dump, tmp_path / "base")
    with killed_at(State, "save", 1, after=True):
        train(ACOUSTIC, other, "train", "dev", tmp_path / "exp", overrides=SMALL, init=base)
    assert not (tmp_path / "exp" / "model.pt").exists()
    train(ACOUSTIC, other, "train", "dev", tmp_path / "exp", overrides=SMALL)
    assert "training starts anew" in capfd.readouterr().out
    train(ACOUSTIC, other, "train", "dev", tmp_path / "fresh", overrides=SMALL)
    check_same(tmp_path / "exp", tmp_path / "fresh")


def test_what_does_not_go_together_is_refused_in_a_line(toy_dump, other, spec, toy_exps, tmp_path):
    def refused(path, config=ACOUSTIC, words=SMALL, dump=other) -> str:
        with pytest.raises(DataError) as error:
            train(config, dump, "train", "dev", tmp_path / "exp", overrides=words, init=path)
        assert not (tmp_path / "exp" / "model.pt").exists() and "\n" not in str(error.value)
        return str(error.value)

    assert "no such model" in refused(tmp_path / "nowhere")
    assert "holds a duration model, a acoustic model is needed" in refused(toy_exps["duration"])
    assert "it has vectors of 96, 8 are needed" in refused(toy_exps["acoustic"])
    sinsy = ROOT / "conf" / "acoustic" / "sinsy_tiny.yaml"
    assert "a Sinsy is to be trained, it is a ResF0Conv" in refused(toy_exps["acoustic"], sinsy, [])
    rule = ROOT / "conf" / "acoustic" / "rule.yaml"
    save_model(tmp_path / "rule.pt", build(rule, spec), Config.read(rule), {})
    assert "RuleAcoustic learns nothing by gradients" in refused(tmp_path / "rule.pt", rule, [])
    whole = ["--model.options.residual_to_rule=false"]
    assert "residual_to_rule is another there" in refused(toy_exps["acoustic"], words=whole)
    slow = make_dump(tmp_path / "slow", {"train": 2, "dev": 1}, frame_shift=0.01)
    assert "analysed with other frame_shift" in refused(toy_exps["acoustic"], words=[], dump=slow)
    deeper = ["--model.frame_layers=6"]
    said = refused(toy_exps["acoustic"], words=deeper)
    assert "ResF0Conv.spectrum.frame_stack" in said and "in one of the two alone" in said
    write_text(tmp_path / "damaged.pt", "no")
    assert "damaged.pt: not a checkpoint" in refused(tmp_path / "damaged.pt")


def test_pitches_keep_their_places(toy_dump, other):
    base, model = made(toy_dump), build(ACOUSTIC, Spec.read(other))
    transfer(model, base, "base")
    assert isinstance(model.pitch, PitchBases)
    middle = torch.tensor([60.0, 63.5])
    torch.testing.assert_close(model.pitch(middle), base.pitch(middle))
