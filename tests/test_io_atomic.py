"""Files that appear whole or not at all, whatever goes wrong while they are written."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nnsvs_lite.io.atomic import (
    atomic_dir,
    atomic_path,
    read_json,
    read_text,
    write_bytes,
    write_json,
    write_text,
)
from nnsvs_lite.io.ctm import Segment, write_ctm
from nnsvs_lite.io.errors import DataError, printable
from nnsvs_lite.io.tables import FeatureReader, FeatureWriter, write_table


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_text_and_json_come_back(tmp_path):
    write_text(tmp_path / "new" / "a", "か\n")
    assert (tmp_path / "new" / "a").read_bytes() == "か\n".encode()
    assert read_text(tmp_path / "new" / "a") == "か\n"
    write_json(tmp_path / "b.json", {"x": [1, 2.5, "か"]})
    assert read_json(tmp_path / "b.json") == {"x": [1, 2.5, "か"]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "b.json", float("nan"))
    assert read_json(tmp_path / "b.json") == {"x": [1, 2.5, "か"]}
    assert names(tmp_path) == ["b.json", "new"]


def test_reading_says_what_is_wrong_and_where(tmp_path):
    with pytest.raises(DataError, match=r"nothing: no such file"):
        read_text(tmp_path / "nothing")
    with pytest.raises(DataError, match="is a folder, a file is needed"):
        read_text(tmp_path)
    (tmp_path / "sjis").write_bytes(b"a\nb\n\x82\xa9\n")
    with pytest.raises(DataError, match="sjis:3: not UTF-8"):
        read_text(tmp_path / "sjis")
    (tmp_path / "x.json").write_text('{"a": 1,\n "b" 2}')
    with pytest.raises(DataError, match="x.json:2: not JSON"):
        read_json(tmp_path / "x.json")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file/below: no such file"):
        read_text(tmp_path / "file" / "below")
    for text in ("[" * 200_000, '{"a":' * 200_000, "9" * 10_000):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(DataError, match="x.json: not JSON that can be read") as caught:
            read_json(tmp_path / "x.json")
        assert len(str(caught.value)) < 400
    with pytest.raises(DataError, match="holds a NUL"):
        read_text(tmp_path / "a\0b")
    with pytest.raises(DataError, match="file: larger than 3 bytes"):
        read_text(write_of(tmp_path / "file", "four"), 3)


def write_of(path, text):
    path.write_text(text)
    return path


def test_messages_show_control_characters_and_do_not_act():
    error = DataError("lyric 'a\x1b[2Jb\u202ec\u2028d'", "x\ny\0z\x85")
    assert str(error) == r"x\x0ay\x00z\x85: lyric 'a\x1b[2Jb\u202ec d'"
    assert str(DataError("歌　詞 é ь \udc80", "か/a b")) == r"か/a b: 歌 詞 é ь \udc80"
    assert printable("a|b`", "|") == r"a\x7cb`" and printable("歌　詞\xa0") == "歌　詞\xa0"


@pytest.mark.parametrize("target", ["file", "folder"])
def test_an_error_leaves_what_was_there(tmp_path, target):
    write_text(tmp_path / "file", "old")
    write_text(tmp_path / "folder" / "a", "old")
    with pytest.raises(RuntimeError):
        if target == "file":
            with atomic_path(tmp_path / "file") as tmp:
                tmp.write_text("new")
                raise RuntimeError
        else:
            with atomic_dir(tmp_path / "folder") as tmp:
                (tmp / "a").write_text("new")
                raise RuntimeError
    assert read_text(tmp_path / "file") == "old"
    assert read_text(tmp_path / "folder" / "a") == "old"
    assert names(tmp_path) == ["file", "folder"]


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    for name in ("a", "b"):
        with atomic_dir(tmp_path / "folder") as tmp:
            (tmp / name).write_text(name)
    assert names(tmp_path / "folder") == ["b"]
    assert names(tmp_path) == ["folder"]


class FullDisk:
    """A file that takes some bytes and then no more."""

    def __init__(self, file, room: int):
        self.file = file
        self.room = room

    def write(self, data):
        self.room -= len(data)
        if self.room < 0:
            full()
        return self.file.write(data)

    def __getattr__(self, name):
        return getattr(self.file, name)


def test_a_full_disk_while_text_is_written(tmp_path, monkeypatch):
    write_text(tmp_path / "a", "old")
    opened = Path.open
    monkeypatch.setattr(Path, "open", lambda path, *args, **kinds: opened(Path("/dev/full"), *args, **kinds))
    for write in (
        lambda: write_text(tmp_path / "a", "new"),
        lambda: write_table(tmp_path / "a", {"k": "v"}),
        lambda: write_ctm(tmp_path / "a", {"u": [Segment(0, 1, "a")]}),
        lambda: write_json(tmp_path / "a", 1),
        lambda: write_bytes(tmp_path / "a", b"new"),
    ):
        with pytest.raises(DataError, match=r"/a: the disk is full; nothing was written"):
            write()
    assert read_text(tmp_path / "a") == "old"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("room", [0, 30, 200, 700])
def test_a_full_disk_while_features_are_written(tmp_path, monkeypatch, room):
    import nnsvs_lite.io.tables as tables

    def small_open(*args, **kwargs):
        return FullDisk(open(*args, **kwargs), room)

    monkeypatch.setattr(tables, "open", small_open, raising=False)
    with (
        pytest.raises(DataError, match="the disk is full; nothing was written"),
        FeatureWriter(tmp_path, "mgc") as writer,
    ):
        for i in range(10):
            writer.write(f"u{i}", np.zeros((5, 5)))
    assert names(tmp_path) == []


def test_a_limit_on_the_size_of_files_names_the_file(tmp_path):
    write_text(tmp_path / "a", "old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(DataError, match=r"/a: a file may not grow so large here .*; nothing was written"):
            write_bytes(tmp_path / "a", b"x" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert read_text(tmp_path / "a") == "old" and names(tmp_path) == ["a"]


def test_a_full_disk_at_the_rename_or_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DataError, match="the disk is full"):
        write_text(tmp_path / "a", "new")
    with pytest.raises(DataError, match="the disk is full"), atomic_dir(tmp_path / "b") as tmp:
        (tmp / "x").write_text("")
    assert names(tmp_path) == []
    monkeypatch.undo()
    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(DataError, match="the disk is full"):
        write_text(tmp_path / "sub" / "a", "new")
    assert names(tmp_path) == []


@pytest.mark.parametrize("code", [errno.EDQUOT, errno.EACCES, errno.EROFS])
def test_other_reasons_are_readable_too(tmp_path, monkeypatch, code):
    def refuse(*args):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(DataError, match="quota|permission|read-only"):
        write_text(tmp_path / "a", "x")


def test_a_folder_that_is_a_file_is_named(tmp_path):
    write_text(tmp_path / "a", "x")
    with pytest.raises(DataError, match=r"/a/b: a part of this path is a file"):
        write_text(tmp_path / "a" / "b", "x")
    with pytest.raises(DataError, match=r"/a/b/c: a part of this path is a file"):
        write_text(tmp_path / "a" / "b" / "c", "x")
    with pytest.raises(DataError, match=r"/a: is a file, a folder"), atomic_dir(tmp_path / "a"):
        pass
    (tmp_path / "d").mkdir()
    with pytest.raises(DataError, match=r"/d: is a folder, a file"):
        write_text(tmp_path / "d", "x")
    assert names(tmp_path) == ["a", "d"]


def test_a_folder_that_cannot_be_put_in_place_is_put_back(tmp_path, monkeypatch):
    write_text(tmp_path / "a" / "old", "old")
    real = os.replace

    def replace(source, target):
        if ".tmp" in str(source):
            full()
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(DataError, match="the disk is full"), atomic_dir(tmp_path / "a") as tmp:
        (tmp / "new").write_text("")
    assert names(tmp_path / "a") == ["old"]
    assert names(tmp_path) == ["a"]


_KILLED = """
import os, sys
from pathlib import Path
from nnsvs_lite.io import atomic
from nnsvs_lite.io.tables import FeatureWriter
import numpy as np

folder, at = Path(sys.argv[1]), int(sys.argv[2])
real, calls = os.replace, 0

def replace(a, b):
    global calls
    calls += 1
    if calls == at:
        os._exit(9)
    real(a, b)
    if -calls == at:
        os._exit(9)

os.replace = replace
with FeatureWriter(folder / "dump", "mgc") as writer:
    writer.write("u", np.full((2, 3), 7.0))
with atomic.atomic_dir(folder / "data") as tmp:
    (tmp / "new").write_text("new")
"""


@pytest.mark.parametrize("at", [1, -1, 2, -2, 3, -3, 4, -4, 5, -5])
def test_killed_before_and_after_every_rename_then_run_again(tmp_path, at):
    """The end is the same as without the kill, and nothing half-written stands under a final name."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "old").write_text("old")
    with FeatureWriter(tmp_path / "dump", "mgc") as writer:
        writer.write("an_older_name", np.zeros((9, 9)))
    script = [sys.executable, "-c", _KILLED, str(tmp_path)]
    assert subprocess.run([*script, str(at)], check=False).returncode == 9
    if (tmp_path / "dump" / "mgc.scp").exists():
        (value,) = FeatureReader(tmp_path / "dump" / "mgc.scp").values()
        assert value.shape == (9, 9) or (value == np.full((2, 3), 7.0)).all()
    if (tmp_path / "data").exists():
        assert names(tmp_path / "data") in (["old"], ["new"])
    subprocess.run([*script, "99"], check=True)
    assert names(tmp_path / "data") == ["new"]
    assert names(tmp_path) == ["data", "dump"]
    assert names(tmp_path / "dump") == ["mgc.ark", "mgc.crc", "mgc.scp"]


def test_what_a_running_process_writes_is_left_alone(tmp_path):
    """Leftovers are those of processes that are gone."""
    with atomic_dir(tmp_path / "data") as outer:
        (outer / "a").write_text("a")
        code = (
            "import sys; from nnsvs_lite.io.atomic import *\n"
            "with atomic_dir(sys.argv[1]) as d: (d / 'b').write_text('b')"
        )
        subprocess.run([sys.executable, "-c", code, str(tmp_path / "data")], check=True)
        assert names(tmp_path / "data") == ["b"]
        assert names(outer) == ["a"]
    assert names(tmp_path / "data") == ["a"]
