"""The files of a corpus, found by the tree that its YAML gives."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nnsvs_lite.corpus.facts import Facts
from nnsvs_lite.io.errors import DataError, nearest

_WHO = ("song", "gender", "singer")
_PLACE = re.compile(r"\\\{(\w+)\\\}")


@dataclass(frozen=True)
class Found:
    """The files of a song, or of a phrase of it, by kind; and the values of the places in the tree."""

    places: Mapping[str, str]
    files: Mapping[str, Path]

    @property
    def song(self) -> str:
        return self.places["song"]

    @property
    def singer(self) -> str:
        return self.places.get("gender", "") + self.places.get("singer", "")

    @property
    def part(self) -> str:
        """What tells its phrases apart: all other places."""
        return "#".join(value for name, value in self.places.items() if name not in _WHO)

    @property
    def name(self) -> str:
        """For messages and lists: singer, song and part, as far as there are any, with ``#`` between."""
        return "#".join(filter(None, (self.singer, self.song, self.part)))


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


def unescaped(name: str) -> str:
    """A name of which an unpacking program wrote signs as ``#U7f8e``."""
    return re.sub(r"#U([0-9a-fA-F]{4,5})", lambda match: chr(int(match[1], 16)), name)


def find_songs(facts: Facts, root: Path) -> tuple[list[Found], list[str]]:
    """All songs or phrases with their files, in order of their names; and which lack a file.

    What the tree names with fewer places than its ``wav`` belongs to all that share them: the MIDI file of a
    song to its phrases, one table to all.
    """
    places = {kind: _PLACE.findall(re.escape(pattern)) for kind, pattern in facts.tree.items()}
    names = places["wav"]
    own = [kind for kind in facts.tree if set(places[kind]) == set(names) and kind not in facts.elsewhere]
    found: dict[tuple[str, ...], dict[str, Path]] = {}
    common: dict[str, dict[tuple[str, ...], Path]] = {}
    songs, faults = [], []
    for kind, pattern in facts.tree.items():
        for path, values in _matches(root, pattern, facts.song):
            key = tuple(unescaped(values[name]) for name in (names if kind in own else places[kind]))
            if kind in own:
                first = found.setdefault(key, {}).setdefault(kind, path)
                if first != path:
                    places_of = "#".join(filter(None, key))
                    faults.append(
                        f"{places_of}: {path.relative_to(root)} has the name of {first.relative_to(root)}"
                    )
            else:
                common.setdefault(kind, {})[key] = path
    for key, files in sorted(found.items()):
        values = dict(zip(names, key))
        for kind, table in common.items():
            shared = tuple(values[name] for name in places[kind])
            files |= {kind: table[shared]} if shared in table else {}
        row = Found(values, files)
        missing = [kind for kind in facts.tree if kind not in files and kind not in facts.optional]
        if not missing:
            songs.append(row)
            continue
        there = ", ".join(str(files[kind].relative_to(root)) for kind in own if kind in files)
        wanted = facts.tree[missing[0]].format(**values)
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
        return f"(?P<{name}>{song if name == 'song' else '[^/]+?'})"

    # ** stands for folders of any depth.
    expression = (
        _PLACE.sub(group, re.escape(pattern)).replace(r"\*\*/", "(?:[^/]+/)*").replace(r"\*", "[^/]*")
    )
    expression = re.compile(expression)
    names = re.sub(r"\{\w+\}", "*", re.sub(r"\[", "[[]", pattern)).split("/")
    names = [name if name == "**" else re.sub(r"\*+", "*", name) for name in names]
    for path in sorted(root.glob("/".join(names))):
        match = expression.fullmatch(path.relative_to(root).as_posix())
        # Other systems leave files such as ._01.wav.
        if match and not path.name.startswith(".") and path.is_file():
            yield path, match.groupdict()
