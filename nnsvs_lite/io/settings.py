"""Settings: YAML, shipped or the user's own, read into checked dataclasses.

One reader serves all commands. What a file may say is the signature of a class: a key is a
parameter, its annotation the type. Nothing that a file names is ever imported here.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
import os
import types
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from nnsvs_lite.io.atomic import read_text
from nnsvs_lite.io.errors import DataError, nearest

CONF = Path(__file__).parents[1] / "conf"
"""The configurations that come with the toolkit: a folder for each kind, a file for each name."""
_FOLDERS = {"align": "mfa"}

MAX_BYTES = 1 << 20
MAX_VALUES = 20_000
MAX_DEPTH = 20
MAX_FILES = 20

RENAMED = json.loads(Path(__file__).with_name("renamed.json").read_bytes())
"""Former names of keys, and what may have become of them."""

_TAGS = {f"tag:yaml.org,2002:{name}": name for name in ("map", "seq", "str", "int", "float", "bool", "null")}
# What YAML would make a date or a merge of is text here.
_TAGS |= {f"tag:yaml.org,2002:{name}": "str" for name in ("timestamp", "merge", "value")}
_NEEDED = {float: "a number", int: "a whole number", bool: "true or false", str: "text"}

Path_ = tuple[str, ...]
"""The keys that lead to a value."""


@dataclass(frozen=True)
class Within:
    """A range of numbers, as in ``rate: Annotated[float, Within(0, below=1)] = 0.5``."""

    low: float = -math.inf
    high: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high and self.above < value < self.below

    def __str__(self) -> str:
        if math.isfinite(self.low) and math.isfinite(self.high):
            return f"within {self.low:g}..{self.high:g}"
        words = ("at least", "at most", "more than", "less than")
        bounds = zip(words, (self.low, self.high, self.above, self.below))
        return " and ".join(f"{word} {bound:g}" for word, bound in bounds if math.isfinite(bound))


@dataclass
class Settings:
    """Nested mappings of plain values, and where each came from.

    Attributes:
        value: mappings, lists, text, finite numbers, true, false, null.
        where: the file, for messages. places: the ``file:line`` of keys.
    """

    value: dict[str, Any]
    where: str
    places: dict[Path_, str] = field(default_factory=dict)

    def fault(self, what: str, path: Path_ = ()) -> DataError:
        """An error at the nearest known place of a value."""
        known = (self.places[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.places)
        return DataError(what, next(known, self.where))

    def check_keys(self, value: Any, known: Iterable[str], path: Path_ = ()) -> None:
        """Raises DataError where ``value`` is no mapping, or has a key that is not known."""
        known = list(known)
        if not isinstance(value, Mapping):
            raise self.fault(f"{'.'.join(path) or 'all'} must be a mapping, not {_said(value)}", path)
        for key in value:
            if key not in known:
                key = (key if isinstance(key, str) else _said(key))[:80]
                new = [name for name in RENAMED.get(key, ()) if name in known]
                hint = f" (now {new[0]})" if new else nearest(key, known)
                raise self.fault(f"unknown key {'.'.join((*path, key))}{hint}", (*path, key))

    def arguments(
        self, cls: type, value: Any, path: Path_ = (), skip: Collection[str] = ()
    ) -> dict[str, Any]:
        """The arguments that a mapping gives to a class, checked against its signature.

        Args:
            cls: a dataclass or another class with annotations. value: at ``path``.
            skip: parameters that cannot be given.

        Raises DataError for an unknown key, a wrong type or range, or where an argument is missing.
        """
        hints = typing.get_type_hints(cls.__init__, include_extras=True)
        parameters = {
            name: p
            for name, p in inspect.signature(cls).parameters.items()
            if name not in skip and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        }
        self.check_keys(value, parameters, path)
        for name, parameter in parameters.items():
            if parameter.default is parameter.empty and name not in value:
                raise self.fault(f"{'.'.join((*path, name))} is missing", path)
        return {k: self.convert(hints.get(k, Any), v, (*path, k)) for k, v in value.items()}

    def build(self, cls: type, value: Any = None, path: Path_ = ()) -> Any:
        """An instance of a dataclass from the mapping at ``path``; raises as :meth:`arguments`."""
        return cls(**self.arguments(cls, self.value if value is None else value, path))

    def convert(self, hint: Any, value: Any, path: Path_) -> Any:
        """A value as its annotation says; raises DataError where it is no such value."""
        origin, args = typing.get_origin(hint), typing.get_args(hint)
        name = ".".join(path)
        if hint is Any:
            return value
        if origin is typing.Annotated:
            value = self.convert(args[0], value, path)
            for bounds in args[1:]:
                if isinstance(bounds, Within) and value is not None and not bounds.holds(value):
                    raise self.fault(f"{name} must be {bounds}, not {_said(value)}", path)
            return value
        if origin in (typing.Union, types.UnionType):
            if value is None and type(None) in args:
                return None
            return self.convert(next(a for a in args if a is not type(None)), value, path)
        if origin is typing.Literal:
            if any(type(value) is type(known) and value == known for known in args):
                return value
            said = _said(value)
            said += nearest(said.strip("'"), map(str, args))
            raise self.fault(f"{name} must be one of {', '.join(map(str, args))}, not {said}", path)
        if dataclasses.is_dataclass(hint):
            return (
                value if isinstance(value, hint) else self.build(hint, {} if value is None else value, path)
            )
        if origin is dict:
            if not isinstance(value, dict):
                raise self.fault(f"{name} must be a mapping, not {_said(value)}", path)
            return {
                self.convert(args[0], k, path): self.convert(args[1], v, (*path, str(k)))
                for k, v in value.items()
            }
        if origin in (list, tuple, Sequence):
            if not isinstance(value, (list, tuple)):
                raise self.fault(f"{name} must be a list, not {_said(value)}", path)
            items = [self.convert(args[0], item, (*path, str(i))) for i, item in enumerate(value)]
            return items if origin is list else tuple(items)
        if hint is float and isinstance(value, (int, float, str)) and not isinstance(value, bool):
            # YAML 1.1 reads 1e-5, without a dot, as text.
            with suppress(ValueError, OverflowError):
                if math.isfinite(float(value)):
                    return float(value)
        elif isinstance(value, hint) and isinstance(value, bool) == (hint is bool):
            return value
        raise self.fault(f"{name} must be {_NEEDED.get(hint, hint.__name__)}, not {_said(value)}", path)

    def put(self, path: Path_, value: Any, place: str) -> None:
        """Sets one value, making the mappings that lead to it."""
        target = self.value
        for key in path[:-1]:
            if not isinstance(target.get(key), dict):
                target[key] = {}
            target = target[key]
        target[path[-1]] = value
        self.places[path] = place

    def lay(self, over: Settings) -> None:
        """Lays other settings over these: mappings are merged, all else is replaced."""

        def merge(under: Any, above: Any) -> Any:
            if not (isinstance(under, dict) and isinstance(above, dict)):
                return above
            return under | {k: merge(under[k], v) if k in under else v for k, v in above.items()}

        self.value = merge(self.value, over.value)
        self.places |= over.places


def _said(value: Any) -> str:
    """A value of any kind as a message shows it, in short."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        # Whole numbers of thousands of digits, lists of lists without end.
        text = f"a {type(value).__name__} too large to show"
    return text if len(text) <= 80 else f"{text[:77]}..."


def plain(value: Any) -> Any:
    """Dataclasses, tuples and mappings of them as the mappings and lists that YAML has."""
    if dataclasses.is_dataclass(value):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def parse_settings(text: str, where: str) -> Settings:
    """Reads YAML text.

    Raises DataError where it is not YAML, too large or too deep, has a key twice, a tag, or a number that is
    not finite; with file and line.
    """
    settings, count = Settings({}, where), 0

    def read(node: yaml.Node, path: Path_) -> Any:
        nonlocal count
        count += 1
        place = f"{where}:{node.start_mark.line + 1}"
        if len(path) > MAX_DEPTH or count > MAX_VALUES:
            raise DataError(f"more than {MAX_VALUES} values, or nested more than {MAX_DEPTH} deep", place)
        kind = _TAGS.get(node.tag)
        if kind is None:
            raise DataError(f"not YAML of plain values: it has the tag {node.tag[:80]!r}", place)
        if isinstance(node, yaml.SequenceNode):
            return [read(item, (*path, str(i))) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            value: dict[str, Any] = {}
            for key, child in node.value:
                here = f"{where}:{key.start_mark.line + 1}"
                if not isinstance(key, yaml.ScalarNode):
                    raise DataError("a key must be a word", here)
                if key.value in value:
                    raise DataError(f"key {key.value!r} stands twice", here)
                settings.places[(*path, key.value)] = here
                value[key.value] = read(child, (*path, key.value))
            return value
        value = node.value if kind == "str" else loader.construct_object(node)
        if isinstance(value, float) and not math.isfinite(value):
            raise DataError(f"{'.'.join(path)} must be a number, not {node.value}", place)
        return value

    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        value = None if node is None else read(node, ())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise DataError(f"not YAML: {getattr(error, 'problem', None) or error}", f"{where}{line}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"not YAML that can be read: {error}", where) from None
    settings.value = value
    return settings


def read_settings(path: str | os.PathLike, kinds: Sequence[str] = ()) -> Settings:
    """Reads a YAML file, laid over what its ``base`` names: one or several other files.

    ``base: sinsy`` is ``sinsy.yaml`` beside the file, or of a kind in the shipped ``conf/``.

    Raises DataError as :func:`parse_settings`, and for a base that is not there or leads back.
    """
    files = 0

    def read(path: Path, chain: tuple[Path, ...]) -> Settings:
        nonlocal files
        files += 1
        own = parse_settings(read_text(path, MAX_BYTES), os.fspath(path))
        if not isinstance(own.value, dict):
            raise DataError("a mapping of keys to values is needed", path)
        bases = own.value.pop("base", [])
        bases = [bases] if isinstance(bases, str) else bases
        if not isinstance(bases, list) or not all(isinstance(name, str) for name in bases):
            raise own.fault("base must be the name of a file, or a list of names", ("base",))
        whole = Settings({}, own.where)
        for name in bases:
            base = _find_base(name, path.parent, kinds)
            if base is None:
                known = [p.stem for f in (path.parent, *map(_folder, kinds)) for p in f.glob("*.yaml")]
                raise own.fault(f"there is no base {name!r}{nearest(name, known)}", ("base",))
            if base.resolve() in chain or files > MAX_FILES:
                raise own.fault(f"base {name!r} leads back to this file, or to too many", ("base",))
            whole.lay(read(base, (*chain, base.resolve())))
        whole.lay(own)
        return whole

    return read(Path(path), (Path(path).resolve(),))


def _find_base(name: str, beside: Path, kinds: Sequence[str]) -> Path | None:
    places = [beside / name, beside / f"{name}.yaml", CONF / f"{name}.yaml"]
    places += [_folder(kind) / f"{name.removesuffix('.yaml')}.yaml" for kind in kinds]
    return next((place for place in places if place.is_file()), None)


def _folder(kind: str) -> Path:
    return CONF / _FOLDERS.get(kind, kind)


def config_names(kind: str) -> list[str]:
    """Names of the shipped configurations of a kind.

    Raises DataError where there is no such kind, naming the nearest.
    """
    back = {folder: kind for kind, folder in _FOLDERS.items()}
    kinds = [back.get(f.name, f.name) for f in sorted(CONF.iterdir()) if f.is_dir()]
    if kind not in kinds:
        raise DataError(
            f"no kind of configuration {kind!r}{nearest(kind, kinds)}; there are {', '.join(kinds)}"
        )
    return sorted(p.stem for p in _folder(kind).glob("*.yaml") if not p.stem.startswith("_"))


def find_config(kind: str | Sequence[str], name: str | os.PathLike) -> Path:
    """A configuration by its name, such as ``sinsy_tiny`` or ``acoustic/sinsy_tiny``, or by its path.

    Args:
        kind: ``features``, ``align``, ``timelag``, ``duration``, ``acoustic``, ... or several.

    Raises DataError where there is none, naming the nearest, or where several kinds have it.
    """
    text = os.fspath(name)
    kinds = [kind] if isinstance(kind, str) else [k for k in kind if _folder(k).is_dir()]
    known = {f"{k}/{n}": _folder(k) / f"{n}.yaml" for k in kinds for n in config_names(k)}
    found = [full for full in known if text in (full, full.partition("/")[2])]
    if len(found) > 1:
        raise DataError(f"{text} may be {' or '.join(found)}: say which")
    if found:
        return known[found[0]].resolve()
    path = Path(text)
    is_path = len(path.parts) > 1 or path.suffix in (".yaml", ".yml")
    if is_path and path.is_file():
        return path
    names = sorted({file.stem for file in known.values()})
    hint = nearest(path.stem, names)
    if is_path:
        raise DataError(f"no such file, and no name of a shipped configuration{hint}", path)
    what = f"no {' or '.join(kinds)} configuration {text!r}{hint}"
    raise DataError(f"{what}; there are {', '.join(names)}")
