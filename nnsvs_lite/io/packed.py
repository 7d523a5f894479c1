"""A table in memory that is small for what it holds."""

import pickle
import zlib
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import TypeVar

V = TypeVar("V")


class Packed(MutableMapping[str, V]):
    """Keeps its values compressed, and makes each anew when it is asked for: a set may be very large.

    A value that is a list comes out as a tuple: changed in place, it would change nothing here.
    """

    def __init__(self, values: Mapping[str, V] | Iterable[tuple[str, V]] = ()):
        self._held: dict[str, bytes] = {}
        self.update(values)

    def __getitem__(self, key: str) -> V:
        # Written by this very program, or the one that it works for.
        return pickle.loads(zlib.decompress(self._held[key]))

    def __setitem__(self, key: str, value: V) -> None:
        fixed = tuple(value) if isinstance(value, list) else value
        self._held[key] = zlib.compress(pickle.dumps(fixed), 1)

    def __delitem__(self, key: str) -> None:
        del self._held[key]

    def __contains__(self, key: object) -> bool:
        return key in self._held

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def part(self, keys: Iterable[str]) -> "Packed[V]":
        """Those of these keys that are there, in this order."""
        made: Packed[V] = Packed()
        made._held = {key: self._held[key] for key in keys if key in self._held}
        return made
