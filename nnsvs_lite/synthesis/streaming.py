"""Audio that is written while it is made."""

import contextlib
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from nnsvs_lite.io.errors import DataError

STDOUT = "-"


def wav_header(samples: int, sample_rate: int) -> bytes:
    """Of a RIFF file of 16-bit mono PCM (Microsoft and IBM, 1991), whose length is known beforehand."""
    size = 2 * samples
    head = struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE")
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, sample_rate, 2 * sample_rate, 2, 16)
    return head + form + struct.pack("<4sI", b"data", size)


def check_name(out: str | os.PathLike) -> bool:
    """Whether a header is to be written: for ``*.wav`` and standard output (``-``), not for ``*.raw``.

    Raises DataError for other names.
    """
    suffix = Path(out).suffix.lower()
    if os.fspath(out) != STDOUT and suffix not in (".wav", ".raw"):
        raise DataError("a stream is written to *.wav, *.raw or - (standard output)", out)
    return suffix != ".raw"


def write_stream(out: str | os.PathLike, size: int, parts: Iterable[np.ndarray], sample_rate: int) -> int:
    """Writes mono audio of 16 bits as it comes, at once.

    What is beyond full scale is clipped, since what is still to come is not known.

    Args:
        out: see :func:`check_name`. size: samples there will be. parts: (some,) float, full scale at 1.

    Returns how many samples were clipped. Raises DataError as :func:`check_name`.
    """
    with_header, clipped = check_name(out), 0
    is_stdout = os.fspath(out) == STDOUT
    with contextlib.nullcontext(sys.stdout.buffer) if is_stdout else open(out, "wb") as file:
        file.write(wav_header(size, sample_rate) if with_header else b"")
        for part in parts:
            clipped += int((np.abs(part) > 1).sum())
            file.write(np.round(np.clip(part, -1, 1) * (2**15 - 1)).astype("<i2").tobytes())
            file.flush()
    return clipped
