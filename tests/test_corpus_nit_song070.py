"""HTS labels, and the preparation of NIT-SONG070 from both of its forms."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scorexml import contiguous

from nnsvs_lite.bin.main import main
from nnsvs_lite.corpora import corpora
from nnsvs_lite.corpora import prepare as prepare_corpus
from nnsvs_lite.corpora.nit_song070 import find_files, prepare
from nnsvs_lite.corpus.datadir import song_of
from nnsvs_lite.corpus.kana import add_lyrics
from nnsvs_lite.corpus.validate import validate
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.htslabel import pitch_number, read_full, read_lab
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.score.types import Note, Score

STEM = "nitech_jp_song070_f001_"
LOCAL = Path(__file__).parents[1] / "egs" / "nit_song070" / "svs1" / "local"


def line(
    start: int, end: int, phone: str, pitch: str, length: int, before: int, *, key=0, tempo=100, mark="mp"
):
    """One full-context line in 4/4; times in ms, lengths in 96ths."""
    centiseconds = round(length / 24 * 6000 / tempo)
    return (
        f"{start}0000 {end}0000 x@xx^xx-{phone}+xx=xx_xx%xx/A:xx/E:{pitch}]0^{key}=4/4~{tempo}!1"
        f"@{centiseconds}#{length}+xx]1$2|0[0&{before}]{96 - before}=0^0~1#3_0;21$0&84%0"
        f"[100|0]0-{mark}^xx+xx/F:xx/G:xx\n"
    )


def write_song(folder: Path, name: str, audio: Path, shift: int = 0) -> None:
    """Six seconds: rest, か き with a breath after it, さ っ, a rest in two parts."""
    text = (
        line(0, 1200, "pau", "xx", 48, 0)
        + line(1200, 1250, "k", "F4", 24, 48)
        + line(1250, 1800, "a", "F4", 24, 48)
        + line(1800, 1900, "k", "Gb4", 24, 72, key=11)
        + line(1900, 2200, "i", "Gb4", 24, 72, key=11)
        + line(2200, 2400, "br", "Gb4", 24, 72, key=11)
        + line(2400, 2500, "s", "C#5/Db5", 72, 0, tempo=50, mark="f1")
        + line(2500, 5900, "a", "C#5/Db5", 72, 0, tempo=50, mark="f1")
        + line(5900, 6000, "cl", "C#5/Db5", 72, 0, tempo=50, mark="f1")
        + line(6000, 7200, "pau", "xx", 24, 72, tempo=50)
        + line(7200, 8000, "sil", "xx", 24, 0, tempo=75)
    )
    (folder / f"{name}.lab").write_text(text)
    samples = (np.arange(8 * 48000) % 1000 + shift).astype("<i2")
    audio.parent.mkdir(parents=True, exist_ok=True)
    if audio.suffix == ".raw":
        audio.write_bytes(samples.tobytes())
    else:
        soundfile.write(audio, samples, 48000, subtype="PCM_16")


@pytest.fixture
def flat(tmp_path) -> Path:
    folder = tmp_path / "flat"
    folder.mkdir()
    for number in ("003", "004", "011"):
        write_song(folder, STEM + number, folder / f"{STEM}{number}.wav", int(number))
    return folder


@pytest.fixture
def official(tmp_path) -> Path:
    data = tmp_path / "official" / "HTS-demo_NIT-SONG070-F001" / "data"
    labels = data / "labels" / "full"
    labels.mkdir(parents=True)
    for number in ("003", "004", "011"):
        write_song(labels, STEM + number, data / "raw" / f"{STEM}{number}.raw", int(number))
    return tmp_path / "official"


def test_full_labels_hold_the_score(flat):
    full = read_full(flat / f"{STEM}003.lab")
    expected = [
        Note(0, 1.2, 0, phones=("pau",), beats=2, measure=1, beat=0, velocity=0.45),
        Note(1.2, 1.8, 65, phones=("k", "a"), beats=1, measure=1, beat=2, velocity=0.45),
        Note(1.8, 2.4, 66, phones=("k", "i"), beats=1, measure=1, beat=3, key=-1, velocity=0.45),
        Note(2.4, 6.0, 73, phones=("s", "a", "cl"), beats=3, measure=2, beat=0, tempo=50, velocity=0.7),
        Note(6.0, 7.2, 0, phones=("pau",), beats=1, measure=2, beat=3, tempo=50, velocity=0.45),
        Note(7.2, 8.0, 0, phones=("pau",), beats=1, measure=3, beat=0, tempo=75, velocity=0.45),
    ]
    assert full.score.notes == tuple(expected)
    assert full.remarks == []
    assert full.labels[3] == Segment(1.8, 1.9, "k")
    assert [row.label for row in full.labels] == [
        "pau",
        "k",
        "a",
        "k",
        "i",
        "br",
        "s",
        "a",
        "cl",
        "pau",
        "sil",
    ]


def test_two_equal_rests_in_a_row_are_two(tmp_path):
    (tmp_path / "a.lab").write_text(line(0, 2400, "pau", "xx", 96, 0) + line(2400, 4800, "pau", "xx", 96, 0))
    score = read_full(tmp_path / "a.lab").score
    assert [(n.start, n.end, n.measure) for n in score.notes] == [(0, 2.4, 1), (2.4, 4.8, 2)]


def test_a_place_that_does_not_follow_is_remarked(tmp_path):
    (tmp_path / "a.lab").write_text(line(0, 600, "a", "F4", 24, 0) + line(600, 1200, "i", "F4", 24, 48))
    assert read_full(tmp_path / "a.lab").remarks == [
        "measure 1: a note stands at beat 3, the one before it ends at beat 2"
    ]


@pytest.mark.parametrize(
    ("name", "number"), [("C4", 60), ("A4", 69), ("Bb3", 58), ("F#5", 78), ("C#4/Db4", 61), ("xx", 0)]
)
def test_pitch_names(name, number):
    assert pitch_number(name) == number


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 100 pau\n", "a.lab:1: not a full-context label"),
        ("0 100\n", "a.lab:1: malformed line"),
        ("\n", "a.lab: holds no labels"),
        (line(0, 1, "a", "H4", 24, 0), "a note of its /E: part cannot be read: no pitch: 'H4'"),
        (line(0, 1, "a", "F4", 24, 0, tempo=100).replace("~100", "~xx"), "cannot be read: could not convert"),
    ],
)
def test_labels_that_cannot_be_read(tmp_path, text, message):
    (tmp_path / "a.lab").write_text(text)
    with pytest.raises(DataError, match=message):
        read_full(tmp_path / "a.lab")


def test_lab_in_seconds_with_crlf_and_no_last_line_end(tmp_path):
    (tmp_path / "a.lab").write_bytes(b"0.0000000 18.6263777 pau\r\n18.6263777 19 k")
    assert read_lab(tmp_path / "a.lab", unit=1.0) == [
        Segment(0, 18.6263777, "pau"),
        Segment(18.6263777, 19, "k"),
    ]


def test_kana_of_phones_read_as_these_phones():
    words = ["k a", "p o cl", "sh i", "ky o N", "ch i", "f u", "ts u", "j a", "o", "w a", "ry u", "m a m e"]
    notes = tuple(Note(i, i + 1, 60, phones=tuple(word.split())) for i, word in enumerate(words))
    score = add_lyrics(Score(notes))
    assert [n.lyric for n in score.notes] == [
        "か",
        "ぽっ",
        "し",
        "きょん",
        "ち",
        "ふ",
        "つ",
        "じゃ",
        "お",
        "わ",
        "りゅ",
        "まめ",
    ]
    assert attach_phones(score).notes == score.notes


def table_bytes(out: Path) -> dict[str, bytes]:
    """All tables but those that name audio files."""
    return {
        str(p.relative_to(out)): p.read_bytes()
        for p in sorted(out.rglob("*"))
        if p.is_file() and p.suffix not in (".wav", ".scp") and not p.name.startswith(".")
    }


def test_both_forms_give_the_same_data(flat, official, tmp_path):
    one = prepare(flat, tmp_path / "one", eval_songs=["011"])
    two = prepare(official, tmp_path / "two", eval_songs=["011"])
    assert table_bytes(tmp_path / "one") == table_bytes(tmp_path / "two")
    assert (tmp_path / "one" / "reconciled.txt").read_text().count("br at 2.200 s is not in the score") == 3
    for name in ("train", "dev", "eval"):
        assert validate(one[name].path) == []
        assert validate(two[name].path) == []
        for utt in one[name].utts:
            np.testing.assert_array_equal(one[name].audio(utt)[0], two[name].audio(utt)[0])
    assert {song_of(utt) for utt in one["eval"].utts} == {STEM + "011"}
    assert soundfile.info(tmp_path / "two" / "wav" / f"{STEM}003.wav").samplerate == 48000


def test_data_folders_of_the_official_tree_will_do(official):
    whole = find_files(official)
    assert find_files(official / "HTS-demo_NIT-SONG070-F001") == whole
    assert find_files(official / "HTS-demo_NIT-SONG070-F001" / "data") == whole


def test_splits(flat, tmp_path):
    songs = {
        name: {song_of(u)[-3:] for u in part.utts} for name, part in prepare(flat, tmp_path / "a").items()
    }
    # Not all songs of the usual split are there: the last is for eval.
    assert songs["eval"] == {"011"} and songs["train"] | songs["dev"] == {"003", "004"}
    for number in ("007", "010"):
        write_song(flat, STEM + number, flat / f"{STEM}{number}.wav")
    songs = {
        name: {song_of(u)[-3:] for u in part.utts} for name, part in prepare(flat, tmp_path / "b").items()
    }
    assert songs == {"train": {"011"}, "dev": {"003"}, "eval": {"004", "007", "010"}}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eval_songs": ["012"]}, r"no song '012' \(did you mean '011'\?\); there are 003, 004, 011"),
        ({"eval_songs": ["011"], "dev_songs": ["011"]}, "f001_011 stands in both dev and eval"),
        ({"eval_songs": ["003", "004", "011"]}, "no phrase is left for train"),
        ({"eval_song": ["003"]}, "unknown option 'eval_song' of nit_song070 .did you mean 'eval_songs'"),
    ],
)
def test_wrong_options_are_named(flat, tmp_path, options, message):
    with pytest.raises(DataError, match=message):
        prepare_corpus("nit_song070", flat, tmp_path / "out", options)
    assert not (tmp_path / "out" / "train").exists()


def test_a_wrong_folder_says_what_is_expected(tmp_path, capsys):
    for folder in (tmp_path, tmp_path / "nowhere"):
        status = main(["prepare", "nit_song070", "--db-root", str(folder), "--out", str(tmp_path / "out")])
        error = capsys.readouterr().err
        assert status == 1 and error.count("\n") == 1
        assert str(folder) in error and "data/labels/full/*.lab" in error and "data/raw/*.raw" in error
        assert "http://hts.sp.nitech.ac.jp/archives/2.3/HTS-demo_NIT-SONG070-F001.tar.bz2" in error
    assert not (tmp_path / "out").exists()


def test_a_song_without_audio_names_the_missing_file(official):
    raw = official / "HTS-demo_NIT-SONG070-F001" / "data" / "raw" / f"{STEM}004.raw"
    raw.unlink()
    with pytest.raises(DataError, match=f"f001_004 has labels but no audio; .*{STEM}004.raw is needed"):
        find_files(official)


def test_songs_whose_labels_are_wrong_are_reported_together(flat, tmp_path):
    for number in ("003", "004"):
        (flat / f"{STEM}{number}.lab").write_text("0 1 pau\n")
    with pytest.raises(DataError, match=r"003.lab:1: not a full-context label .*\(and 1 songs more\)"):
        prepare(flat, tmp_path / "out")


def test_preparing_again_is_up_to_date_and_an_unknown_corpus_is_named(flat, tmp_path, capsys):
    command = ["prepare", "nit_song070", "--db-root", str(flat), "--out", str(tmp_path / "out")]
    assert main(command) == 0
    assert "eval: 1 phrases" in capsys.readouterr().out
    before = table_bytes(tmp_path / "out")
    assert main(command) == 0
    assert "is up to date" in capsys.readouterr().out
    assert main([*command, "--min-length", "1"]) == 0
    assert "is up to date" not in capsys.readouterr().out
    assert main(command) == 0
    assert table_bytes(tmp_path / "out") == before
    assert main(["prepare", "nitsong", *command[2:]]) == 1
    assert "unknown corpus 'nitsong' (did you mean 'nit_song070'?)" in capsys.readouterr().err
    assert "nit_song070" in corpora()


def test_download_says_what_to_fetch_and_where_to_put_it(tmp_path, flat):
    """Without a network; the folder of programs holds no curl that could reach one."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "mkdir", "readlink", "rm", "env"):
        found = next(p for p in map(Path, (f"/bin/{name}", f"/usr/bin/{name}")) if p.exists())
        (tools / name).symlink_to(found)
    environment = {**os.environ, "PATH": str(tools)}

    def download(folder: Path) -> subprocess.CompletedProcess:
        script = [str(LOCAL / "download.sh"), str(folder)]
        return subprocess.run(script, env=environment, capture_output=True, text=True, check=False)

    result = download(tmp_path / "db")
    assert result.returncode == 1
    assert "http://hts.sp.nitech.ac.jp/archives/2.3/HTS-demo_NIT-SONG070-F001.tar.bz2" in result.stderr
    assert f"{tmp_path}/db/HTS-demo_NIT-SONG070-F001" in result.stderr
    result = download(flat)
    assert result.returncode == 0 and "holds the corpus (3 songs)" in result.stdout


# The real recordings.


def test_real_songs(shared_data, tmp_path):
    root = shared_data / "nit_song070"
    parts = prepare(root, tmp_path / "data", eval_songs=["007"])
    for part in parts.values():
        assert validate(part.path, tolerance=0.01) == []
        for utt in part.utts:
            score, labels = part.scores[utt], part.labels[utt]
            assert contiguous(score.notes)
            assert score.notes[0].is_rest and score.notes[-1].is_rest
            assert [row.label for row in labels] == score.phones
            assert score.duration == pytest.approx(part.duration(utt), abs=1e-6)
            assert labels[-1].end == pytest.approx(score.duration, abs=1e-6)
            samples, rate = part.audio(utt)
            assert rate == 48000 and len(samples) == round(score.duration * rate)
            # A phrase begins and ends in silence: the cut is not in a vowel.
            loud = np.sqrt(np.mean(samples**2))
            assert max(abs(samples[:480]).max(), abs(samples[-480:]).max()) < loud
    assert {song_of(u) for u in parts["eval"].utts} == {STEM + "007"}
    assert {song_of(u) for u in parts["train"].utts + parts["dev"].utts} == {STEM + "004"}
    assert parts["dev"].utts[0] > parts["train"].utts[-1]
    report = (tmp_path / "data" / "reconciled.txt").read_text()
    assert report.count(": br at ") == 4
    assert "42.000 s: pau and pau merged" in report


@pytest.mark.parametrize("number", ["004", "007"])
def test_the_score_in_the_labels_is_that_of_the_musicxml(shared_data, number):
    from nnsvs_lite.score.formats.musicxml import read_musicxml

    root = shared_data / "nit_song070"
    full = read_full(root / f"{STEM}{number}.lab")
    written = attach_phones(read_musicxml(root / f"{number}_score.musicxml"))
    ours = [(n.start, n.end, n.pitch, n.phones) for n in full.score.notes if not n.is_rest]
    theirs = [(n.start, n.end, n.pitch, n.phones) for n in written.notes if not n.is_rest]
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert a[:2] == pytest.approx(b[:2], abs=1e-3)
        assert a[2:] == b[2:]
    assert add_lyrics(full.score).lyrics == written.lyrics
    assert full.labels == read_lab(root / f"{number}_mono.lab")
