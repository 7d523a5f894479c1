"""Statistics of a training set, read once and added up in float64."""

import os
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from nnsvs_lite.features.extract import check_lengths
from nnsvs_lite.features.spec import SCORE_TABLES, Moments, PhoneStats, Spec, Stats
from nnsvs_lite.features.voicing import count_voicing, fit_voicing, frame_cells, kinds
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader, read_table

STATISTICS = 1
"""Number of the statistics; raised whenever the same features would give others."""
_CONSTANT = 1e-8


class Accumulator:
    """Mean, deviation and range of rows that arrive in pieces (Chan et al. 1979)."""

    def __init__(self, columns: int):
        self.count = 0
        self.mean = np.zeros(columns)
        self._square = np.zeros(columns)
        self._min = np.full(columns, np.inf)
        self._max = np.full(columns, -np.inf)

    def add(self, rows: np.ndarray) -> None:
        """Adds (n, columns) or, for one column, (n,); n may be 0."""
        rows = np.asarray(rows, np.float64).reshape(-1, len(self.mean))
        n = len(rows)
        if n == 0:
            return
        mean = rows.mean(axis=0)
        delta, total = mean - self.mean, self.count + n
        self._square += ((rows - mean) ** 2).sum(axis=0) + delta**2 * (self.count * n / total)
        self.mean += delta * (n / total)
        self.count = total
        self._min = np.minimum(self._min, rows.min(axis=0))
        self._max = np.maximum(self._max, rows.max(axis=0))

    @property
    def deviation(self) -> np.ndarray:
        """The population's standard deviation, (columns,)."""
        return np.sqrt(self._square / max(self.count, 1))

    def moments(self) -> Moments:
        """All four; mean 0 and std 1 where nothing was added. See :class:`Moments`."""
        if self.count == 0:
            zero = np.zeros_like(self.mean)
            rows = zero, zero + 1.0, zero, zero
        else:
            std = self.deviation
            # Rounding alone moves a constant column by parts of its size.
            constant = std <= _CONSTANT * np.maximum(1.0, np.abs(self.mean))
            rows = self.mean, np.where(constant, 1.0, std), self._min, self._max
        return Moments(*(tuple(row.tolist()) for row in rows))


def _phone_stats(duration: Accumulator, vuv: Accumulator, **streams: Accumulator) -> PhoneStats:
    return PhoneStats(
        count=duration.count,
        frames=vuv.count,
        duration_mean=float(duration.mean[0]),
        duration_std=float(duration.deviation[0]),
        vuv_mean=float(vuv.mean[0]),
        stream_mean={name: tuple(a.mean.tolist()) for name, a in streams.items()},
    )


def note_lf0(pitch: np.ndarray) -> np.ndarray:
    """Natural log of a MIDI pitch in Hz, ``ln(440 * 2**((m - 69) / 12))``."""
    return np.log(440.0) + (np.asarray(pitch, np.float64) - 69.0) * (np.log(2.0) / 12.0)


def compute_stats(dump: str | os.PathLike, train_set: str = "train") -> Stats:
    """Statistics of one set of a dump. Raises DataError where the set is missing, empty or damaged."""
    spec = Spec.read(dump, stats=False)
    spec.check_set(Path(dump) / train_set)
    folder = Path(dump) / train_set
    if not folder.is_dir():
        raise DataError("no such set in the dump; extract it first", folder)
    names = (*SCORE_TABLES, *spec.streams)
    readers = {name: FeatureReader(folder / f"{name}.scp") for name in names}
    languages = read_table(folder / "utt2lang") if spec.languages[1:] else {}
    utts = list(readers["duration"])
    if not utts:
        raise DataError("holds no utterance", folder / "duration.scp")

    sizes = {f"{level}_context": len(spec.columns(level)) for level in ("note", "phone")}
    sizes |= {"time_lag": 1, **spec.streams}
    tables, residual = {name: Accumulator(size) for name, size in sizes.items()}, Accumulator(1)
    spectral = {name: size for name, size in spec.streams.items() if name not in ("lf0", "vuv")}
    gv = {name: Accumulator(size) for name, size in spectral.items()}
    of_phone = {"duration": 1, "vuv": 1, **spectral}
    phones = defaultdict(lambda: {name: Accumulator(size) for name, size in of_phone.items()})
    kind, voicing = np.array(kinds(spec)), Counter()
    pitch_column, phone_column = spec.column("note", "pitch"), spec.column("phone", "phone")

    for utt in utts:
        value = {name: reader[utt] for name, reader in readers.items()}
        code, where = languages.get(utt, spec.codes[0]), f"{folder}: {utt}"
        check_lengths(value, spec, code, where)
        for level in ("note", "phone"):
            value[f"{level}_context"] = spec.joined(level, value[f"{level}_context"], code)
        value["time_lag"] = value["time_lag"][1:]
        for name, accumulator in tables.items():
            accumulator.add(value[name])
        durations = value["duration"][:, 0].astype(np.int64)
        note_index = value["note_index"][:, 0].astype(np.int64)
        pitch = np.repeat(value["note_context"][note_index, pitch_column], durations)
        sung = (value["vuv"][:, 0] >= 0.5) & (pitch > 0)
        residual.add(value["lf0"][sung, 0].astype(np.float64) - note_lf0(pitch[sung]))
        for name, accumulator in gv.items():
            if (pitch > 0).any():
                accumulator.add(value[name][pitch > 0].astype(np.float64).var(axis=0, keepdims=True))
        ends = np.cumsum(durations)
        numbers = value["phone_context"][:, phone_column].astype(np.int64) - 1
        if not set(numbers) <= set(range(len(spec.phones))):
            raise DataError("has phones that schema.json lacks; extract the features again", where)
        cells = frame_cells(numbers + 1, durations, kind, spec.frame_shift)
        voicing.update(count_voicing(cells, value["vuv"][:, 0] >= 0.5))
        for number, start, end in zip(numbers, ends - durations, ends):
            for name, accumulator in phones[spec.phones[number]].items():
                accumulator.add(np.array([end - start]) if name == "duration" else value[name][start:end])
    moments = {name: table.moments() for name, table in tables.items()}
    return Stats(
        streams={name: moments.pop(name) for name in spec.streams},
        phones={p: _phone_stats(**phones[p]) for p in spec.phones if p in phones},
        **moments,
        lf0_residual=residual.moments(),
        gv={name: tuple(a.mean.tolist()) for name, a in gv.items() if a.count},
        voicing=fit_voicing(voicing, spec),
    )


def stats_done(dump: str | os.PathLike, train_set: str) -> Done:
    """The marker of ``stats.json``."""
    dump = Path(dump)
    inputs = [dump / "schema.json", *sorted((dump / train_set).glob("*.[as][rc][kp]"))]
    return Done(dump, "stats", inputs, {"statistics": STATISTICS, "train_set": train_set})
