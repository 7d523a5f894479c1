"""What stage 2 extracts: one YAML file (``conf/features/*.yaml``), read and checked."""

from __future__ import annotations

import dataclasses
import math
import os
import types
import typing
from dataclasses import dataclass
from typing import Any

from nnsvs_lite.io.atomic import read_text
from nnsvs_lite.io.errors import DataError, nearest

TRACKERS = ("dio", "harvest", "swift-f0")
VUV_LABELS = ("none", "rests", "phones")
LOGS = ("natural", "log10")
MEL_SCALES = ("slaney", "htk")


@dataclass(frozen=True)
class F0Config:
    """How F0 is found.

    Attributes:
        tracker: ``harvest`` (Morise 2017), ``dio`` (Morise 2010, refined by
            StoneMask) or ``swift-f0`` (a small neural tracker, extra ``f0``).
        floor: lowest F0 ever searched, Hz; it also sets WORLD's FFT size.
        ceil: highest F0 ever searched, Hz.
        score_range: search only from the phrase's lowest note less ``margin``
            to its highest note plus ``margin``, within ``floor`` and ``ceil``.
        margin: semitones.
        fold_octaves: an F0 an octave or two off its note moves to the octave nearest
            the note, if that brings it within 2 semitones.
        max_deviation: an F0 further than this from all notes sung within
            ``window`` of it, in semitones, counts as unvoiced; null: never.
        window: seconds before and after a frame in which a note may excuse its F0.
        min_voiced: voiced stretches shorter than this, in seconds, count as unvoiced.
        spike: a frame further than this from the median of its 5 voiced
            neighbours, in semitones, takes the median; null: never.
        vuv_labels: what the labels say of voicing. ``rests``: frames of rests are
            unvoiced; ``phones``: those of voiceless phones too; ``none``: nothing.
        confidence: swift-f0 only: frames below it are unvoiced.
    """

    tracker: str = "dio"
    floor: float = 71.0
    ceil: float = 1200.0
    score_range: bool = True
    margin: float = 6.0
    fold_octaves: bool = True
    max_deviation: float | None = 8.0
    window: float = 0.2
    min_voiced: float = 0.02
    spike: float | None = 1.0
    vuv_labels: str = "rests"
    confidence: float = 0.5


@dataclass(frozen=True)
class WorldConfig:
    """WORLD's spectrum and aperiodicity (Morise et al. 2016).

    Attributes:
        mgc_order: mel-cepstra have this order; ``mgc_order + 1`` coefficients are stored.
        alpha: frequency warping; null: from the sampling rate (`pysptk.util.mcepalpha`).
        fft_size: null: WORLD's own choice for ``f0.floor``. Fixed for a dump.
        d4c_threshold: D4C calls frames unvoiced below it (0 to 1); 0 trusts the F0 alone.
    """

    mgc_order: int = 59
    alpha: float | None = None
    fft_size: int | None = None
    d4c_threshold: float = 0.15


@dataclass(frozen=True)
class MelConfig:
    """Log mel spectra.

    Attributes:
        bins: number of bands.
        fft_size: samples.
        win_size: samples of the periodic Hann window, at most ``fft_size``.
        fmin: Hz. fmax: Hz.
        scale: ``slaney`` (linear below 1 kHz) or ``htk``.
        power: exponent of the magnitude before the filterbank: 1 or 2.
        log: ``natural`` or ``log10``.
        log_floor: values below it are raised to it before the logarithm.
    """

    bins: int = 80
    fft_size: int = 1024
    win_size: int = 1024
    fmin: float = 0.0
    fmax: float = 12000.0
    scale: str = "slaney"
    power: float = 1.0
    log: str = "natural"
    log_floor: float = 1e-5


@dataclass(frozen=True)
class FeatureConfig:
    """Everything that decides the numbers of a dump.

    Attributes:
        sample_rate: Hz.
        frame_shift: seconds; from ``hop_size`` where that is given instead.
        hop_size: samples; one of ``frame_shift`` and ``hop_size`` is needed.
        resample: recordings of another rate are resampled; false: they are an error.
        dither: standard deviation of the fixed noise added before analysis, so that
            digital silence has a spectrum; 1e-5 lies at the noise of 16-bit audio.
        f0: F0 search.
        world: WORLD spectra (``mgc``, ``bap``), or null for none.
        mel: log-mel spectra (``mel``), or null for none.
    """

    sample_rate: int
    frame_shift: float = 0.0
    hop_size: int | None = None
    resample: bool = True
    dither: float = 1e-5
    f0: F0Config = F0Config()
    world: WorldConfig | None = None
    mel: MelConfig | None = None

    def __post_init__(self) -> None:
        if self.hop_size is not None:
            object.__setattr__(self, "frame_shift", self.hop_size / self.sample_rate)

    @property
    def frame_period(self) -> float:
        """The frame shift in milliseconds, as WORLD takes it."""
        return self.frame_shift * 1000.0

    @property
    def streams(self) -> dict[str, int]:
        """Frame-level features and their sizes, in the order they are written."""
        sizes = {"lf0": 1, "vuv": 1}
        if self.world is not None:
            sizes |= {"mgc": self.world.mgc_order + 1, "bap": bap_size(self.sample_rate)}
        if self.mel is not None:
            sizes["mel"] = self.mel.bins
        return sizes

    def n_samples(self, n_frames: int) -> int:
        """Samples that ``n_frames`` frames stand for."""
        return round(n_frames * self.frame_shift * self.sample_rate)

    def to_dict(self) -> dict[str, Any]:
        """A plain mapping that :meth:`from_dict` reads back."""
        value = dataclasses.asdict(self)
        del value["frame_shift" if self.hop_size is not None else "hop_size"]
        return value

    @classmethod
    def read(cls, path: str | os.PathLike) -> FeatureConfig:
        """Reads a YAML file.

        Raises:
            DataError: for an unknown key (naming the nearest), a value of the wrong
                kind or out of range, with file and line.
        """
        value, lines = load_yaml(path)
        return cls.from_dict(value, path, lines)

    @classmethod
    def from_dict(
        cls, value: dict[str, Any], where: str | os.PathLike = "features", lines: Lines | None = None
    ) -> FeatureConfig:
        """Reads a mapping as :meth:`to_dict` makes it. Raises: DataError as :meth:`read`."""
        place = _Place(os.fspath(where), lines or {})
        if "hop_size" in value and "frame_shift" in value:
            raise place.error("give frame_shift (seconds) or hop_size (samples), not both", ("frame_shift",))
        config = _build(cls, value, (), place)
        _check(config, place)
        return config


def bap_size(sample_rate: int) -> int:
    """Bands of WORLD's coded aperiodicity: one per 3 kHz up to 15 kHz (3 at 24 kHz, 5 at 48 kHz)."""
    return int(min(15000.0, sample_rate / 2.0 - 3000.0) / 3000.0)


Lines = dict[tuple[str, ...], int]


@dataclass(frozen=True)
class _Place:
    where: str
    lines: Lines

    def error(self, what: str, path: tuple[str, ...]) -> DataError:
        line = self.lines.get(path)
        return DataError(what, self.where if line is None else f"{self.where}:{line}")


def load_yaml(path: str | os.PathLike) -> tuple[dict[str, Any], Lines]:
    """Reads a YAML mapping and the line of each of its keys.

    Raises:
        DataError: where it is not YAML, not a mapping, or has a key twice.
    """
    import yaml

    text = read_text(path)
    lines: Lines = {}

    def walk(node: yaml.Node, prefix: tuple[str, ...]) -> None:
        if not isinstance(node, yaml.MappingNode):
            return
        for key, child in node.value:
            name = (*prefix, str(key.value))
            if name in lines:
                raise DataError(f"key {key.value!r} stands twice", f"{path}:{key.start_mark.line + 1}")
            lines[name] = key.start_mark.line + 1
            walk(child, name)

    try:
        root = yaml.compose(text, yaml.SafeLoader)
        walk(root, ())
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise DataError(f"not YAML: {getattr(error, 'problem', error)}", f"{path}{line}") from None
    if not isinstance(value, dict):
        raise DataError("a mapping of keys to values is needed", path)
    return value, lines


def _build(cls: type, value: Any, path: tuple[str, ...], place: _Place) -> Any:
    if not isinstance(value, dict):
        raise place.error(f"{'.'.join(path)} must be a mapping, not {value!r}", path)
    hints = typing.get_type_hints(cls)
    made: dict[str, Any] = {}
    for key, item in value.items():
        here = (*path, str(key))
        if key not in hints:
            raise place.error(f"unknown key {'.'.join(here)!r}{nearest(str(key), hints)}", here)
        made[key] = _convert(hints[key], item, here, place)
    for f in dataclasses.fields(cls):
        if f.default is dataclasses.MISSING and f.name not in made:
            raise place.error(f"{'.'.join((*path, f.name))} is missing", path)
    return cls(**made)


def _convert(hint: Any, value: Any, path: tuple[str, ...], place: _Place) -> Any:
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if value is None and type(None) in options:
        return None
    kind = next(k for k in options if k is not type(None))
    if dataclasses.is_dataclass(kind):
        return _build(kind, value, path, place)
    if kind is float:
        # YAML 1.1 reads 1e-5, without a dot, as text.
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if math.isfinite(number):
            return number
    elif isinstance(value, kind) and isinstance(value, bool) == (kind is bool):
        return value
    needed = {float: "a number", int: "a whole number", bool: "true or false", str: "text"}[kind]
    raise place.error(f"{'.'.join(path)} must be {needed}, not {value!r}", path)


def _check(config: FeatureConfig, place: _Place) -> None:
    """Raises DataError for values that no analysis can use."""

    def need(holds: bool, what: str, *path: str) -> None:
        if not holds:
            raise place.error(f"{'.'.join(path)} {what}", path)

    rate = config.sample_rate
    given = config.hop_size is not None
    need(8000 <= rate <= 192000, f"must lie in 8000..192000 Hz, not {rate}", "sample_rate")
    need(
        1e-3 <= config.frame_shift <= 0.1,
        f"must lie in 0.001..0.1 s, not {config.frame_shift:g}",
        "hop_size" if given else "frame_shift",
    )
    need(0 <= config.dither <= 1e-2, "must lie in 0..0.01", "dither")
    f0, world, mel = config.f0, config.world, config.mel
    for name, known in (("tracker", TRACKERS), ("vuv_labels", VUV_LABELS)):
        got = getattr(f0, name)
        need(got in known, f"must be one of {', '.join(known)}, not {got!r}{nearest(got, known)}", "f0", name)
    need(40 <= f0.floor < f0.ceil, f"must lie between 40 Hz and f0.ceil, not {f0.floor:g}", "f0", "floor")
    need(
        f0.ceil <= rate / 4, f"must be at most a quarter of the sampling rate, not {f0.ceil:g}", "f0", "ceil"
    )
    for name in ("margin", "window", "min_voiced"):
        need(getattr(f0, name) >= 0, "must not be negative", "f0", name)
    for name in ("max_deviation", "spike"):
        got = getattr(f0, name)
        need(got is None or got > 0, "must be positive or null", "f0", name)
    if world is None and mel is None:
        raise DataError("neither 'world' nor 'mel' is given; at least one is needed", place.where)
    if world is not None:
        need(1 <= world.mgc_order <= 200, "must lie in 1..200", "world", "mgc_order")
        need(world.alpha is None or 0 <= world.alpha < 1, "must lie in 0..1", "world", "alpha")
        need(0 <= world.d4c_threshold <= 1, "must lie in 0..1", "world", "d4c_threshold")
        size = world.fft_size
        if size is not None:
            need(size & (size - 1) == 0, f"must be a power of two, not {size}", "world", "fft_size")
            # CheapTrick's window holds three periods.
            low = 3.0 * rate / (size - 3.0) if size > 3 else math.inf
            need(low <= f0.floor, f"{size} is too small for f0.floor {f0.floor:g} Hz", "world", "fft_size")
        need(bap_size(rate) >= 1, "is too low for WORLD: 12 kHz are needed", "sample_rate")
    if mel is not None:
        for name, known in (("scale", MEL_SCALES), ("log", LOGS)):
            got = getattr(mel, name)
            need(got in known, f"must be one of {', '.join(known)}, not {got!r}", "mel", name)
        need(mel.bins >= 1, "must be at least 1", "mel", "bins")
        need(1 <= mel.win_size <= mel.fft_size, "must lie in 1..mel.fft_size", "mel", "win_size")
        need(mel.fmax <= rate / 2, f"must be at most half the sampling rate, not {mel.fmax:g}", "mel", "fmax")
        need(0 <= mel.fmin < mel.fmax, "must lie between 0 and mel.fmax", "mel", "fmin")
        need(mel.power in (1, 2), f"must be 1 or 2, not {mel.power:g}", "mel", "power")
        need(mel.log_floor > 0, "must be positive", "mel", "log_floor")
