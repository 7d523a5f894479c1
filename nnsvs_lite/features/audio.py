"""Audio files: mono float64 in memory, 16-bit PCM on disk, never clipped in silence."""

import io
import logging
import math
import os
from pathlib import Path

import numpy as np

from nnsvs_lite.io.atomic import check_regular, write_bytes
from nnsvs_lite.io.errors import DataError

MAX_PEAK = 0.99
CONTAINERS = {".wav": "WAV", ".flac": "FLAC"}
"""Audio formats that are written, by the file name's suffix."""

log = logging.getLogger(__name__)


def read_wav(path: str | os.PathLike) -> tuple[np.ndarray, int]:
    """A mono file's samples, float64 (n,) in -1..1, and its rate in Hz. Raises DataError if it is none."""
    import soundfile

    check_regular(path)
    try:
        x, rate = soundfile.read(os.fspath(path), dtype="float64", always_2d=True)
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        raise DataError(f"cannot be read as audio: {error}", path) from None
    if x.shape[1] != 1:
        raise DataError(f"has {x.shape[1]} channels, one is needed", path)
    if len(x) == 0:
        raise DataError("holds no samples", path)
    return x[:, 0], rate


def container_of(path: str | os.PathLike) -> str:
    """libsndfile's name of a suffix's format. Raises DataError for none of :data:`CONTAINERS`."""
    suffix = Path(path).suffix.lower()
    if suffix not in CONTAINERS:
        named = f"named *{suffix}" if suffix else "without a suffix"
        raise DataError(f"no audio format {named}; known: {', '.join(CONTAINERS)}", path)
    return CONTAINERS[suffix]


def write_audio(path: str | os.PathLike, x: np.ndarray, sample_rate: int, peak: float = MAX_PEAK) -> float:
    """Writes audio of 16 bits atomically; what is too loud is scaled down, and said to be.

    Args:
        path: a wav or flac, by its suffix.
        x: (samples,), or (samples, 2) for stereo, float, full scale at 1. sample_rate: Hz.
        peak: the largest allowed absolute value, at most 1.

    Returns the gain applied: 1.0 unless the peak was above ``peak``. Raises DataError for another suffix, or
    where the file cannot be written; ValueError for values that are not finite, or another shape.
    """
    import soundfile

    container = container_of(path)
    x = np.asarray(x, np.float64)
    if not (x.ndim == 1 or x.shape[1:] == (2,)) or not np.isfinite(x).all():
        raise ValueError(f"audio for {path} must be finite, of one channel or two")
    loudest = float(np.abs(x).max(initial=0.0))
    gain = 1.0
    if loudest > peak:
        gain = peak / loudest
        log.warning("%s: peak %.2f, scaled by %.3f (%.1f dB)", path, loudest, gain, 20 * math.log10(gain))
    samples = np.round(x * gain * (2**15 - 1)).astype(np.int16)
    # libsndfile would hide a full disk's reason, or the failure itself.
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, subtype="PCM_16", format=container)
    write_bytes(path, buffer.getvalue())
    return gain


def resample(x: np.ndarray, source: int, target: int) -> np.ndarray:
    """Resamples (samples,) to ``ceil(samples * target / source)``, in Hz, by a polyphase filter."""
    if source == target:
        return x
    from scipy.signal import resample_poly

    common = math.gcd(source, target)
    return resample_poly(x, target // common, source // common)
