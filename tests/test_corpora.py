"""Every corpus of conf/corpus: its tiny synthetic tree becomes data dirs without a fault."""

import dataclasses
import io
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

from nnsvs_lite.bin import stages
from nnsvs_lite.bin.main import main
from nnsvs_lite.corpora import corpora, find, prepare
from nnsvs_lite.corpus.datadir import DataDir, song_of
from nnsvs_lite.corpus.facts import known_corpora, read_facts, read_split
from nnsvs_lite.corpus.fetch import check_copy, fetch
from nnsvs_lite.corpus.prepare import PARTS, provenance
from nnsvs_lite.io import settings
from nnsvs_lite.io.errors import DataError

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
    split_name, split = read_split(name)
    for part in PARTS:
        assert parts[part].utts, part
        assert (parts[part].path / "LICENSE").read_text() == facts.notice
        assert set(parts[part].utt2lang.values()) <= set(facts.languages)
        chosen = f"Split: {split_name} of conf/split/{name}.yaml ({split.source})"
        times = ["Phone times: given with the corpus"] if parts[part].labels else []
        assert provenance(parts[part].path) == [chosen, *times]
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
    assert provenance(tmp_path / "out" / "dev")[0] == "Split: eval ofuton_p_usagi; dev ofuton_p_haruga_kita"
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
    assert "を[w o]" in "".join(parts["train"].text.values())
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


def test_a_known_fault_past_the_last_label_is_named(tmp_path):
    root = corpora_trees.make("kiritan", tmp_path / "db")
    for path in list(root.rglob("01.*")):
        path.with_stem("08").write_bytes(path.read_bytes())
    with pytest.raises(DataError, match=r"08.*the first half has no score.*: there are \d+ labels, not 135"):
        prepare("kiritan", root, tmp_path / "out", {})


def _opencpop(tmp_path, old, new):
    root = corpora_trees.make("opencpop", tmp_path / "db")
    table = root / "opencpop" / "segments" / "transcriptions.txt"
    text = table.read_text()
    assert old in text
    table.write_text(text.replace(old, new, 1))
    with pytest.raises(DataError) as error:
        prepare("opencpop", root, tmp_path / "out", {})
    return str(error.value)


def test_lines_of_opencpop_that_cannot_be_are_named(tmp_path):
    line = "transcriptions.txt:3: "
    assert f"{line}6 fields, 7 are expected" in _opencpop(tmp_path / "1", "2001000001|小酒窝|", "2001000001|")
    longer = _opencpop(tmp_path / "2", "2001000001|小酒窝|SP", "2001000001|小酒窝|SP SP")
    assert f"{line}its fields differ in length: " in longer
    assert "no line '2001000001'" in _opencpop(tmp_path / "3", "2001000001|", "3001000001|")


def test_phrases_of_rows_keep_their_songs_together(prepared):
    parts, report, _ = prepared("opencpop")
    assert {song_of(utt) for utt in parts["eval"].utts} == {"opencpop_2044"}
    assert "tempi" not in report and parts["eval"].scores["opencpop_2044_000001"].notes[0].tempo == 96
    parts, _, _ = prepared("acesinger")
    assert parts["eval"].utts == [f"acesinger_{v}_2044_00000{n}" for v in (1, 2) for n in (1, 2)]
    parts, report, _ = prepared("m4singer")
    assert set(parts["eval"].speakers) == {"m4singer_Alto-1", "m4singer_Tenor-2"}
    assert "Alto-5#修炼爱情#0016: known fault (wrong phones; ESPnet egs2/m4singer/svs2): 'x ang' of" in report
    assert "Alto-1#暖暖#0000: note lengths are shared out among the phones of a note" in report
    assert "Tenor-2#十年#0000: note lengths" not in report
    shown = parts["train"].utts + parts["dev"].utts
    assert {song_of(utt) for utt in shown} == {
        "m4singer_Alto-1_new_boy",
        "m4singer_Alto-5_u4feeu70bcu7231u60c5",
    }


def test_syllables_of_csd(prepared, tmp_path):
    parts, _, root = prepared("csd")
    score = parts["eval"].scores["csd_korean_kr047a"]
    assert [(n.start, n.end) for n in score.notes[:2]] == [(0, 0.5), (0.5, 0.9)]
    assert score.notes[6].is_rest and score.notes[6].duration == pytest.approx(0.8)
    assert not parts["train"].labels
    copy = shutil.copytree(root, tmp_path / "db")
    for lang, song, words in (
        ("korean", "kr047a", ["n_a", "ss_a_l", "g_a_ng", "-", "y_eo"]),
        ("english", "en047b", ["t_w_i_ng", "k_eo_l", "s_t_a_r", "m_ii", "m_ou"]),
    ):
        path = copy / "CSD" / lang / "csv" / f"{song}.csv"
        rows = [line.rpartition(",")[0] for line in path.read_text().splitlines()]
        rows[1:6] = [f"{row},{word}" for row, word in zip(rows[1:6], words)]
        path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(["start,end,pitch,syllable", *rows[1:6]]).encode())
    assert prepare("csd", copy, tmp_path / "ko", {})
    score = DataDir.read(tmp_path / "ko" / "eval").scores["csd_korean_kr047a"]
    sung = [(" ".join(n.phones), n.slur) for n in score.notes if not n.is_rest]
    assert sung == [("n a", False), ("ss a L", False), ("g a", False), ("a NG", True), ("y eo", False)]
    assert prepare("csd", copy, tmp_path / "en", {"lang": "english"})
    evals = DataDir.read(tmp_path / "en" / "eval")
    assert evals.utts == ["csd_english_en047b"]
    sung = [" ".join(note.phones) for note in evals.scores[evals.utts[0]].notes if not note.is_rest]
    assert sung == ["t w ih ng", "k ah l", "s t aa r", "m iy", "m ow"]
    with pytest.raises(
        DataError, match="must be one of english, korean, not 'koraen' .did you mean 'korean'"
    ):
        prepare("csd", root, tmp_path / "out2", {"lang": "koraen"})


def test_words_of_gtsinger(prepared, tmp_path):
    parts, report, root = prepared("gtsinger")
    groups = ("Breathy", "Control")
    assert parts["eval"].utts == [f"gtsinger_ZH-Alto-1_u9ed8_Chinese_Breathy_{g}_Group_0000" for g in groups]
    assert not any("Speech" in utt for part in parts.values() for utt in part.utts)
    score = next(s for u, s in parts["train"].scores.items() if "new_song" in u)
    slurs = [(n.phones, n.slur) for n in score.notes if n.slur]
    assert slurs == [(("ao",), True)]
    assert "a glide and a final" in report
    assert prepare("gtsinger", root, tmp_path / "en", {"lang": "english", "eval_songs": ["a"]})
    score = next(iter(DataDir.read(tmp_path / "en" / "eval").scores.values()))
    sung = [" ".join(note.phones) for note in score.notes if not note.is_rest]
    assert sung == ["dh ah", "k ae t s", "s ae ng", "dh ah"]
    with pytest.raises(DataError, match="phones of other languages are not mapped"):
        prepare("gtsinger", root, tmp_path / "ko", {"lang": "korean"})


@pytest.mark.parametrize(
    ("lang", "phones"),
    [
        ("english", {"dh ah", "k ae t s", "s ae ng"}),
        ("german", {"aɪ n", "f oː", "ɡ ə l", "k a n"}),
        ("french", {"ʃ a", "b ɔ̃", "m a t ʃ"}),
        ("spanish", {"d e", "a", "ɡ w a", "t u"}),
        ("italian", {"tʃ a", "o", "ɡ a", "t o", "e"}),
        ("japanese", {"k i", "ky a", "k a", "N"}),
    ],
)
def test_languages_of_gtsinger(lang, phones, prepared, tmp_path):
    """Phones of MFA under this toolkit's names; the split is by every tenth song."""
    prepare("gtsinger", prepared("gtsinger")[2], tmp_path, {"lang": lang})
    parts = {part: DataDir.read(tmp_path / part) for part in PARTS}
    assert [{song_of(utt).split("_")[2] for utt in parts[part].utts} for part in PARTS] == [
        {"c"},
        {"b"},
        {"a"},
    ]
    scores = [score for part in parts.values() for score in part.scores.values()]
    assert {" ".join(n.phones) for score in scores for n in score.notes if not n.is_rest} == phones
    assert provenance(tmp_path / "eval")[0].startswith("Split: tenth of conf/split/gtsinger.yaml")


def test_phrases_with_lyrics_alone(prepared):
    parts, _, _ = prepared("popcs")
    assert not parts["train"].scores and parts["train"].text["popcs_new_song_0"] == "小酒窝长睫毛"
    parts, _, _ = prepared("opensinger")
    assert parts["eval"].speakers == ["opensinger_Man26"]
    assert set(parts["train"].speakers + parts["dev"].speakers) == {"opensinger_Man1", "opensinger_Woman1"}


def test_voices_of_kising_sing_the_same_song(prepared):
    parts, report, _ = prepared("kising")
    assert parts["eval"].utts == ["kising_barber_425", "kising_david_425"]
    assert "barber#436: known fault (ESPnet does not use it; ESPnet egs2/kising): left out" in report
    score = parts["eval"].scores["kising_barber_425"]
    assert [note.slur for note in score.notes if not note.is_rest] == [k in (3, 5) for k in range(8)]
    assert score.duration == pytest.approx(5.0)


def test_jsut_song_takes_its_scores_from_nit_song070(prepared):
    parts, report, _ = prepared("jsut_song")
    assert "045: known fault (it has no label; NNSVS): left out" in report and "006" not in report
    pitches = {n.pitch for part in parts.values() for s in part.scores.values() for n in s.notes if n.pitch}
    assert pitches <= {60, 62, 64, 65, 67, 69}


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
    assert main(["corpus", "kvt", "--db-root", str(tmp_path)]) == 0
    assert "There is no recipe for it:\nIt is a set for tagging" in capsys.readouterr().out
    assert main(["prepare", "kvt", "--db-root", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "unknown corpus 'kvt'" in capsys.readouterr().err
    assert main(["corpus", "kiritann"]) == 1
    assert "did you mean 'kiritan'?" in capsys.readouterr().err


def test_a_long_report_is_cut_short(tmp_path, monkeypatch, prepared, capsys):
    monkeypatch.setattr(stages, "SHOWN", 2)
    command = ["prepare", "itako", "--db-root", str(prepared("itako")[2]), "--out", str(tmp_path / "out")]
    assert main(command) == 0
    report = tmp_path / "out" / "reconciled.txt"
    count = len(report.read_text().splitlines())
    said = capsys.readouterr().out
    assert f"... and {count - 2} more: {report}\n" in said and said.count("known fault") < 2


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


def test_a_download_that_breaks_off_is_none(tmp_path, prepared, monkeypatch):
    whole = Path(shutil.make_archive(str(tmp_path / "pjs"), "gztar", prepared("pjs")[2]))
    facts = read_facts("pjs")
    urls = [whole.as_uri(), (tmp_path / "later.zip").as_uri()]
    free = dataclasses.replace(facts, get=dataclasses.replace(facts.get, urls=urls))
    with pytest.raises(DataError, match="later.zip cannot be downloaded"):
        fetch(free, tmp_path / "db")
    # All that the first archive holds is there.
    with pytest.raises(DataError, match="its download was not finished"):
        check_copy(free, tmp_path / "db")
    with zipfile.ZipFile(tmp_path / "later.zip", "w") as file:
        file.writestr("more.txt", "la")
    fetch(free, tmp_path / "db")
    assert len(check_copy(free, tmp_path / "db")) == 1

    class Short(io.BytesIO):
        headers = {"Content-Length": "100"}

    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: Short(b"only this"))
    with pytest.raises(DataError, match="broke off after 9 of 100 bytes"):
        fetch(free, tmp_path / "db2")
    assert not (tmp_path / "db2" / whole.name).exists()


def test_pages_are_what_the_tool_writes():
    sys.path.insert(0, str(ROOT / "tools"))
    import corpora as tool

    sys.path.remove(str(ROOT / "tools"))
    for path, text in tool.texts().items():
        assert path.read_text(encoding="utf-8") == text, f"{path}: run python tools/corpora.py"


def test_facts_without_a_reader_that_is_there_are_refused(tmp_path, monkeypatch):
    text = (ROOT / "conf" / "corpus" / "ofuton_p.yaml").read_text(encoding="utf-8")
    path = tmp_path / "corpus" / "mine.yaml"
    path.parent.mkdir()
    path.write_text(text.replace("reader: hts\n", ""))
    with pytest.raises(DataError, match="mine.yaml: reader is missing .hts reads .* unsure says why"):
        read_facts(path)
    path.write_text(text.replace("reader: hts", "reader: hst"))
    monkeypatch.setattr(settings, "CONF", tmp_path)
    with pytest.raises(DataError, match="mine.yaml: reader 'hst' is no module .*did you mean 'hts'"):
        find("mine")


@pytest.mark.parametrize("name", [*NAMES, *known_corpora("pitch1")])
def test_recipes(name):
    """Short, and each for its corpus."""
    folders = sorted((ROOT / "egs" / name).glob("*1"))
    assert folders, "python tools/corpora.py makes it"
    for folder in folders:
        run, program = (folder / "run.sh").read_text(), {"svs1": "svs.sh", "pitch1": "pitch.sh"}[folder.name]
        assert len(run.splitlines()) <= 60 and os.access(folder / "run.sh", os.X_OK)
        assert f"exec ./{program} --corpus {name} --db-root downloads/{name} " in run
        assert (folder / program).resolve().is_file() and (folder / "conf").resolve() == ROOT / "conf"
    assert all(len(m.read_text().splitlines()) <= 150 for m in (ROOT / "nnsvs_lite" / "corpora").glob("*.py"))
    facts = read_facts(name)
    assert (ROOT / "nnsvs_lite" / "corpora" / f"{facts.reader or facts.truth}.py").is_file()
    assert facts.recipe == folder.name


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
