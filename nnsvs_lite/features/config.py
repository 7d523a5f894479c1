"""What stage 2 extracts: one YAML file (``conf/features/*.yaml``), read and checked."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from nnsvs_lite.io.settings import Settings, Within, read_settings

NotNegative = Annotated[float, Within(0)]


@dataclass(frozen=True)
class F0Config:
    """How F0 is found.

    Attributes:
        tracker: ``harvest`` (Morise 2017), ``dio`` (Morise 2010, refined by StoneMask), ``swift-f0`` (a small
            neural tracker, extra ``f0``) or ``praat`` (Boersma 1993, extra ``pitch``).
        floor: lowest F0 ever searched, Hz; it also sets WORLD's FFT size. ceil: highest F0 ever searched, Hz.
        score_range: search only from the phrase's lowest note less ``margin`` to its highest note plus
            ``margin``, within ``floor`` and ``ceil``.
        margin: semitones.
        fold_octaves: an F0 an octave or two off its note moves to the octave nearest the note, if that brings
            it within 2 semitones.
        max_deviation: an F0 further than this from all notes sung within ``window`` of it, in semitones,
            counts as unvoiced; null: never.
        window: seconds before and after a frame in which a note may excuse its F0.
        min_voiced: voiced stretches shorter than this, in seconds, count as unvoiced.
        spike: a frame further than this from the median of its 5 voiced neighbours, in semitones, takes the
            median; null: never.
        vuv_labels: what the labels say of voicing. ``rests``: frames of rests are unvoiced; ``phones``: those
            of voiceless phones too; ``none``: nothing.
        confidence: swift-f0 only: frames below it are unvoiced.
    """

    tracker: Literal["dio", "harvest", "swift-f0", "praat"] = "dio"
    floor: Annotated[float, Within(40)] = 71.0
    ceil: float = 1200.0
    score_range: bool = True
    margin: NotNegative = 6.0
    fold_octaves: bool = True
    max_deviation: Annotated[float | None, Within(above=0)] = 8.0
    window: NotNegative = 0.2
    min_voiced: NotNegative = 0.02
    spike: Annotated[float | None, Within(above=0)] = 1.0
    vuv_labels: Literal["none", "rests", "phones"] = "rests"
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

    mgc_order: Annotated[int, Within(1, 200)] = 59
    alpha: Annotated[float | None, Within(0, below=1)] = None
    fft_size: Annotated[int | None, Within(1, 1 << 16)] = None
    d4c_threshold: Annotated[float, Within(0, 1)] = 0.15


@dataclass(frozen=True)
class MelConfig:
    """Log mel spectra.

    Attributes:
        bins: number of bands. fft_size: samples.
        win_size: samples of the periodic Hann window, at most ``fft_size``. fmin: Hz. fmax: Hz.
        scale: ``slaney`` (linear below 1 kHz), ``htk``, or ``linear`` for bands that are even in Hz.
        power: exponent of the magnitude before the filterbank: 1 or 2. log: ``natural`` or ``log10``.
        log_floor: values below it are raised to it before the logarithm.
    """

    bins: Annotated[int, Within(1, 1000)] = 80
    fft_size: Annotated[int, Within(1, 1 << 16)] = 1024
    win_size: Annotated[int, Within(1)] = 1024
    fmin: NotNegative = 0.0
    fmax: float = 12000.0
    scale: Literal["slaney", "htk", "linear"] = "slaney"
    power: float = 1.0
    log: Literal["natural", "log10"] = "natural"
    log_floor: Annotated[float, Within(above=0)] = 1e-5


@dataclass(frozen=True)
class FeatureConfig:
    """Everything that decides the numbers of a dump.

    Attributes:
        sample_rate: Hz.
        frame_shift: seconds; from ``hop_size`` where that is given instead.
        hop_size: samples; one of ``frame_shift`` and ``hop_size`` is needed.
        resample: recordings of another rate are resampled; false: they are an error.
        dither: standard deviation of the fixed noise added before analysis, so that digital silence has a
            spectrum; 1e-5 lies at the noise of 16-bit audio.
        f0: F0 search. world: WORLD spectra (``mgc``, ``bap``), or null for none.
        mel: log-mel spectra (``mel``), or null for none.
    """

    sample_rate: Annotated[int, Within(8000, 192000)]
    frame_shift: float = 0.0
    hop_size: Annotated[int | None, Within(1, 19_200)] = None
    resample: bool = True
    dither: Annotated[float, Within(0, 0.01)] = 1e-5
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

    def n_frames(self, n_samples: int) -> int:
        """Frames whose centres lie in a waveform of ``n_samples``."""
        return math.floor((n_samples - 1) / (self.sample_rate * self.frame_shift) + 1e-9) + 1

    def to_dict(self) -> dict[str, Any]:
        """A plain mapping that :meth:`from_dict` reads back."""
        value = dataclasses.asdict(self)
        del value["frame_shift" if self.hop_size is not None else "hop_size"]
        return value

    @classmethod
    def read(cls, path: str | os.PathLike) -> FeatureConfig:
        """Reads a YAML file. Raises DataError, with file and line, for a value or key that cannot be."""
        return _checked(read_settings(path, ["features"]))

    @classmethod
    def from_dict(cls, value: dict[str, Any], where: str | os.PathLike = "features") -> FeatureConfig:
        """Reads a mapping as :meth:`to_dict` makes it. Raises: DataError as :meth:`read`."""
        return _checked(Settings(value, os.fspath(where)))


LOGARITHM = ("log", "log_floor")
"""Of mel spectra, what :func:`nnsvs_lite.features.mel.converted` can change."""


def told_differences(own: FeatureConfig, given: FeatureConfig, streams: Collection[str]) -> list[str]:
    """Where two analyses give other numbers in some streams, such as ``mel.fft_size 2048, not 1024``; the
    logarithm of mel spectra aside.
    """
    sides = [dataclasses.asdict(config) for config in (own, given)]
    parts = {"": ("sample_rate", "frame_shift"), "mel": (), "world": ()}
    if "mel" in streams:
        parts["mel"] = tuple(f.name for f in dataclasses.fields(MelConfig) if f.name not in LOGARITHM)
    if {"mgc", "bap"} & set(streams):
        parts["world"] = tuple(f.name for f in dataclasses.fields(WorldConfig))
    told = []
    for part, names in parts.items():
        own_part, other = ((side[part] or {}) if part else side for side in sides)
        for name in names:
            a, b = own_part.get(name), other.get(name)
            if a != b:
                told.append(f"{part}{'.' if part else ''}{name} {a}, not {b}")
    return told


def bap_size(sample_rate: int) -> int:
    """Bands of WORLD's coded aperiodicity: one per 3 kHz up to 15 kHz (3 at 24 kHz, 5 at 48 kHz)."""
    return int(min(15000.0, sample_rate / 2.0 - 3000.0) / 3000.0)


def _checked(settings: Settings) -> FeatureConfig:
    """The configuration; raises DataError for values that do not go together."""

    def need(holds: bool, what: str, *path: str) -> None:
        if not holds:
            raise settings.fault(f"{'.'.join(path)} {what}", path)

    config = settings.build(FeatureConfig)
    if "hop_size" in settings.value and "frame_shift" in settings.value:
        both = "give frame_shift (seconds) or hop_size (samples), not both"
        raise settings.fault(both, ("frame_shift",))
    rate, f0, world, mel = config.sample_rate, config.f0, config.world, config.mel
    given = "frame_shift" if config.hop_size is None else "hop_size"
    need(1e-3 <= config.frame_shift <= 0.1, f"must lie in 0.001..0.1 s, not {config.frame_shift:g}", given)
    need(f0.floor < f0.ceil, f"must lie below f0.ceil, not {f0.floor:g}", "f0", "floor")
    quarter = f"must be at most a quarter of the sampling rate, not {f0.ceil:g}"
    need(f0.ceil <= rate / 4, quarter, "f0", "ceil")
    if world is None and mel is None:
        raise settings.fault("neither 'world' nor 'mel' is given; at least one is needed")
    if world is not None:
        size = world.fft_size
        if size is not None:
            need(size & (size - 1) == 0, f"must be a power of two, not {size}", "world", "fft_size")
            # CheapTrick's window holds three periods.
            low = 3.0 * rate / (size - 3.0) if size > 3 else math.inf
            need(low <= f0.floor, f"{size} is too small for f0.floor {f0.floor:g} Hz", "world", "fft_size")
        need(bap_size(rate) >= 1, "is too low for WORLD: 12 kHz are needed", "sample_rate")
    if mel is not None:
        need(mel.win_size <= mel.fft_size, "must lie in 1..mel.fft_size", "mel", "win_size")
        need(mel.fmax <= rate / 2, f"must be at most half the sampling rate, not {mel.fmax:g}", "mel", "fmax")
        need(mel.fmin < mel.fmax, "must lie between 0 and mel.fmax", "mel", "fmin")
        need(mel.power in (1, 2), f"must be 1 or 2, not {mel.power:g}", "mel", "power")
    return config
