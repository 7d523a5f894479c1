"""Names the pitch bends, vibrato and other curves of a project, which a voice of ours makes itself."""

import functools
import itertools
import json
import logging
from collections.abc import Iterable, Iterator
from importlib import resources
from typing import Any
from xml.etree.ElementTree import Element

from nnsvs_lite.score.formats.rawfile import get_text

log = logging.getLogger(__name__)
_SHOWN = 12


@functools.cache
def _tables() -> dict[str, dict[str, str]]:
    """For each format the paths to what shapes the singing, and how each is called; see :func:`_names`."""
    return json.loads(resources.files(__package__).joinpath("tuning.json").read_text(encoding="utf-8"))


def name_tuning(form: str, parts: Iterable[Any]) -> None:
    """One warning of what the parts of a project hold that is not sung."""
    found = (_names(part, path.split("."), name) for part in parts for path, name in _tables()[form].items())
    names = list(dict.fromkeys(get_text(name)[:40] for name in itertools.chain.from_iterable(found)))
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        log.warning(
            "the file's own %s are not sung: the voice makes its own", ", ".join(names[:_SHOWN]) + more
        )


def _names(value: Any, path: list[str], name: Any) -> Iterator[Any]:
    """What is called ``name`` at the end of a path, unless it is nothing or zero.

    ``@x`` is what the field x beside the last one says, ``@`` the one that ``*`` stands for.
    """
    if not path:
        if str(value).strip(" 0.,-[]{}") not in ("", "None", "False"):
            yield name
    elif isinstance(value, list):
        for item in value:
            yield from _names(item, path, name)
    elif isinstance(value, Element):
        for child in value.iterfind(path[0]):
            leaf = (child.text, child.get(name[1:], name))
            yield from _names(child, path[1:], name) if path[1:] else _names(leaf[0], [], leaf[1])
    elif isinstance(value, dict):
        for key in value if path[0] == "*" else path[:1]:
            called = key if (path[0], name) == ("*", "@") else name if path[1:] else value.get(name[1:], name)
            yield from _names(value.get(key), path[1:], called)
