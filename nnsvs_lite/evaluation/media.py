"""Small media for a page that must hold everything: MP3 and indexed PNG as data URIs."""

from __future__ import annotations

import base64
import io
import struct
import zlib

import numpy as np

from nnsvs_lite.features.mel import filterbank

LEVELS = 64
"""Shades of a spectrogram; fewer shades pack better."""

_ANCHORS = np.array(
    [
        [0, 0, 4],
        [40, 11, 84],
        [101, 21, 110],
        [159, 42, 99],
        [212, 72, 66],
        [245, 125, 21],
        [250, 193, 39],
        [252, 255, 164],
    ]
)
"""Black over purple and orange to pale yellow: brightness rises evenly, also for the colour-blind."""


def data_uri(kind: str, data: bytes) -> str:
    """``data:<kind>;base64,...``."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def mp3(wave: np.ndarray, sample_rate: int, compression: float = 0.35) -> bytes:
    """Encodes mono audio as variable-rate MP3, which every browser plays.

    Args:
        wave: ``(samples,)``; scaled down where its peak exceeds 1.
        sample_rate: Hz.
        compression: 0 (largest) to 0.99 (smallest); 0.35 is about 60 kbit/s at 24 kHz.

    Raises:
        DataError: where the sound library was built without MP3, or takes no such rate.
    """
    import soundfile

    from nnsvs_lite.features.audio import resample
    from nnsvs_lite.io.errors import DataError

    if sample_rate not in (16000, 22050, 24000, 32000, 44100, 48000):
        wave, sample_rate = resample(wave, sample_rate, 24000), 24000
    wave = wave / max(1.0, float(np.abs(wave).max(initial=0.0)))
    buffer = io.BytesIO()
    try:
        with soundfile.SoundFile(
            buffer,
            "w",
            sample_rate,
            1,
            subtype="MPEG_LAYER_III",
            format="MP3",
            compression_level=compression,
            bitrate_mode="VARIABLE",
        ) as file:
            file.write(wave)
    except (soundfile.LibsndfileError, ValueError) as error:
        raise DataError(f"libsndfile cannot write MP3 ({error}); it needs version 1.1 or newer") from None
    return buffer.getvalue()


def palette(levels: int = LEVELS) -> np.ndarray:
    """Colours from dark to bright, ``(levels, 3)`` uint8."""
    place = np.linspace(0, len(_ANCHORS) - 1, levels)
    columns = [np.interp(place, range(len(_ANCHORS)), anchors) for anchors in _ANCHORS.T]
    return np.round(np.stack(columns, axis=1)).astype(np.uint8)


def indexed_png(pixels: np.ndarray, colours: np.ndarray) -> bytes:
    """Encodes a PNG with a palette (PNG specification, colour type 3).

    Args:
        pixels: ``(height, width)`` uint8, row 0 at the top.
        colours: ``(up to 256, 3)`` uint8.
    """

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)

    height, width = pixels.shape
    # Each row begins with its filter type; 0 is none, the best for palettes.
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.astype(np.uint8)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"PLTE", colours.astype(np.uint8).tobytes())
        + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
        + chunk(b"IEND", b"")
    )


def mel_spectrogram(
    wave: np.ndarray,
    sample_rate: int,
    hop: float = 0.01,
    bands: int = 80,
    low: float = 0.0,
    high: float = 12000.0,
) -> np.ndarray:
    """Mel power spectra in dB, ``(bands, frames)``, band 0 lowest, frame ``t`` centred at ``t * hop``.

    Args:
        wave: ``(samples,)``. sample_rate: Hz.
        hop: seconds. bands: count. low, high: Hz.
    """
    from nnsvs_lite.features.config import MelConfig

    size = 1 << int(np.ceil(np.log2(0.04 * sample_rate)))
    window = np.hanning(int(0.03 * sample_rate))
    window = np.pad(window, ((size - len(window)) // 2, size - len(window) - (size - len(window)) // 2))
    step = hop * sample_rate
    count = int(len(wave) / step) + 1
    padded = np.pad(wave, (size // 2, size))
    starts = np.round(np.arange(count) * step).astype(int)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[starts] * window
    power = np.abs(np.fft.rfft(frames)) ** 2
    config = MelConfig(bins=bands, fft_size=size, win_size=size, fmin=low, fmax=min(high, sample_rate / 2))
    return 10.0 * np.log10(power @ filterbank(sample_rate, config).T + 1e-12).T


def spectrogram_png(decibel: np.ndarray, top: float, span: float = 70.0) -> bytes:
    """PNG of ``(bands, frames)``, low bands at the bottom; ``top`` dB is brightest, ``top - span`` dark."""
    shade = np.clip((decibel - (top - span)) / span, 0.0, 1.0)
    return indexed_png(np.round(shade[::-1] * (LEVELS - 1)).astype(np.uint8), palette())
