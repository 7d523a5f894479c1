"""The files of a corpus, found by the tree that its YAML gives."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nnsvs_lite.corpus.facts import Facts
from nnsvs_lite.io.errors import DataError, nearest

_PLACE = re.compile(r"\\\{(\w+)\\\}")


@dataclass(frozen=True)
class Found:
    """Files of one song: their paths by kind. ``part`` numbers a phrase where songs come in phrases."""

    song: str
    singer: str
    part: str
    files: Mapping[str, Path]

    @property
    def name(self) -> str:
        """For messages: the song, or what else tells its files from others'."""
        return "/".join(filter(None, (self.singer, self.song, self.part)))


def find_root(facts: Facts, db_root: str | os.PathLike) -> Path:
    """The corpus' top folder: ``db_root`` itself, or the folder of its name in it.

    Raises DataError where nothing of the corpus is there; says what is expected and where to get it.
    """
    root = Path(db_root)
    hint = f"{facts.expected} are expected; get it from {facts.get.where}"
    if not root.is_dir():
        raise DataError(f"no such folder; {hint}", root)
    for folder in [root / facts.folder, root] if facts.folder else [root]:
        if folder.is_dir() and any(
            next(_matches(folder, path, facts.song), None) for path in facts.tree.values()
        ):
            return folder
    raise DataError(f"nothing of {facts.title} here; {hint}", root)


def find_songs(facts: Facts, root: Path, optional: tuple[str, ...] = ()) -> tuple[list[Found], list[str]]:
    """All songs with their files, in order of their names; and what is wrong: a missing file of a song.

    Args:
        optional: kinds of files that a song may lack.
    """
    found: dict[tuple[str, str, str], dict[str, Path]] = {}
    for kind, pattern in facts.tree.items():
        for path, names in _matches(root, pattern, facts.song):
            key = (names.get("singer", ""), names.get("song", ""), names.get("part", ""))
            found.setdefault(key, {})[kind] = path
    songs, faults = [], []
    for (singer, song, part), files in sorted(found.items()):
        row = Found(song, singer, part, files)
        missing = [kind for kind in facts.tree if kind not in files and kind not in optional]
        if not missing:
            songs.append(row)
            continue
        there = ", ".join(str(path.relative_to(root)) for path in files.values())
        wanted = facts.tree[missing[0]]
        for name, value in (("song", song), ("singer", singer), ("part", part)):
            wanted = wanted.replace(f"{{{name}}}", value)
        folder = (root / wanted).parent
        near = nearest(Path(wanted).name, [p.name for p in folder.iterdir()]) if folder.is_dir() else ""
        faults.append(f"{row.name}: there is {there}, but no {wanted}{near}")
    return songs, faults


def _matches(root: Path, pattern: str, song: str) -> Iterator[tuple[Path, dict[str, str]]]:
    """Files that a pattern of the tree names, with the values of its places, sorted."""
    seen: set[str] = set()

    def group(match: re.Match) -> str:
        name = match[1]
        if name in seen:
            return f"(?P={name})"
        seen.add(name)
        return f"(?P<{name}>{song if name == 'song' else '[^/]+'})"

    expression = re.compile(_PLACE.sub(group, re.escape(pattern)))
    glob = re.sub(r"\[", "[[]", pattern)
    for path in sorted(root.glob(re.sub(r"\{\w+\}", "*", glob))):
        match = expression.fullmatch(path.relative_to(root).as_posix())
        # Other systems leave files such as ._01.wav.
        if match and not path.name.startswith(".") and path.is_file():
            yield path, match.groupdict()
