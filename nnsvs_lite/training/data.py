"""Examples from a dump, and batches by frame budget."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader, read_table
from nnsvs_lite.models.batch import Example, ScoreExample

_CONTEXT = ("note_context", "phone_context", "note_index", "note_time")


class DumpDataset(Sequence[Example]):
    """The utterances of one set of a dump dir.

    Lengths come from the durations, which are small; nothing else is read before it is
    needed. Arrays are kept in memory up to ``cache`` bytes in all.

    Args:
        dump: the dump dir. subset: the set's name.
        spec: names the streams.
        timing: whether to load time lags and durations.
        streams: whether to load acoustic streams.

    Raises:
        DataError: where the set is missing, empty, or its tables hold different ids.
    """

    def __init__(
        self,
        dump: str | os.PathLike,
        subset: str,
        spec: Spec,
        timing: bool = True,
        streams: bool = False,
        cache: int = 1 << 30,
    ):
        folder = Path(dump) / subset
        if not folder.is_dir():
            raise DataError("no such set; run stage 2 first", folder)
        self.folder = folder
        names = [*_CONTEXT, *(("time_lag", "duration") if timing else ())]
        self._streams = list(spec.streams) if streams else []
        self.spec = spec
        self._readers = {name: FeatureReader(folder / f"{name}.scp") for name in names + self._streams}
        self.utts = list(self._readers["phone_context"])
        if not self.utts:
            raise DataError("the set has no utterances", folder)
        for name, reader in self._readers.items():
            for utt in set(reader) ^ set(self.utts):
                raise DataError(f"utterance {utt!r} is not in both {name}.scp and phone_context.scp", folder)
        self.singers = _indices(folder / "utt2spk", self.utts, spec.speakers)
        self._language = _indices(folder / "utt2lang", self.utts, spec.codes)
        if spec.languages[1:]:
            languages = read_table(folder / "utt2lang")
            unknown = next((u for u in self.utts if languages.get(u) not in spec.codes), None)
            if unknown:
                raise DataError(f"no language of {spec.codes} for {unknown!r}", folder / "utt2lang")
        durations = self._readers["duration"] if timing else {}
        self.frames = [int(durations[u].sum()) if timing else 0 for u in self.utts]
        self._cache: dict[int, Example] = {}
        self._room = cache

    def __len__(self) -> int:
        return len(self.utts)

    def __getitem__(self, index: int) -> Example:
        if index in self._cache:
            return self._cache[index]
        utt = self.utts[index]
        arrays = {name: reader[utt] for name, reader in self._readers.items()}
        for level in ("note", "phone"):
            name = f"{level}_context"
            arrays[name] = self.spec.joined(level, arrays[name], self.spec.codes[self._language[utt]])
        column = {n: arrays[n].reshape(-1) for n in ("note_index", "time_lag", "duration") if n in arrays}
        whole = {n: v.astype(np.int64) for n, v in column.items() if n != "time_lag"}
        example = Example(
            utt=utt,
            score=ScoreExample(
                note_context=arrays["note_context"],
                phone_context=arrays["phone_context"],
                note_index=whole["note_index"],
                note_time=arrays["note_time"],
                time_lag=column.get("time_lag"),
                duration=whole.get("duration"),
            ),
            streams={name: arrays[name] for name in self._streams},
            singer=self.singers[utt],
            language=self._language[utt],
        )
        size = sum(a.nbytes for a in arrays.values())
        if size <= self._room:
            self._room -= size
            self._cache[index] = example
        return example


def _indices(table: Path, utts: Sequence[str], known: Sequence[str]) -> dict[str, int]:
    """Places in a list of names of what a table gives for each utterance; 0 without a table."""
    names = read_table(table) if table.exists() else {}
    return {u: known.index(names[u]) if names.get(u) in known else 0 for u in utts}


def balanced(singers: Sequence[int], lengths: Sequence[int], strength: float) -> list[int]:
    """Indices of all items, those of singers with little data several times.

    Args:
        singers: of each item. lengths: of each item.
        strength: 0 leaves all items as they are; at 1 every singer is heard about as long as
            the one with the most data; between, the factor is taken to that power.
    """
    total = {s: sum(n for n, other in zip(lengths, singers) if other == s) for s in set(singers)}
    most = max(total.values())
    times = {s: max(1, round((most / max(own, 1)) ** strength)) for s, own in total.items()}
    return [i for i, s in enumerate(singers) for _ in range(times[s])]


def pack(lengths: Sequence[int], budget: int, order: Sequence[int] | None = None) -> list[list[int]]:
    """Groups indices so that no batch, padded to its longest member, exceeds ``budget``.

    An index longer than the budget makes a batch of its own.

    Args:
        lengths: of all items. budget: padded length of a batch in all.
        order: the order in which items are taken; by length if not given.
    """
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i], i)) if order is None else order
    batches: list[list[int]] = []
    longest = 0
    for index in order:
        longest = max(longest, lengths[index])
        if batches and longest * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(index)
        else:
            batches.append([index])
            longest = lengths[index]
    return batches


def epoch_batches(
    lengths: Sequence[int], budget: int, seed: int, epoch: int, rank: int = 0, world: int = 1
) -> Iterator[tuple[list[int], float]]:
    """The batches of one rank in one epoch, with the weight of each in its step.

    Items are sorted by length with some noise, packed, and the batches shuffled, all
    from ``(seed, epoch)``. Every item is seen exactly once over all ranks. All ranks make
    the same number of steps; a rank that has no batch left repeats one at weight 0.

    Yields:
        Item indices, and 1.0 or 0.0.
    """
    rng = np.random.default_rng([seed, epoch])
    noisy = np.asarray(lengths) * rng.uniform(0.9, 1.1, len(lengths))
    order = sorted(range(len(lengths)), key=lambda i: (noisy[i], i))
    batches = pack(lengths, budget, order)
    batches = [batches[i] for i in rng.permutation(len(batches))]
    for start in range(0, len(batches), world):
        if start + rank < len(batches):
            yield batches[start + rank], 1.0
        else:
            yield batches[start], 0.0
