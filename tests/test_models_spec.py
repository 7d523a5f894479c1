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

from nnsvs_lite.features.spec import MAX_ITEMS, PhoneSet, Spec, current_phones
from nnsvs_lite.features.stats import compute_stats
from nnsvs_lite.io.ctm import read_ctm
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import read_table
from nnsvs_lite.models.checkpoint import load, load_model, save, save_model
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.layers.context import adopt_rows, phone_rows
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.types import Score
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


@pytest.fixture(scope="module")
def shared_dump(tmp_path_factory):
    """A dump of Japanese and Mandarin phrases, which share phones."""
    folder, sets = tmp_path_factory.mktemp("shared"), {"train": 6, "dev": 2, "eval": 2}
    return make_dump(folder, sets, languages=(JA, ZH), shared=True)


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


class TestSharedPhones:
    """Phones with the same phonetic features are one, whatever their languages call them."""

    def test_names_and_ids(self, shared_dump):
        spec = Spec.read(shared_dump)
        own = replace(spec, stats=None, shared_phones=False)
        assert "ja/a=zh/a" in spec.phones and "ja/k=zh/g" in spec.phones and "ja/e" in spec.phones
        assert len(set(spec.phones)) == len(spec.phones) < len(own.phones)
        ids = {name: i for i, name in enumerate(spec.phones, start=1)}
        for code in spec.codes:
            language = get_language(code)
            for phone in language.phones:
                number = ids[spec.name_of(code, phone)]
                assert spec.phone_classes[number] == language.classes(phone)
                assert spec.sustaining[number] == (phone in language.vowels or phone in language.silences)
            # Of one language no two become one.
            assert len({spec.name_of(code, phone) for phone in language.phones}) == len(language.phones)

    @pytest.mark.parametrize(
        "codes", [("de", "en", "es", "fr", "it", "ja", "ko", "zh"), ("es", "it"), ("en", "it")]
    )
    def test_what_is_one_sounds_alike(self, spec, codes):
        names = replace(spec, stats=None, languages=current_phones(codes), shared_phones=True).phones
        together = {name for name in names if "=" in name}
        for name in together:
            phones = [part.split("/") for part in name.split("=")]
            assert len({code for code, _ in phones}) == len(phones)
            assert len({frozenset(get_language(c).features[p].split()) for c, p in phones}) == 1
        # A trill, a tap, an l and an English r are liquids all the same.
        assert not any("/r" in name and ("/ɾ" in name or "/l" in name or "/ʎ" in name) for name in together)

    def test_contexts_and_back(self, shared_dump):
        spec = Spec.read(shared_dump)
        for code, lyrics in (JA, ZH):
            score = make_score(np.random.default_rng(0), 6, code, lyrics)
            rows = spec.context("phone", score)
            assert spec.symbols(rows, code) == score.phones
            numbers = rows[:, spec.column("phone", "phone")].astype(int)
            assert [spec.phones[i - 1] for i in numbers] == [spec.name_of(code, p) for p in score.phones]

    def test_statistics_are_of_both(self, shared_dump, tmp_path):
        shared = Spec.read(shared_dump).stats.phones
        # Tables hold each language's own numbers: the same features are read either way.
        folder = shutil.copytree(shared_dump, tmp_path / "dump")
        replace(Spec.read(folder), stats=None, shared_phones=False).write(folder)
        own = compute_stats(folder).phones
        assert shared["ja/a=zh/a"].count == own["ja/a"].count + own["zh/a"].count
        assert sum(phone.count for phone in shared.values()) == sum(phone.count for phone in own.values())

    def test_plain_values_and_back(self, shared_dump, spec):
        shared = Spec.read(shared_dump)
        value = json.loads(json.dumps(shared.to_dict()))
        assert Spec.from_dict(value, "x") == shared
        # Nothing is added where no phones are shared: old versions read it, and files are as they were.
        assert "shared_phones" not in spec.to_dict()
        del value["shared_phones"]
        with pytest.raises(DataError, match="made with other phones than this version has"):
            Spec.from_dict(value, "x")
        with pytest.raises(DataError, match="features with other phones"):
            shared.check_fits(replace(shared, shared_phones=False), "here")

    def test_of_one_language_nothing_changes(self, spec):
        shared = replace(spec, shared_phones=True)
        assert shared.phones == spec.phones and shared.sustaining == spec.sustaining

    def test_trained_decoded_and_sung(self, shared_dump, tmp_path):
        exps = {}
        for family, name in (("timelag", "mdn"), ("duration", "mdn"), ("acoustic", "resf0_conv")):
            exps[family] = tmp_path / family
            more = ["--training.epochs=1", "--training.min_steps=0"]
            train(ROOT / "conf" / family / f"{name}.yaml", shared_dump, "train", "dev", exps[family], more)
        assert decode(shared_dump, "eval", tmp_path / "out", **exps)
        times, scores = read_ctm(tmp_path / "out" / "pred.ctm"), read_table(shared_dump / "eval" / "score")
        for utt, line in scores.items():
            assert [row.label for row in times[utt]] == Score.from_json(line).phones
        singer = Singer.load(exps["acoustic"])
        for code, lyrics in (JA, ZH):
            score = make_score(np.random.default_rng(1), 3, code, lyrics)
            assert [phone.symbol for phone in singer.sing(score).phones] == score.phones


def test_weights_of_another_voice_find_shared_phones(tmp_path):
    """A voice of Japanese and Mandarin starts from one of Japanese alone."""
    old = Spec.read(make_dump(tmp_path / "old", {"train": 6}))
    new = Spec.read(make_dump(tmp_path / "new", {"train": 6}, languages=(JA, ZH), shared=True))
    tables = [torch.arange(len(s.phones) + 1.0)[:, None].repeat(1, 2) for s in (new, old)]
    adopt_rows(*tables, phone_rows(new), phone_rows(old))
    for phone in ("a", "n", "s"):
        number = new.phones.index(new.name_of("ja", phone)) + 1
        assert tables[0][number, 0] == old.phones.index(phone) + 1


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
