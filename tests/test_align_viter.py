"""The embedded back end's driver."""

import zipfile

import pytest
from align_corpus import make_corpus

from nnsvs_lite.align.config import AlignConfig, ViterConfig
from nnsvs_lite.align.phrases import CorpusFolder, cut_utterance, join_phrases, pieces_of
from nnsvs_lite.align.viter import ViterAligner
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.types import Note, Score

pytest.importorskip("viter", reason="needs the embedded aligner: pip install 'nnsvs_lite[viter]'")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("viter")
    data = make_corpus(root / "data", 6, notes=6)
    corpus = CorpusFolder(root / "work", "phrase", notes=1)
    phrases = [p for u in data.utts for p in cut_utterance(u, "toy", data.scores[u], data.duration(u))]
    corpus.write(phrases, dict.fromkeys(data.utts, data))
    return corpus


def test_trains_and_aligns(folder, tmp_path):
    aligner = ViterAligner(AlignConfig(), tmp_path)
    assert aligner.check().startswith("viter 0.")
    found, failed = aligner.align(folder)
    assert failed == {}
    for phrase in folder.phrases:
        assert [s.label for s in found[phrase.name]] == phrase.score.phones
    model = (tmp_path / "model.viter").stat().st_mtime_ns
    assert aligner.align(folder) == (found, {})
    assert (tmp_path / "model.viter").stat().st_mtime_ns == model


def test_models_of_others(folder, tmp_path):
    with pytest.raises(DataError, match="no such acoustic model"):
        ViterAligner(AlignConfig(viter=ViterConfig(model="none.zip")), tmp_path).prepare_model(folder)
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as file:
        file.writestr("meta.yaml", "rubbish")
    config = AlignConfig(viter=ViterConfig(model=str(tmp_path / "bad.zip")))
    aligner = ViterAligner(config, tmp_path / "work")
    with pytest.raises(DataError, match=r"viter failed with status \d+: .+ \(full log: .*import.log\)"):
        aligner.prepare_model(folder)
    assert not (tmp_path / "work" / "model.viter").exists()


def rest(start, end):
    return Note(start, end, 0, "", ("pau",))


LONG = Score(
    (
        rest(0.0, 1.0),
        Note(1.0, 4.0, 60, "ka", ("k", "a")),
        rest(4.0, 5.0),
        Note(5.0, 8.0, 62, "i", ("i",)),
        Note(8.0, 9.0, 62, "so", ("s", "o")),
        rest(9.0, 9.1),
        Note(9.1, 12.0, 62, "e", ("e",)),
        rest(12.0, 13.0),
    )
)


def test_long_utterances_are_cut_in_rests_and_joined():
    phrases = cut_utterance("u", "s", LONG, 13.0, longest=6.0)
    assert [(p.name, p.start, p.end, p.score.phones) for p in phrases] == [
        ("u__000", 0.0, 4.5, ["pau", "k", "a", "pau"]),
        ("u__001", 4.5, 13.0, ["pau", "i", "s", "o", "pau", "e", "pau"]),
    ]
    labels = {}
    for phrase in phrases:
        count = len(phrase.score.phones)
        step = (phrase.end - phrase.start) / count
        labels[phrase.name] = [
            Segment(i * step, (i + 1) * step, p) for i, p in enumerate(phrase.score.phones)
        ]
    joined = join_phrases(phrases, labels, 13.0)
    assert [s.label for s in joined] == LONG.phones
    assert joined[0].start == 0.0 and joined[-1].end == 13.0
    assert all(abs(a.end - b.start) < 1e-6 for a, b in zip(joined, joined[1:]))
    assert cut_utterance("u", "s", LONG, 13.0, longest=20.0)[0].name == "u"


def test_pieces_share_the_vowel_at_a_cut():
    phrase = cut_utterance("u", "s", LONG, 13.0, longest=20.0)[0]
    pieces = pieces_of(phrase, 1)
    assert [(p.start, p.end, p.words) for p in pieces] == [
        (0.0, 2.5, (("k", "a"),)),
        (2.5, 6.5, (("a",), ("i",))),
        (6.5, 8.5, (("i", "s", "o"),)),
        (8.5, 13.0, (("o",), ("e",))),
    ]
    assert len(pieces_of(phrase, 0)) == 1 and len(pieces_of(phrase, 2)) == 2
