"""Every fault of a data dir, seeded one by one and all together."""

import json
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nnsvs_lite.bin.main import main
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.validate import validate
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.tables import FeatureWriter
from nnsvs_lite.score.types import Note, Score

COUNT = 60
RATE = 8000


def utt(i: int) -> str:
    """Utterances of two speakers."""
    return f"{'an' if i < COUNT // 2 else 'bo'}_{i:03d}"


@pytest.fixture
def data(tmp_path) -> Path:
    """A data dir without a fault; utterance i is on line i + 1 of every table."""
    wavs = tmp_path / "wav"
    wavs.mkdir()
    made = DataDir(path=tmp_path / "data", wavs={}, utt2spk={})
    for i in range(COUNT):
        u = utt(i)
        made.wavs[u] = wavs / f"{u}.wav"
        soundfile.write(made.wavs[u], np.zeros(RATE * 2), RATE)
        made.utt2spk[u] = u[:2]
        made.utt2lang[u] = "ja"
        made.text[u] = "か い"
        made.segments[u] = (u, 0.0, 2.0)
        made.scores[u] = Score(
            (
                Note(0.0, 0.5, 0, phones=("pau",)),
                Note(0.5, 1.0, 60, lyric="か", phones=("k", "a")),
                Note(1.0, 1.5, 62, lyric="い", phones=("i",)),
                Note(1.5, 2.0, 0, phones=("pau",)),
            )
        )
        times = [0, 0.45, 0.52, 1.02, 1.5, 2]
        made.labels[u] = [
            Segment(a, b, p) for a, b, p in zip(times, times[1:], ["pau", "k", "a", "i", "pau"], strict=False)
        ]
    made.write()
    (tmp_path / "dump").mkdir()
    for name, columns in (("mgc", 60), ("lf0", 1)):
        with FeatureWriter(tmp_path / "dump", name) as writer:
            for i in range(COUNT):
                writer.write(utt(i), np.full((20, columns), i, dtype=np.float32))
    return made.path


# Changes to one line of a table, given the line without its end; None leaves it out.
def edit(path: Path, name: str, i: int, change: Callable[[str], str | None]) -> None:
    lines = (path / name).read_bytes().decode("utf-8", "surrogateescape").split("\n")
    at = next(k for k, line in enumerate(lines) if line.split(" ")[0] == utt(i))
    new = change(lines[at])
    lines[at : at + 1] = [] if new is None else [new]
    (path / name).write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))


def label(path: Path, i: int, number: int, change: Callable[[str], str | None]) -> None:
    """Changes label ``number`` of an utterance."""
    lines = (path / "label.ctm").read_text().split("\n")
    at = next(k for k, line in enumerate(lines) if line.split(" ")[0] == utt(i)) + number
    new = change(lines[at])
    lines[at : at + 1] = [] if new is None else [new]
    (path / "label.ctm").write_text("\n".join(lines))


def note(path: Path, i: int, number: int, **values) -> None:
    """Changes fields of a note."""

    def change(line: str) -> str:
        key, _, text = line.partition(" ")
        score = json.loads(text)
        score["notes"][number] |= values
        return f"{key} {json.dumps(score, ensure_ascii=False)}"

    edit(path, "score", i, change)


def wav(path: Path, i: int) -> Path:
    return path.parent / "wav" / f"{utt(i)}.wav"


def truncate_wav(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def scp(path: Path, i: int, change: Callable[[str], str]) -> None:
    edit(path.parent / "dump", "mgc.scp", i, change)


def nan(path: Path, i: int, value: float) -> None:
    """Overwrites one value in the archive."""
    offset = int((path.parent / "dump" / "mgc.scp").read_text().split("\n")[i].rpartition(":")[2])
    with open(path.parent / "dump" / "mgc.ark", "r+b") as file:
        file.seek(offset + 15 + 4 * 61)  # row 1, column 1 after the header of a float matrix
        file.write(struct.pack("<f", value))


def cut_ark(path: Path) -> None:
    ark = path.parent / "dump" / "lf0.ark"
    ark.write_bytes(ark.read_bytes()[:-30])


@dataclass
class Seed:
    """A fault: how it is made, and the file and words by which it must be found."""

    make: Callable[[Path], object]
    file: str
    words: str

    def found(self, faults: list) -> bool:
        return any(
            Path(fault.path).name == self.file and re.search(self.words, fault.what) for fault in faults
        )


def append(path: Path, name: str, text: str) -> None:
    with open(path / name, "a", encoding="utf-8") as file:
        file.write(text)


SEEDS = {
    "wav missing": Seed(lambda d: wav(d, 0).unlink(), "wav.scp", "an_000.*no such file"),
    "wav unreadable": Seed(
        lambda d: wav(d, 1).write_bytes(b"hello" * 9), "wav.scp", "an_001.*cannot be read as audio"
    ),
    "wav empty": Seed(lambda d: wav(d, 2).write_bytes(b""), "wav.scp", "an_002.*an empty file"),
    "wav without samples": Seed(
        lambda d: soundfile.write(wav(d, 3), np.zeros(0), RATE), "wav.scp", "an_003.*no samples"
    ),
    "wav cut off": Seed(lambda d: truncate_wav(wav(d, 4)), "wav.scp", "an_004.*cut off"),
    "wav is a folder": Seed(
        lambda d: (wav(d, 5).unlink(), wav(d, 5).mkdir()), "wav.scp", "an_005.*(directory|cannot be read)"
    ),
    "sampling rate": Seed(
        lambda d: soundfile.write(wav(d, 6), np.zeros(2 * 16000), 16000),
        "wav.scp",
        "an_006.*16000 Hz.*8000 Hz",
    ),
    "channels": Seed(
        lambda d: soundfile.write(wav(d, 7), np.zeros((2 * RATE, 2)), RATE), "wav.scp", "an_007: 2 channels"
    ),
    "pipe": Seed(
        lambda d: edit(d, "wav.scp", 8, lambda x: x + " touch pwned |"),
        "wav.scp",
        "an_008: a shell pipe is not run here",
    ),
    "segment ends before it starts": Seed(
        lambda d: edit(d, "segments", 9, lambda x: "an_009 an_009 1.5 0.5"),
        "segments",
        "an_009: ends at 0.5 s, not after",
    ),
    "segment past the end": Seed(
        lambda d: edit(d, "segments", 10, lambda x: "an_010 an_010 0 99999"),
        "segments",
        "an_010.*past the end",
    ),
    "segment of no recording": Seed(
        lambda d: edit(d, "segments", 11, lambda x: "an_011 nothing 0 2"),
        "segments",
        "'nothing' is not in wav.scp",
    ),
    "segment malformed": Seed(
        lambda d: edit(d, "segments", 12, lambda x: "an_012 an_012 0"), "segments", "malformed line, 'utt rec"
    ),
    "labels overlap": Seed(
        lambda d: label(d, 13, 1, lambda x: "an_013 1 0.40 0.12 k"),
        "label.ctm",
        "an_013.*overlaps the one before",
    ),
    "labels unsorted": Seed(
        lambda d: label(d, 14, 3, lambda x: "an_014 1 0.10 0.1 i"), "label.ctm", "an_014.*is not sorted"
    ),
    "label of no length": Seed(
        lambda d: label(d, 15, 2, lambda x: "an_015 1 0.52 0 a"), "label.ctm", "an_015.*no length"
    ),
    "labels with a gap": Seed(
        lambda d: label(d, 16, 2, lambda x: "an_016 1 0.60 0.42 a"), "label.ctm", "an_016.*leaves a gap"
    ),
    "label of no phone": Seed(
        lambda d: label(d, 17, 2, lambda x: "an_017 1 0.52 0.5 xyz"),
        "label.ctm",
        "an_017.*'xyz'.*not one of language 'ja'",
    ),
    "labels past the audio": Seed(
        lambda d: label(d, 18, 4, lambda x: "an_018 1 1.5 3.5 pau"),
        "label.ctm",
        "an_018: labels end at 5 s, after",
    ),
    "label malformed": Seed(
        lambda d: label(d, 19, 1, lambda x: "an_019 1 soon 0.1 k"),
        "label.ctm",
        "malformed line, 'utt 1 start",
    ),
    "labels are not the score's": Seed(
        lambda d: label(d, 20, 2, lambda x: x[:-1] + "e"),
        "label.ctm",
        "an_020: phone 3 is 'e' in the labels .*'a' in the score .*measure 1",
    ),
    "a label too few": Seed(
        lambda d: label(d, 21, 4, lambda x: None),
        "label.ctm",
        "an_021: 4 phones in the labels, 5 in the score",
    ),
    "id without text": Seed(lambda d: edit(d, "text", 22, lambda x: None), "text", "no line for 'an_022'"),
    "id in text only": Seed(lambda d: append(d, "text", "zo_000 か\n"), "text", "'zo_000' is not in utt2spk"),
    "id without score": Seed(lambda d: edit(d, "score", 23, lambda x: None), "score", "no line for 'an_023'"),
    "id without labels": Seed(
        lambda d: [label(d, 24, 0, lambda x: None) for _ in range(5)], "label.ctm", "no line for 'an_024'"
    ),
    "id without wav": Seed(
        lambda d: edit(d, "wav.scp", 25, lambda x: None), "segments", "'an_025' is not in wav.scp"
    ),
    "id without language": Seed(
        lambda d: edit(d, "utt2lang", 25, lambda x: None), "utt2lang", "no line for 'an_025'"
    ),
    "speaker prefix": Seed(
        lambda d: edit(d, "utt2spk", 26, lambda x: "an_026 a"),
        "utt2spk",
        "'an_026' does not begin with its speaker 'a'",
    ),
    "duplicate id": Seed(
        lambda d: edit(d, "text", 27, lambda x: f"{x}\n{x}"), "text", "duplicate id 'an_027'"
    ),
    "unsorted file": Seed(
        lambda d: edit(d, "utt2lang", 28, lambda x: "an_028 ja\nan_027x ja"),
        "utt2lang",
        "not sorted: 'an_027x' comes after",
    ),
    "spk2utt lists one too many": Seed(
        lambda d: (d / "spk2utt").write_text((d / "spk2utt").read_text().replace("bo_031", "bo_031 bo_999")),
        "spk2utt",
        "lists 'bo_999'.*utt2spk does not",
    ),
    "spk2utt lacks one": Seed(
        lambda d: (d / "spk2utt").write_text((d / "spk2utt").read_text().replace(" bo_030", "")),
        "spk2utt",
        "does not list 'bo_030'",
    ),
    "malformed line": Seed(
        lambda d: edit(d, "utt2lang", 29, lambda x: "an_029"), "utt2lang", "malformed line: 'an_029'"
    ),
    "empty line": Seed(lambda d: edit(d, "text", 30, lambda x: x + "\n"), "text", "empty line"),
    "not UTF-8": Seed(
        lambda d: edit(d, "text", 31, lambda x: "bo_031 " + b"\x82\xa9".decode("utf-8", "surrogateescape")),
        "text",
        "not UTF-8",
    ),
    "CRLF": Seed(
        lambda d: edit(d, "text", 32, lambda x: x + "\r"), "text", "CRLF or CR line ends, in 1 lines"
    ),
    "note of no length": Seed(
        lambda d: note(d, 33, 1, end=0.5), "score", r"bo_033: note 2 \(measure 1.*no length"
    ),
    "note of negative length": Seed(
        lambda d: note(d, 34, 1, end=0.3), "score", "bo_034: note 2.*no length or a negative"
    ),
    "notes overlap": Seed(
        lambda d: note(d, 35, 1, end=1.2), "score", "bo_035: note 3.*overlaps the note before"
    ),
    "notes with a gap": Seed(lambda d: note(d, 36, 1, end=0.9), "score", "bo_036: note 3.*leaves a gap"),
    "pitch too high": Seed(lambda d: note(d, 37, 1, pitch=130), "score", "bo_037: note 2.*pitch 130"),
    "pitch too low": Seed(lambda d: note(d, 38, 1, pitch=-3), "score", "bo_038: note 2.*pitch -3"),
    "phone of no language": Seed(
        lambda d: note(d, 39, 2, phones=["qq"]), "score", "bo_039: note 3.*'qq' is not one of language 'ja'"
    ),
    "phones are not the lyric's": Seed(
        lambda d: note(d, 40, 1, phones=["s", "a"]), "score", "bo_040: note 2.*lyric 'か' reads 'k a'.*'s a'"
    ),
    "lyric cannot be read": Seed(
        lambda d: note(d, 41, 1, lyric="か;ж"), "score", "bo_041: lyrics cannot be read.*か;ж"
    ),
    "text is not the score's": Seed(
        lambda d: edit(d, "text", 42, lambda x: "bo_042 か え"),
        "text",
        "bo_042: lyrics 'か え' are not those of the score",
    ),
    "score longer than its audio": Seed(
        lambda d: note(d, 43, 3, end=3.0), "score", "bo_043: the score lasts 3.000 s, the audio 2.000 s"
    ),
    "score is not JSON": Seed(
        lambda d: edit(d, "score", 44, lambda x: "bo_044 {notes"), "score", "bo_044: not a score"
    ),
    "score without notes": Seed(
        lambda d: edit(d, "score", 45, lambda x: 'bo_045 {"lang": "ja", "notes": []}'),
        "score",
        "bo_045: a score without notes",
    ),
    "lyrics without notes": Seed(
        lambda d: edit(
            d,
            "score",
            46,
            lambda x: x.replace('"pitch": 60', '"pitch": 0').replace('"pitch": 62', '"pitch": 0'),
        ),
        "score",
        "bo_046: a score without a sung note",
    ),
    "a note that is not finite": Seed(
        lambda d: note(d, 47, 1, tempo=float("nan")), "score", "bo_047: note 2.*not finite"
    ),
    "unknown language": Seed(
        lambda d: edit(d, "utt2lang", 48, lambda x: "bo_048 xx"), "utt2lang", "unknown language 'xx'"
    ),
    "NaN": Seed(
        lambda d: nan(d, 49, float("nan")),
        "mgc.scp",
        r"bo_049: archive .*: 1 values are NaN or infinite, the first at \[1, 1\]",
    ),
    "infinity": Seed(
        lambda d: nan(d, 50, float("inf")), "mgc.scp", "bo_050: archive .*: 1 values are NaN or infinite"
    ),
    "ark truncated": Seed(cut_ark, "lf0.scp", "bo_059: archive .*lf0.ark is truncated"),
    "outside the ark": Seed(
        lambda d: scp(d, 51, lambda x: x.rpartition(":")[0] + ":99999999"),
        "mgc.scp",
        "bo_051: points to byte 99999999",
    ),
    "between matrices of the ark": Seed(
        lambda d: scp(d, 52, lambda x: f"{x.rpartition(':')[0]}:{int(x.rpartition(':')[2]) + 4}"),
        "mgc.scp",
        "bo_052: no Kaldi matrix at byte",
    ),
    "no ark": Seed(
        lambda d: scp(d, 53, lambda x: "bo_053 nowhere.ark:7"),
        "mgc.scp",
        "bo_053.*nowhere.ark does not exist",
    ),
    "pipe in features": Seed(
        lambda d: scp(d, 54, lambda x: "bo_054 touch pwned |"), "mgc.scp", "bo_054.*shell pipe is not run"
    ),
    "scp malformed": Seed(
        lambda d: scp(d, 55, lambda x: "bo_055 there"), "mgc.scp", "bo_055: malformed archive reference"
    ),
    "id in one feature only": Seed(
        lambda d: edit(d.parent / "dump", "lf0.scp", 56, lambda x: None), "lf0.scp", "no line for 'bo_056'"
    ),
}


def test_a_sound_data_dir_has_no_fault(data, capsys):
    assert validate(data, dump=data.parent / "dump") == []
    assert main(["validate", str(data), "--dump", str(data.parent / "dump"), "--sound", "skip"]) == 0
    assert capsys.readouterr().out == f"0 faults in {data}\n"


@pytest.mark.parametrize("name", SEEDS)
def test_each_fault_is_found(data, name):
    seed = SEEDS[name]
    seed.make(data)
    faults = validate(data, dump=data.parent / "dump")
    assert seed.found(faults), "\n".join(map(str, faults))
    # One seed, few faults: what follows from it may be named too, but no more.
    assert len(faults) <= 8, "\n".join(map(str, faults))


def test_all_faults_are_found_in_one_pass(data, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for seed in SEEDS.values():
        seed.make(data)
    faults = validate(data, dump=data.parent / "dump")
    missed = [name for name, seed in SEEDS.items() if not seed.found(faults)]
    assert not missed, "\n".join(map(str, faults))
    assert faults == sorted(faults)
    assert main(["validate", str(data), "--dump", str(data.parent / "dump"), "--sound", "skip"]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[:-1] == [str(fault) for fault in faults]
    assert printed[-1] == f"{len(faults)} faults in {data}"
    assert not (tmp_path / "pwned").exists()


def test_faults_name_the_line(data):
    edit(data, "text", 4, lambda line: "an_004 か え")
    (fault,) = validate(data)
    assert (fault.path, fault.line) == (str(data / "text"), 5)
    assert str(fault).startswith(f"{data / 'text'}:5: an_004: lyrics")


def test_missing_tables_are_named(data):
    for name in ("text", "score", "spk2utt", "utt2lang"):
        (data / name).unlink()
    assert [(Path(f.path).name, f.what) for f in validate(data)] == [
        (name, "cannot be read: No such file or directory")
        for name in ("score", "spk2utt", "text", "utt2lang")
    ]
    (data / "utt2spk").unlink()
    assert any(Path(f.path).name == "utt2spk" for f in validate(data))


def test_a_language_given_stands_for_utt2lang(data):
    (data / "utt2lang").unlink()
    assert len(validate(data)) == 1
    assert validate(data, lang="ja") == []


def test_tolerance_is_that_of_score_and_audio(data):
    soundfile.write(wav(data, 0), np.zeros(int(RATE * 2.4)), RATE)
    edit(data, "segments", 0, lambda line: f"{utt(0)} {utt(0)} 0 2.4")
    assert validate(data) == []
    whats = [fault.what for fault in validate(data, tolerance=0.3)]
    assert len(whats) == 2 and all("an_000" in what for what in whats)
    assert "more than 0.3 s apart" in whats[1] or "more than 0.3 s apart" in whats[0]


def test_without_segments_utterances_are_recordings(data):
    (data / "segments").unlink()
    assert validate(data) == []
    edit(data, "wav.scp", 0, lambda line: None)
    assert [f.what for f in validate(data)] == ["no line for 'an_000', which is in utt2spk"]


def test_feature_tables_in_the_data_dir_are_checked(data):
    with FeatureWriter(data, "feats") as writer:
        for i in range(COUNT - 1):
            writer.write(utt(i), np.zeros((3, 2)))
    assert [f.what for f in validate(data)] == ["no line for 'bo_059', which is in utt2spk"]


def test_a_melisma_across_a_breath_is_no_fault(data):
    """The vowel goes on after a breath that was carved from the note."""
    notes = [
        {"start": 0.0, "end": 0.5, "pitch": 0, "phones": ["pau"]},
        {"start": 0.5, "end": 0.8, "pitch": 60, "lyric": "か", "phones": ["k", "a"]},
        {"start": 0.8, "end": 1.0, "pitch": 0, "phones": ["br"]},
        {"start": 1.0, "end": 1.5, "pitch": 62, "phones": ["a"], "slur": True},
        {"start": 1.5, "end": 2.0, "pitch": 0, "phones": ["pau"]},
    ]
    edit(data, "score", 0, lambda line: "an_000 " + json.dumps({"lang": "ja", "notes": notes}))
    edit(data, "text", 0, lambda line: "an_000 か")
    whats = [fault.what for fault in validate(data)]
    assert len(whats) == 1 and whats[0].startswith("an_000: phone 4 is 'i' in the labels")


def test_the_command_says_what_is_wrong_with_itself(data, capsys):
    assert main(["validate", str(data), "--lang", "jp"]) == 1
    assert "no language 'jp' (did you mean 'ja'?)" in capsys.readouterr().err
    assert main(["validate", str(data / "nothing")]) == 1
    assert "no such data dir" in capsys.readouterr().out
