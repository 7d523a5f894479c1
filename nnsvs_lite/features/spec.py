"""What a dump holds and what models must know of it: features, phones, columns, statistics.

Stage 2 writes it as ``<dump>/schema.json`` (everything but the statistics) and
``<dump>/stats.json``; beside them lies ``<dump>/<set>/`` with one ``scp`` and ``ark`` a feature.
Models take all dimensions from it, and it goes into every checkpoint, so that one file is enough
to sing. It keeps the phones' classes as they were: a language file that changes later changes no
voice.

A dump may hold several languages. Its tables keep each utterance's context as its own language
numbers it; :meth:`Spec.joined` gives the numbering of them all.
"""

from __future__ import annotations

import math
import os
import typing
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.io.atomic import read_json, write_json
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score import context
from nnsvs_lite.score.languages import Language, get_language
from nnsvs_lite.score.languages.base import SILENCES
from nnsvs_lite.score.types import Score

VERSION = 2
SCORE_TABLES = ("note_context", "phone_context", "note_index", "note_time", "time_lag", "duration")
"""Features of notes and phones, beside the frame-level streams."""

PHONE_COLUMNS = ("first_phone", "nucleus", "prev_last_phone")
PHONE_COLUMNS += ("phone", "prev_phone", "next_phone", "prev2_phone", "next2_phone")
"""Context columns whose values are numbers of phones."""

MAX_ITEMS, MAX_TEXT = 10_000, 1_000
"""Largest list, and longest text, in a specification that is read."""


@dataclass(frozen=True)
class Moments:
    """Statistics over rows, one number a column.

    ``std`` is the population's, and 1 for a column that never changes, so that
    dividing by it is always safe.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    min: tuple[float, ...]
    max: tuple[float, ...]


@dataclass(frozen=True)
class PhoneStats:
    """What one phone is like on average.

    Attributes:
        count: times it occurs. frames: frames it lasts, all in all.
        duration_mean, duration_std: frames; the deviation is 0 for a single occurrence.
        vuv_mean: share of voiced frames.
        stream_mean: spectral stream to its mean over the phone's frames.
    """

    count: int
    frames: int
    duration_mean: float
    duration_std: float
    vuv_mean: float
    stream_mean: dict[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Stats:
    """Statistics of the training set.

    Attributes:
        streams: frame-level features, over all frames.
        note_context, phone_context: over all notes and all phones.
        phones: by name, only those that occur.
        time_lag: frames, over all notes but the first of each utterance.
        lf0_residual: ``lf0`` less the log F0 of the note, over voiced frames of notes.
        gv: of each spectral stream, the variance over the notes of an utterance, rests left out,
            as a mean over utterances: what the GV post-filter restores.
    """

    streams: dict[str, Moments]
    note_context: Moments
    phone_context: Moments
    phones: dict[str, PhoneStats]
    time_lag: Moments
    lf0_residual: Moments
    gv: dict[str, tuple[float, ...]] = field(default_factory=dict)

    def write(self, dump: str | os.PathLike) -> None:
        """Writes ``stats.json`` of a dump, atomically."""
        write_json(Path(dump) / "stats.json", asdict(self), indent=None)


@dataclass(frozen=True)
class PhoneClass:
    """A phone and the names of its phonetic features, space separated; see ``CLASS_NAMES``."""

    symbol: str
    features: str


@dataclass(frozen=True)
class PhoneSet:
    """The phones of one language, silences left out, as they were when features were made.

    Attributes:
        code: of the language. phones: in its order.
        held: those that can be held besides voiced vowels. tones: names of its tones.
    """

    code: str
    phones: tuple[PhoneClass, ...]
    held: tuple[str, ...] = ()
    tones: tuple[str, ...] = ()

    @staticmethod
    def of(language: Language) -> PhoneSet:
        """The phones of a language as it is now."""
        phones = tuple(PhoneClass(*row) for row in language.features.items())
        return PhoneSet(language.code, phones, tuple(sorted(language.held)), tuple(language.tones))

    @cached_property
    def language(self) -> Language:
        """What contexts ask of a language, from these phones; it reads no lyrics."""
        return _StoredLanguage(self)

    def columns(self, level: str) -> list[context.Column]:
        """Columns of its ``note`` or ``phone`` context."""
        return {"note": context.note_columns, "phone": context.phone_columns}[level](self.language)


class _StoredLanguage(Language):
    def __init__(self, phones: PhoneSet) -> None:
        self.code, self.name, self.tones = phones.code, phones.code, phones.tones
        self.features = {phone.symbol: phone.features for phone in phones.phones}
        self.held = frozenset(phones.held)
        super().__init__()


@dataclass(frozen=True)
class Spec:
    """All that is known of a dump's data.

    Attributes:
        feature_config: what was extracted, and how.
        streams: frame-level features and their sizes, in order.
        languages: their phones, sorted by code.
        speakers: sorted.
        stats: of the training set; None before ``nnsvs-lite stats``.
    """

    feature_config: FeatureConfig
    streams: dict[str, int]
    languages: tuple[PhoneSet, ...]
    speakers: tuple[str, ...] = ()
    stats: Stats | None = None

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.feature_config.sample_rate

    @property
    def frame_shift(self) -> float:
        """Seconds."""
        return self.feature_config.frame_shift

    # -- phones and columns ---------------------------------------------------------------

    @property
    def codes(self) -> list[str]:
        """Codes of the languages."""
        return [language.code for language in self.languages]

    def phone_set(self, code: str) -> PhoneSet:
        """The phones of one language. Raises: DataError where it is not among them."""
        if code not in self.codes:
            raise DataError(f"the language {code!r} is not among those of the features: {self.codes}")
        return self.languages[self.codes.index(code)]

    @cached_property
    def phones(self) -> tuple[str, ...]:
        """Names of all phones: the silences, which languages share, then each language's own.

        A phone's id in context columns is its index plus 1. Where there are several languages,
        their phones are named ``ja/a``.
        """
        names = [f"{s.code}/{p.symbol}" if self.languages[1:] else p.symbol for s, p in self._own]
        return (*SILENCES, *names)

    @property
    def _own(self) -> list[tuple[PhoneSet, PhoneClass]]:
        return [(language, phone) for language in self.languages for phone in language.phones]

    def columns(self, level: str) -> list[context.Column]:
        """Columns of the ``note`` or ``phone`` context: those of all languages."""
        return self._columns[level]

    @cached_property
    def _columns(self) -> dict[str, list[context.Column]]:
        found: dict[str, dict[str, context.Column]] = {"note": {}, "phone": {}}
        for level, columns in found.items():
            for column in (c for language in self.languages for c in language.columns(level)):
                size = len(self.phones) + 1 if column.name in PHONE_COLUMNS else column.size
                known = columns.get(column.name, column)
                columns[column.name] = replace(column, size=max(size, known.size))
        return {level: list(columns.values()) for level, columns in found.items()}

    def column(self, level: str, name: str) -> int:
        """Index of a named column. Raises: DataError if there is none."""
        names = [column.name for column in self.columns(level)]
        if name not in names:
            raise DataError(f"the dump has no {level} column {name!r}; extract the features again")
        return names.index(name)

    def joined(self, level: str, rows: np.ndarray, code: str) -> np.ndarray:
        """Context of one language, (rows, its own columns), in the columns and phone ids of all."""
        language = self.phone_set(code)
        if len(self.languages) == 1:
            return rows
        offset = sum(len(other.phones) for other in self.languages[: self.codes.index(code)])
        out = np.zeros((len(rows), len(self.columns(level))), rows.dtype)
        for column, value in zip(language.columns(level), rows.T):
            if column.name in PHONE_COLUMNS:
                value = value + offset * (value > len(SILENCES))
            out[:, self.column(level, column.name)] = value
        return out

    def context(self, level: str, score: Score) -> np.ndarray:
        """``note`` or ``phone`` context of a score with phones, (rows, columns) float32.

        Raises:
            DataError: for another language, or a phone that it lacks.
        """
        made = {"note": context.note_context, "phone": context.phone_context}[level]
        return self.joined(level, made(score, self.phone_set(score.lang).language), score.lang)

    @property
    def sustaining(self) -> list[bool]:
        """For each phone id 0..len(phones): whether it fills its note (vowels, silences)."""
        held = [phone.symbol in language.language.vowels for language, phone in self._own]
        return [False, *(True for _ in SILENCES), *held]

    @property
    def phone_classes(self) -> list[tuple[float, ...]]:
        """For each phone id 0..len(phones): 0/1 for each phonetic feature (``CLASS_NAMES``)."""
        first = self.languages[0].language
        rows = [language.language.classes(phone.symbol) for language, phone in self._own]
        return [(0.0,) * len(first.class_names), *(first.classes(s) for s in SILENCES), *rows]

    # -- statistics -----------------------------------------------------------------------

    def phone_stat(self, name: str, default: float) -> list[float]:
        """A scalar statistic for each phone id 0..len(phones); ``default`` where unseen."""
        seen = self.stats.phones
        return [default, *(float(getattr(seen.get(phone), name, default)) for phone in self.phones)]

    def phone_mean(self, stream: str) -> list[tuple[float, ...]]:
        """Mean of a stream for each phone id; the overall mean where a phone is unseen."""
        seen, overall = self.stats.phones, self.stats.streams[stream].mean
        return [overall, *(seen[p].stream_mean[stream] if p in seen else overall for p in self.phones)]

    @property
    def phone_count(self) -> float:
        """Phones in the training set."""
        return sum(self.phone_stat("count", 0.0))

    @property
    def note_count(self) -> float:
        """Notes in the training set, as far as phones tell: one for each sustained phone."""
        return sum(c for c, s in zip(self.phone_stat("count", 0.0), self.sustaining) if s)

    @property
    def duration_moments(self) -> tuple[float, float]:
        """Mean and deviation of the training set's phone durations, in frames."""
        count, mean, std = (self.phone_stat(f, 0.0) for f in ("count", "duration_mean", "duration_std"))
        total = max(sum(count), 1.0)
        overall = sum(c * m for c, m in zip(count, mean)) / total
        square = sum(c * (s**2 + m**2) for c, m, s in zip(count, mean, std)) / total
        return overall, max(square - overall**2, 1.0) ** 0.5

    # -- files ----------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Plain values, which :meth:`from_dict` reads back; what follows from others is there too."""
        return {
            "version": VERSION,
            "sample_rate": self.sample_rate,
            "frame_shift": self.frame_shift,
            **asdict(self),
            "feature_config": self.feature_config.to_dict(),
            "phones": list(self.phones),
            **{f"{level}_columns": [asdict(c) for c in self.columns(level)] for level in ("note", "phone")},
        }

    @classmethod
    def from_dict(cls, value: Any, where: str | os.PathLike, remedy: str = "extract again") -> Spec:
        """Reads what :meth:`to_dict` made, as foreign input.

        Raises:
            DataError: where it is not that, of another version, or of other columns than contexts
                have now; ``remedy`` says what to do.
        """
        if not isinstance(value, dict) or value.get("version") != VERSION:
            version = value.get("version") if isinstance(value, dict) else None
            raise DataError(f"features of version {version!r}, {VERSION} is needed: {remedy}", where)
        try:
            names = typing.get_type_hints(cls)
            spec = _typed(cls, {k: v for k, v in value.items() if k in names}, "", where)
            if not spec.languages or len(set(spec.phones)) < len(spec.phones):
                raise ValueError("languages and phones must be there, each once")
            derived = spec.to_dict()
            for name in ("phones", "note_columns", "phone_columns"):
                if value.get(name) != derived[name]:
                    raise DataError(f"made with other {name} than this version has: {remedy}", where)
            if spec.stats is not None:
                spec._check_stats()
        except ValueError as error:
            raise DataError(f"not a specification of features: {error}", where) from None
        return spec

    def _check_stats(self) -> None:
        stats = self.stats
        if set(stats.streams) != set(self.streams) or not set(stats.phones) <= set(self.phones):
            raise ValueError("its statistics are of other streams or phones")
        moments = [(name, stats.streams[name], size) for name, size in self.streams.items()]
        moments += [("note_context", stats.note_context, len(self.columns("note")))]
        moments += [("phone_context", stats.phone_context, len(self.columns("phone")))]
        moments += [("time_lag", stats.time_lag, 1), ("lf0_residual", stats.lf0_residual, 1)]
        rows = [(name, row, size) for name, m, size in moments for row in asdict(m).values()]
        means = [*(seen.stream_mean for seen in stats.phones.values()), stats.gv]
        rows += [(name, row, self.streams.get(name)) for mean in means for name, row in mean.items()]
        for name, row, size in rows:
            if len(row) != size:
                raise ValueError(f"its statistics of {name} have {len(row)} columns, not {size}")

    @classmethod
    def read(cls, dump: str | os.PathLike, stats: bool = True) -> Spec:
        """Reads ``schema.json`` of a dump dir or decode dir and, unless told not to, ``stats.json``.

        Raises:
            DataError: where one is missing, or as :meth:`from_dict`.
        """
        path = Path(dump) / "schema.json"
        value = read_json(path)
        if stats and isinstance(value, dict):
            value["stats"] = read_json(Path(dump) / "stats.json")
        return cls.from_dict(value, path)

    def write(self, folder: str | os.PathLike) -> None:
        """Writes ``schema.json``, without the statistics, atomically."""
        write_json(Path(folder) / "schema.json", replace(self, stats=None).to_dict())

    def check_fits(self, data: Spec, path: str | os.PathLike) -> None:
        """Raises DataError where a model of this spec was made for other phones or frames than ``data``."""
        for name in ("languages", "frame_shift", "sample_rate"):
            if getattr(self, name) != getattr(data, name):
                what = "phones" if name == "languages" else name
                raise DataError(f"the model was trained on features with other {what}; train it again", path)


def current_phones(codes: typing.Iterable[str]) -> tuple[PhoneSet, ...]:
    """The phones of languages as they are now, sorted by code."""
    return tuple(PhoneSet.of(get_language(code)) for code in sorted(set(codes)))


def _typed(hint: Any, value: Any, path: str, where: str | os.PathLike) -> Any:
    """A value of foreign origin as the type that is wanted. Raises: ValueError saying what it is not."""
    kinds = typing.get_args(hint)
    container = typing.get_origin(hint)
    if type(None) in kinds:
        return None if value is None else _typed(kinds[0], value, path, where)
    if hint is FeatureConfig and isinstance(value, dict):
        return FeatureConfig.from_dict(value, where)
    if is_dataclass(hint) and isinstance(value, dict):
        hints = typing.get_type_hints(hint)
        if not set(value) <= set(hints):
            raise ValueError(f"{path} has unknown keys {sorted(map(str, set(value) - set(hints)))[:3]}")
        made = {k: _typed(hints[k], v, f"{path}.{k}".strip("."), where) for k, v in value.items()}
        try:
            return hint(**made)
        except TypeError as error:
            raise ValueError(f"{path}: {error}") from None
    if container is tuple and isinstance(value, (list, tuple)) and len(value) <= MAX_ITEMS:
        return tuple(_typed(kinds[0], item, path, where) for item in value)
    if container is dict and isinstance(value, dict) and len(value) <= MAX_ITEMS:
        return {
            _typed(str, k, path, where): _typed(kinds[1], v, f"{path}.{k}", where) for k, v in value.items()
        }
    if hint is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if hint is int and type(value) is int and 0 <= value < 2**53:
        return value
    if hint is str and type(value) is str and len(value) <= MAX_TEXT:
        return value
    raise ValueError(f"{path} is not what it must be, or too large: {str(value)[:40]!r}")
