"""Opens XML score files that nobody vouches for: plain, or packed as ``.mxl``."""

import io
import os
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn
from xml.etree import ElementTree
from xml.parsers import expat

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.limits import MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_NOTES
from nnsvs_lite.score.formats.rawfile import read_bytes, text_codec


def read_xml(path: str | os.PathLike) -> ElementTree.Element:
    """The root element of an XML file, or of the score inside a packed one; tags are without namespaces.

    Documents with entities or a DTD of their own are refused, since a few lines of these can unfold to
    gigabytes; so are files over ``MAX_BYTES``, more than ``MAX_NOTES`` notes or ``MAX_NODES`` elements and
    attributes, and elements nested more than ``MAX_DEPTH`` deep. A DTD elsewhere is not read.

    Raises DataError where the file cannot be read, is not XML, or is refused.
    """
    path = Path(path)
    data = read_bytes(path, MAX_BYTES)
    if data[:2] == b"PK":
        data = unpack(data, path, lambda names, read: _find_score(names, read, path))
    elif path.suffix.lower() == ".mxl" and b"<" not in data[:4]:
        raise DataError("not a packed score (.mxl): it is not a zip file", path)
    return _parse(data, path, "note")


def unpack(data: bytes, path: Path, find: Callable[[list[str], Callable[[str], bytes]], str]) -> bytes:
    """One member of a zip file, unpacked: that which ``find`` names, given all names and a function
    that unpacks one.

    Raises DataError where the zip is broken, or more than ``MAX_BYTES`` would come out.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:

            def read(name: str) -> bytes:
                with archive.open(name) as member:
                    unpacked = member.read(MAX_BYTES + 1)
                if len(unpacked) > MAX_BYTES:
                    raise DataError(f"{name} in it unpacks to more than {MAX_BYTES // 2**20} MiB", path)
                return unpacked

            return read(find(archive.namelist(), read))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError, ValueError) as error:
        raise DataError(f"broken zip file: {error}", path) from None
    except (RuntimeError, NotImplementedError) as error:
        raise DataError(f"cannot unpack the zip file: {error}", path) from None


def _find_score(names: list[str], read: Callable[[str], bytes], path: Path) -> str:
    """The score that the container names, else the first file that is XML."""
    container = "META-INF/container.xml"
    if container in names:
        for rootfile in _parse(read(container), path, "rootfile").iter("rootfile"):
            if (full_path := rootfile.get("full-path")) in names:
                return full_path
    for name in names:
        if name.lower().endswith((".xml", ".musicxml")) and not name.startswith(("META-INF/", "__MACOSX/")):
            return name
    raise DataError("the zip file holds no MusicXML score", path)


def _as_utf8(data: bytes, path: Path) -> bytes:
    """The text in UTF-8, without blanks before it.

    A byte order mark, or how ``<`` is written, goes before the encoding that the file names, since programs
    that save a text anew leave that as it was; names that are none of an encoding of texts are passed over.
    """
    data = data.lstrip(b" \t\r\n").removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    named = re.match(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})["']""", data)
    wide = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"<\0": "utf-16-le", b"\0<": "utf-16-be"}
    codec = wide.get(data[:2]) or (text_codec(named[1].decode()) if named else None) or "utf-8"
    if codec.startswith("utf-8") or (named and codec.startswith("utf")):
        return data
    try:
        return data.decode(codec).lstrip().encode()
    except UnicodeError:
        raise DataError(f"not XML: its text is not {codec}, as it says; save it as UTF-8", path) from None


def _check_utf8(data: bytes, where: str) -> None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        raise DataError("not XML: its text is not UTF-8, as it says; save it as UTF-8", where) from None


def _parse(data: bytes, path: Path, count: str) -> ElementTree.Element:
    """The root element; what is not safe is refused while it is read."""
    depth = found = nodes = 0
    data = _as_utf8(data, path)
    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate("utf-8")

    def refuse(reason: str) -> NoReturn:
        raise DataError(f"refused: {reason}", f"{path}:{parser.CurrentLineNumber}")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, found, nodes
        tag = tag.rpartition(":")[2]
        depth += 1
        found += tag == count
        nodes += 1 + len(attributes)
        if nodes > MAX_NODES:
            refuse(f"it has more than {MAX_NODES} elements and attributes")
        if depth > MAX_DEPTH:
            refuse(f"its elements are nested more than {MAX_DEPTH} deep")
        if found > MAX_NOTES:
            refuse(f"it has more than {MAX_NOTES} <{count}> elements")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag.rpartition(":")[2])

    def entity(name: str, *_rest: object) -> None:
        refuse(f"it has an XML entity ({name}), which scores do not need")

    def declared(*_what: object) -> None:
        refuse("it brings a DTD of its own, which scores do not need")

    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = parser.SkippedEntityHandler = entity
    parser.AttlistDeclHandler = parser.ElementDeclHandler = parser.NotationDeclHandler = declared
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        if expat.ErrorString(error.code) == expat.errors.XML_ERROR_INVALID_TOKEN:
            _check_utf8(data, f"{path}:{error.lineno}")
        raise DataError(f"not XML: {expat.ErrorString(error.code)}", f"{path}:{error.lineno}") from None
    except (ValueError, LookupError) as error:
        raise DataError(f"not XML: {error}", path) from None
    return builder.close()
