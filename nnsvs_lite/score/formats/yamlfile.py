"""YAML of score files as plain tables, lists and text.

Numbers stay text, since YAML would read the lyrics ``no`` and ``1_0`` as something
else; aliases and tags are refused, since a few lines of them can unfold to gigabytes
or name classes.
"""

from typing import Any

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.limits import MAX_DEPTH, MAX_NODES, MAX_TEXT_BYTES


def parse_yaml(text: str) -> Any:
    """Nested dicts, lists and strings of the first YAML document in a text.

    Raises:
        DataError: where it is not YAML, is too large or too deep, or holds aliases or
            tags; names the line.
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
    root: list[Any] = []
    # Each open collection with the key that waits for its value (tables only).
    stack: list[tuple[Any, list[str]]] = [(root, [])]
    for count, event in enumerate(events):
        line = event.start_mark.line + 1
        if count > MAX_NODES:
            raise DataError(f"line {line}: refused: more than {MAX_NODES} values")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise DataError(f"line {line}: refused: it has an alias or anchor, which scores do not need")
        tag = getattr(event, "tag", None)
        if isinstance(event, yaml.NodeEvent) and tag not in (None, "!"):
            raise DataError(f"line {line}: refused: it has a tag ({tag[:40]}), which scores do not need")
        if isinstance(event, yaml.ScalarEvent):
            _put(stack[-1], event.value, line)
        elif isinstance(event, yaml.CollectionStartEvent):
            value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
            _put(stack[-1], value, line)
            stack.append((value, []))
            if len(stack) > MAX_DEPTH:
                raise DataError(f"line {line}: refused: its values are nested more than {MAX_DEPTH} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
        elif isinstance(event, yaml.DocumentEndEvent):
            break
    return root[0] if root else None


def _put(top: tuple[Any, list[str]], value: Any, line: int) -> None:
    """Puts a value into an open list, or a key or its value into an open table."""
    parent, keys = top
    if isinstance(parent, list):
        parent.append(value)
    elif keys:
        parent[keys.pop()] = value
    elif isinstance(value, str):
        keys.append(value)
    else:
        raise DataError(f"line {line}: a table's key is not a word")
