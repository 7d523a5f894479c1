"""Where a corpus comes from: what to do, and the download of those that may be fetched by a program."""

import os
import shutil
import tarfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from nnsvs_lite.corpus.facts import Facts
from nnsvs_lite.corpus.tree import find_root, find_songs
from nnsvs_lite.io.atomic import atomic_path
from nnsvs_lite.io.errors import DataError

_UTF8 = 0x800


def describe(facts: Facts) -> str:
    """Where to get a corpus, under which terms, and the tree that is expected, for people."""
    top = f"{facts.folder}/" if facts.folder else ""
    lines = [facts.notice.rstrip(), f"Get it: {facts.get.where}"]
    lines += [f"        {facts.get.how}"] if facts.get.how else []
    if not facts.reader:
        return "\n".join([*lines, "There is no recipe for it:", *facts.unsure])
    lines += ["Expected in the folder of --db-root:", *(f"    {top}{path}" for path in facts.tree.values())]
    return "\n".join(lines)


def check_copy(facts: Facts, db_root: str | os.PathLike) -> list[str]:
    """What a copy of a corpus holds, a line each; raises DataError where it is no copy."""
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
            except (urllib.error.URLError, OSError) as error:
                reason = getattr(error, "reason", error)
                what = f"{url} cannot be downloaded ({reason}); fetch it by hand and put it here"
                raise DataError(what, archive) from None
        unpack(archive, Path(db_root))


def unpack(archive: str | os.PathLike, folder: Path) -> None:
    """Unpacks a zip or tar into ``folder``; names of zips made in Japan are read as CP932.

    What is there already stays. Raises DataError where it is no archive, or a name in it leads elsewhere.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as source:
                for info in source.infolist():
                    path = _inside(
                        folder, info.filename if info.flag_bits & _UTF8 else _japanese(info.filename)
                    )
                    if info.is_dir() or path.exists():
                        continue
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with source.open(info) as member, atomic_path(path) as tmp, open(tmp, "wb") as file:
                        shutil.copyfileobj(member, file)
            return
        with tarfile.open(archive) as source:
            members = [member for member in source.getmembers() if member.isfile()]
            for member in members:
                path = _inside(folder, member.name)
                data = source.extractfile(member)
                if data is None or path.exists():
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                with data, atomic_path(path) as tmp, open(tmp, "wb") as file:
                    shutil.copyfileobj(data, file)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"is no archive that can be unpacked: {error}", archive) from None


def _inside(folder: Path, name: str) -> Path:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or parts[0] == "/" or ".." in parts or ":" in parts[0]:
        raise DataError(f"holds a file that would lie outside its folder: {name!r}")
    return folder.joinpath(*parts)


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
