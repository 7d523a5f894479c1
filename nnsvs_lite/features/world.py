"""WORLD analysis and synthesis (Morise, Yokomori, Ozawa 2016) in mel-cepstra and band aperiodicity.

Frame ``t`` is centred at ``t * frame_shift``.
"""

import functools

import numpy as np
import pyworld

from nnsvs_lite.features.config import FeatureConfig, bap_size

VUV_THRESHOLD = 0.5
"""A frame is voiced where ``vuv`` is at least this."""


@functools.lru_cache
def mcep_alpha(sample_rate: int) -> float:
    """The frequency warping that fits the mel scale at this rate (0.466 at 24 kHz, 0.554 at 48 kHz).

    Of all in steps of 0.001 the one whose all-pass (:func:`_warp`) has the phase nearest to the mel scale by
    squares, both from 0 to 1; as `pysptk.util.mcepalpha`.
    """
    part = np.arange(1000) / 1000
    mel = np.log1p(part * sample_rate / 2000)
    alpha = np.arange(1000)[:, None] / 1000
    phase = np.pi * part + 2 * np.arctan2(alpha * np.sin(np.pi * part), 1 - alpha * np.cos(np.pi * part))
    error = np.square(phase / phase[:, -1:] - mel / mel[-1]).sum(axis=1)
    return float(alpha[np.argmin(error), 0])


def alpha_of(config: FeatureConfig) -> float:
    """The warping of a configuration's mel-cepstra."""
    alpha = config.world.alpha if config.world else None
    return mcep_alpha(config.sample_rate) if alpha is None else alpha


def fft_size_of(config: FeatureConfig) -> int:
    """The FFT size of a configuration's spectra: given, or CheapTrick's for ``f0.floor``."""
    given = config.world.fft_size if config.world else None
    return given or pyworld.get_cheaptrick_fft_size(config.sample_rate, config.f0.floor)


@functools.lru_cache
def _warp(in_order: int, out_order: int, alpha: float) -> np.ndarray:
    """Frequency transform of cepstra as a matrix (out_order + 1, in_order + 1); as `pysptk.freqt`.

    Column k holds the first coefficients of the k-th power of the all-pass (z^-1 + a) / (1 + a z^-1)
    (Oppenheim and Johnson 1972), each power the one before it through that filter once more.
    """
    once = np.append(alpha, (1 - alpha**2) * (-alpha) ** np.arange(out_order))
    once = once[: np.flatnonzero(np.abs(once) > 1e-20)[-1] + 1]
    columns = [np.eye(1, out_order + 1)[0]]
    for _ in range(in_order):
        columns.append(np.convolve(once, columns[-1])[: out_order + 1])
    return np.array(columns).T


def spectrum_to_mgc(spectrum: np.ndarray, order: int, alpha: float) -> np.ndarray:
    """Power spectra (T, fft/2 + 1) to mel-cepstra (T, order + 1); as `pysptk.sp2mc`, in one product."""
    return _cepstrum_to_mgc(np.fft.irfft(np.log(spectrum))[:, : spectrum.shape[1]], order, alpha)


def _cepstrum_to_mgc(cepstrum: np.ndarray, order: int, alpha: float) -> np.ndarray:
    warp = _warp(cepstrum.shape[1] - 1, order, alpha).T.copy()
    warp[0] /= 2.0
    return cepstrum @ warp


def mgc_to_spectrum(mgc: np.ndarray, alpha: float, fft_size: int) -> np.ndarray:
    """Mel-cepstra (T, order + 1) to power spectra (T, fft/2 + 1); as `pysptk.mc2sp`."""
    half = fft_size // 2
    cepstrum = np.asarray(mgc, np.float64) @ _warp(mgc.shape[1] - 1, half, -alpha).T
    cepstrum[:, 0] *= 2.0
    symmetric = np.concatenate([cepstrum, cepstrum[:, -2:0:-1]], axis=1)
    return np.exp(np.fft.rfft(symmetric).real)


def analyse(x: np.ndarray, f0: np.ndarray, config: FeatureConfig) -> tuple[np.ndarray, np.ndarray]:
    """Spectra and aperiodicities of a waveform whose F0 is known.

    Args:
        x: (samples,) float64 at ``config.sample_rate``, reaching to the last frame's centre.
        f0: (T,) Hz, 0 where unvoiced. An F0 below what the FFT size resolves is analysed as unvoiced by WORLD
            itself.

    Returns ``mgc`` (T, order + 1), ``bap`` (T, bands) in dB, both float64.
    """
    # Not needed in singing, and slow to import.
    from nnsvs_lite.features import pitchwise

    rate, fft_size = config.sample_rate, fft_size_of(config)
    times = np.arange(len(f0)) * config.frame_shift
    f0 = np.asarray(f0, np.float64)
    cepstrum = pitchwise.cepstra(x, f0, times, rate, fft_size)
    mgc = _cepstrum_to_mgc(cepstrum, config.world.mgc_order, alpha_of(config))
    return mgc, pitchwise.bands(x, f0, times, rate, bap_size(rate), config.world.d4c_threshold)


def parameters(
    lf0: np.ndarray, vuv: np.ndarray, mgc: np.ndarray, bap: np.ndarray, config: FeatureConfig
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What WORLD itself takes: F0 (T,) in Hz, 0 where unvoiced, power spectra and aperiodicities
    (T, fft/2 + 1). Arguments and errors: as of :func:`synthesize`.
    """
    streams = {"lf0": lf0, "vuv": vuv, "mgc": mgc, "bap": bap}
    streams = {name: np.asarray(value, np.float64) for name, value in streams.items()}
    for name, value in streams.items():
        if len(value) != len(lf0) or not np.isfinite(value).all():
            raise ValueError(f"{name} must be finite and have {len(lf0)} frames, like lf0")
    rate, fft_size = config.sample_rate, fft_size_of(config)
    if not len(lf0):
        return np.zeros(0), *np.zeros((2, 0, fft_size // 2 + 1))
    voiced = streams["vuv"].reshape(-1) >= VUV_THRESHOLD
    f0 = np.where(voiced, np.exp(streams["lf0"].reshape(-1)), 0.0)
    spectrum = mgc_to_spectrum(streams["mgc"], alpha_of(config), fft_size)
    bands = np.ascontiguousarray(np.minimum(streams["bap"], 0.0))
    aperiodicity = pyworld.decode_aperiodicity(bands, rate, fft_size)
    return f0, np.ascontiguousarray(spectrum), aperiodicity


def synthesize(
    lf0: np.ndarray, vuv: np.ndarray, mgc: np.ndarray, bap: np.ndarray, config: FeatureConfig
) -> np.ndarray:
    """WORLD synthesis.

    Args:
        lf0: (T, 1) natural log of Hz. vuv: (T, 1); a frame is voiced at 0.5 or above.
        mgc: (T, order + 1) mel-cepstra. bap: (T, bands) dB, values above 0 count as 0.
        config: of the analysis; gives rate, frame shift, warping and FFT size.

    Returns float64 (samples,), ``round(T * frame_shift * sample_rate)`` of them; the peak may exceed 1.
    Raises ValueError where lengths differ or a value is not finite.
    """
    f0, spectrum, aperiodicity = parameters(lf0, vuv, mgc, bap, config)
    if not len(f0):
        return np.zeros(0)
    y = pyworld.synthesize(f0, spectrum, aperiodicity, config.sample_rate, config.frame_period)
    n_samples = config.n_samples(len(f0))
    return np.pad(y, (0, max(0, n_samples - len(y))))[:n_samples]
