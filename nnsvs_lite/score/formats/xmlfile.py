"""Opens XML score files that nobody vouches for: plain, or packed as ``.mxl``."""

import io
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.limits import MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_NOTES
from nnsvs_lite.score.formats.rawfile import read_bytes


def read_xml(path: str | os.PathLike, count: str = "note") -> ElementTree.Element:
    """The root element of an XML file, or of the score inside a packed one.

    Documents that declare entities are refused, since a few lines of them can unfold
    to gigabytes; so are files over ``MAX_BYTES``, more than ``MAX_NOTES`` elements
    called ``count`` or ``MAX_NODES`` of any kind, and elements nested more than
    ``MAX_DEPTH`` deep.

    Raises:
        DataError: where the file cannot be read, is not XML, or is refused.
    """
    path = Path(path)
    data = read_bytes(path, MAX_BYTES)
    if data[:2] == b"PK":
        data = unpack(data, path, lambda names, read: _find_score(names, read, path))
    elif path.suffix.lower() == ".mxl":
        raise DataError("not a packed score (.mxl): it is not a zip file", path)
    _inspect(data, path, count)
    try:
        return ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise DataError(f"not XML: {error}", path) from None


def unpack(data: bytes, path: Path, find: Callable[[list[str], Callable[[str], bytes]], str]) -> bytes:
    """One member of a zip file, unpacked.

    Args:
        data: the whole zip.
        path: its name, for messages.
        find: gives the name of the member wanted; its arguments are all names and a
            function that unpacks one.

    Raises:
        DataError: where the zip is broken, or more than ``MAX_BYTES`` would come out.
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
        text = read(container)
        _inspect(text, path, "rootfile")
        for element in ElementTree.fromstring(text).iter():
            full_path = element.get("full-path")
            if element.tag.rpartition("}")[2] == "rootfile" and full_path in names:
                return full_path
    for name in names:
        if name.lower().endswith((".xml", ".musicxml")) and not name.startswith(("META-INF/", "__MACOSX/")):
            return name
    raise DataError("the zip file holds no MusicXML score", path)


class _Refused(Exception):
    """Stops the parser from within one of its handlers."""


def _inspect(data: bytes, path: Path, count: str) -> None:
    """Reads the XML once without keeping anything and refuses what is not safe."""
    depth = found = nodes = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, found, nodes
        depth += 1
        found += tag.rpartition(":")[2] == count
        nodes += 1 + len(attributes)
        if nodes > MAX_NODES:
            raise _Refused(f"it has more than {MAX_NODES} elements and attributes")
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
