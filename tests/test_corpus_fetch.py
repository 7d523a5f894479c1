"""Archives of corpora: names, damage."""

import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nnsvs_lite.corpus.fetch import unpack
from nnsvs_lite.io.errors import DataError


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
    for evil in ("../evil.txt", "/evil.txt", "//evil.txt", "\\\\evil.txt", "C:evil.txt"):
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr(evil, "x")
        with pytest.raises(DataError, match="outside its folder"):
            unpack(archive, tmp_path / "out")
    archive.write_bytes(b"PK\3\4 no zip")
    with pytest.raises(DataError, match="no archive that can be unpacked"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("kind", ["zip", "gztar", "bztar", "xztar"])
def test_damaged_archives_are_named(kind, tmp_path):
    (tmp_path / "in").mkdir()
    noise = np.random.default_rng(0).integers(0, 40, 40_000).astype(np.uint8).tobytes()
    (tmp_path / "in" / "a.txt").write_bytes(noise)
    os.link(tmp_path / "in" / "a.txt", tmp_path / "in" / "b.txt")
    archive = Path(shutil.make_archive(str(tmp_path / "x"), kind, tmp_path / "in"))
    unpack(archive, tmp_path / "whole")
    assert {p.name: p.read_bytes() for p in (tmp_path / "whole").iterdir()} == {
        "a.txt": noise,
        "b.txt": noise,
    }
    data = bytearray(archive.read_bytes())
    data[len(data) // 3 : len(data) // 3 + 40] = bytes(40)
    archive.write_bytes(data)
    with pytest.raises(DataError, match="no archive that can be unpacked"):
        unpack(archive, tmp_path / "out")
