"""From mel-cepstra and F0 of a voice to a waveform, with WORLD."""

import numpy as np
import pyworld

from nnsvs_lite.virtual.style import FRAME

PEAK = 0.98
"""The largest sample that is written: beyond it the whole waveform is scaled down."""
_FULL_SCALE = 32768.0
_LOWEST = 10.0 ** (-100 / 10)


def warped_frequencies(frequencies: np.ndarray, sample_rate: int, alpha: float) -> np.ndarray:
    """Phase (radians) of the all-pass function at frequencies in Hz (Tokuda et al. 1994)."""
    omega = 2 * np.pi * np.asarray(frequencies) / sample_rate
    return omega + 2 * np.arctan(alpha * np.sin(omega) / (1 - alpha * np.cos(omega)))


def power_spectra(
    mgc: np.ndarray, voice_rate: int, alpha: float, sample_rate: int, fft: int, formants: float = 1.0
) -> np.ndarray:
    """Power spectra (frames, fft // 2 + 1), full scale 1, on the FFT grid of another sampling rate.

    Args:
        mgc: (frames, order + 1) mel-cepstra of the log amplitude, int16 scale.
        voice_rate: the sampling rate they belong to, Hz. alpha: their all-pass constant.
        sample_rate: the rate wanted, not above ``voice_rate``. fft: FFT size at ``sample_rate``.
        formants: factor of all frequencies of the spectra; beyond the voice's they stay as at its highest.
    """
    frequencies = np.minimum(np.arange(fft // 2 + 1) * sample_rate / fft / formants, voice_rate / 2)
    axis = warped_frequencies(frequencies, voice_rate, alpha)
    log_amplitude = mgc @ np.cos(np.outer(np.arange(mgc.shape[1]), axis)) - np.log(_FULL_SCALE)
    # The rates differ: a flat power density must keep its density.
    return np.exp(2 * log_amplitude) * (sample_rate / voice_rate) + _LOWEST * 1e-6


def smooth_over_harmonics(spectra: np.ndarray, f0: np.ndarray, sample_rate: int) -> np.ndarray:
    """Power spectra (frames, bins) averaged over one harmonic, F0 (frames,) wide; as they are where it is 0.

    The first step of CheapTrick (Morise 2015) on the way to an envelope. Voices that were trained on high
    singing have spectra with the harmonics of those notes in them; sung at an F0 a little off, the harmonics
    would fall between the peaks.
    """
    bins = spectra.shape[1]
    width = f0 * 2 * (bins - 1) / sample_rate
    reach = int(np.ceil(width.max(initial=0.0) / 2)) + 1
    # Spectra go on symmetrically on both sides; the integral of steps is piecewise linear.
    padded = np.pad(spectra, ((0, 0), (reach, reach)), mode="reflect")
    integral = np.pad(np.cumsum(padded, axis=1), ((0, 0), (1, 0)))
    result = spectra.copy()
    for t in np.flatnonzero(f0 > 0):
        centre = np.arange(bins) + reach + 0.5
        edges = np.concatenate([centre - width[t] / 2, centre + width[t] / 2])
        values = np.interp(edges, np.arange(integral.shape[1]), integral[t])
        result[t] = (values[bins:] - values[:bins]) / width[t]
    return result


def aperiodicity(low_pass: np.ndarray, voice_rate: int, sample_rate: int, fft: int) -> np.ndarray:
    """Aperiodicity (fft // 2 + 1,) of pulses filtered by ``low_pass`` and noise by its complement."""
    frequencies = np.arange(fft // 2 + 1) * sample_rate / fft
    half = len(low_pass) // 2
    lags = np.arange(-half, half + 1)
    pulse = np.cos(np.outer(2 * np.pi * frequencies / voice_rate, lags)) @ low_pass
    noise = 1.0 - pulse
    ratio = np.abs(noise) / np.sqrt(noise**2 + pulse**2 + 1e-12)
    return np.clip(ratio, 0.001, 0.999)


def synthesize(f0: np.ndarray, spectra: np.ndarray, ap: np.ndarray, sample_rate: int) -> np.ndarray:
    """The waveform, 5 ms a frame, of F0 (frames,) in Hz, power and aperiodicity (frames, bins)."""
    curves = (np.ascontiguousarray(curve, dtype=np.float64) for curve in (f0, spectra, ap))
    wav = pyworld.synthesize(*curves, sample_rate, FRAME * 1000)
    samples = round(len(f0) * FRAME * sample_rate)
    return np.pad(wav[:samples], (0, max(0, samples - len(wav))))


def active_level(wav: np.ndarray, sample_rate: int) -> float:
    """Level in dBFS (RMS) of the 20 ms blocks that are within 30 dB of the loudest one."""
    block = int(0.02 * sample_rate)
    blocks = wav[: len(wav) // block * block].reshape(-1, block)
    power = np.mean(blocks**2, axis=1)
    if not power.size or power.max() <= 0:
        return -np.inf
    return float(10 * np.log10(np.mean(power[power > power.max() * 1e-3])))
