"""Checks of audio files by their headers."""

import os
import struct
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from nnsvs_lite.corpus.faults import Faults, TableRow
from nnsvs_lite.io.atomic import check_regular
from nnsvs_lite.io.errors import DataError

_THREADS = 8
_AT_ONCE = 64 * _THREADS
_EIGHT_BITS = "samples of 8 bits, 16 are needed"
_EIGHT_BIT_TYPES = frozenset({"PCM_S8", "PCM_U8", "ULAW", "ALAW", "DPCM_8"})

PIPE = "a shell pipe is not run here; write the audio to a file first"
"""What is said of a ``cmd |`` in a ``wav.scp``."""


class AudioInfo(NamedTuple):
    """What a header says; ``fault`` is empty if it can be used, ``doubt`` if nothing is odd."""

    rate: int = 0
    channels: int = 0
    frames: int = 0
    fault: str = ""
    doubt: str = ""

    @property
    def seconds(self) -> float:
        return self.frames / self.rate


def audio_info(path: str | Path) -> AudioInfo:
    """Rate (Hz), channels and frames of an audio file, or its fault.

    RIFF headers are read here, which also shows a file that was cut off; other
    formats go to libsndfile.
    """
    try:
        check_regular(path)
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                return AudioInfo(fault="an empty file")
            found = _riff(file, size) if file.read(4) == b"RIFF" else None
            if found is not None:
                return found
    except FileNotFoundError:
        return AudioInfo(fault="no such file")
    except DataError as error:
        return AudioInfo(fault=error.what)
    except OSError as error:
        return AudioInfo(fault=f"cannot be read: {error.strerror}")
    return _libsndfile(path)


def _riff(file, size: int) -> AudioInfo | None:
    """Walks the chunks of a WAVE file of linear PCM or float; None if it is something else."""
    if file.read(8)[4:] != b"WAVE":
        return None
    layout = None
    while True:
        header = file.read(8)
        if len(header) < 8:
            return AudioInfo(fault="damaged: the header ends early")
        name, length = header[:4], struct.unpack("<I", header[4:])[0]
        if name == b"fmt " and length >= 16:
            body = file.read(length + length % 2)
            if len(body) < 16:
                return AudioInfo(fault="damaged: the header ends early")
            kind, channels, rate, second, block, bits = struct.unpack("<HHIIHH", body[:16])
            if kind not in (1, 3, 0xFFFE):
                return None
            if not (channels and rate and block):
                return AudioInfo(fault="damaged: the header states no channels or no sampling rate")
            layout = channels, rate, block
            doubt = _EIGHT_BITS if bits <= 8 else ""
            if block != channels * -(-bits // 8) or second != rate * block:
                stated = f"{channels} channels of {bits} bits at {rate} Hz"
                doubt = f"the header contradicts itself: {stated}, {block} bytes a sample, {second} a second"
        elif name == b"data":
            if layout is None:
                return AudioInfo(fault="damaged: no format before the samples")
            channels, rate, block = layout
            if length == 0:
                return AudioInfo(fault="holds no samples")
            there = size - file.tell()
            if there < length:
                return AudioInfo(fault=f"cut off: {length} bytes of samples are stated, {there} are there")
            file.seek(length + length % 2, 1)
            if more := _beyond(file, size):
                doubt = f"the header states {length} bytes of samples, {more} bytes more follow"
            return AudioInfo(rate, channels, length // block, doubt=doubt)
        else:
            file.seek(length + length % 2, 1)


def _beyond(file, size: int) -> int:
    """Bytes from here that are no chunk."""
    while (there := size - file.tell()) >= 8:
        name, length = struct.unpack("<4sI", file.read(8))
        if not (name.isascii() and name.decode().isprintable() and length <= there - 8):
            return there
        file.seek(length + length % 2, 1)
    return 0


def _libsndfile(path: str | Path) -> AudioInfo:
    import soundfile

    try:
        info = soundfile.info(str(path))
    except (soundfile.LibsndfileError, OSError, RuntimeError, TypeError) as error:
        reason = str(error).removeprefix(f"Error opening {str(path)!r}: ")
        return AudioInfo(fault=f"cannot be read as audio: {reason}")
    if info.frames <= 0:
        return AudioInfo(fault="holds no samples")
    doubt = _EIGHT_BITS if info.subtype in _EIGHT_BIT_TYPES else ""
    return AudioInfo(info.samplerate, info.channels, info.frames, doubt=doubt)


def check_audio(path: Path, rows: Iterable[TableRow], faults: Faults) -> dict[str, AudioInfo]:
    """Recording id to header, of all of a ``wav.scp`` that can be used; faults are noted at its lines."""
    files = []
    for row in rows:
        if row.value.endswith("|") or row.value.startswith("|"):
            faults.add(path, row.line, f"{row.key}: {PIPE}")
        else:
            files.append(row)
    with ThreadPoolExecutor(_THREADS) as pool:
        infos = []
        # A pool holds over a kilobyte for each file that it was given.
        for first in range(0, len(files), _AT_ONCE):
            infos += pool.map(audio_info, [row.value for row in files[first : first + _AT_ONCE]])
    usable = {}
    for row, info in zip(files, infos, strict=True):
        if info.fault:
            faults.add(path, row.line, f"{row.key}: {row.value}: {info.fault}")
        else:
            usable[row.key] = info
    rates = Counter(info.rate for info in usable.values())
    common = max(rates, key=lambda rate: (rates[rate], rate)) if rates else 0
    for row in files:
        info = usable.get(row.key, AudioInfo(common, 1))
        if info.doubt:
            faults.add(path, row.line, f"{row.key}: {info.doubt}")
        if info.rate != common:
            what = f"sampling rate {info.rate} Hz, most recordings have {common} Hz"
            faults.add(path, row.line, f"{row.key}: {what}")
        if info.channels != 1:
            faults.add(path, row.line, f"{row.key}: {info.channels} channels, one is needed")
    return usable
