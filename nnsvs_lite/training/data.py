"""Examples from a dump, and batches by frame budget."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.features.spec import FRAMES, PHONES, Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader, read_table
from nnsvs_lite.models.batch import Batch, collate
from nnsvs_lite.models.example import Example, ScoreExample, pack
from nnsvs_lite.training.recordings import Recordings

_CONTEXT = ("note_context", "phone_context", "note_index", "note_time")


class DumpDataset(Sequence[Example]):
    """The utterances of one set of a dump dir.

    Lengths come from ``utt2num_frames``, and for utterances that it lacks from their durations, or without
    them from the first stream; nothing else is read before it is needed. Features are kept in memory up to
    ``cache`` bytes in all, recordings are not.

    Args:
        dump: the dump dir. subset: the set's name. spec: names the streams.
        timing: whether to load time lags and durations.
        streams: whether to load acoustic streams, or the names of those to load.
        score: whether to load the score; without it there is no timing either.
        recordings: gives a stream ``wav`` (S, 1) of as many samples as the frames stand for, from where
            features are analysed; resampled as for the analysis.
        spectra_from: a decode dir of the set, whose spectra take the place of the recordings' own.

    Raises DataError where the set is missing, empty, or its tables hold different ids; and on access, where
    an utterance has another length than was stated, or a recording is missing or too short.
    """

    def __init__(
        self,
        dump: str | os.PathLike,
        subset: str,
        spec: Spec,
        timing: bool = True,
        streams: bool | Sequence[str] = False,
        cache: int = 64 << 20,
        score: bool = True,
        recordings: DataDir | None = None,
        spectra_from: str | os.PathLike | None = None,
    ):
        folder = Path(dump) / subset
        if not folder.is_dir():
            raise DataError("no such set; run stage 2 first", folder)
        self.folder = folder
        timing = timing and score
        names = [*(_CONTEXT if score else ()), *(("time_lag", "duration") if timing else ())]
        self._streams = list(spec.streams if streams is True else streams or ())
        if unknown := set(self._streams) - set(spec.streams):
            raise DataError(f"the features have no {', '.join(sorted(unknown))}", folder)
        self.spec, self._score = spec, score
        self.recordings = None if recordings is None else Recordings(recordings, spec.feature_config)
        places = dict.fromkeys(names + self._streams, folder)
        if spectra_from is not None:
            places |= {name: Path(spectra_from) for name in self._streams if name not in ("lf0", "vuv")}
        self._readers = {name: FeatureReader(place / f"{name}.scp") for name, place in places.items()}
        first = "phone_context" if score else self._streams[0]
        self.utts = list(self._readers[first])
        if not self.utts:
            raise DataError("the set has no utterances", folder)
        for reader in self._readers.values():
            for utt in set(reader) ^ set(self.utts):
                what = f"utterance {utt!r} is not in both {reader.scp.name} and {first}.scp"
                raise DataError(what, reader.scp.parent)
        self.singers = _indices(folder / "utt2spk", self.utts, spec.speakers)
        self._language = _indices(folder / "utt2lang", self.utts, spec.codes)
        if spec.languages[1:]:
            languages = read_table(folder / "utt2lang")
            unknown = next((u for u in self.utts if languages.get(u) not in spec.codes), None)
            if unknown:
                raise DataError(f"no language of {spec.codes} for {unknown!r}", folder / "utt2lang")
        # The context alone tells notes and phones, and no frames.
        self._sized = timing or not score
        counted = "duration" if timing else first
        self.frames = self._lengths(FRAMES, counted) if self._sized else [0] * len(self.utts)
        self._cache: dict[int, Example] = {}
        self._room = cache

    @cached_property
    def phones(self) -> list[int]:
        """How many phones each utterance has, as stated, or else by its context."""
        return self._lengths(PHONES, "phone_context")

    def _lengths(self, stated_in: str, name: str) -> list[int]:
        """Of all utterances, as stated in a text table, or else by the features ``name``."""
        path = self.folder / stated_in
        stated = read_table(path) if path.exists() else {}
        if wrong := next((u for u, n in stated.items() if not (n.isascii() and n.isdigit())), None):
            raise DataError(f"{stated[wrong]!r} of {wrong} is no number", path)
        table = FeatureReader(self.folder / f"{name}.scp") if set(self.utts) - set(stated) else {}
        return [int(stated[utt]) if utt in stated else _rows(name, table[utt]) for utt in self.utts]

    def __len__(self) -> int:
        return len(self.utts)

    def __getitem__(self, index: int) -> Example:
        return self.piece(index, 0, self.frames[index]) if self.recordings else self.features(index)

    def piece(self, index: int, first: int, frames: int) -> Example:
        """Frames of an utterance from ``first`` on, with their part of the recording."""
        whole, config = self.features(index), self.spec.feature_config
        self.recordings.check(whole.utt, self.frames[index])
        streams = {name: values[first : first + frames] for name, values in whole.streams.items()}
        start = round(first * config.frame_shift * config.sample_rate)
        wav = self.recordings.piece(whole.utt, start, config.n_samples(frames))
        return replace(whole, streams=streams | {"wav": wav[:, None].astype(np.float32)})

    def features(self, index: int) -> Example:
        """An utterance without its recording."""
        if index in self._cache:
            return self._cache[index]
        utt = self.utts[index]
        arrays = {name: reader[utt] for name, reader in self._readers.items()}
        streams = {name: arrays[name] for name in self._streams}
        for name in ("duration", *streams) if self._sized else ():
            if name in arrays and (rows := _rows(name, arrays[name])) != self.frames[index]:
                given, count = self._readers[name].scp.parent, self.frames[index]
                needed = f"the recording's features {count}: decode with --true-times"
                needed = f"{count} are needed: run stage 2 again" if given == self.folder else needed
                raise DataError(f"{utt}: {name} has {rows} frames, {needed}", given)
        language = self._language[utt]
        score = self._score_example(arrays, self.spec.codes[language]) if self._score else None
        example = Example(utt, score, streams, self.singers[utt], language)
        size = sum(a.nbytes for a in arrays.values())
        if size <= self._room:
            self._room -= size
            self._cache[index] = example
        return example

    def _score_example(self, arrays: dict[str, np.ndarray], language: str) -> ScoreExample:
        column = {n: arrays[n].reshape(-1) for n in ("note_index", "time_lag", "duration") if n in arrays}
        whole = {n: v.astype(np.int64) for n, v in column.items() if n != "time_lag"}
        return ScoreExample(
            note_context=self.spec.joined("note", arrays["note_context"], language),
            phone_context=self.spec.joined("phone", arrays["phone_context"], language),
            note_index=whole["note_index"],
            note_time=arrays["note_time"],
            time_lag=column.get("time_lag"),
            duration=whole.get("duration"),
        )


Draw = Callable[[Sequence[Example], int, np.random.Generator], Example]
"""Makes a version of one utterance of a set by chance."""


class Versions(Sequence[Example]):
    """A set of which each epoch sees other versions.

    What is drawn depends on ``(seed, epoch, utterance)`` alone: a run that was resumed, runs on
    several ranks and loaders with any number of workers draw the same.

    Args:
        data: the set. draw: makes the versions. seed, epoch: of the chance.
    """

    def __init__(self, data: Sequence[Example], draw: Draw, seed: int, epoch: int):
        self._data, self._draw, self._key = data, draw, (seed, epoch)

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, index: int) -> Example:
        return self._draw(self._data, index, np.random.default_rng([*self._key, index]))


def read_batch(indices: Sequence[int], data: Sequence[Example], frame_shift: float) -> Batch | DataError:
    """A padded batch; errors are handed over, since a loader's worker would make a traceback of one."""
    try:
        return collate([data[i] for i in indices], frame_shift)
    except DataError as error:
        return error


def _rows(name: str, values: np.ndarray) -> int:
    """Frames that a table's values of an utterance stand for."""
    return int(values.sum()) if name == "duration" else len(values)


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
    total = dict.fromkeys(singers, 0)
    for singer, length in zip(singers, lengths):
        total[singer] += length
    most = max(total.values())
    times = {s: max(1, round((most / max(own, 1)) ** strength)) for s, own in total.items()}
    return [i for i, s in enumerate(singers) for _ in range(times[s])]


def epoch_batches(
    lengths: Sequence[int], budget: int, seed: int, epoch: int, rank: int = 0, world: int = 1
) -> Iterator[tuple[list[int], float]]:
    """What one rank takes of the batches of one epoch, with its weight.

    Items are sorted by length with some noise, packed, and the batches shuffled, all from ``(seed, epoch)``.
    Ranks share each batch, every one of them taking one item of ``world``: a step is the same
    however many there are. A rank that none is left for takes another's at weight 0, to keep step.

    Yields item indices, and 1.0 or 0.0.
    """
    rng = np.random.default_rng([seed, epoch])
    noisy = np.asarray(lengths) * rng.uniform(0.9, 1.1, len(lengths))
    order = sorted(range(len(lengths)), key=lambda i: (noisy[i], i))
    batches = pack(lengths, budget, order)
    for index in rng.permutation(len(batches)):
        mine = batches[index][rank::world]
        yield (mine, 1.0) if mine else (batches[index][:1], 0.0)
