"""Sets chosen after alignment, and the report of what became of a folder."""

import re
from pathlib import Path

import pytest
from recordings_common import make_song, write_song
from test_report_page import Page

from nnsvs_lite.bin.main import main
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.validate import validate
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.recordings.split import choose, split
from nnsvs_lite.score.types import Note, Score

PARTS = ("train", "dev", "eval")


def phrase(*phones: str, pitch: int = 60) -> Score:
    notes = [Note(0.0, 0.5, 0, "", ("pau",))]
    for k, phone in enumerate(phones):
        notes.append(Note(0.5 + k, 1.5 + k, pitch + k, phone, (phone,)))
    return Score(tuple(notes))


def data_of(songs: dict[str, list[Score]]) -> DataDir:
    """A data dir of phrases by song, 10 s apart."""
    data = DataDir(Path("x"), {}, {})
    for song, scores in songs.items():
        data.wavs[song] = Path(f"{song}.wav")
        for i, score in enumerate(scores):
            utt = f"{song}_{i:03d}"
            data.segments[utt] = (song, 10.0 * i, 10.0 * i + score.duration)
            data.put(utt, "me", score, [])
    return data


def tunes(count: int, first: int = 0) -> list[Score]:
    """Phrases of which no two have the same words."""
    return [phrase(*("aiueo"[(k // 5**j) % 5] for j in range(3))) for k in range(first, first + count)]


@pytest.mark.parametrize("count", [3, 4, 7, 13, 40])
def test_no_set_is_ever_empty(count):
    data = data_of({"a": tunes(count - count // 2), "b": tunes(count // 2, 20)})
    parts = choose(data)
    assert sorted(sum(parts.values(), [])) == data.utts and all(parts[name] for name in PARTS)
    assert len(parts["train"]) >= max(len(parts["dev"]), len(parts["eval"]))


def test_phrases_alike_stay_together():
    refrain = phrase("a", "i", "u", "e")
    data = data_of({"a": [refrain, *tunes(4), refrain], "b": [refrain, phrase("o", "o", "i", "a")]})
    parts = choose(data)
    homes = {name for name, utts in parts.items() for utt in utts if data.scores[utt] == refrain}
    assert len(homes) == 1


def test_one_phrase_over_and_over_makes_sets_too():
    parts = choose(data_of({"a": [phrase("a", "i")] * 5}))
    assert [len(parts[name]) for name in PARTS] == [3, 1, 1]


def test_rare_phones_are_left_for_training():
    rare = phrase("ky", "a", "i")
    data = data_of(
        {"a": [rare, phrase("a", "a", "a"), phrase("i", "a", "i"), phrase("a", "i", "i"), rare.slice(0, 3)]}
    )
    parts = choose(data)
    assert {"a_000", "a_004"} <= set(parts["train"])


def test_whole_songs_of_many():
    data = data_of({f"s{k:02d}": tunes(3, 3 * k) for k in range(20)})
    parts = choose(data)
    songs = {name: {utt.rpartition("_")[0] for utt in utts} for name, utts in parts.items()}
    assert len(set.union(*songs.values())) == sum(map(len, songs.values())) == 20
    assert 1 <= len(songs["dev"]) <= 3 and 1 <= len(songs["eval"]) <= 3


@pytest.mark.parametrize("scores", [tunes(2), tunes(1), []])
def test_too_little_is_refused(scores):
    with pytest.raises(DataError, match=r"\d phrases? could be used, 3 are the least: record more"):
        choose(data_of({"a": scores}))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Two songs, one of them with phrases sung wrongly, and what is no song: (folder, printed)."""
    folder = tmp_path_factory.mktemp("voice")
    one, two = make_song(11, phrases=5), make_song(12, phrases=4)
    write_song(folder / "in", "one", one)
    # Its third phrase is hummed by nobody.
    quiet, rests = two.audio.copy(), [n for n in two.score.notes if n.is_rest]
    quiet[round(rests[2].end * 16000) : round(rests[3].start * 16000)] *= 1e-3
    write_song(folder / "in", "two", two, audio=quiet)
    write_song(folder / "in", "three", one, score=False)
    (folder / "in" / "notes.pdf").write_bytes(b"x")
    data, exp = str(folder / "data"), str(folder / "exp")
    drafts = ["--drafts", str(folder / "drafts")]
    assert main(["gather", "--db-root", str(folder / "in"), "--out", data, "--lang", "ja", *drafts]) == 0
    songs = [f"--data={path}" for path in (folder / "data" / "songs").iterdir()]
    assert main(["align", *songs, "--out", exp]) == 0
    assert main(["split", "--datadir", data, "--align", exp]) == 0
    return folder


def test_two_songs_become_three_sets(done):
    parts = {name: DataDir.read(done / "data" / name) for name in PARTS}
    assert [fault for part in parts.values() for fault in validate(part.path)] == []
    assert (
        sum(len(part.utts) for part in parts.values()) >= 7 and min(len(p.utts) for p in parts.values()) >= 1
    )
    assert len(parts["train"].utts) >= 5
    assert all(part.labels.keys() == set(part.utts) for part in parts.values())
    assert split([done / "data" / "songs" / "scored"], done / "data") is None, "up to date"


def test_the_report_says_all_of_it(done):
    text = (done / "data" / "recordings.txt").read_text()
    assert re.search(r"recordings: 2 of 3 used, 0\.5 of 0\.8 minutes", text)
    assert re.search(r"phrases: \d: \d in train, 1 in dev, 1 in eval", text)
    assert "one.wav: 5 of 5 phrases; score; resampled from 16000 to 48000 Hz\n" in text
    assert re.search(r"two.wav: 3 of 4 phrases; .*\n  left out, .* s: .*(voice|sung)", text), text
    assert "not used: 1\n  three.wav: neither a score nor lyrics are beside it" in text
    assert "passed over: 1\n  notes.pdf: neither" in text
    assert re.search(r"to record next:\n  phones that were never sung: .*ky.*", text) and " A," not in text
    low, high = re.search(r"range of the notes: (\S+) to (\S+), half", text).groups()
    scores = [s for name in PARTS for s in DataDir.read(done / "data" / name).scores.values()]
    pitches = [n.pitch for s in scores for n in s.notes if not n.is_rest]
    names = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"]
    assert [low, high] == [f"{names[p % 12]}{p // 12 - 1}" for p in (min(pitches), max(pitches))]


def test_the_page_has_the_same(done):
    html = (done / "data" / "recordings.html").read_text()
    page = Page(html)
    assert "Recordings of me" in html and "three.wav" in html and "left out" in html and "<svg" in html
    assert page is not None and "{{" not in html


def test_a_rejected_song_leaves_enough_or_is_named(done, tmp_path, capsys):
    """One phrase cannot make three sets: one line says so."""
    song = make_song(13, phrases=1, notes=8)
    write_song(tmp_path / "in", "only", song)
    data, exp = str(tmp_path / "data"), str(tmp_path / "exp")
    assert main(["gather", "--db-root", str(tmp_path / "in"), "--out", data, "--lang", "ja"]) == 0
    main(["align", f"--data={data}/songs/scored", "--out", exp])
    capsys.readouterr()
    assert main(["split", "--datadir", data, "--align", exp]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "record more" in err
    assert not any((tmp_path / "data" / name).exists() for name in PARTS)
