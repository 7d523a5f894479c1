"""Mending a data dir, and the tools of ``nnsvs-lite data``."""

from pathlib import Path

import pytest
from test_corpus_datadir import make

from nnsvs_lite.bin.main import main
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.fix import fix
from nnsvs_lite.corpus.validate import validate
from nnsvs_lite.io.errors import DataError


@pytest.fixture
def data(tmp_path) -> Path:
    return make(tmp_path, songs=("spk_a", "spk_b", "spk_c")).write().path


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def spoil(data: Path) -> None:
    """Faults of form in every table."""
    text = (data / "text").read_bytes().split(b"\n")[:3]
    (data / "text").write_bytes(
        b"\r\n".join([text[2], text[0], text[0], b"", text[1], b"spk_d \x82\xa9", b""])
    )
    (data / "spk2utt").write_text("spk spk_z\n")
    ctm = (data / "label.ctm").read_text().splitlines()
    (data / "label.ctm").write_text("\n".join(reversed(ctm)) + "\n")
    wavs = (data / "wav.scp").read_text().splitlines()
    (data / "wav.scp").write_text("\n".join(reversed(wavs)) + "\n")


def test_fix_writes_a_sound_copy_and_leaves_the_source(data, tmp_path):
    sound = snapshot(data)
    spoil(data)
    spoilt = snapshot(data)
    assert len(validate(data)) > 10
    remarks = fix(data, tmp_path / "new")
    assert snapshot(data) == spoilt
    assert snapshot(tmp_path / "new") == sound
    assert validate(tmp_path / "new") == []
    text = "\n".join(remarks)
    for words in ("CRLF", "duplicate id 'spk_a'", "not UTF-8", "empty line", "not sorted"):
        assert words in text


@pytest.mark.parametrize(
    "change",
    [
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b"\n", b"\r"),
        lambda text: text.replace(b"\n", b"\r\n", 1).replace(b"\nspk_b", b"\rspk_b"),
        lambda text: b"\xef\xbb\xbf" + text.replace(b"\n", b"\0\r\n"),
        lambda text: text.replace(b"\n", b"\xe2\x80\xa8\n"),
        lambda text: text.replace(b"spk_c", b"\xef\xbb\xbfspk_c"),
    ],
)
def test_marks_and_line_ends_are_named_and_mended_in_every_table(data, tmp_path, change):
    sound = snapshot(data)
    for name in sound:
        (data / name).write_bytes(change(sound[name]))
        assert any(Path(fault.path).name == name for fault in validate(data)), name
    fix(data, tmp_path / "new")
    assert snapshot(tmp_path / "new") == sound


def test_fix_leaves_out_utterances_that_are_not_whole(data, tmp_path):
    (data / "score").write_text("".join((data / "score").read_text().splitlines(keepends=True)[:2]))
    remarks = fix(data, tmp_path / "new")
    assert DataDir.read(tmp_path / "new").utts == ["spk_a", "spk_b"]
    assert (tmp_path / "new" / "spk2utt").read_text() == "spk spk_a spk_b\n"
    assert validate(tmp_path / "new") == []
    assert any("wav.scp: left out, for want of a line elsewhere: spk_c" in remark for remark in remarks)


def test_fix_never_writes_in_place(data):
    before = snapshot(data)
    with pytest.raises(DataError, match="exists already"):
        fix(data, data)
    assert snapshot(data) == before
    with pytest.raises(DataError, match="utt2spk: no such file"):
        fix(data / "nothing", data / "new")


def test_pipes_are_refused(data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lines = (data / "wav.scp").read_text().splitlines()
    lines[0] = f"spk_a touch ran; cat {lines[0].split()[1]} |"
    (data / "wav.scp").write_text("\n".join(lines) + "\n")
    assert main(["data", "fix", str(data), str(tmp_path / "new")]) == 1
    assert "wav.scp:1: a shell pipe is not run here; write the audio" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists() and not (tmp_path / "new").exists()
    with pytest.raises(DataError, match="wav.scp:1: a shell pipe is not run here"):
        DataDir.read(data)


def test_subset_and_segment_from_the_command_line(data, tmp_path, capsys):
    assert main(["data", "subset", str(data), str(tmp_path / "s"), "--utts", "spk_c", "--first", "1"]) == 0
    assert DataDir.read(tmp_path / "s").utts == ["spk_a", "spk_c"]
    assert main(["data", "segment", str(data), str(tmp_path / "p")]) == 0
    assert DataDir.read(tmp_path / "p").utts == ["spk_a_001", "spk_b_001", "spk_c_001"]
    assert validate(tmp_path / "p") == []
    assert main(["data", "subset", str(data), str(tmp_path / "t"), "--utts", "spk_x"]) == 1
    assert "no utterance 'spk_x'" in capsys.readouterr().err
    assert not (tmp_path / "t").exists()
