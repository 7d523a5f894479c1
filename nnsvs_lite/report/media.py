"""Small media for a page that must hold everything: MP3 and indexed PNG as data URIs."""

import base64
import io

import numpy as np

from nnsvs_lite.features.audio import resample
from nnsvs_lite.features.config import FeatureConfig, MelConfig
from nnsvs_lite.features.mel import log_mel
from nnsvs_lite.io.errors import DataError

LEVELS = 64
"""Shades of a spectrogram; fewer shades pack better."""
SPAN = 70.0
"""dB from the brightest to the darkest."""

_ANCHORS = np.array(
    [[0, 0, 4], [40, 11, 84], [101, 21, 110], [159, 42, 99]]
    + [[212, 72, 66], [245, 125, 21], [250, 193, 39], [252, 255, 164]]
)
"""Black over purple and orange to pale yellow: brightness rises evenly, also for the colour-blind."""


def data_uri(kind: str, data: bytes) -> str:
    """``data:<kind>;base64,...``."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def mp3(wave: np.ndarray, sample_rate: int, compression: float = 0.35) -> bytes:
    """Encodes mono audio as variable-rate MP3, which every browser plays; scaled down if its peak exceeds 1.

    ``compression`` is 0 (largest) to 0.99 (smallest); 0.35 is about 60 kbit/s at 24 kHz.

    Raises DataError where the sound library was built without MP3, or takes no such rate.
    """
    import soundfile

    if sample_rate not in (16000, 22050, 24000, 32000, 44100, 48000):
        wave, sample_rate = resample(wave, sample_rate, 24000), 24000
    wave = wave / max(1.0, float(np.abs(wave).max(initial=0.0)))
    buffer = io.BytesIO()
    kind = {"subtype": "MPEG_LAYER_III", "format": "MP3", "bitrate_mode": "VARIABLE"}
    try:
        soundfile.write(buffer, wave, sample_rate, compression_level=compression, **kind)
    except (soundfile.LibsndfileError, ValueError) as error:
        raise DataError(f"libsndfile cannot write MP3 ({error}); it needs version 1.1 or newer") from None
    return buffer.getvalue()


def palette() -> np.ndarray:
    """Colours from dark to bright, ``(LEVELS, 3)`` uint8."""
    place = np.linspace(0, len(_ANCHORS) - 1, LEVELS)
    columns = [np.interp(place, range(len(_ANCHORS)), anchors) for anchors in _ANCHORS.T]
    return np.round(np.stack(columns, axis=1)).astype(np.uint8)


def mel_spectrogram(wave: np.ndarray, sample_rate: int, hop: float, high: float) -> np.ndarray:
    """Mel power spectra up to ``high`` Hz in dB, ``(80, frames)``, frame ``t`` centred at ``t * hop`` s."""
    sizes = {"fft_size": 1 << int(np.ceil(np.log2(0.04 * sample_rate))), "win_size": int(0.03 * sample_rate)}
    ends = {"fmin": 0.0, "fmax": min(high, sample_rate / 2)}
    mel = MelConfig(bins=80, **sizes, **ends, power=2.0, log="log10", log_floor=1e-12)
    config = FeatureConfig(sample_rate=sample_rate, frame_shift=hop, mel=mel)
    return 10.0 * log_mel(wave, config, int(len(wave) / (hop * sample_rate)) + 1).T


def spectrogram_png(decibel: np.ndarray, top: float) -> bytes:
    """PNG with a palette of ``(bands, frames)``, low bands at the bottom; ``top`` dB is brightest."""
    from PIL import Image

    shade = np.clip((decibel - (top - SPAN)) / SPAN, 0.0, 1.0)
    picture = Image.fromarray(np.round(shade[::-1] * (LEVELS - 1)).astype(np.uint8), "P")
    picture.putpalette(palette().tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
