"""How others judge: ESPnet's figures, and the opinions that networks predict.

ESPnet and Muskits pair frames by time warping; it is for published figures only. Unlike the other measures
(:mod:`nnsvs_lite.evaluation.measures`), wrong timing costs nothing, c0 counts, and MCD's cepstra come from
SPTK's analysis of short frames. Settings are those of
``egs2/TEMPLATE/svs1/pyscripts/utils/evaluate_{mcd,f0,semitone,vuv}.py``: samples on a 16-bit scale, 1,024 of
them each 256, order and warping by sampling rate. Their path is fastdtw's approximation; here it is exact.

Mean opinion scores are predicted by DistillMOS and DNSMOS. Both were made for speech, so only differences
mean anything. They need the optional extra ``mos``, whose wheels carry the weights.
"""

import functools
import sys
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from nnsvs_lite.evaluation.reference import Rendition
from nnsvs_lite.io.errors import DataError

FRAME, SHIFT = 1024, 256
SETTINGS = {16000: (23, 0.42), 22050: (34, 0.45), 24000: (34, 0.46), 44100: (39, 0.53), 48000: (39, 0.55)}
"""Sampling rate in Hz to order and warping."""


def mel_cepstra(wave: np.ndarray, sample_rate: int, where: str = "audio") -> np.ndarray:
    """SPTK's mel-cepstra ``(frames, order + 1)`` of a waveform ``(samples,)``, -1..1, on a 16-bit scale.

    Raises DataError for a rate without ``SETTINGS``, or a waveform shorter than one frame.
    """
    if sample_rate not in SETTINGS:
        known = ", ".join(map(str, SETTINGS))
        raise DataError(f"no settings of ESPnet for {sample_rate} Hz; there are: {known}", where)
    if len(wave) < FRAME:
        raise DataError(f"{len(wave)} samples are fewer than one frame of ESPnet's ({FRAME})", where)
    try:
        with warnings.catch_warnings():
            # It asks pkg_resources for its own version.
            warnings.simplefilter("ignore")
            import pysptk
    except ImportError:
        raise DataError("needs pysptk: pip install 'nnsvs_lite[sptk]'", "--espnet") from None

    order, alpha = SETTINGS[sample_rate]
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(wave, np.float64) * 32768.0, FRAME)[::SHIFT]
    window = pysptk.sptk.hamming(FRAME)
    # eps keeps the logarithm of an empty frame finite (etype 1: added to the periodogram).
    return np.stack([pysptk.mcep(frame * window, order, alpha, etype=1, eps=1e-6) for frame in frames])


def warp(ref: np.ndarray, est: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cheapest pairing of two ``(frames, columns)`` by Euclidean distance (Sakoe and Chiba, 1978).

    Steps (1, 0), (0, 1) and (1, 1) of equal weight, both ends fixed. Returns indices, ``(path,)`` each.
    """
    from scipy.spatial.distance import cdist

    cost = cdist(ref, est)
    rows, columns = cost.shape
    # Diagonal by diagonal: all cells of one depend only on the two before it.
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0.0
    for diagonal in range(rows + columns - 1):
        i = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        j = diagonal - i
        before = np.minimum(np.minimum(total[i, j + 1], total[i + 1, j]), total[i, j])
        total[i + 1, j + 1] = cost[i, j] + before
    path = [(rows - 1, columns - 1)]
    while path[-1] != (0, 0):
        i, j = path[-1]
        steps = [(total[i, j], (i - 1, j - 1)), (total[i, j + 1], (i - 1, j)), (total[i + 1, j], (i, j - 1))]
        path.append(min(steps, key=lambda step: step[0])[1])
    return tuple(np.array(path[::-1]).T)


class EspnetAnalysis(NamedTuple):
    """What the scripts compare of one waveform.

    Attributes:
        cepstra: of SPTK, ``(frames, order + 1)``; those of MCD.
        f0: Hz by Harvest, 0 where unvoiced, ``(frames',)``.
        envelope: mel-cepstra of CheapTrick's spectra, ``(frames', order + 1)``, by which F0 is paired.
    """

    cepstra: np.ndarray
    f0: np.ndarray
    envelope: np.ndarray


def analyse(
    wave: np.ndarray, sample_rate: int, where: str = "audio", ceiling: float = 800.0
) -> EspnetAnalysis:
    """Analyses a waveform ``(samples,)``, -1..1, with F0 from 40 Hz to ``ceiling``.

    The ceiling of 800 Hz is ESPnet's default: a note above it (G5) is taken for silence, or for whatever is
    found below. Raises DataError as :func:`mel_cepstra`.
    """
    import pyworld

    from nnsvs_lite.features.world import spectrum_to_mgc

    cepstra = mel_cepstra(wave, sample_rate, where)
    scaled = np.asarray(wave, np.float64) * 32768.0
    period = 1000.0 * SHIFT / sample_rate
    f0, times = pyworld.harvest(scaled, sample_rate, f0_floor=40.0, f0_ceil=ceiling, frame_period=period)
    spectrum = pyworld.cheaptrick(scaled, f0, times, sample_rate, fft_size=FRAME)
    return EspnetAnalysis(cepstra, f0, spectrum_to_mgc(spectrum, *SETTINGS[sample_rate]))


def paired(ref: EspnetAnalysis, est: EspnetAnalysis) -> tuple[Rendition, Rendition]:
    """Both with their frames paired: ``mgc`` by warping cepstra, ``f0`` by warping envelopes."""
    i, j = warp(ref.cepstra, est.cepstra)
    m, n = warp(ref.envelope, est.envelope)
    return Rendition(ref.f0[m], ref.cepstra[i]), Rendition(est.f0[n], est.cepstra[j])


MOS_RATE = 16000
"""Hz, of the waveforms that are given an opinion of."""
DNSMOS_WINDOW = 9.01
"""Seconds that DNSMOS hears at once, each second anew."""
DNSMOS_OVERALL = (-0.06766283, 1.11546468, 0.04602535)
"""From what DNSMOS' network says to its overall score."""


@functools.lru_cache(maxsize=1)
def predictors() -> tuple[Callable[[np.ndarray], float], Callable[[np.ndarray], float]]:
    """DistillMOS (Stahl and Gamper, 2025) and DNSMOS P.835 overall (Reddy et al., 2022).

    Each takes a waveform ``(samples,)``, -1..1 at ``MOS_RATE``, to a score of 1 to 5. Raises DataError where
    the extra is not installed.
    """
    try:
        import onnxruntime
        import torch

        # Torchaudio is there for reading files alone, and its wheels do not load beside each build of torch.
        known = sys.modules.setdefault("torchaudio", ModuleType("torchaudio"))
        try:
            from distillmos.sqa import DEFAULT_WEIGHTS_CHKPT, ConvTransformerSQAModel
        finally:
            if known.__spec__ is None:
                del sys.modules["torchaudio"]
        # Beside the weights lies a program that needs more packages, so only the file is taken.
        weights = Path(find_spec("speechmos").origin).parent / "dnsmos_models" / "sig_bak_ovr.onnx"
    except (ImportError, AttributeError):
        raise DataError("needs DistillMOS and DNSMOS: pip install 'nnsvs_lite[mos]'", "--mos") from None
    model = ConvTransformerSQAModel(load_weights=False).eval()
    model.load_state_dict(torch.load(DEFAULT_WEIGHTS_CHKPT, map_location="cpu", weights_only=True)["model"])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(weights, options)

    def distill(wave: np.ndarray) -> float:
        with torch.no_grad():
            return float(model(torch.from_numpy(wave.astype(np.float32))[None]))

    def dns(wave: np.ndarray) -> float:
        size = int(DNSMOS_WINDOW * MOS_RATE)
        while len(wave) < size:  # As there: what is short is heard again.
            wave = np.append(wave, wave)
        starts = range(0, max(1, len(wave) - size + 1), MOS_RATE)
        heard = [session.run(None, {"input_1": wave[None, s : s + size].astype(np.float32)}) for s in starts]
        return float(np.mean([np.polyval(DNSMOS_OVERALL, scores[0][0][2]) for scores in heard]))

    return distill, dns


def opinions(wave: np.ndarray) -> np.ndarray:
    """``(2,)``: DistillMOS and DNSMOS of a waveform, see :func:`predictors`."""
    return np.array([predict(wave) for predict in predictors()])
