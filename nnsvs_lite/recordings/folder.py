"""What lies in a folder of recordings: which files belong together, by their names."""

import hashlib
import os
import re
import shlex
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nnsvs_lite.io.errors import DataError, printable
from nnsvs_lite.score.formats.rawfile import decode
from nnsvs_lite.score.formats.readers import READERS

AUDIO = (".wav", ".flac", ".aiff", ".aif", ".ogg", ".oga", ".opus", ".mp3")
"""Suffixes of recordings; of two of one name that of an earlier one is taken."""
FOREIGN = (".m4a", ".mp4", ".aac", ".wma", ".amr", ".3gp", ".webm", ".caf", ".mov", ".ape", ".wv")
"""Of recordings that cannot be read here."""
SCORES = (
    ".musicxml",
    ".mxl",
    ".xml",
    ".ustx",
    ".ust",
    ".svp",
    ".vsqx",
    ".vpr",
    ".ds",
    ".mid",
    ".midi",
    ".kar",
)
SCORES += tuple(suffix for suffix in READERS if suffix not in (*SCORES, ".lab"))
"""Of scores, in the same order."""
TIMES = (".textgrid", ".lab", ".ds")
LYRICS = (".txt",)

_CONVERT = "this format cannot be read: convert it, such as with: ffmpeg -i {0} {1}"
_MOST_ID = 80


@dataclass
class Take:
    """A recording and what belongs to it.

    Attributes:
        id: its name as an id, without the speaker. audio: the recording.
        score, times, lyrics: files of these, if there are any. A file of full-context labels is both of the
            first.
        remarks: what should be known of the choice of files.
    """

    id: str
    audio: Path
    score: Path | None = None
    times: Path | None = None
    lyrics: Path | None = None
    remarks: list[str] = field(default_factory=list)


@dataclass
class Folder:
    """All takes, and one line for each file that is none or has none."""

    takes: list[Take]
    passed_over: list[str]


def find_takes(root: str | os.PathLike) -> Folder:
    """Looks through a folder and those in it; links to folders are not followed, hidden files not looked at.

    Files belong to a recording by its name without the suffix, capitals and forms of Unicode apart: in its
    own folder, or anywhere where no other recording has that name.

    Raises DataError where there is no such folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError("no such folder; name one with recordings and their scores", root)
    files, hidden, odd = _files(root)
    by_kind: dict[str, dict[tuple[Path, str], list[Path]]] = defaultdict(lambda: defaultdict(list))
    passed: list[str] = []
    for path in files:
        kind = _kind(path)
        if kind == "foreign":
            passed.append(
                _line(root, path, _CONVERT.format(shlex.quote(path.name), shlex.quote(f"{path.stem}.wav")))
            )
        elif kind:
            by_kind[kind][path.parent, _key(path)].append(path)
        else:
            passed.append(_line(root, path, "neither a recording nor a score nor labels nor lyrics"))
    songs = by_kind.pop("audio", {})
    alone = defaultdict(list)
    for place in songs:
        alone[place[1]].append(place)
    takes: dict[tuple[Path, str], Take] = {}
    ids = _ids(root, {place: paths[0] for place, paths in songs.items()}, alone)
    for place, paths in songs.items():
        audio, *others = sorted(paths, key=lambda path: (AUDIO.index(path.suffix.lower()), path.name))
        takes[place] = Take(ids[place], audio)
        passed += [_line(root, path, f"{audio.name} is taken in its place") for path in others]
    for kind, found in by_kind.items():
        for place, paths in found.items():
            owner = takes.get(place)
            if owner is None and len(alone[place[1]]) == 1:
                owner = takes[alone[place[1]][0]]
            if owner is None:
                passed += [
                    _line(root, path, f"{_NAMES[kind]} without a recording of this name") for path in paths
                ]
            else:
                passed += _give(root, owner, kind, paths)
    passed += odd
    if hidden:
        passed.append(f"{len(hidden)} hidden files, such as {_name(root, hidden[0])}: passed over")
    return Folder([takes[place] for place in sorted(takes, key=lambda place: takes[place].id)], passed)


_NAMES = {"score": "a score", "times": "labels", "full": "full-context labels", "lyrics": "lyrics"}


def _give(root: Path, take: Take, kind: str, paths: Sequence[Path]) -> list[str]:
    """Gives files to a take; says which were not taken."""
    order = {"score": SCORES, "times": TIMES, "full": TIMES, "lyrics": (*LYRICS, ".lab")}[kind]
    lines = []
    for path in sorted(paths, key=lambda path: (order.index(path.suffix.lower()), path.name)):
        names = {"full": ("score", "times")}.get(kind, (kind,))
        wanted = [name for name in names if getattr(take, name) is None]
        if path.suffix.lower() == ".ds" and kind == "score" and take.score is None and take.times is None:
            wanted.append("times")
        for name in wanted:
            setattr(take, name, path)
        if not wanted:
            lines.append(_line(root, path, f"{getattr(take, names[0]).name} is taken in its place"))
    return lines


def _files(root: Path) -> tuple[list[Path], list[Path], list[str]]:
    """All files by name, the hidden ones, and a line on each that is none or cannot be named.

    What programs leave behind counts as hidden.
    """
    seen, hidden, odd = [], [], []
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        hidden += [here / name for name in folders if _is_hidden(name)]
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        for name in sorted(names):
            if printable(name) != name:
                odd.append(_line(root, here / printable(name), "its name cannot be written: rename it"))
            elif _is_hidden(name):
                hidden.append(here / name)
            elif not (here / name).is_file():
                odd.append(_line(root, here / name, "no file, or a link to none"))
            else:
                seen.append(here / name)
    return seen, hidden, odd


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX", "~$")) or name.lower() in ("desktop.ini", "thumbs.db")


def _kind(path: Path) -> str:
    """What a file is by its suffix, and where that can mean several, by what is in it; empty for no kind."""
    suffix = path.suffix.lower()
    for name, suffixes in (("audio", AUDIO), ("foreign", FOREIGN), ("score", SCORES), ("times", TIMES[:1])):
        if suffix in suffixes:
            return name
    if suffix in (*TIMES, *LYRICS):
        return _kind_of_text(path)
    return ""


_TIMED = re.compile(r"\s*-?\d+(\.\d+)?\s+-?\d+(\.\d+)?\s+(\S+)")


def _kind_of_text(path: Path) -> str:
    """``times`` of lines ``start end phone``, ``full`` where these have contexts, else ``lyrics``."""
    try:
        with path.open("rb") as file:
            line = next((line for line in file if line.strip()), b"")
    except OSError:
        return "lyrics"
    match = _TIMED.match(line.decode("utf-8-sig", "replace"))
    return "lyrics" if match is None else "full" if "/E:" in match[3] else "times"


def _key(path: Path) -> str:
    return unicodedata.normalize("NFC", path.stem).strip().casefold()


def _name(root: Path, path: Path) -> str:
    return os.fspath(path.relative_to(root))


def _line(root: Path, path: Path, what: str) -> str:
    return str(DataError(what, _name(root, path)))


def _ids(
    root: Path, files: dict[tuple[Path, str], Path], alone: dict[str, list]
) -> dict[tuple[Path, str], str]:
    """Ids of recordings: their names, with those of their folders where two have one name."""
    found: dict[tuple[Path, str], str] = {}
    for place, path in files.items():
        name = path.stem
        if len(alone[place[1]]) > 1:
            name = "_".join([*path.parent.relative_to(root).parts, path.stem])
        found[place] = id_of(name)
    twice = {name for name in found.values() if list(found.values()).count(name) > 1}
    return {k: f"{v}-{_sum(os.fspath(k[0] / k[1]))}" if v in twice else v for k, v in found.items()}


def id_of(name: str) -> str:
    """A name as the id of a recording: its plain letters and digits, and a sum where others were in it."""
    name = unicodedata.normalize("NFC", name).strip()
    flat = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    flat = re.sub(r"[^A-Za-z0-9.-]+", "_", flat).strip("_.-")[:_MOST_ID]
    # Blanks alone are no loss.
    lossless = flat.replace("_", "") == re.sub(r"[ _]+", "", name) and flat
    return flat if lossless else f"{flat}-{_sum(name)}".lstrip("-")


def _sum(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:6]


def read_lyrics(path: Path, lang: str) -> str:
    """The words of a text file, on one line. Raises DataError where there are none."""
    try:
        text = " ".join(decode(path.read_bytes(), lang).split())
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path) from None
    if not text:
        raise DataError("holds no lyrics", path)
    return text


def listed(lines: Iterable[str]) -> str:
    """Lines of a text, each indented."""
    return "".join(f"  {line}\n" for line in lines)
