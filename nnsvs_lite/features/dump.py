"""The dump dir: what stage 2 leaves for the models.

``<dump>/schema.json`` names every column and size, ``<dump>/stats.json`` holds
statistics of the training set, and ``<dump>/<set>/`` one ``scp`` and ``ark`` a feature.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.io.atomic import read_json, write_json
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.context import Column

VERSION = 1
SCORE_TABLES = ("note_context", "phone_context", "note_index", "note_time", "time_lag", "duration")
"""Features of notes and phones, beside the frame-level streams that the schema lists."""


def _json_path(path: str | os.PathLike, name: str) -> Path:
    path = Path(path)
    return path if path.suffix == ".json" else path / name


@dataclass(frozen=True)
class DumpSchema:
    """What a dump holds, ``schema.json``.

    Attributes:
        lang: language of its phones.
        feature_config: what was extracted, and how.
        phones: all symbols of the language; a phone's id is its index plus 1.
        note_columns, phone_columns: columns of ``note_context`` and ``phone_context``.
        streams: frame-level features and their sizes, in order.
        speakers, languages: sorted.
    """

    lang: str
    feature_config: FeatureConfig
    phones: tuple[str, ...]
    note_columns: tuple[Column, ...]
    phone_columns: tuple[Column, ...]
    streams: dict[str, int]
    speakers: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    version: int = VERSION

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.feature_config.sample_rate

    @property
    def frame_shift(self) -> float:
        """Seconds."""
        return self.feature_config.frame_shift

    def note_column(self, name: str) -> int:
        """Index of a column of ``note_context``; KeyError if there is none."""
        return _index(self.note_columns, name)

    def phone_column(self, name: str) -> int:
        """Index of a column of ``phone_context``; KeyError if there is none."""
        return _index(self.phone_columns, name)

    def to_dict(self) -> dict[str, Any]:
        """As in ``schema.json``; :meth:`from_dict` reads it back."""
        return {
            "version": self.version,
            "lang": self.lang,
            "sample_rate": self.sample_rate,
            "frame_shift": self.frame_shift,
            "feature_config": self.feature_config.to_dict(),
            "phones": list(self.phones),
            "note_columns": [_column_row(c) for c in self.note_columns],
            "phone_columns": [_column_row(c) for c in self.phone_columns],
            "streams": dict(self.streams),
            "speakers": list(self.speakers),
            "languages": list(self.languages),
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any], where: str | os.PathLike = "schema") -> DumpSchema:
        """Reads what :meth:`to_dict` made. Raises: DataError where it is not a schema."""
        try:
            if value["version"] != VERSION:
                raise DataError(f"version {value['version']}, {VERSION} is needed: extract again", where)
            return cls(
                lang=value["lang"],
                feature_config=FeatureConfig.from_dict(value["feature_config"], where),
                phones=tuple(value["phones"]),
                note_columns=tuple(Column(**row) for row in value["note_columns"]),
                phone_columns=tuple(Column(**row) for row in value["phone_columns"]),
                streams={str(name): int(size) for name, size in value["streams"].items()},
                speakers=tuple(value["speakers"]),
                languages=tuple(value["languages"]),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise DataError(f"not a dump schema: {error!r}", where) from None

    @classmethod
    def read(cls, path: str | os.PathLike) -> DumpSchema:
        """Reads ``schema.json``, named itself or by its folder.

        Raises:
            DataError: where it is missing or is not a schema.
        """
        path = _json_path(path, "schema.json")
        return cls.from_dict(read_json(path), path)

    def write(self, path: str | os.PathLike) -> None:
        """Writes ``schema.json``, named itself or by its folder, atomically."""
        write_json(_json_path(path, "schema.json"), self.to_dict())


def _column_row(column: Column) -> dict[str, Any]:
    return {"name": column.name, "kind": column.kind, "size": column.size, "unit": column.unit}


def _index(columns: tuple[Column, ...], name: str) -> int:
    for i, column in enumerate(columns):
        if column.name == name:
            return i
    raise KeyError(name)


@dataclass(frozen=True)
class Moments:
    """Statistics over rows, column by column; each float64 (columns,).

    ``std`` is the population's, and 1 for a column that never changes, so that
    dividing by it is always safe.
    """

    mean: np.ndarray
    std: np.ndarray
    min: np.ndarray
    max: np.ndarray

    def to_dict(self) -> dict[str, list[float]]:
        return {name: getattr(self, name).tolist() for name in ("mean", "std", "min", "max")}

    @classmethod
    def from_dict(cls, row: dict[str, list[float]]) -> Moments:
        return cls(*(np.array(row[name], np.float64) for name in ("mean", "std", "min", "max")))


@dataclass(frozen=True)
class PhoneStats:
    """What one phone is like on average.

    Attributes:
        count: times it occurs. frames: frames it lasts, all in all.
        duration_mean, duration_std: frames; the deviation is 0 for a single occurrence.
        stream_mean: stream (``mgc``, ``bap``, ``mel``) to its mean over the phone's frames.
        vuv_mean: share of voiced frames.
    """

    count: int
    frames: int
    duration_mean: float
    duration_std: float
    vuv_mean: float
    stream_mean: dict[str, np.ndarray] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        means = {f"{name}_mean": mean.tolist() for name, mean in self.stream_mean.items()}
        names = ("count", "frames", "duration_mean", "duration_std", "vuv_mean")
        return {name: getattr(self, name) for name in names} | means

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> PhoneStats:
        plain = ("count", "frames", "duration_mean", "duration_std", "vuv_mean")
        means = {
            name.removesuffix("_mean"): np.array(value, np.float64)
            for name, value in row.items()
            if name not in plain
        }
        return cls(*(row[name] for name in plain), means)


@dataclass(frozen=True)
class Stats:
    """Statistics of the training set, ``stats.json``.

    Attributes:
        streams: frame-level features, over all frames.
        note_context, phone_context: over all notes and all phones.
        phones: per symbol, only those that occur.
        time_lag: frames, over all notes but the first of each utterance.
        lf0_residual: ``lf0`` less the log F0 of the note, over voiced frames of notes.
        gv: of each spectral stream, the variance over the notes of an utterance, rests left out,
            as a mean over utterances, (columns,): what the GV post-filter restores. Empty in
            statistics of versions that did not have it.
    """

    streams: dict[str, Moments]
    note_context: Moments
    phone_context: Moments
    phones: dict[str, PhoneStats]
    time_lag: Moments
    lf0_residual: Moments
    gv: dict[str, np.ndarray] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As in ``stats.json``; :meth:`from_dict` reads it back."""
        return {
            "streams": {name: m.to_dict() for name, m in self.streams.items()},
            "note_context": self.note_context.to_dict(),
            "phone_context": self.phone_context.to_dict(),
            "time_lag": self.time_lag.to_dict(),
            "lf0_residual": self.lf0_residual.to_dict(),
            "gv": {name: row.tolist() for name, row in self.gv.items()},
            "phones": {phone: p.to_dict() for phone, p in self.phones.items()},
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any], where: str | os.PathLike = "stats") -> Stats:
        """Reads what :meth:`to_dict` made. Raises: DataError where it is not that."""
        try:
            return cls(
                streams={name: Moments.from_dict(row) for name, row in value["streams"].items()},
                note_context=Moments.from_dict(value["note_context"]),
                phone_context=Moments.from_dict(value["phone_context"]),
                phones={phone: PhoneStats.from_dict(row) for phone, row in value["phones"].items()},
                time_lag=Moments.from_dict(value["time_lag"]),
                lf0_residual=Moments.from_dict(value["lf0_residual"]),
                gv={name: np.array(row, np.float64) for name, row in value.get("gv", {}).items()},
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise DataError(f"not feature statistics: {error!r}", where) from None

    @classmethod
    def read(cls, path: str | os.PathLike) -> Stats:
        """Reads ``stats.json``, named itself or by its folder.

        Raises:
            DataError: where it is missing or is not what ``nnsvs-lite stats`` writes.
        """
        path = _json_path(path, "stats.json")
        return cls.from_dict(read_json(path), path)

    def write(self, path: str | os.PathLike) -> None:
        """Writes ``stats.json``, named itself or by its folder, atomically."""
        write_json(_json_path(path, "stats.json"), self.to_dict(), indent=None)
