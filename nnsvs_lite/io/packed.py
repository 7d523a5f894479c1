"""A table in memory that is small for what it holds, however many utterances that are."""

import os
import pickle
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, TypeVar

V = TypeVar("V")

ROOM = 1 << 14
"""Bytes of a table's values that stay in memory."""
_LENGTH = 32


class _Heap:
    """Bytes by their place: the latest in memory, those before in a file without a name."""

    def __init__(self) -> None:
        self._latest = bytearray()
        self._there = 0
        self._file: Any = None
        self._owner, self._room = os.getpid(), ROOM

    def put(self, data: bytes) -> int:
        place = (self._there + len(self._latest)) << _LENGTH | len(data)
        self._latest += data
        # A process that was forked off shares the file, and leaves it as it is.
        if len(self._latest) > self._room and os.getpid() == self._owner:
            self._set_down()
        return place

    def get(self, place: int) -> bytes:
        start, length = place >> _LENGTH, place & (1 << _LENGTH) - 1
        if start >= self._there:
            at = start - self._there
            return bytes(self._latest[at : at + length])
        return os.pread(self._file.fileno(), length, start)

    def _set_down(self) -> None:
        try:
            self._file = self._file or tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
            written = os.pwrite(self._file.fileno(), self._latest, self._there)
        except OSError:
            written = 0
        if written < len(self._latest):
            self._room = 1 << 62  # no room there: all else stays in memory
            return
        self._there += written
        self._latest.clear()


class Packed(MutableMapping[str, V]):
    """Keeps its values compressed, most of them in a file, and makes each anew when it is asked for.

    A value that is a list comes out as a tuple: changed in place, it would change nothing here.
    """

    def __init__(self, values: Mapping[str, V] | Iterable[tuple[str, V]] = ()):
        self._heap, self._places = _Heap(), dict[str, int]()
        self.update(values)

    def __getitem__(self, key: str) -> V:
        # Written by this very program, or the one that it works for.
        return pickle.loads(zlib.decompress(self._heap.get(self._places[key])))

    def __setitem__(self, key: str, value: V) -> None:
        fixed = tuple(value) if isinstance(value, list) else value
        self._places[key] = self._heap.put(zlib.compress(pickle.dumps(fixed), 1))

    def __delitem__(self, key: str) -> None:
        del self._places[key]

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __getstate__(self) -> dict[str, bytes]:
        return {key: self._heap.get(place) for key, place in self._places.items()}

    def __setstate__(self, held: dict[str, bytes]) -> None:
        self._heap = _Heap()
        self._places = {key: self._heap.put(data) for key, data in held.items()}

    def part(self, keys: Iterable[str]) -> "Packed[V]":
        """Those of these keys that are there, in this order."""
        made: Packed[V] = Packed()
        made._heap = self._heap
        made._places = {key: self._places[key] for key in keys if key in self._places}
        return made
