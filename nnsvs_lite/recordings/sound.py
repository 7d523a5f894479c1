"""Recordings of any form as mono samples of one rate, with what is wrong with them."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nnsvs_lite.features.audio import resample
from nnsvs_lite.io.atomic import check_regular
from nnsvs_lite.io.errors import DataError

SHORTEST, LONGEST = 0.5, 1800.0
"""Seconds."""
_SILENT, _QUIET = 1e-4, 0.02
_UNLIKE = 0.1
"""Share of the channels' power that their mean must keep."""
_HEADER = 4096
"""Bytes that a file without samples may have."""
_CLIPPED, _FLAT = 0.001, 3
"""Share of samples in clipped peaks from which they are named, and samples of the least such peak."""


def read_recording(path: Path, rate: int) -> tuple[np.ndarray, list[str]]:
    """Samples (n,) float64 at ``rate`` Hz, and remarks on what was done or is amiss.

    Channels are averaged; where they cancel each other, or one is as good as silent, the loudest is taken.

    Raises DataError where nothing can be sung from it: unreadable, empty, silent, shorter than half a second,
    longer than half an hour.
    """
    import soundfile

    check_regular(path)
    if not path.stat().st_size:
        raise DataError("an empty file", path)
    try:
        with soundfile.SoundFile(path) as file:
            own = file.samplerate
            if file.frames > LONGEST * own:
                limit = f"{LONGEST / 60:g} minutes are the most: cut it into songs"
                raise DataError(f"lasts {file.frames / own / 60:.0f} minutes; {limit}", path)
            x = file.read(dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError, TypeError, RuntimeError) as error:
        reason = str(error).removeprefix(f"Error opening {str(path)!r}: ")
        raise DataError(f"cannot be read as audio: {reason}", path) from None
    if not len(x):
        size = path.stat().st_size
        # A recorder that was cut off never wrote how many there are.
        mend = f"ffmpeg -i {shlex.quote(path.name)} {shlex.quote(f'{path.stem}-mended.wav')}"
        cut = f" by its header, but {size} bytes: a recording cut off, which may be mended by: {mend}"
        raise DataError(f"holds no samples{cut if size > _HEADER else ''}", path)
    if not np.isfinite(x).all():
        raise DataError("holds samples that are NaN or infinite", path)
    if len(x) < SHORTEST * own:
        raise DataError(f"lasts {len(x) / own:.2f} s; {SHORTEST:g} s are the least", path)
    remarks = list(_clipping(x))
    x, said = _mono(x.astype(np.float64))
    remarks += said
    peak = float(np.abs(x).max())
    if peak <= _SILENT:
        raise DataError("is silent", path)
    if peak < _QUIET:
        remarks.append(f"very quiet: its peak is {20 * np.log10(peak):.0f} dB; record it nearer or louder")
    if own < 16000:
        remarks.append(f"recorded at {own} Hz: it has no treble; record at 44100 or 48000 Hz")
    if own != rate:
        remarks.append(f"resampled from {own} to {rate} Hz")
    x = resample(x - x.mean(), own, rate)
    # What the mean or the filter has raised beyond full scale.
    return x / max(float(np.abs(x).max()), 1.0), remarks


def _mono(x: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Samples (n, channels) as one channel, and how."""
    count = x.shape[1]
    if count == 1:
        return x[:, 0], []
    power = np.square(x).mean(axis=0)
    loudest = int(power.argmax())
    mean = x.mean(axis=1)
    if power.min() < 1e-2 * power.max():
        return x[:, loudest], [f"{count} channels; the loudest was taken, another is as good as silent"]
    if np.square(mean).mean() < _UNLIKE * power.mean():
        return x[:, loudest], [f"{count} channels that cancel each other; one was taken"]
    return mean, [f"{count} channels, mixed to one"]


def _clipping(x: np.ndarray) -> Iterator[str]:
    """A remark where peaks of samples (n, channels) are cut off."""
    level = np.abs(x).max(axis=1)
    top = level >= level.max() * (1 - 2.0**-12)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], top.astype(np.int8), [0]])))
    runs = edges[1::2] - edges[::2]
    share = float(runs[runs >= _FLAT].sum() / len(top))
    if share > _CLIPPED:
        yield f"clipped: {share:.1%} of its samples are cut-off peaks; record it again with less gain"
