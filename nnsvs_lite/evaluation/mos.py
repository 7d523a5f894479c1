"""Mean opinion scores as networks predict them; both were made for speech, so only differences mean anything.

Needs the optional extra ``mos``, whose wheels carry the weights.
"""

import functools
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np

from nnsvs_lite.io.errors import DataError

RATE = 16000
"""Hz, of the waveforms."""
WINDOW = 9.01
"""Seconds that DNSMOS hears at once, each second anew."""
OVERALL = (-0.06766283, 1.11546468, 0.04602535)
"""From what DNSMOS' network says to its overall score."""


@functools.lru_cache(maxsize=1)
def predictors() -> tuple[Callable[[np.ndarray], float], Callable[[np.ndarray], float]]:
    """DistillMOS (Stahl and Gamper, 2025) and DNSMOS P.835 overall (Reddy et al., 2022).

    Each takes a waveform ``(samples,)``, -1..1 at ``RATE``, to a score of 1 to 5. Raises DataError where the
    extra is not installed.
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
        size = int(WINDOW * RATE)
        while len(wave) < size:  # As there: what is short is heard again.
            wave = np.append(wave, wave)
        starts = range(0, max(1, len(wave) - size + 1), RATE)
        heard = [session.run(None, {"input_1": wave[None, s : s + size].astype(np.float32)}) for s in starts]
        return float(np.mean([np.polyval(OVERALL, scores[0][0][2]) for scores in heard]))

    return distill, dns


def opinions(wave: np.ndarray) -> np.ndarray:
    """``(2,)``: DistillMOS and DNSMOS of a waveform, see :func:`predictors`."""
    return np.array([predict(wave) for predict in predictors()])
