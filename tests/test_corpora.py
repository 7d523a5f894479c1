"""Every corpus of conf/corpus: its tiny synthetic tree becomes data dirs without a fault."""

import dataclasses
import os
import shutil
import sys
import zipfile
from pathlib import Path

import corpora_trees
import numpy as np
import pytest
import soundfile
from models_common import ROOT

from nnsvs_lite.bin.main import main
from nnsvs_lite.corpora import corpora, find, prepare
from nnsvs_lite.corpus.agree import agree, spelt
from nnsvs_lite.corpus.crossed import uncross
from nnsvs_lite.corpus.datadir import DataDir, song_of
from nnsvs_lite.corpus.facts import Quirk, known_corpora, read_facts, read_split
from nnsvs_lite.corpus.fetch import check_copy, fetch, unpack
from nnsvs_lite.corpus.prepare import PARTS
from nnsvs_lite.corpus.quirks import mend_labels, mend_score
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.phonemize import attach_phones

NAMES = known_corpora()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Prepares a corpus once: its data dirs and report by name."""
    done = {}

    def get(name):
        if name not in done:
            folder = tmp_path_factory.mktemp(name)
            root = corpora_trees.make(name, folder / "db")
            assert prepare(name, root, folder / "data", {})
            parts = {part: DataDir.read(folder / "data" / part) for part in PARTS}
            done[name] = parts, (folder / "data" / "reconciled.txt").read_text(), root
        return done[name]

    return get


@pytest.mark.parametrize("name", NAMES)
def test_a_tiny_copy_becomes_data_dirs(name, prepared):
    # prepare() raises for any fault that validate finds.
    parts, _, _ = prepared(name)
    facts = read_facts(name)
    assert name in corpora() and find(name)
    _, split = read_split(name)
    for part in PARTS:
        assert parts[part].utts, part
        assert (parts[part].path / "LICENSE").read_text() == facts.notice
        assert set(parts[part].utt2lang.values()) <= set(facts.languages)
    assert facts.notice.count("Commercial use:") == 1
    songs = [{utt for utt in parts[part].utts} for part in PARTS]
    assert not songs[0] & songs[1] and not songs[1] & songs[2] and not songs[0] & songs[2]
    assert split.eval and split.source


# Faults seeded into tiny copies: each is mended with a remark, or refuses its own song and no other.


def _ofuton(tmp_path, folder: str = "db"):
    root = corpora_trees.make("ofuton_p", tmp_path / folder)
    return root, root / "OFUTON_P_UTAGOE_DB"


def _prepare(root, out, name="ofuton_p", **options):
    prepare(name, root, out, options)
    tables = {part: DataDir.read(out / part) for part in PARTS}
    scores = {u: s for part in tables.values() for u, s in part.scores.items()}
    labels = {u: rows for part in tables.values() for u, rows in part.labels.items()}
    return scores, labels, (out / "reconciled.txt").read_text()


def _others_are_the_same(tmp_path, root, song, sound):
    """What is prepared without the faulty song is, for the others, what a sound copy gives."""
    scores, labels, report = _prepare(root, tmp_path / "out", **{"bad_songs": "leave-out"})
    assert not any(song in utt for utt in scores)
    assert scores == {u: s for u, s in sound[0].items() if song not in u}
    assert labels == {u: rows for u, rows in sound[1].items() if song not in u}
    assert f"{song}: refused" in report


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    return _prepare(_ofuton(folder)[0], folder / "out")


def _wrong_unit(song):
    path = song / f"{song.name}.lab"
    rows = [line.split() for line in path.read_text().splitlines()]
    path.write_text("".join(f"{int(a) / 1e7:.7f} {int(b) / 1e7:.7f} {c}\n" for a, b, c in rows))


def _past_the_end(song):
    wav = song / f"{song.name}.wav"
    x, rate = soundfile.read(wav)
    soundfile.write(wav, x[: len(x) // 2], rate)


def _a_measure_short(song):
    path = song / f"{song.name}.musicxml"
    text = path.read_text()
    notes = text.split("<note>")
    # The first phrase is cut down to its first note.
    path.write_text("<note>".join([*notes[:3], *notes[8:]]))


def _shift_jis(song):
    path = song / f"{song.name}.musicxml"
    path.write_bytes(path.read_text().encode("cp932"))


def _no_label(song):
    (song / f"{song.name}.lab").unlink()


def _extra_recording(song):
    extra = song.parent / "hi"
    extra.mkdir()
    (extra / "hi.wav").write_bytes((song / f"{song.name}.wav").read_bytes())


@pytest.mark.parametrize(
    ("seed", "song", "message"),
    [
        (_wrong_unit, "kagome_kagome", "the labels end at .* are the times in 100 ns"),
        (_past_the_end, "kagome_kagome", "begins at .* s, after the recording's end at"),
        (_a_measure_short, "kagome_kagome", "score and labels are not the same text: the labels have"),
        (
            _shift_jis,
            "kagome_kagome",
            "kagome_kagome.musicxml: is not UTF-8 text, as it says; it can be read as CP932",
        ),
        (_no_label, "kagome_kagome", "but no kagome_kagome/kagome_kagome.lab"),
        (_extra_recording, "hi", "there is hi/hi.wav, but no hi/hi.lab"),
    ],
)
def test_a_fault_refuses_its_song_and_no_other(seed, song, message, tmp_path, sound):
    root, top = _ofuton(tmp_path)
    seed(top / "kagome_kagome")
    with pytest.raises(DataError, match=f"{message}.*--bad-songs leave-out goes on without"):
        prepare("ofuton_p", root, tmp_path / "none", {})
    assert not (tmp_path / "none" / "train").exists()
    _others_are_the_same(tmp_path, root, song, sound)


def test_what_differs_only_in_form_changes_nothing(tmp_path, sound):
    root, top = _ofuton(tmp_path, "a folder with blanks")
    for path in top.glob("*/*.lab"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n").rstrip())
    (top / "README.txt").write_text("x")
    (top / "kagome_kagome" / "._kagome_kagome.wav").write_bytes(b"\0")
    assert _prepare(root, tmp_path / "out")[:2] == sound[:2]


def test_a_song_whose_name_is_part_of_anothers_is_told_apart(tmp_path):
    root, top = _ofuton(tmp_path)
    for kind in ("wav", "lab", "musicxml"):
        path = top / "usagi" / f"usagi.{kind}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((top / "usagito_kame" / f"usagito_kame.{kind}").read_bytes())
    prepare("ofuton_p", root, tmp_path / "out", {"eval_songs": ["usagi"], "dev_songs": ["haruga_kita"]})
    evals = DataDir.read(tmp_path / "out" / "eval").utts
    assert evals and all(utt.startswith("ofuton_p_usagi_0") for utt in evals)
    with pytest.raises(DataError, match=r"no song 'kame' .*there are .*usagi, usagito_kame"):
        prepare("ofuton_p", root, tmp_path / "out", {"eval_songs": ["kame"]})


def test_a_recording_of_another_rate_is_named(tmp_path):
    root, top = _ofuton(tmp_path)
    wav = top / "kagome_kagome" / "kagome_kagome.wav"
    x, rate = soundfile.read(wav)
    soundfile.write(wav, x[::2], rate // 2)
    with pytest.raises(DataError, match="48000 Hz"):
        prepare("ofuton_p", root, tmp_path / "out", {})


# Known faults.


def test_known_faults_are_mended_and_named(prepared):
    parts, report, _ = prepared("kiritan")
    assert "w o" in " ".join(parts["train"].scores[u].phones for u in ()) or "を[w o]" in "".join(
        parts["train"].text.values()
    )
    assert "08: known fault (the first half has no score): there is no such song here" in report
    assert "split espnet: eval songs that are not here: 16, 17, 27, 44" in report
    _, report, _ = prepared("itako")
    assert (
        "27: known fault (a lyric is overwritten; ESPnet egs2/itako): '<Melodyne> い' of the score became"
        in report
    )
    assert report.count("its boundaries were put in order") == 3
    assert (
        "07: known fault (its score has no tempo; the times of its labels): the tempo is 95"
        in prepared("no7")[1]
    )
    assert "labels that are no phones (Edge, GlottalStop)" in prepared("namine_ritsu")[1]
    assert (
        "060: known fault (a label is no phone; ESPnet egs2/pjs, NNSVS): 'xx' of the labels became 'n o'"
        in (prepared("pjs")[1])
    )
    assert "ameboshi_turkey_in_the_straw_001" in prepared("ameboshi")[0]["train"].utts


QUIRK = {"song": "1", "what": "x", "source": "y"}
ROWS = [Segment(i, i + 1, p) for i, p in enumerate(["pau", "k", "a", "s", "a", "pau", "t", "a", "pau"])]


@pytest.mark.parametrize(
    ("find", "make", "expected"),
    [
        ("k a s", "k o s", "0 pau 1 k 2 o 3 s 4 a 5 pau 6 t 7 a 8 pau"),
        ("a s a", "a a", "0 pau 1 k 2 a 4 a 5 pau 6 t 7 a 8 pau"),
        ("s a t", "s a i t", "0 pau 1 k 2 a 3 s 4 a 4.5 i 5 pau 6 t 7 a 8 pau"),
        ("t a", "d e", "0 pau 1 k 2 a 3 s 4 a 5 pau 6 d 7 e 8 pau"),
        ("k a s a", "k a a", "0 pau 1 k 2 a 4 a 5 pau 6 t 7 a 8 pau"),
        ("k a", "g e n", "0 pau 1 g 1.66667 e 2.33333 n 3 s 4 a 5 pau 6 t 7 a 8 pau"),
    ],
)
def test_labels_are_mended_where_they_differ(find, make, expected):
    remarks = []
    rows = mend_labels(ROWS, [Quirk(**QUIRK, labels=find, make=make)], frozenset({"pau"}), remarks)
    assert " ".join(f"{row.start:g} {row.label}" for row in rows) == expected
    assert [(a.end, b.start) for a, b in zip(rows, rows[1:]) if a.end != b.start] == []
    assert len(remarks) == 1 and remarks[0].startswith("known fault (x; y)")


def test_a_listed_fault_that_is_gone_or_stands_twice_is_named():
    remarks = []
    assert mend_labels(ROWS, [Quirk(**QUIRK, labels="g a", make="k a")], frozenset({"pau"}), remarks) == ROWS
    assert remarks == ["known fault (x; y): 'g a' is not in the labels: another edition? nothing is changed"]
    with pytest.raises(DataError, match="'a' stands 3 times in the labels, once is expected"):
        mend_labels(ROWS, [Quirk(**QUIRK, labels="a", make="o")], frozenset({"pau"}), remarks)
    rows = mend_labels(ROWS, [Quirk(**QUIRK, labels="a", make="o", nth=3)], frozenset({"pau"}), remarks)
    assert [row.label for row in rows] == ["pau", "k", "a", "s", "a", "pau", "t", "o", "pau"]


def test_scores_are_mended_where_they_differ():
    score = corpora_trees.score_of(
        [("r", 1, ""), ("C4", 1, "か"), ("D4", 1, "さ"), ("r", 1, ""), ("E4", 1, "た")]
    )
    quirks = [
        Quirk(**QUIRK, score="か さ", make="か す ね"),
        Quirk(**QUIRK, score="R た", make="て た", pitch=65),
    ]
    notes = mend_score(score.notes, quirks, [])
    assert [(n.start, n.end, n.pitch, n.lyric) for n in notes] == [
        (0, 0.5, 0, ""),
        (0.5, 1, 60, "か"),
        (1, 1.25, 62, "す"),
        (1.25, 1.5, 62, "ね"),
        (1.5, 2, 65, "て"),
        (2, 2.5, 64, "た"),
    ]
    gone = mend_score(score.notes, [Quirk(**QUIRK, score="か さ R", make="か R")], [])
    assert [(n.start, n.end, n.lyric) for n in gone][1:3] == [(0.5, 1.5, "か"), (1.5, 2, "")]


# Scores and labels that differ a little.


def _agreed(lyrics: str, labels: str):
    """Notes of half a second from 0.5 s on, and labels of 0.1 s for consonants, 0.4 s for vowels."""
    tune = [("r", 1.0, ""), *(("C4", 1.0, lyric) for lyric in lyrics.split()), ("r", 1.0, "")]
    score = corpora_trees.score_of(tune)
    rows, now = [], 0.0
    for token in labels.split():
        phone, _, own = token.partition("=")
        length = float(own or (0.5 if phone == "pau" else 0.4 if phone in "aiueoN" else 0.1))
        rows.append(Segment(round(now, 3), round(now + length, 3), phone))
        now += length
    remarks = []
    notes, rows = agree(score.notes, rows, get_language("ja"), "x", remarks)
    sung = [note for note in notes if not note.is_rest]
    assert [p for n in sung for p in n.phones] == [
        row.label.replace("U", "u") for row in rows if row.label != "pau"
    ]
    return [(" ".join(n.phones)) for n in sung], rows, remarks


@pytest.mark.parametrize(
    ("lyrics", "labels", "phones"),
    [
        ("か さ た な", "pau k a s a t a n a pau", ["k a", "s a", "t a", "n a"]),
        ("か さ た な を", "pau k a s a t a n a w o pau", ["k a", "s a", "t a", "n a", "w o"]),
        ("か し い た な", "pau k a sh i=0.9 t a n a pau", ["k a", "sh i", "i", "t a", "n a"]),
        ("か さ た な ま", "pau k a s a N t a n a m a pau", ["k a", "s a N", "t a", "n a", "m a"]),
        ("か す た な ま", "pau k a s U t a n a m a pau", ["k a", "s u", "t a", "n a", "m a"]),
    ],
)
def test_what_a_labeller_heard_counts(lyrics, labels, phones):
    found, rows, remarks = _agreed(lyrics, labels)
    assert found == phones
    assert bool(remarks) == (labels != f"pau {' '.join(_plain(lyrics))} pau" and "U" not in labels)
    assert all(remark.endswith("; taken from the labels") for remark in remarks)


def _plain(lyrics):
    return [phone for lyric in lyrics.split() for unit in get_language("ja").units(lyric) for phone in unit]


def test_a_note_that_no_label_is_left_for_holds_the_vowel_before_it():
    _, rows, remarks = _agreed("か し い た な", "pau k a sh i=0.9 t a n a pau")
    held = [row for row in rows if row.label == "i"]
    assert [(row.start, row.end) for row in held] == [(1.1, 1.55), (1.55, 2.0)]
    assert (
        "the labels have nothing at 2.000 s where the score has 'i' (measure 1, beat 1, 'い')" in remarks[0]
    )


def test_hints_tell_what_is_sung_in_place_of_the_lyric():
    score = corpora_trees.score_of([("C4", 1, "か"), ("D4", 1, "を"), ("E4", 1, "きっ")])
    notes = [score.notes[0], dataclasses.replace(score.notes[1], phones=("w", "o")), score.notes[2]]
    said = spelt(dataclasses.replace(score, notes=tuple(notes)))
    assert [note.lyric for note in said.notes] == ["か", "を[w o]", "きっ"]
    assert attach_phones(said).notes == said.notes


def test_boundaries_that_run_backwards_are_put_in_order():
    rows = [Segment(0, 1, "pau"), Segment(1, 0.9, "k"), Segment(0.9, 2, "a"), Segment(2, 3, "pau")]
    remarks = []
    assert uncross(rows, remarks) == [
        Segment(0, 0.9, "pau"),
        Segment(0.9, 1, "k"),
        Segment(1, 2, "a"),
        Segment(2, 3, "pau"),
    ]
    assert remarks == [
        "label 2 ('k') ends at 0.9000 s before it begins at 1.0000 s: its boundaries were put in order"
    ]
    # Half a second and more is no slip, and what does not follow is left to reconcile.
    far = [Segment(0, 1, "pau"), Segment(1, 0.4, "k"), Segment(0.4, 2, "a")]
    apart = [Segment(0, 1, "pau"), Segment(1.2, 1.1, "k"), Segment(1.3, 2, "a")]
    assert uncross(far, remarks) == far and uncross(apart, remarks) == apart and len(remarks) == 1


# The command, downloads, documentation.


def test_a_corpus_is_described_and_its_copy_checked(tmp_path, prepared, capsys):
    assert main(["corpus"]) == 0
    listed = capsys.readouterr().out
    assert all(f"{name} " in listed for name in NAMES)
    assert main(["corpus", "kiritan"]) == 0
    said = capsys.readouterr().out
    assert "Commercial use: NOT allowed." in said and "kiritan_singing/musicxml/{song}.xml" in said
    assert main(["corpus", "kiritan", "--db-root", str(prepared("kiritan")[2])]) == 0
    assert "kiritan_singing: 5 songs, 0 that lack a file" in capsys.readouterr().out
    assert main(["corpus", "kiritan", "--db-root", str(tmp_path / "nowhere")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "get it from https://zunko.jp/kiridev/login.php" in error
    assert main(["corpus", "kiritann"]) == 1
    assert "did you mean 'kiritan'?" in capsys.readouterr().err


def test_archives_are_unpacked_with_japanese_names(tmp_path):
    archive = tmp_path / "x.zip"
    name = "「波音リツ」/歌.txt"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("AAAAAAAAAAAAAAAAAAA", "la")
    # zipfile itself writes such names as UTF-8 only.
    raw = name.encode("cp932")
    data = archive.read_bytes().replace(b"A" * 19, raw)
    assert len(raw) == 19 and data.count(raw) == 2
    archive.write_bytes(data)
    unpack(archive, tmp_path / "out")
    assert (tmp_path / "out" / name).read_text() == "la"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("../evil.txt", "x")
    with pytest.raises(DataError, match="outside its folder"):
        unpack(archive, tmp_path / "out")
    archive.write_bytes(b"PK\3\4 no zip")
    with pytest.raises(DataError, match="no archive that can be unpacked"):
        unpack(archive, tmp_path / "out")


def test_a_corpus_that_may_be_fetched_is(tmp_path, prepared):
    root = prepared("pjs")[2]
    archive = shutil.make_archive(str(tmp_path / "pjs"), "gztar", root)
    facts = read_facts("pjs")
    with pytest.raises(DataError, match="cannot be downloaded by a program; get it from https://drive"):
        fetch(facts, tmp_path / "db")
    urls = [Path(archive).as_uri()]
    free = dataclasses.replace(facts, get=dataclasses.replace(facts.get, urls=urls))
    fetch(free, tmp_path / "db")
    assert check_copy(free, tmp_path / "db")[0].endswith("4 songs, 0 that lack a file")
    gone = dataclasses.replace(facts, get=dataclasses.replace(facts.get, urls=["file:///nowhere/x.zip"]))
    with pytest.raises(
        DataError, match="x.zip: file:///nowhere/x.zip cannot be downloaded .*fetch it by hand"
    ):
        fetch(gone, tmp_path / "db2")


def test_pages_are_what_the_tool_writes():
    sys.path.insert(0, str(ROOT / "tools"))
    import corpora as tool

    sys.path.remove(str(ROOT / "tools"))
    for path, text in tool.texts().items():
        assert path.read_text(encoding="utf-8") == text, f"{path}: run python tools/corpora.py"


@pytest.mark.parametrize("name", NAMES)
def test_recipes(name):
    """Short, no two the same, and each for its corpus."""
    folders = sorted((ROOT / "egs" / name).glob("*1"))
    assert folders, "python tools/corpora.py makes it"
    seen = {}
    for folder in sorted(path.parent for path in ROOT.glob("egs/*/*1/run.sh")):
        for path in [folder / "run.sh", *sorted((folder / "local").glob("*"))]:
            seen.setdefault(path.read_bytes(), []).append(path)
    for folder in folders:
        assert len((folder / "run.sh").read_text().splitlines()) <= 60
        for path in [folder / "run.sh", *(folder / "local").glob("*.sh")]:
            assert os.access(path, os.X_OK) and seen[path.read_bytes()] == [path]
        assert (folder / "svs.sh").resolve().is_file() and (folder / "conf").resolve() == ROOT / "conf"
    assert (
        len((ROOT / "nnsvs_lite" / "corpora" / f"{read_facts(name).reader}.py").read_text().splitlines())
        <= 150
    )


# Real labels.


@pytest.mark.slow
def test_the_real_labels_of_no7(shared_data, tmp_path):
    """All 51 songs, without their recordings: silence of the labels' length."""
    top = tmp_path / "no7_singing"
    shutil.copytree(shared_data / "no7_labels", top)
    for lab in sorted(top.glob("mono_label/*.lab")):
        end = float(lab.read_text().split()[-2]) / 1e7
        (top / "wav").mkdir(exist_ok=True)
        soundfile.write(top / "wav" / f"{lab.stem}.wav", np.zeros(round(end * 1000)), 1000, subtype="PCM_16")
    assert prepare("no7", tmp_path, tmp_path / "data", {})
    parts = {part: DataDir.read(tmp_path / "data" / part) for part in PARTS}
    assert [len({song_of(u) for u in parts[part].utts}) for part in PARTS] == [41, 5, 5]
    report = (tmp_path / "data" / "reconciled.txt").read_text()
    assert "refused" not in report and report.count("taken from the labels") == 0
    assert report.count("all is sung") == 4
