"""Reads a DiffSinger bank, anybody's, as OpenUtau does: keys with its defaults, phonemes, networks."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from nnsvs_lite.io.atomic import inside
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.graph import Graph

MAX_FILES, MAX_BYTES, MAX_TEXT = 10_000, 4 << 30, 64 << 20
"""Members, and bytes unpacked, of a zipped bank; bytes of a text in it."""
DEFAULTS: dict[str, Any] = {
    "phonemes": "phonemes.txt",
    "languages": None,
    "use_lang_id": False,
    "acoustic": "",
    "vocoder": "",
    "linguistic": "",
    "dur": "",
    "pitch": "",
    "variance": "",
    "speakers": None,
    "hidden_size": 256,
    "use_key_shift_embed": False,
    "use_speed_embed": False,
    "use_energy_embed": False,
    "use_breathiness_embed": False,
    "use_voicing_embed": False,
    "use_tension_embed": False,
    "use_continuous_acceleration": False,
    "use_variable_depth": False,
    "max_depth": -1,
    "predict_dur": True,
    "predict_energy": True,
    "predict_breathiness": True,
    "predict_voicing": False,
    "predict_tension": False,
    "use_expr": False,
    "use_note_rest": False,
    "sample_rate": 44100,
    "hop_size": 512,
    "win_size": 2048,
    "fft_size": 2048,
    "num_mel_bins": 128,
    "mel_fmin": 40,
    "mel_fmax": 16000,
    "mel_base": "10",
    "mel_scale": "slaney",
}
"""What OpenUtau takes where a key is not there."""
SIZES = ("hidden_size", "sample_rate", "hop_size", "win_size", "fft_size", "num_mel_bins")
"""Keys that are whole numbers from 1."""


@contextlib.contextmanager
def opened(path: str | os.PathLike) -> Iterator[Path]:
    """The folder of a bank: itself, or in a zip. Raises DataError where there is none."""
    path = Path(path)
    if path.is_dir():
        yield _root(path, path)
        return
    if not path.is_file():
        raise DataError("no such file or folder", path)
    with tempfile.TemporaryDirectory(prefix="nnsvs-lite-bank-") as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                _unpack(archive, Path(folder), path)
        except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError) as error:
            raise DataError(f"no zip file that can be unpacked ({error})", path) from None
        yield _root(Path(folder), path)


def _unpack(archive: zipfile.ZipFile, folder: Path, path: Path) -> None:
    members = archive.infolist()
    if len(members) > MAX_FILES or sum(m.file_size for m in members) > MAX_BYTES:
        raise DataError(f"more than {MAX_FILES} files or {MAX_BYTES >> 30} GB", path)
    for member in members:
        target = inside(folder, member.filename, path)
        if not member.is_dir():
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, target.open("wb") as out:
                # No more than it says: a bomb says little.
                left = member.file_size
                while left > 0 and (piece := source.read(min(left, 1 << 20))):
                    out.write(piece)
                    left -= len(piece)


def _root(folder: Path, path: Path) -> Path:
    """The folder that holds the bank: itself, or the only one in it with a ``dsconfig.yaml``."""
    names = ("character.txt", "dsconfig.yaml")
    if any((folder / name).is_file() for name in names):
        return folder
    inside = [p for p in sorted(folder.iterdir()) if p.is_dir() and any((p / n).is_file() for n in names)]
    if len(inside) != 1:
        raise DataError("holds no bank: neither character.txt nor dsconfig.yaml is in it", path)
    return inside[0]


def read_yaml(path: Path) -> dict[str, Any]:
    """A mapping. Raises DataError where it is missing, too large, or none."""
    try:
        if path.stat().st_size > MAX_TEXT:
            raise DataError("is too large for a text of a bank", path)
        value = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise DataError("is missing", path) from None
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", path) from None
    except (yaml.YAMLError, RecursionError, ValueError, KeyError) as error:
        mark, said = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise DataError(f"is no YAML ({where}{said or str(error).splitlines()[0]})", path) from None
    if not isinstance(value, dict):
        raise DataError("holds no keys", path)
    return value


@dataclass
class Part:
    """One folder with a ``dsconfig.yaml`` (or ``vocoder.yaml``).

    Attributes:
        folder: of it. name: relative to the bank, "" of its root. given: the keys as written.
    """

    folder: Path
    name: str
    given: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def read(root: Path, name: str, config: str = "dsconfig.yaml") -> Part:
        """Raises DataError as :func:`read_yaml`, or where a size is none."""
        given = read_yaml(root / name / config)
        for key in SIZES:
            if type(size := given.get(key, DEFAULTS[key])) is not int or size < 1:
                raise DataError(f"{key} is {size!r}; it must be a whole number from 1", root / name / config)
        if "use_shallow_diffusion" in given:
            given.setdefault("use_variable_depth", given["use_shallow_diffusion"])
        return Part(root / name, name, given)

    def __getitem__(self, key: str) -> Any:
        """A key's value, or what OpenUtau takes in its place."""
        return self.given.get(key, DEFAULTS.get(key))

    def place(self, file: str) -> str:
        """A file's name for people."""
        return f"{self.name}/{file}" if self.name else file

    def file(self, name: str) -> Path:
        """A file that it names, perhaps another part's. Raises DataError where that is not in the bank."""
        root = self.folder.parent if self.name else self.folder
        if root.resolve() not in (self.folder / name).resolve().parents:
            raise DataError(f"names {name!r}, which lies outside the bank", self.folder / "dsconfig.yaml")
        return self.folder / name

    def graph(self, key: str) -> Graph:
        """The network that a key names. Raises DataError where it is not named or cannot be loaded."""
        name = self[key]
        if not isinstance(name, str) or not name:
            raise DataError(f"{key} names no network", self.folder / "dsconfig.yaml")
        path = self.file(name)
        if not path.is_file():
            raise DataError(f"is missing, which {key} of {self.place('dsconfig.yaml')} names", path)
        return Graph(path)

    @cached_property
    def tokens(self) -> dict[str, int]:
        """Phonemes and their numbers. Raises DataError where they cannot be read."""
        return read_numbers(self.file(str(self["phonemes"])))

    @cached_property
    def dictionary(self) -> tuple[dict[str, str], dict[str, list[str]]]:
        """Kinds of symbols, and lyrics as phonemes, of all its ``dsdict*.yaml``. Raises DataError."""
        kinds, words = {}, {}
        for path in sorted(self.folder.glob("dsdict*.yaml")):
            value = read_yaml(path)
            try:
                for row in value.get("symbols") or ():
                    kinds[str(row.get("symbol"))] = str(row.get("type"))
                for row in value.get("entries") or ():
                    words[str(row.get("grapheme"))] = [str(p) for p in row.get("phonemes") or ()]
            except (AttributeError, TypeError):
                what = "symbols must be a list of {symbol, type}, entries one of {grapheme, phonemes}"
                raise DataError(what, path) from None
        return kinds, words

    @property
    def frame(self) -> float:
        """Seconds of a frame."""
        return self["hop_size"] / self["sample_rate"]

    @property
    def speakers(self) -> list[str]:
        """Names of singers; none of a bank of one."""
        value = self["speakers"]
        return [str(one) for one in value] if isinstance(value, list) else []


def read_numbers(path: Path) -> dict[str, int]:
    """``phonemes.json``, ``phonemes.txt`` (a number a line) or ``languages.json``."""
    if not path.is_file():
        raise DataError("is missing", path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".json":
            if not isinstance(value := json.loads(text), dict):
                raise ValueError("it must be a table of names and their numbers")
            return {str(name): int(number) for name, number in value.items()}
        return {line.strip(): i for i, line in enumerate(text.splitlines())}
    except (ValueError, TypeError, OverflowError, RecursionError, OSError) as error:
        raise DataError(f"cannot be read ({error})", path) from None


def find_vocoder(root: Path) -> Part | None:
    """The vocoder in a bank; None where it counts on an installed one."""
    if (root / "dsvocoder" / "vocoder.yaml").is_file():
        return Part.read(root, "dsvocoder", "vocoder.yaml")
    return None
