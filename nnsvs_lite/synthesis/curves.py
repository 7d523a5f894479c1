"""Variance curves of a song as an NPZ file: read, laid over its phrases, written.

A file has an array (T,) for each curve of :mod:`nnsvs_lite.features.variance`, under its name what the curve
is to be (as a :class:`~nnsvs_lite.synthesis.performance.Performance` writes it), or under its name with
``_change`` by how many dB it is to be moved; ``f0`` in Hz, 0 where the voice is to sing its own; and
``frame_shift``, seconds from one number to the next, the first of which is of time 0.
"""

import io
import os
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.variance import NAMES, WITHOUT, change, curve_names, measure
from nnsvs_lite.io.atomic import check_regular, check_stored, write_bytes
from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.models.voice import Vocoder
from nnsvs_lite.score.drawn import STEP, Drawn

LARGEST_FILE = 64 << 20
"""Bytes; a curve of an hour has 6 MB."""
SLACK = 0.1
"""Seconds by which curves may end before or after their song."""
NEEDED = {"breathiness": "breathiness", "voicing": "breathiness", "tension": "gender"}
"""What a vocoder must honour for a change of a curve to be heard."""
F0_RANGE = (20.0, 5000.0)
"""Hz."""
HOLD = 0.15
"""Seconds."""
BLOCK = 4000
"""Frames that are changed at a time."""
_KEYS = (*NAMES, *(f"{name}_change" for name in NAMES), "f0")


@dataclass(frozen=True)
class Curves:
    """Curves (T,) in dB by name or name and ``_change``; ``frame_shift`` in s. ``where`` for messages."""

    values: dict[str, np.ndarray]
    frame_shift: float
    where: str = "curves"

    @classmethod
    def of(cls, given: Mapping[str, np.ndarray], frame_shift: float, where: str = "curves") -> "Curves":
        """Checks arrays by name; a ``frame_shift`` among them comes before the one given.

        Raises DataError for unknown names, other shapes than (T,), numbers that are not finite, and several
        lengths.
        """
        values = {name: np.asarray(value) for name, value in given.items()}
        if any(value.dtype.kind not in "fiu" for value in values.values()):
            raise DataError("curves are arrays of numbers", where)
        values = {name: value.astype(np.float64) for name, value in values.items()}
        shift = values.pop("frame_shift", np.array(frame_shift))
        if shift.size != 1 or not 1e-4 <= shift.item() <= 1:
            raise DataError("frame_shift must be one number of seconds, 0.0001 to 1", where)
        for name, value in values.items():
            if name not in _KEYS:
                raise DataError(f"no curve {name!r}{nearest(name, _KEYS)}; known: {', '.join(_KEYS)}", where)
            if value.ndim != 1 or not len(value) or not np.isfinite(value).all():
                raise DataError(f"{name} must be (T,) finite numbers, not {value.shape}", where)
        f0 = values.get("f0", np.zeros(1))
        if ((f0 != 0) & (f0 != f0.clip(*F0_RANGE))).any():
            raise DataError("f0 must be 20 to 5000 Hz, or 0", where)
        if len({len(value) for value in values.values()}) > 1:
            lengths = ", ".join(f"{name} {len(value)}" for name, value in values.items())
            raise DataError(f"curves must have one length, not {lengths}", where)
        return cls(values, shift.item(), where)

    @classmethod
    def read(cls, path: str | os.PathLike, frame_shift: float) -> "Curves":
        """Reads an NPZ file as ``numpy.savez`` writes it, not compressed; raises DataError as :meth:`of`, or
        where it is no such file. ``frame_shift`` is that of files without one."""
        check_regular(path)
        try:
            size = Path(path).stat().st_size
            if size > LARGEST_FILE:
                raise DataError(f"larger than {LARGEST_FILE >> 20} MB, which curves of a song are not", path)
            with zipfile.ZipFile(path) as archive:
                check_stored(archive, size, path)
                given = {
                    m.filename.removesuffix(".npy"): array_of(archive.read(m)) for m in archive.infolist()
                }
        except DataError:
            raise
        except FileNotFoundError:
            raise DataError("no such file", path) from None
        except (
            OSError,
            zipfile.BadZipFile,
            ValueError,
            EOFError,
            NotImplementedError,
            RuntimeError,
        ) as error:
            raise DataError(f"no NPZ file of curves, as numpy.savez writes it ({error})", path) from None
        return cls.of(given, frame_shift, os.fspath(path))

    @classmethod
    def of_score(cls, drawn: Drawn, seconds: float, frame_shift: float) -> "Curves":
        """What the score's file draws, over a song of so many seconds.

        A drawn pitch goes on for :data:`HOLD` beyond what it is drawn on, for consonants before and after.
        """
        time = np.arange(round(seconds / frame_shift)) * frame_shift / STEP
        values = {n: np.interp(time, np.arange(len(v)), v) for n, v in drawn.curves.items()}
        if drawn.pitch is not None:
            there = np.flatnonzero(np.isfinite(drawn.pitch))
            near = there[np.searchsorted(there, time).clip(0, len(there) - 1)]
            last = there[(np.searchsorted(there, time, side="right") - 1).clip(0)]
            away = np.minimum(np.abs(near - time), np.abs(time - last)) * STEP
            f0 = 440 * 2 ** ((np.interp(time, there, drawn.pitch[there]) - 69) / 12)
            values["f0"] = np.where(away <= HOLD, f0.clip(*F0_RANGE), 0.0)
        return cls.of(values, frame_shift, "the curves of the score's file")

    def without(self, names: Iterable[str]) -> "Curves":
        """Without the curves of these names, moved or not."""
        gone = {f"{name}{end}" for name in names for end in ("", "_change")}
        return replace(self, values={n: v for n, v in self.values.items() if n not in gone})

    def beside(self, other: "Curves") -> "Curves":
        """With the other's curves of names that these lack; the other's are laid on these frames."""
        names = {name.removesuffix("_change") for name in self.values}
        size = len(next(iter(self.values.values()), ()))
        time = np.arange(size) * (self.frame_shift / other.frame_shift)
        more = {n: np.interp(time, np.arange(len(v)), v) for n, v in other.without(names).values.items()}
        if "f0" in more:
            # Between a frequency and none there is nothing.
            more["f0"] = other.values["f0"][np.round(time).astype(int).clip(0, len(other.values["f0"]) - 1)]
        return replace(self, values=more | self.values)

    def unheard(self, vocoder: Vocoder) -> list[str]:
        """Names of curves that the streams have not, or the vocoder does not let be heard."""
        known, controls = curve_names(vocoder.spec.streams), vocoder.controls
        names = dict.fromkeys(key.removesuffix("_change") for key in self.values)
        heard = {name for name in known if NEEDED.get(name) in (None, *controls)}
        return [name for name in names if name not in ({*heard, "f0"} if "pitch" in controls else heard)]

    def check_length(self, seconds: float) -> None:
        """Raises DataError where the curves are not of a song of so many seconds."""
        for name, value in self.values.items():
            if abs(len(value) * self.frame_shift - seconds) > SLACK + self.frame_shift:
                what = f"{name} has {len(value)} numbers, one each {self.frame_shift:g} s"
                end = f"that is {len(value) * self.frame_shift:.2f} s, the song has {seconds:.2f} s"
                raise DataError(f"{what}: {end}", self.where)

    def check_heard(self, vocoder: Vocoder) -> None:
        """Raises DataError where the streams have no such curve, or the vocoder does not let it be heard."""
        if names := self.unheard(vocoder):
            kind = vocoder.name
            raise DataError(f"{names[0]} cannot be drawn: the voice's vocoder, {kind}, does not allow it")

    def pitch(self, frames: int, start: float, config: FeatureConfig) -> np.ndarray | None:
        """(frames,) log F0 of a phrase that starts at ``start`` s, NaN where the voice sings its own; or
        None.
        """
        if "f0" not in self.values:
            return None
        time = self._times(frames, start, config)
        value = self.values["f0"]
        nearest = value[np.round(time).astype(int).clip(0, len(value) - 1)]
        voiced = np.flatnonzero(value)
        if not len(voiced):
            return np.full(frames, np.nan)
        return np.where(nearest > 0, np.interp(time, voiced, np.log(value[voiced])), np.nan)

    def _times(self, frames: int, start: float, config: FeatureConfig) -> np.ndarray:
        """Where in the curves the frames of a phrase are that starts at ``start`` seconds."""
        first_frame = round(start / config.frame_shift)  # As song_curves lays them.
        return (first_frame + np.arange(frames)) * (config.frame_shift / self.frame_shift)

    def of_phrase(self, frames: int, start: float, config: FeatureConfig) -> "Curves":
        """Those of so many frames of a phrase that starts at ``start`` seconds."""
        time = self._times(frames, start, config)
        laid = {n: np.interp(time, np.arange(len(v)), v) for n, v in self.values.items() if n != "f0"}
        return replace(self, values=laid, frame_shift=config.frame_shift)

    def absolute(
        self, streams: dict[str, np.ndarray], config: FeatureConfig, names: Iterable[str]
    ) -> "Curves":
        """A phrase's curves; those of ``names`` as what they are to be, where its streams are to be moved."""
        values = dict(self.values)
        moved = {name: values.pop(f"{name}_change") for name in names if f"{name}_change" in values}
        own = measure(streams, config) if moved else {}
        return replace(self, values=values | {n: values.get(n, own[n]) + by for n, by in moved.items()})

    def drawn(self, streams: dict[str, np.ndarray], config: FeatureConfig) -> dict[str, np.ndarray]:
        """Streams (T, D) of a phrase with its curves."""
        frames, laid, pieces = len(next(iter(streams.values()))), self.values, []
        for first in range(0, frames, BLOCK):
            part = {name: value[first : first + BLOCK] for name, value in streams.items()}
            asked = {name: value[first : first + BLOCK] for name, value in laid.items()}
            own = measure(part, config) if set(asked) & set(NAMES) else {}
            by = {}
            for name in NAMES:
                # What was measured, written and read again is no change.
                moved = asked[name] - own[name] if name in asked else 0.0
                moved = np.where(np.abs(moved) < 0.01, 0.0, moved) + asked.get(f"{name}_change", 0.0)
                by[name] = np.broadcast_to(moved, len(own.get(name, next(iter(part.values())))))
            pieces.append(change(part, config, by))
        whole = {name: [piece[name] for piece in pieces] for name in streams}
        return {n: np.concatenate(parts) if len(parts) > 1 else parts[0] for n, parts in whole.items()}


def array_of(data: bytes) -> np.ndarray:
    """An array from the bytes of an ``.npy`` file; ValueError for objects, or where sizes disagree."""
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("of another version")
    shape, _, kind = np.lib.format.read_array_header_1_0(file)
    rest = file.read()
    if kind.hasobject or np.prod(shape, dtype=object) * kind.itemsize != len(rest):
        raise ValueError("an array whose size is not that of its numbers")
    return np.frombuffer(rest, kind).reshape(shape)


def write_curves(path: str | os.PathLike, curves: Mapping[str, np.ndarray], frame_shift: float) -> None:
    """Writes curves (T,) as an NPZ file that :meth:`Curves.read` reads; the same bytes from the same."""
    buffer = io.BytesIO()
    np.savez(buffer, frame_shift=np.float64(frame_shift), **curves)
    write_bytes(path, buffer.getvalue())


def song_curves(
    phrases: list[tuple[int, dict[str, np.ndarray]]], frames: int, config: FeatureConfig
) -> dict[str, np.ndarray]:
    """Curves (T,) float32 of a song, from first frames and streams of its phrases; ``WITHOUT`` between."""
    names = curve_names(phrases[0][1]) if phrases else ()
    out = {name: np.full(frames, WITHOUT[name], np.float32) for name in names}
    for first, streams in phrases:
        length = len(next(iter(streams.values())))
        for begin in range(0, length, BLOCK):
            part = {name: value[begin : begin + BLOCK] for name, value in streams.items()}
            for name, value in measure(part, config).items():
                out[name][first + begin : first + begin + len(value)] = value
    return out
