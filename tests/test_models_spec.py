"""The specification of a dump: read as foreign input, with several languages, and kept by models."""

import copy
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from models_common import ROOT, batch_of, build, examples, shaken
from toy import LYRICS, make_dump, make_score

from nnsvs_lite.features.spec import MAX_ITEMS, PhoneSet, Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.checkpoint import load, load_model, save, save_model
from nnsvs_lite.models.config import Config
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.synthesis.decode import decode
from nnsvs_lite.synthesis.phrases import example_of
from nnsvs_lite.synthesis.singer import Singer
from nnsvs_lite.training.run import train

JA, EN, ZH = (
    ("ja", LYRICS),
    ("en", ["star", "light", "sun", "sea"]),
    ("zh", ["ma1", "shan1", "hua1", "feng1"]),
)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A dump of Japanese and English phrases."""
    return make_dump(tmp_path_factory.mktemp("both"), {"train": 6, "dev": 2, "eval": 2}, languages=(JA, EN))


def test_plain_values_and_back(spec, both):
    for one in (spec, Spec.read(both), replace(spec, stats=None)):
        assert Spec.from_dict(json.loads(json.dumps(one.to_dict())), "x") == one


@pytest.mark.parametrize(
    ("path", "new", "said"),
    [
        ("version", 1, "features of version 1, 2 is needed: extract again"),
        ("feature_config", None, "feature_config.sample_rate is missing"),
        ("feature_config.sample_rate", 10**9, "sample_rate"),
        ("streams", {"lf0": "1"}, "streams.lf0 must be a whole number"),
        ("streams", {"lf0": -1}, "streams.lf0 must be within"),
        ("streams", ["lf0"], "streams must be a mapping"),
        ("streams", dict.fromkeys(map(str, range(MAX_ITEMS + 1)), 1), "too large"),
        ("speakers", ["x" * 2000], "too large"),
        ("speakers", "toy", "speakers must be a list"),
        ("languages", [], "languages and phones must be there"),
        ("languages.0.phones.0.features", "vowel purple", "unknown features"),
        ("languages.0.phones.0.symbol", "i", "each once"),
        ("languages.0.colour", 1, "unknown key"),
        ("languages.0.code", None, "code must be text"),
        ("languages.0", {"code": "ja"}, "missing"),
        ("note_columns", [], "other note_columns than this version has: extract again"),
        ("phones", ["a"], "other phones than this version has"),
        ("stats", {}, "missing"),
        ("stats.streams.mgc.mean", [1.0], "statistics of mgc have 1 columns, not 8"),
        ("stats.streams.mgc.mean.0", float("nan"), "must be a number"),
        ("stats.phones.q9", {}, "missing"),
        ("stats.phones.a.stream_mean.mgc", [0.0] * 9, "statistics of mgc have 9 columns"),
        ("stats.phones.a.count", True, "must be a whole number"),
        ("stats.gv.other", [1.0], "statistics of other"),
        ("stats.note_context.max", [1.0], "statistics of note_context"),
    ],
)
def test_damage_is_named(spec, path, new, said):
    value = json.loads(json.dumps(spec.to_dict()))
    *keys, last = (int(key) if key.isdecimal() else key for key in path.split("."))
    target = value
    for key in keys:
        target = target[key]
    target[last] = new
    with pytest.raises(DataError, match=said) as caught:
        Spec.from_dict(value, "here")
    assert str(caught.value).startswith("here")


@pytest.mark.parametrize("value", [None, [], "x", 1])
def test_what_is_no_mapping_is_refused(value):
    with pytest.raises(DataError, match="here: features of version None"):
        Spec.from_dict(value, "here")


def test_checkpoints_hold_the_specification(spec, tmp_path):
    path = ROOT / "conf" / "timelag" / "mdn.yaml"
    save_model(tmp_path / "model.pt", shaken(build(path, spec)), Config.read(path), {})
    assert load_model(tmp_path).spec == spec
    good = load(tmp_path / "model.pt")
    without, fewer = copy.deepcopy(good), copy.deepcopy(good)
    without["spec"]["stats"] = None
    fewer["spec"]["phone_columns"].pop()
    old = {"format": "nnsvs_lite model 1", "schema": {}}
    for state, said in (
        (without, "lacks statistics; train the model again"),
        (fewer, "other phone_columns than this version has: train it again"),
        (old, "is of 'nnsvs_lite model 1', this version reads 'nnsvs_lite model 2': train it again"),
        ({"format": "another"}, "not a model of this toolkit"),
    ):
        save(tmp_path / "model.pt", state)
        with pytest.raises(DataError, match=said):
            load_model(tmp_path)


class TestSeveralLanguages:
    """Phones are a union; each language keeps its own."""

    def test_names_and_ids(self, both):
        spec = Spec.read(both)
        en, ja = (get_language(code) for code in ("en", "ja"))
        assert spec.codes == ["en", "ja"]
        assert spec.phones[:3] == ("pau", "br", f"en/{en.phones[2]}")
        assert len(spec.phones) == len(ja.phones) + len(en.phones) - 2
        ids = {name: i for i, name in enumerate(spec.phones, start=1)}
        assert spec.sustaining[ids["ja/N"]] and not spec.sustaining[ids["ja/m"]]
        assert spec.phone_classes[ids["ja/a"]] == ja.classes("a")
        assert len(spec.phone_classes) == len(spec.sustaining) == len(spec.phones) + 1
        assert {c.size for c in spec.columns("phone") if c.name == "prev_phone"} == {len(spec.phones) + 1}

    def test_contexts_are_in_the_columns_of_all(self, tmp_path):
        spec = Spec.read(make_dump(tmp_path, {"train": 2}, languages=(JA, ZH)))
        tone, phone = spec.column("note", "tone"), spec.column("phone", "phone")
        for code, lyrics in (JA, ZH):
            score = make_score(np.random.default_rng(0), 4, code, lyrics)
            names = [spec.phones[int(i) - 1] for i in spec.context("phone", score)[:, phone]]
            assert names == [p if p == "pau" else f"{code}/{p}" for p in score.phones]
            assert (spec.context("note", score)[:, tone] > 0).any() == (code == "zh")

    def test_an_utterance_without_its_language_is_refused(self, both, tmp_path):
        folder = shutil.copytree(both, tmp_path / "dump")
        table = folder / "dev" / "utt2lang"
        table.write_text(table.read_text().replace("en", "fr"))
        with pytest.raises(DataError, match=r"utt2lang: no language of .*for 'toy_dev001'"):
            examples(folder, "dev", Spec.read(folder))

    def test_trained_decoded_and_sung(self, both, tmp_path):
        exps = {}
        for family, name in (("timelag", "mdn"), ("duration", "mdn"), ("acoustic", "resf0_conv")):
            exps[family] = tmp_path / family
            more = ["--training.epochs=1", "--training.min_steps=0"]
            train(ROOT / "conf" / family / f"{name}.yaml", both, "train", "dev", exps[family], more)
        assert decode(both, "eval", tmp_path / "out", **exps)
        singer = Singer.load(exps["acoustic"])
        assert {example.language for example in examples(both, "eval", singer.spec)} == {0, 1}
        for code, lyrics in (JA, EN):
            song = singer.sing(make_score(np.random.default_rng(1), 3, code, lyrics))
            assert np.abs(song.waveform).max() > 0


def test_a_language_that_changes_changes_no_voice(toy_dump, tmp_path, monkeypatch):
    score = make_score(np.random.default_rng(3), 6)
    kinds = {"duration": "rule", "acoustic": "hmm"}

    def behaviour():
        out = []
        for family in kinds:
            model = load_model(tmp_path / family)
            example = example_of("x", score, model.spec).timed(np.full(len(score.phones), 9))
            batch = batch_of([example], model.spec)
            with torch.no_grad():
                out += [batch.score.phone_context, batch.score.note_context, *model.infer(batch).values()]
            out.append(torch.tensor(model.spec.sustaining))
        return out

    for family, name in kinds.items():
        path = ROOT / "conf" / family / f"{name}.yaml"
        save_model(tmp_path / family / "model.pt", build(path, Spec.read(toy_dump)), Config.read(path), {})
    before = behaviour()
    # Japanese in which a is a consonant and s can be held.
    language = get_language("ja")
    monkeypatch.setattr(language, "vowels", (language.vowels - {"a"}) | {"s"})
    monkeypatch.setattr(language, "nuclei", language.vowels)
    monkeypatch.setattr(language, "held", language.held | {"s"})
    monkeypatch.setattr(language, "features", {**language.features, "a": "plosive"})
    monkeypatch.setattr(language, "_sets", {**language._sets, "a": frozenset({"plosive"})})
    assert PhoneSet.of(language) != Spec.read(toy_dump).languages[0]
    assert all(torch.equal(a, b) for a, b in zip(before, behaviour(), strict=True))
