"""Data dirs of several singers made one."""

from dataclasses import replace
from pathlib import Path

import pytest
from test_corpus_datadir import make

from nnsvs_lite.bin.main import main
from nnsvs_lite.corpus.combine import combine
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.validate import validate
from nnsvs_lite.io.errors import DataError


@pytest.fixture
def two(tmp_path) -> tuple[DataDir, DataDir]:
    one = make(tmp_path / "one", songs=("ann_a", "ann_b"))
    one = replace(one, utt2spk={u: "ann" for u in one.utt2spk}).write()
    other = make(tmp_path / "other", songs=("bob_a",))
    return one, replace(other, utt2spk={u: "bob" for u in other.utt2spk}).write()


def test_all_utterances_and_tables_are_there(two, tmp_path):
    one, other = two
    made = combine([one.path, other.path], tmp_path / "both")
    assert made.utts == sorted([*one.utts, *other.utts])
    assert set(made.speakers) == set(one.speakers) | {"bob"}
    read = DataDir.read(tmp_path / "both")
    for part in two:
        for utt in part.utts:
            assert read.scores[utt] == part.scores[utt]
            assert read.labels[utt] == part.labels[utt]
            assert read.duration(utt) == part.duration(utt)
    assert validate(tmp_path / "both") == []


def test_the_same_id_twice_is_an_error(two, tmp_path):
    with pytest.raises(DataError, match="'ann_a' is in another data dir too"):
        combine([two[0].path, two[0].path], tmp_path / "both")
    assert not (tmp_path / "both").exists()


def test_what_only_one_of_them_has_is_an_error(two, tmp_path):
    bare = replace(two[1], labels={}).write(tmp_path / "bare")
    with pytest.raises(DataError, match="has no labels, while .*one"):
        combine([two[0].path, bare.path], tmp_path / "both")


def test_licences_follow_each_other(two, tmp_path):
    for part, text in zip(two, ("ann's terms\n", "bob's terms\n")):
        (part.path / "LICENSE").write_text(text)
    made = combine([part.path for part in two], tmp_path / "both")
    assert (made.path / "LICENSE").read_text() == "ann's terms\n\nbob's terms\n"


def test_as_a_command(two, tmp_path: Path, capsys):
    assert main(["data", "combine", *(str(part.path) for part in two), str(tmp_path / "both")]) == 0
    assert "3 utterances of" in capsys.readouterr().out
