"""Opens XML score files that nobody vouches for: plain, or packed as ``.mxl``."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from nnsvs_lite.io.errors import DataError

MAX_BYTES = 64 * 2**20
"""Largest XML text read, unpacked."""

MAX_NOTES = 100_000
MAX_DEPTH = 100


def read_xml(path: str | os.PathLike, count: str = "note") -> ElementTree.Element:
    """The root element of an XML file, or of the score inside a packed one.

    Documents that declare entities are refused, since a few lines of them can unfold
    to gigabytes; so are files over ``MAX_BYTES``, more than ``MAX_NOTES`` elements
    called ``count``, and elements nested more than ``MAX_DEPTH`` deep.

    Raises:
        DataError: where the file cannot be read, is not XML, or is refused.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"cannot read the score: {error.strerror or error}", path) from None
    if len(data) > MAX_BYTES:
        raise DataError(f"the score is larger than {MAX_BYTES // 2**20} MiB", path)
    if not data.strip():
        raise DataError("the file is empty", path)
    if data[:2] == b"PK":
        data = _unpack(data, path)
    elif path.suffix.lower() == ".mxl":
        raise DataError("not a packed score (.mxl): it is not a zip file", path)
    _inspect(data, path, count)
    try:
        return ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise DataError(f"not XML: {error}", path) from None


def _unpack(data: bytes, path: Path) -> bytes:
    """The score inside a zip: the one its container names, else the first that is XML."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            name = _root_file(archive, names, path)
            return _member(archive, name, path)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError, ValueError) as error:
        raise DataError(f"broken zip file: {error}", path) from None
    except (RuntimeError, NotImplementedError) as error:
        raise DataError(f"cannot unpack the zip file: {error}", path) from None


def _root_file(archive: zipfile.ZipFile, names: list[str], path: Path) -> str:
    container = "META-INF/container.xml"
    if container in names:
        text = _member(archive, container, path)
        _inspect(text, path, "rootfile")
        for element in ElementTree.fromstring(text).iter():
            full_path = element.get("full-path")
            if element.tag.rpartition("}")[2] == "rootfile" and full_path in names:
                return full_path
    for name in names:
        if name.lower().endswith((".xml", ".musicxml")) and not name.startswith(("META-INF/", "__MACOSX/")):
            return name
    raise DataError("the zip file holds no MusicXML score", path)


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    with archive.open(name) as member:
        data = member.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise DataError(f"{name} in it unpacks to more than {MAX_BYTES // 2**20} MiB", path)
    return data


class _Refused(Exception):
    """Stops the parser from within one of its handlers."""


def _inspect(data: bytes, path: Path, count: str) -> None:
    """Reads the XML once without keeping anything and refuses what is not safe."""
    depth = found = 0

    def start(tag: str, _attributes: dict[str, str]) -> None:
        nonlocal depth, found
        depth += 1
        found += tag == count
        if depth > MAX_DEPTH:
            raise _Refused(f"its elements are nested more than {MAX_DEPTH} deep")
        if found > MAX_NOTES:
            raise _Refused(f"it has more than {MAX_NOTES} <{count}> elements")

    def end(_tag: str) -> None:
        nonlocal depth
        depth -= 1

    def entity(name: str, *_rest: object) -> None:
        raise _Refused(f"it declares an XML entity ({name}), which scores do not need")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.EntityDeclHandler = entity
    try:
        parser.Parse(data, True)
    except _Refused as error:
        raise DataError(f"refused: {error}", f"{path}:{parser.CurrentLineNumber}") from None
    except expat.ExpatError as error:
        raise DataError(f"not XML: {expat.ErrorString(error.code)}", f"{path}:{error.lineno}") from None
    except (ValueError, LookupError) as error:
        raise DataError(f"not XML: {error}", path) from None
