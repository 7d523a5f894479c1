"""Where a corpus comes from: what to do, and the download of those that may be fetched by a program."""

import http.client
import lzma
import os
import shutil
import tarfile
import urllib.request
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from nnsvs_lite.corpus.facts import Facts
from nnsvs_lite.corpus.tree import find_root, find_songs
from nnsvs_lite.io.atomic import atomic_path, inside, write_text
from nnsvs_lite.io.errors import DataError

_UTF8 = 0x800
UNFINISHED = ".unfinished"
"""Stands in a folder as long as there is something to fetch or to unpack."""


_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, KeyError)
_DAMAGED += (NotImplementedError, RuntimeError)


def describe(facts: Facts) -> str:
    """Where to get a corpus, under which terms, and the tree that is expected, for people."""
    top = f"{facts.folder}/" if facts.folder else ""
    lines = [facts.notice.rstrip(), f"Get it: {facts.get.where}"]
    lines += [f"        {facts.get.how}"] if facts.get.how else []
    if not facts.recipe:
        return "\n".join([*lines, "There is no recipe for it:", *facts.unsure])
    lines += ["Expected in the folder of --db-root:", *(f"    {top}{path}" for path in facts.tree.values())]
    return "\n".join(lines)


def check_copy(facts: Facts, db_root: str | os.PathLike) -> list[str]:
    """What a copy of a corpus holds, a line each; raises DataError where it is no copy."""
    if (Path(db_root) / UNFINISHED).exists():
        raise DataError("its download was not finished", db_root)
    root = find_root(facts, db_root)
    songs, faults = find_songs(facts, root)
    parts = f" in {len(songs)} phrases" if any(song.part for song in songs) else ""
    names = {(song.singer, song.song) for song in songs}
    return [f"{root}: {len(names)} songs{parts}, {len(faults)} that lack a file", *faults]


def fetch(facts: Facts, db_root: str | os.PathLike) -> None:
    """Downloads and unpacks a corpus whose files may be fetched.

    Raises DataError where they may not, naming where to ask, or where the network fails.
    """
    if not facts.get.urls:
        raise DataError(
            f"{facts.title} cannot be downloaded by a program; get it from {facts.get.where}", db_root
        )
    mark = Path(db_root) / UNFINISHED
    write_text(mark, "")
    for url in facts.get.urls:
        archive = Path(db_root) / PurePosixPath(urlsplit(url).path).name
        if not archive.is_file():
            archive.parent.mkdir(parents=True, exist_ok=True)
            try:
                with (
                    urllib.request.urlopen(url, timeout=60) as source,
                    atomic_path(archive) as tmp,
                    open(tmp, "wb") as file,
                ):
                    shutil.copyfileobj(source, file)
                    size = source.headers.get("Content-Length")
                    if size and file.tell() != int(size):
                        raise OSError(f"it broke off after {file.tell()} of {size} bytes")
            except (OSError, http.client.HTTPException) as error:
                reason = getattr(error, "reason", error)
                what = f"{url} cannot be downloaded ({reason}); fetch it by hand and put it here"
                raise DataError(what, archive) from None
        unpack(archive, Path(db_root))
    mark.unlink()


def unpack(archive: str | os.PathLike, folder: Path) -> None:
    """Unpacks a zip or tar into ``folder``; names of zips made in Japan are read as CP932.

    What is there already stays. Raises DataError where it is no archive, or a name in it leads elsewhere.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as source:
                for info in source.infolist():
                    path = inside(
                        folder, info.filename if info.flag_bits & _UTF8 else _japanese(info.filename)
                    )
                    if info.is_dir() or path.exists():
                        continue
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with source.open(info) as member, atomic_path(path) as tmp, open(tmp, "wb") as file:
                        shutil.copyfileobj(member, file)
            return
        with tarfile.open(archive) as source:
            # A hard link is read as the file that it is of.
            members = [member for member in source.getmembers() if member.isfile() or member.islnk()]
            for member in members:
                path = inside(folder, member.name)
                data = source.extractfile(member)
                if data is None or path.exists():
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                with data, atomic_path(path) as tmp, open(tmp, "wb") as file:
                    shutil.copyfileobj(data, file)
            # The sum of all stands behind the last member.
            while source.fileobj.read(1 << 20):
                pass
    except _DAMAGED as error:
        raise DataError(f"is no archive that can be unpacked: {error}", archive) from None
    except OSError as error:
        # Of the system's errors each has a number, of damaged data none.
        if error.errno is not None:
            raise
        raise DataError(f"is no archive that can be unpacked: {error}", archive) from None


def _japanese(name: str) -> str:
    """A name that the zip does not say to be UTF-8: CP932 where it can be, as programs in Japan write it."""
    try:
        raw = name.encode("cp437")
    except UnicodeEncodeError:
        return name
    for encoding in ("utf-8", "cp932"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return name
