"""Opens score files that nobody vouches for: bytes, text of unknown encoding, JSON, YAML, fields."""

import codecs
import contextlib
import json
import math
import os
import re
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from nnsvs_lite.io.atomic import check_regular
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.limits import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_LYRIC,
    MAX_NOTES,
    MAX_TEXT_BYTES,
    MAX_VALUES,
)

LEGACY_ENCODINGS = {"ja": ("cp932",), "zh": ("gb18030", "big5"), "yue": ("big5hkscs",), "ko": ("cp949",)}
"""Encodings tried after UTF-8 for the lyrics of a language; the others take ``_EUROPEAN``."""
_EUROPEAN = ("cp1252", "cp850", "mac_roman", "cp932")
_INSIDE = re.compile(r"(?<=\w)[“”„…«»¿¡°](?=\w)")
_LETTERS = frozenset("äöüßéèêëàâîïôûùçñáíóúìòœæåøãõýÄÖÜÉÈÀÇÑÁÍÓÚ‘’“”„–—…´«»¿¡°·ªº")
"""Letters of European languages and signs of print: what bytes above 127 are in the right encoding."""

_ENCODINGS = re.compile(
    r"(ascii|utf-(8|16|32)|cp\d|iso8859|iso2022|shift_jis|euc_|gb|big5|johab|hz|mac-|koi8)"
)

_CHUNK = 1 << 20
_JUDGED = 100_000  # characters by which an encoding is judged


def read_bytes(path: str | os.PathLike, limit: int = MAX_BYTES, what: str = "score") -> bytes:
    """A whole file; raises DataError where it cannot be read, is empty, or larger than ``limit`` bytes."""
    data = b""
    check_regular(path)
    try:
        # Asked for all at once, Python would first make room for the largest file that is allowed.
        with Path(path).open("rb") as file:
            while len(data) <= limit and (more := file.read(_CHUNK)):
                data += more
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot read the {what}: {getattr(error, 'strerror', None) or error}", path
        ) from None
    if len(data) > limit:
        raise DataError(f"the {what} is larger than {limit / 2**20:g} MiB", path)
    if not data.strip():
        raise DataError("the file is empty", path)
    return data


def decode(data: bytes, lang: str = "ja", named: str | None = None) -> str:
    """Text in an encoding that is marked by a BOM, ``named`` by the file, or found by trying.

    UTF-8 goes first, since text in an older encoding is hardly ever valid UTF-8 by chance; then come those of
    the language of the lyrics, of which the one with the likeliest letters is taken. Raises DataError where
    none fits.
    """
    boms = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
    encodings = [encoding for mark, encoding in boms.items() if data.startswith(mark)]
    legacy = () if encodings else LEGACY_ENCODINGS.get(lang, _EUROPEAN)
    if not encodings:
        encodings = ["utf-8", *legacy]
        if named and (codec := text_codec(named)):
            encodings.insert(0, codec)
    readings: list[str] = []
    for encoding in encodings:
        with contextlib.suppress(UnicodeError):
            readings.append(data.decode(encoding).replace("\ufeff", ""))
        if readings and encoding not in legacy:
            break
    if readings:
        return max(readings, key=_likelihood)
    raise DataError(f"the text's encoding is none of {', '.join(encodings)}; save it as UTF-8")


def text_codec(name: str) -> str | None:
    """Python's name of an encoding that scores are written in; None for any other.

    Others ("punycode", "zip") take days or gigabytes for a text made for it.
    """
    name = {"windows-31j": "cp932", "x-sjis": "cp932", "ms932": "cp932"}.get(name.lower(), name)
    try:
        codec = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    return codec if _ENCODINGS.match(codec) else None


def _likelihood(text: str) -> int:
    """How much more of a text is what texts in the right encoding consist of than what wrong ones give."""
    text = text[:_JUDGED]
    return sum(map(_likely, text)) - 2 * len(_INSIDE.findall(text))


def _likely(letter: str) -> int:
    if letter.isascii() or letter in _LETTERS:
        return int(not letter.isascii() and not letter.isupper())
    common = [letter.encode(encoding, "ignore")[:1] for encoding in ("gb2312", "big5")]
    return 1 if b"\xa1" <= common[0] <= b"\xd7" or b"\xa1" <= common[1] <= b"\xc6" else -1


def parse_json(data: bytes) -> Any:
    """The value of a JSON text, which may end in NUL bytes.

    Raises DataError where it is not JSON, too large, or nested too deep; names the line.
    """
    if len(data) > MAX_TEXT_BYTES:
        raise DataError(f"its JSON is larger than {MAX_TEXT_BYTES // 2**20} MiB")
    text = decode(data.rstrip(b"\0")) if data[:2] not in (b"\xff\xfe", b"\xfe\xff") else decode(data)
    depth = 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]', text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token.group(), 0)
        if depth > MAX_DEPTH:
            raise DataError(f"refused: its values are nested more than {MAX_DEPTH} deep")
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise DataError(f"line {error.lineno}: not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON that can be read: {error}") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def parse_yaml(text: str) -> Any:
    """Nested dicts, lists and strings of the first YAML document in a text.

    Numbers stay text, since YAML would read the lyrics ``no`` and ``1_0`` as something else; aliases and tags
    are refused, since a few lines of them can unfold to gigabytes or name classes.
    Raises DataError where it is not YAML, is too large or too deep, or refused; names the line.
    """
    import yaml

    if len(text) > MAX_TEXT_BYTES:
        raise DataError(f"its YAML is larger than {MAX_TEXT_BYTES // 2**20} MiB")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _build(yaml, yaml.parse(text, Loader=loader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark is not None else ""
        raise DataError(f"{line}not YAML: {getattr(error, 'problem', None) or error}") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"not YAML that can be read: {error}") from None


def _build(yaml: Any, events: Any) -> Any:
    """The value that a stream of parser events describes."""

    def refuse(event: Any, reason: str) -> NoReturn:
        raise DataError(f"line {event.start_mark.line + 1}: refused: {reason}")

    # Items of the open collections (keys and values of a table in turn); the outermost has the result.
    stack: list[list[Any]] = [[]]
    for count, event in enumerate(events):
        kind = type(event)
        if count > MAX_VALUES:
            refuse(event, f"more than {MAX_VALUES} values")
        if kind is yaml.AliasEvent or getattr(event, "anchor", None):
            refuse(event, "it has an alias or anchor, which scores do not need")
        if (tag := getattr(event, "tag", None)) not in (None, "!"):
            refuse(event, f"it has a tag ({tag[:40]}), which scores do not need")
        if kind is yaml.ScalarEvent:
            stack[-1].append(event.value)
        elif isinstance(event, yaml.CollectionStartEvent):
            stack.append([])
            if len(stack) > MAX_DEPTH:
                refuse(event, f"its values are nested more than {MAX_DEPTH} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            items = stack.pop()
            if isinstance(event, yaml.MappingEndEvent):
                if not all(isinstance(key, str) for key in items[::2]):
                    raise DataError(f"line {event.start_mark.line + 1}: a table's key is not a word")
                items = dict(zip(items[::2], items[1::2]))
            stack[-1].append(items)
        elif isinstance(event, yaml.DocumentEndEvent):
            break
    return stack[0][0] if stack[0] else None


def get_dict(value: Any, what: str) -> dict[str, Any]:
    """The value if it is a table of named fields; ``what`` names it in the DataError."""
    if not isinstance(value, dict):
        raise DataError(f"{what} is missing or not a table of fields")
    return value


def get_rows(value: Any, what: str) -> list[dict[str, Any]]:
    """The value if it is a list of tables, of none where it is missing; else a DataError."""
    if value is None or value == "":
        return []
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise DataError(f"{what} is not a list of tables")
    if len(value) > MAX_NOTES:
        raise DataError(f"{what}: {len(value)} of them; at most {MAX_NOTES} can be read")
    return value


def get_text(value: Any) -> str:
    """A name or lyric in one line; numbers are taken as written, anything else as nothing."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    if not isinstance(value, str):
        value = f"{value:.12g}" if isinstance(value, float) else str(value)[:MAX_LYRIC]
    # JSON can hold half of a character, which no encoding can write.
    text = value.encode("utf-8", "replace").decode("utf-8")
    return " ".join(text.replace("\0", " ").split())


def get_numbers(value: Any, what: str, most: float = 1e15) -> np.ndarray:
    """(N,) finite numbers, given as a list or as text with blanks; none where it is missing.

    Raises DataError where one is none, or beyond ``most`` either way; ``what`` names them.
    """
    if isinstance(value, str):
        value = value.split()
    found = np.full(1, np.nan)
    if value is None or isinstance(value, list):
        with contextlib.suppress(ValueError, TypeError, OverflowError):
            found = np.array(value or [], np.float64)
    if found.ndim != 1 or not np.isfinite(found).all():
        raise DataError(f"{what}: a list of numbers is needed")
    if found.size and np.abs(found).max() > most:
        raise DataError(f"{what}: a value of {np.abs(found).max():g} is out of range")
    return found


def get_number(value: Any, what: str, low: float = -1e15, high: float = 1e15) -> float:
    """A finite number from ``low`` to ``high``, given as a number or as text.

    Raises DataError where it is missing, is none, or is out of range; ``what`` names it.
    """
    number = math.nan
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        with contextlib.suppress(ValueError, OverflowError):
            number = float(value)
    if math.isnan(number):
        shown = "missing" if value is None else f"{str(value)[:20]!r}, not a number"
        raise DataError(f"{what} is {shown}")
    if not low <= number <= high:
        raise DataError(f"{what} of {number:g} is out of range")
    return number
