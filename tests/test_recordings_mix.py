"""Several corpora as one set of data dirs."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from features_corpus import make_corpus

from nnsvs_lite.bin.main import main
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.fix import fix
from nnsvs_lite.corpus.prepare import provenance
from nnsvs_lite.corpus.validate import validate
from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.extract import Extraction
from nnsvs_lite.features.lufs import block_powers, loudness
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.recordings.mix import mix

PARTS = ("train", "dev", "eval")


def recipe(folder: Path, lang: str = "ja", rate: int = 24000, gain: float = 1.0, speaker: str = "a") -> Path:
    """A recipe's folder after stage 0: five phrases on ``a``, their paths from that folder."""
    made = make_corpus(folder, 5, rate)
    data = DataDir(made.path, {}, {})
    for number, (own, path) in enumerate(made.wavs.items()):
        soundfile.write(path, soundfile.read(path)[0] * gain, rate)
        utt, notes = f"{speaker}_{number}", made.scores[own].notes
        data.wavs[utt] = path.relative_to(folder)
        notes = tuple(replace(note, lyric="a" if note.pitch else "") for note in notes)
        data.put(utt, speaker, replace(made.scores[own], notes=notes, lang=lang), made.labels[own])
    for part, utts in zip(PARTS, (data.utts[:3], data.utts[3:4], data.utts[4:])):
        made = data.subset(utts).write(folder / "data" / part)
        (made.path / "LICENSE").write_text(f"terms of {folder.name}\n")
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Path:
    """A folder with the recipes of a loud Japanese corpus and a quiet Italian one, and a mixture of them."""
    folder = tmp_path_factory.mktemp("two")
    recipe(folder / "tokyo", gain=1.8)
    recipe(folder / "roma", "it", 48000, 0.2, "b")
    write(folder / "two.yaml")
    return folder


def write(
    path: Path, corpora: str = "tokyo: {data: tokyo/data}\nroma: {data: roma/data}", more: str = ""
) -> Path:
    lines = "".join(f"  {line}\n" for line in corpora.splitlines())
    path.write_text(f"{more}corpora:\n{lines}")
    return path


def test_one_rate_one_loudness_and_ids_of_their_own(two, tmp_path):
    two_names = ("tokyo", "roma")
    rows = mix(two / "two.yaml", tmp_path)
    assert [(row.corpus, row.singer, row.languages) for row in rows] == [
        ("roma", "b", ["it"]),
        ("tokyo", "a", ["ja"]),
    ]
    powers = {"a": [], "b": []}
    for part in PARTS:
        data = DataDir.read(tmp_path / part)
        assert validate(data.path) == [] and not data.shared_phones
        assert (data.path / "LICENSE").read_text() == "terms of tokyo\n\nterms of roma\n"
        assert provenance(data.path) == [f"{n}: Phone times: given with the corpus" for n in two_names]
        for utt in data.utts:
            spk, name, own = utt.split("_")
            own = f"{spk}_{own}"
            source = DataDir.read(two / name / "data" / part)
            assert data.scores[utt] == source.scores[own] and data.labels[utt] == source.labels[own]
            assert data.utt2spk[utt] == spk
            assert data.utt2lang[utt] == {"tokyo": "ja", "roma": "it"}[name]
            x, rate = data.audio(utt)
            assert rate == 24000 and len(x) / rate == pytest.approx(1.25)
            powers[data.utt2spk[utt]].append(block_powers(x, rate))
    # Measured again, on what was written.
    levels = [loudness(own) for own in powers.values()]
    assert levels == pytest.approx([-20, -20], abs=0.05)
    assert rows[1].loudness - rows[0].loudness == pytest.approx(20 * np.log10(1.8 / 0.2), abs=0.1)
    record = json.loads((tmp_path / "mixture.json").read_text())
    assert [row["gain"] for row in record["singers"]] == [row.gain for row in rows]
    assert mix(two / "two.yaml", tmp_path) is None


def test_nothing_is_clipped_for_loudness(two, tmp_path):
    """All are as loud as leaves the one with the highest peaks below full scale."""
    rows = mix(write(two / "loud.yaml", more="loudness: -3\n"), tmp_path)
    levels, peaks = (
        [row.loudness + row.gain for row in rows],
        [row.peak * 10 ** (row.gain / 20) for row in rows],
    )
    assert levels[0] == pytest.approx(levels[1], abs=0.01) and levels[0] < -3
    assert max(peaks) == pytest.approx(10 ** (-1 / 20), abs=0.01)
    assert all(np.abs(soundfile.read(p)[0]).max() < 1 for p in (tmp_path / "wav").iterdir())


def test_loudness_may_stay(two, tmp_path):
    assert all(row.gain == 0 for row in mix(write(two / "as.yaml", more="loudness: null\n"), tmp_path))


@pytest.mark.parametrize("phones", ["prefixed", "shared"])
def test_phones_of_both_languages_are_one_where_it_is_asked_for(two, tmp_path, phones):
    mix(write(two / f"{phones}.yaml", more=f"phones: {phones}\n"), tmp_path / "data")
    config = FeatureConfig.from_dict({"sample_rate": 24000, "frame_shift": 0.005, "world": {"mgc_order": 24}})
    for part in PARTS:
        extraction = Extraction(tmp_path / "data" / part, tmp_path / "dump" / part, config)
        extraction.run_all(1)
        extraction.collect()
    spec = Spec.read(tmp_path / "dump", stats=False)
    assert (spec.codes, spec.speakers) == (["it", "ja"], ("a", "b"))
    assert spec.shared_phones == (phones == "shared") == ("it/a=ja/a" in spec.phones)


def test_a_singer_of_two_languages_is_one_where_both_say_so(tmp_path):
    recipe(tmp_path / "tokyo", speaker="me")
    recipe(tmp_path / "roma", "it", speaker="me")
    with pytest.raises(DataError, match=r"two.yaml:3: roma: 'me' is a singer of tokyo too: give another id"):
        mix(write(tmp_path / "two.yaml"), tmp_path / "out")
    both = "tokyo: {data: tokyo/data, singer: mei}\nroma: {data: roma/data, singers: {me: mei}}"
    mix(write(tmp_path / "one.yaml", both), tmp_path / "out")
    train = DataDir.read(tmp_path / "out" / "train")
    assert train.speakers == ["mei"] and set(train.utt2lang.values()) == {"ja", "it"}
    apart = "tokyo: {data: tokyo/data}\nroma: {data: roma/data, singer: lei}"
    mix(write(tmp_path / "apart.yaml", apart), tmp_path / "out")
    assert DataDir.read(tmp_path / "out" / "train").speakers == ["lei", "me"]


@pytest.mark.parametrize(
    ("corpora", "more", "said"),
    [
        ("tokyo: {data: kyoto/data}", "", r"bad.yaml:2: tokyo: no such folder: .*kyoto/data; run stage 0"),
        ("tokyo: {data: tokyo}", "", r"bad.yaml:2: tokyo: no data dir train, dev, eval in .*tokyo"),
        ("tokyo: {}", "", "tokyo: either data or db_root is needed"),
        ("tokyo: {data: tokyo/data, db_root: x}", "", "tokyo: either data or db_root is needed"),
        ("tokyo: {data: tokyo/data, lang: ja}", "", r"bad.yaml:2: unknown key corpora.tokyo.lang"),
        ("-x: {data: tokyo/data}", "", "'-x' is no id"),
        ("tokyo: {data: tokyo/data, language: zh}", "", "tokyo: nothing in it is in 'zh'; it is in ja"),
        ("tokyo: {data: tokyo/data, language: jp}", "", "tokyo: no language 'jp'"),
        ("tokyo: {data: tokyo/data, singer: a b}", "", "'a b' is no id"),
        ("tokyo: {data: tokyo/data, singers: {x: y}}", "", "has no singer 'x'; there are a"),
        ("kiritani: {db_root: tokyo}", "", r"unknown corpus 'kiritani' \(did you mean 'kiritan'\?\)"),
        ("tokyo: {data: tokyo/data}", "sample_rate: 48000\n", r"a_000.wav: is recorded at 24000 Hz, below"),
        ("tokyo: {data: tokyo/data}", "phones: ipa\n", "phones must be one of prefixed, shared, not 'ipa'"),
        ("tokyo: {data: tokyo/data}", "loudness: 3\n", "loudness must be within -70..0"),
    ],
)
def test_what_cannot_be_mixed_is_named_in_a_line(two, tmp_path, capsys, corpora, more, said):
    path = write(two / "bad.yaml", corpora, more)
    if more:
        said = said.replace("bad.yaml:2", "bad.yaml:3")
    assert main(["mix", str(path), "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert re.search(said, error) and error.count("\n") == 1
    assert not (tmp_path / "out" / "train").exists()


def test_phone_times_and_scores_are_needed(two, tmp_path):
    folder = recipe(tmp_path / "roma", "it", speaker="b")
    (folder / "data" / "train" / "label.ctm").unlink()
    with pytest.raises(
        DataError, match="data/train: has no phone times: run its recipe to the end of stage 1"
    ):
        mix(write(tmp_path / "x.yaml", "roma: {data: roma/data}"), tmp_path / "out")
    (folder / "data" / "train" / "score").unlink()
    with pytest.raises(DataError, match="data/train: has no score"):
        mix(write(tmp_path / "x.yaml", "roma: {data: roma/data}"), tmp_path / "out")


def test_what_stage_1_does_not_trust_is_left_out(tmp_path):
    """An aligned corpus beside one that came with its phone times."""
    recipe(tmp_path / "tokyo")
    train = recipe(tmp_path / "roma", "it", speaker="b") / "data" / "train"
    lines = (train / "label.ctm").read_text().splitlines(keepends=True)
    (train / "align.ctm").write_text("".join(line for line in lines if not line.startswith("b_1 ")))
    (train / "label.ctm").unlink()
    mix(write(tmp_path / "two.yaml"), tmp_path / "out")
    made = DataDir.read(tmp_path / "out" / "train")
    assert made.label_name == "label.ctm"
    assert made.utts == ["a_tokyo_0", "a_tokyo_1", "a_tokyo_2", "b_roma_0", "b_roma_2"]
    assert "b_roma_1" not in made.wavs


def test_a_song_of_two_sets_is_one_recording(tmp_path):
    """Its phrases keep their places, in a recording that is written once."""
    folder = recipe(tmp_path / "tokyo")
    sets = {part: DataDir.read(folder / "data" / part) for part in PARTS}
    first = folder / sets["train"].wavs["a_0"]
    x, rate = soundfile.read(first)
    soundfile.write(first, np.r_[x, x], rate)
    for part, utt, start in (("train", "a_0", 0.0), ("dev", "a_3", len(x) / rate)):
        data = replace(sets[part].subset([utt]), wavs={"a_song": Path("wav") / first.name})
        replace(data, segments={utt: ("a_song", start, start + len(x) / rate)}).write()
    mix(write(tmp_path / "x.yaml", "tokyo: {data: tokyo/data}"), tmp_path / "out")
    train, dev = (DataDir.read(tmp_path / "out" / part) for part in ("train", "dev"))
    assert train.wavs == dev.wavs and list(train.wavs) == ["a_tokyo_song"]
    assert dev.segments["a_tokyo_3"][1] == pytest.approx(len(x) / rate)
    assert np.array_equal(train.audio("a_tokyo_0")[0], dev.audio("a_tokyo_3")[0])


def test_two_singers_in_one_recording_cannot_be_levelled_apart(tmp_path):
    folder = recipe(tmp_path / "tokyo")
    train = DataDir.read(folder / "data" / "train")
    segments = {utt: (utt, 0.0, 1.25) for utt in train.utts}
    segments["b_1"] = ("a_0", 0.0, 1.25)
    for table in (train.scores, train.labels, train.text, train.utt2lang):
        table["b_1"] = table.pop("a_1")
    train.utt2spk.pop("a_1")
    del segments["a_1"]
    wavs = {rec: wav for rec, wav in train.wavs.items() if rec != "a_1"}
    replace(train, utt2spk=train.utt2spk | {"b_1": "b"}, segments=segments, wavs=wavs).write()
    with pytest.raises(DataError, match="a_000.wav: (a and b|b and a) sing in this one recording"):
        mix(write(tmp_path / "x.yaml", "tokyo: {data: tokyo/data}"), tmp_path / "out")


def test_an_unknown_language_or_phone_of_a_corpus_is_named(tmp_path):
    folder = recipe(tmp_path / "roma", "it", speaker="b")
    train = folder / "data" / "train"
    good = {name: (train / name).read_text() for name in ("score", "label.ctm")}
    for name, text in good.items():
        (train / name).write_text(
            re.sub(r"\ba\b(?!_)", "ax", text) if name == "score" else text.replace(" a\n", " ax\n")
        )
    with pytest.raises(DataError, match="label 'ax' at .* the phone is not one of language 'it'"):
        mix(write(tmp_path / "x.yaml", "roma: {data: roma/data}"), tmp_path / "out")
    for name in good:
        (train / name).write_text(good[name].replace('"it"', '"xx"'))
    (train / "utt2lang").write_text((train / "utt2lang").read_text().replace("it", "xx"))
    with pytest.raises(DataError, match="utt2lang: b_0: no language 'xx'"):
        mix(write(tmp_path / "x.yaml", "roma: {data: roma/data}"), tmp_path / "out")


def test_phone_set_is_kept_by_data_dirs(two, tmp_path):
    data = replace(DataDir.read(two / "tokyo" / "data" / "train"), shared_phones=True)
    made = data.write(tmp_path / "data")
    assert (tmp_path / "data" / "phone_set").read_text() == "shared\n"
    assert DataDir.read(made.path).shared_phones and made.subset(made.utts[:1]).shared_phones
    (tmp_path / "data" / "phone_set").write_text("ipa\n")
    with pytest.raises(DataError, match="phone_set: 'ipa' is none of prefixed, shared"):
        DataDir.read(made.path)
    (fault,) = (text for text in map(str, validate(made.path)) if "/phone_set:" in text)
    assert fault.endswith("phone_set:1: 'ipa' is none of prefixed, shared")


def test_mending_a_data_dir_keeps_its_terms_and_phones(two, tmp_path):
    mix(write(two / "fixed.yaml", more="phones: shared\n"), tmp_path / "out")
    made = DataDir.read(tmp_path / "out" / "train")
    (made.path / "split").write_text("eval 1; dev 2\n")
    assert fix(made.path, tmp_path / "fixed") == []
    assert (tmp_path / "fixed" / "split").read_text() == "eval 1; dev 2\n"
    assert provenance(tmp_path / "fixed") == provenance(made.path)
    assert DataDir.read(tmp_path / "fixed") == replace(made, path=tmp_path / "fixed")
    assert (tmp_path / "fixed" / "LICENSE").read_text() == (made.path / "LICENSE").read_text()
