"""What a dump holds and what models must know of it: features, phones, columns, statistics.

It lies in ``<dump>/schema.json`` and ``<dump>/stats.json`` beside the sets' folders, and in every checkpoint.
It keeps the phones' classes as they were: a language file that changes later changes no voice. Tables of
several languages keep each one's own numbers; :meth:`Spec.joined` gives the numbering of them all.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.io.atomic import read_summed, write_summed
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.settings import Settings, Within
from nnsvs_lite.score import context
from nnsvs_lite.score.languages import Language, get_language
from nnsvs_lite.score.languages.base import CLASS_NAMES, SILENCES
from nnsvs_lite.score.types import Score

VERSION = 2
SCORE_TABLES = ("note_context", "phone_context", "note_index", "note_time", "time_lag", "duration")
"""Features of notes and phones, beside the frame-level streams."""
FRAMES, PHONES = "utt2num_frames", "utt2num_phones"
"""Tables of the lengths of a set's utterances; older dumps have none."""
PHONE_COLUMNS = ("first_phone", "nucleus", "prev_last_phone")
PHONE_COLUMNS += ("phone", "prev_phone", "next_phone", "prev2_phone", "next2_phone")
"""Context columns whose values are numbers of phones."""
_FAR = {"voiced": 4.0}
"""Features that tell more of how alike phones are than others, which count 1."""
_SONORITY = {"affricate": 0.5, "fricative": 1.0, "nasal": 3.0, "liquid": 4.0, "glide": 5.0, "vowel": 6.0}
"""Places on the sonority scale, in the same unit: a fricative is nearer to a plosive than to a nasal."""
LATENT = "latent"
"""The stream of a model that makes its waveforms itself: numbers that mean something to that model alone."""
VOICING_CELLS = 150
"""Places near a phone's end that are told apart, see :mod:`nnsvs_lite.features.voicing`."""
MAX_ITEMS, MAX_TEXT = 10_000, 1_000
"""Largest list, and longest text, in a specification that is read."""

Count = Annotated[int, Within(0, 2**53 - 1)]
Number = Annotated[float, Within(-1e6, 1e6)]
Spread = Annotated[float, Within(above=0, high=1e6)]


@dataclass(frozen=True)
class Moments:
    """Statistics over rows, one number a column; ``std`` is the population's, 1 for a constant column."""

    mean: tuple[Number, ...]
    std: tuple[Spread, ...]
    min: tuple[Number, ...]
    max: tuple[Number, ...]


@dataclass(frozen=True)
class PhoneStats:
    """What one phone is like on average.

    Attributes:
        count: times it occurs. frames: frames it lasts, all in all.
        duration_mean, duration_std: frames; the deviation is 0 for a single occurrence.
        vuv_mean: share of voiced frames.
        stream_mean: spectral stream to its mean over the phone's frames.
    """

    count: Count
    frames: Count
    duration_mean: Annotated[float, Within(0, 1e6)]
    duration_std: Annotated[float, Within(0, 1e6)]
    vuv_mean: Annotated[float, Within(0, 1)]
    stream_mean: dict[str, tuple[Number, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Stats:
    """Statistics of the training set.

    Attributes:
        streams: frame-level features, over all frames.
        note_context, phone_context: over all notes and all phones. phones: by name, only those that occur.
        time_lag: frames, over all notes but the first of each utterance.
        lf0_residual: ``lf0`` less the log F0 of the note, over voiced frames of notes.
        gv: of each spectral stream, the variance over the notes of an utterance, rests left out, as a mean
            over utterances: what the GV post-filter restores.
        voicing: effects on its logit, see :mod:`nnsvs_lite.features.voicing`; none in older dumps.
    """

    streams: dict[str, Moments]
    note_context: Moments
    phone_context: Moments
    phones: dict[str, PhoneStats]
    time_lag: Moments
    lf0_residual: Moments
    gv: dict[str, tuple[Annotated[float, Within(0, 1e6)], ...]] = field(default_factory=dict)
    voicing: tuple[Number, ...] = ()

    def write(self, dump: str | os.PathLike) -> None:
        """Writes ``stats.json`` of a dump, atomically."""
        write_summed(Path(dump) / "stats.json", asdict(self), indent=None)


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
        feature_config: what was extracted, and how. streams: frame-level features and their sizes, in order.
        languages: their phones, sorted by code. speakers: sorted.
        stats: of the training set; None before ``nnsvs-lite stats``.
        shared_phones: whether phones of several languages that have the same phonetic features are one.
    """

    feature_config: FeatureConfig
    streams: dict[str, Count]
    languages: tuple[PhoneSet, ...]
    speakers: tuple[str, ...] = ()
    stats: Stats | None = None
    shared_phones: bool = False

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.feature_config.sample_rate

    @property
    def frame_shift(self) -> float:
        """Seconds."""
        return self.feature_config.frame_shift

    def with_latents(self, size: int) -> Spec:
        """What a model gives that makes its waveforms itself: F0, voicing and ``size`` numbers a frame, of
        mean 0 and deviation 1 as far as statistics go, in place of all spectra.
        """
        zeros, ones = (0.0,) * size, (1.0,) * size
        stats = self.stats
        if stats is not None:
            moments = {name: stats.streams[name] for name in ("lf0", "vuv")}
            moments[LATENT] = Moments(zeros, ones, tuple(-x for x in ones), ones)
            phones = {p: replace(seen, stream_mean={LATENT: zeros}) for p, seen in stats.phones.items()}
            stats = replace(stats, streams=moments, phones=phones, gv={})
        return replace(self, streams={"lf0": 1, "vuv": 1, LATENT: size}, stats=stats)

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
        """Names of all phones: the silences, then each language's own, of several named as in ``ja/a``, one
        that they share as in ``ja/a=zh/a``. A phone's id in context columns is its index plus 1.
        """
        return (*SILENCES, *dict.fromkeys(self._names.values()))

    def name_of(self, code: str, symbol: str) -> str:
        """What a language's phone is called in :attr:`phones`."""
        return self._names.get((code, symbol), symbol)

    @cached_property
    def _names(self) -> dict[tuple[str, str], str]:
        """Of each language's phone its name in :attr:`phones`."""
        if not self.languages[1:]:
            return {(s.code, p.symbol): p.symbol for s, p in self._own}
        alike: dict[Any, list[str]] = {}
        for phones, phone in self._own:
            alike.setdefault(self._kind(phones, phone), []).append(f"{phones.code}/{phone.symbol}")
        return {(s.code, p.symbol): "=".join(alike[self._kind(s, p)]) for s, p in self._own}

    def _kind(self, phones: PhoneSet, phone: PhoneClass) -> Any:
        """What is equal for phones that are one."""
        if not self.shared_phones:
            return phones.code, phone.symbol
        features = frozenset(phone.features.split())
        # An l, a trill and a tap are all liquids of one place: of these the name decides.
        return features, phone.symbol in phones.held, phone.symbol if "liquid" in features else ""

    @property
    def called(self) -> list[str]:
        """For each of :attr:`phones` its name with its languages, also where there is but one: ``ja/a``."""
        (first, *more) = self.languages
        own = self.phones[len(SILENCES) :]
        return [*SILENCES, *(own if more else (f"{first.code}/{name}" for name in own))]

    def symbols(self, phone_context: np.ndarray, code: str) -> list[str]:
        """The phones of a ``phone`` context, (P, columns), as scores of a language have them."""
        known = {number: symbol for symbol, number in self._numbers[code].items()}
        return [known[int(i)] for i in phone_context[:, self.column("phone", "phone")]]

    @cached_property
    def _numbers(self) -> dict[str, dict[str, int]]:
        """Of each language, of its silences and phones in its order, the ids among all."""
        place = {name: i for i, name in enumerate(self.phones, start=1)}
        symbols = {s.code: (*SILENCES, *(phone.symbol for phone in s.phones)) for s in self.languages}
        return {code: {s: place[self.name_of(code, s)] for s in own} for code, own in symbols.items()}

    @property
    def _own(self) -> list[tuple[PhoneSet, PhoneClass]]:
        return [(language, phone) for language in self.languages for phone in language.phones]

    @property
    def _each(self) -> list[tuple[PhoneSet, PhoneClass]]:
        """One language's phone for each of :attr:`phones` but silences."""
        first = {self.name_of(s.code, p.symbol): (s, p) for s, p in reversed(self._own)}
        return [first[name] for name in self.phones[len(SILENCES) :]]

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
        # What is no phone of the language stays none of all.
        numbers = np.array([0, *self._numbers[code].values(), len(self.phones) + 1], rows.dtype)
        out = np.zeros((len(rows), len(self.columns(level))), rows.dtype)
        for column, value in zip(language.columns(level), rows.T):
            if column.name in PHONE_COLUMNS:
                value = numbers[value.astype(np.int64).clip(0, len(numbers) - 1)]
            out[:, self.column(level, column.name)] = value
        return out

    def context(self, level: str, score: Score) -> np.ndarray:
        """``note`` or ``phone`` context of a score, (rows, columns) float32; DataError for unknown phones."""
        made = {"note": context.note_context, "phone": context.phone_context}[level]
        return self.joined(level, made(score, self.phone_set(score.lang).language), score.lang)

    @property
    def sustaining(self) -> list[bool]:
        """For each phone id 0..len(phones): whether it fills its note (vowels, silences)."""
        held = [phone.symbol in language.language.vowels for language, phone in self._each]
        return [False, *(True for _ in SILENCES), *held]

    @property
    def phone_classes(self) -> list[tuple[float, ...]]:
        """For each phone id 0..len(phones): 0/1 for each phonetic feature (``CLASS_NAMES``)."""
        first = self.languages[0].language
        rows = [language.language.classes(phone.symbol) for language, phone in self._each]
        return [(0.0,) * len(first.class_names), *(first.classes(s) for s in SILENCES), *rows]

    def stand_ins(self, timing: bool = False) -> list[int]:
        """For each phone id 0..len(phones) the phone that stands for it: itself, or, of one that training
        never held, the nearest by phonetic features that it held; a silence for a silence only, and in
        ``timing`` what fills notes for what fills notes. Itself too where there is no such phone.
        """
        sustained, silent = np.array(self.sustaining), np.arange(len(self.phones) + 1) <= len(SILENCES)
        kind, frames = silent * 2 + sustained * timing, np.array(self.phone_stat("frames", 0.0))
        classes, weights = np.array(self.phone_classes), np.array([_FAR.get(n, 1.0) for n in CLASS_NAMES])
        sonority = classes @ np.array([_SONORITY.get(name, 0.0) for name in CLASS_NAMES])
        out = list(range(len(frames)))
        for phone in out[1:]:
            like = np.flatnonzero((kind == kind[phone]) & (frames > 0))
            if not frames[phone] and len(like):
                far = np.abs(classes[like] - classes[phone]) @ weights + np.abs(
                    sonority[like] - sonority[phone]
                )
                # Among equals the one that training knows best.
                out[phone] = int(like[np.lexsort((-frames[like], far))[0]])
        return out

    @property
    def unheard(self) -> dict[str, str]:
        """The phones that training never held, and what each is sung as."""
        return {
            p: self.phones[k - 1]
            for p, k in zip(self.phones, self.stand_ins()[1:])
            if p != self.phones[k - 1]
        }

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

    def to_dict(self) -> dict[str, Any]:
        """Plain values, which :meth:`from_dict` reads back; what follows from others is there too."""
        value = {
            "version": VERSION,
            "sample_rate": self.sample_rate,
            "frame_shift": self.frame_shift,
            **asdict(self),
            "feature_config": self.feature_config.to_dict(),
            "phones": list(self.phones),
            **{f"{level}_columns": [asdict(c) for c in self.columns(level)] for level in ("note", "phone")},
        }
        if not self.shared_phones:
            # As it was written before phones could be shared.
            del value["shared_phones"]
        return value

    @classmethod
    def from_dict(cls, value: Any, where: str | os.PathLike, remedy: str = "extract again") -> Spec:
        """Reads what :meth:`to_dict` made, as foreign input.

        Raises DataError where it is not that, of another version, or of other columns than contexts have now;
        ``remedy`` says what to do.
        """
        if not isinstance(value, dict) or value.get("version") != VERSION:
            version = value.get("version") if isinstance(value, dict) else None
            raise DataError(f"features of version {version!r}, {VERSION} is needed: {remedy}", where)
        try:
            given = {f.name: value[f.name] for f in fields(cls) if f.name in value}
            spec = Settings(given, os.fspath(where)).build(cls)
            _check_size(asdict(spec))
            analysed = FeatureConfig.from_dict(given["feature_config"], where).streams
            own = {n: spec.streams.get(n) for n in ("lf0", "vuv", LATENT)}
            if spec.streams not in (analysed, own):
                raise ValueError("its streams are not those of its feature_config")
            own = [(s.code, symbol) for s in spec.languages for symbol in SILENCES]
            own += [(s.code, phone.symbol) for s, phone in spec._own]
            if not own or len(set(own)) < len(own):
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
        if len(stats.voicing) not in (0, len(self.phones) + 1 + 2 * VOICING_CELLS):
            raise ValueError("its statistics of voicing are of other phones")
        means = [*(seen.stream_mean for seen in stats.phones.values()), stats.gv]
        rows += [(name, row, self.streams.get(name)) for mean in means for name, row in mean.items()]
        for name, row, size in rows:
            if len(row) != size:
                raise ValueError(f"its statistics of {name} have {len(row)} columns, not {size}")

    @classmethod
    def read(cls, dump: str | os.PathLike, stats: bool = True) -> Spec:
        """Reads ``schema.json`` and, unless told not to, ``stats.json``; raises as :meth:`from_dict`."""
        path = Path(dump) / "schema.json"
        value = read_summed(path)
        if stats and isinstance(value, dict):
            value["stats"] = read_summed(Path(dump) / "stats.json")
        return cls.from_dict(value, path)

    def write(self, folder: str | os.PathLike) -> None:
        """Writes ``schema.json``, without the statistics, atomically."""
        write_summed(Path(folder) / "schema.json", replace(self, stats=None).to_dict())

    def check_fits(self, data: Spec, path: str | os.PathLike) -> None:
        """Raises DataError where a model of this spec was made for other phones or frames than ``data``."""
        for name in ("languages", "shared_phones", "frame_shift", "sample_rate"):
            if getattr(self, name) != getattr(data, name):
                what = "phones" if name in ("languages", "shared_phones") else name
                raise DataError(f"the model was trained on features with other {what}; train it again", path)

    def check_set(self, folder: Path) -> None:
        """Raises DataError where a set of the dump, by its own ``schema.json``, was analysed otherwise."""
        if (folder / "schema.json").exists():
            own, held = (s.feature_config.to_dict() for s in (Spec.read(folder, stats=False), self))
            if keys := ", ".join(key for key in held if own.get(key) != held[key]):
                what = f"was analysed with other {keys} than {folder.parent / 'schema.json'}"
                raise DataError(f"{what}: run stage 2 for all sets with one configuration", folder)


def current_phones(codes: Iterable[str]) -> tuple[PhoneSet, ...]:
    """The phones of languages as they are now, sorted by code."""
    return tuple(PhoneSet.of(get_language(code)) for code in sorted(set(codes)))


def _check_size(value: Any) -> None:
    """Raises ValueError for a list, mapping or text that is larger than a specification has."""
    if not isinstance(value, (str, tuple, dict)):
        return
    if len(value) > (MAX_TEXT if isinstance(value, str) else MAX_ITEMS):
        raise ValueError(f"it has a value that is too large: {str(value)[:40]!r}")
    for item in () if isinstance(value, str) else value:
        _check_size(item)
        _check_size(value[item] if isinstance(value, dict) else None)
