"""What a model in training makes of a dev phrase, for TensorBoard: pictures and sound."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nnsvs_lite.features.world import alpha_of, mgc_to_spectrum
from nnsvs_lite.models.base import AcousticModel, SvsModel, VocoderModel
from nnsvs_lite.models.batch import Batch, Example, collate
from nnsvs_lite.models.vocoder.griffin_lim import GriffinLim
from nnsvs_lite.models.vocoder.world import World

TIMES = 5
"""How often a training is looked at, evenly spread over it; the last time is its end."""
_FFT, _FLOOR = 1024, 1e-5


def is_due(now: int, before: int, total: int) -> bool:
    """Whether a share of the training is over at ``now`` that was not at ``before``."""
    return now * TIMES // total > before * TIMES // total


@torch.no_grad()
def show(writer: Any, model: SvsModel, example: Example, now: int) -> None:
    """Writes pictures and sound of one phrase, in its recorded times; timing models have none.

    Args:
        writer: a ``SummaryWriter``. model: in evaluation. example: with streams. now: epoch or update.
    """
    device = next((tensor.device for tensor in model.parameters()), torch.device("cpu"))
    batch = model.heard(collate([example], model.spec.frame_shift).to(device))
    if isinstance(model, VocoderModel):
        made, there = (x[0, : int(model.samples(batch)[0])].float().cpu() for x in model.pair(batch))
        writer.add_figure("phrase/spectra", _figure([_waveform(there), _waveform(made)]), now)
        _sound(writer, "phrase", made, model.spec.sample_rate, now)
    elif isinstance(model, AcousticModel):
        sung = {name: value.float() for name, value in model.infer(batch).items()}
        pictures = [_spectra(model, streams) for streams in (batch.streams, sung)]
        curves = [_f0(streams) for streams in (batch.streams, sung)] if "lf0" in sung else []
        if curves or any(picture is not None for picture in pictures):
            writer.add_figure("phrase/spectra", _figure(pictures, curves), now)
        wav = _waveform_of(model, batch, sung)
        if wav is not None:
            _sound(writer, "phrase", wav, model.spec.sample_rate, now)


def _waveform_of(model: AcousticModel, batch: Batch, sung: Mapping[str, Tensor]) -> Tensor | None:
    """(S,), by the model's own vocoder, or one that needs no training; None of what is no voice yet."""
    known = (kind(model.spec) for kind in (World, GriffinLim) if set(kind.inputs) <= set(sung))
    vocoder = model.own_vocoder() or next(known, None)
    high = math.log(model.spec.sample_rate / 2)
    if vocoder is None or not all(value.isfinite().all() for value in sung.values()):
        return None
    if "lf0" in sung and bool((sung["lf0"] > high).any()):
        return None
    streams = {name: value for name, value in sung.items() if name in vocoder.inputs}
    return vocoder.synthesize(replace(batch, score=None, streams=streams))[0].float().cpu()


def _sound(writer: Any, name: str, wav: Tensor, rate: int, now: int) -> None:
    if wav.isfinite().all():
        writer.add_audio(f"{name}/sound", (wav / wav.abs().max().clamp(min=1.0))[None], now, sample_rate=rate)


def _waveform(wav: Tensor) -> np.ndarray:
    """(frequencies, T) in dB."""
    spectrum = torch.stft(wav, _FFT, _FFT // 4, window=torch.hann_window(_FFT), return_complex=True)
    return (20 * spectrum.abs().clamp(min=_FLOOR).log10()).numpy()


def _spectra(model: AcousticModel, streams: Mapping[str, Tensor]) -> np.ndarray | None:
    """(frequencies, T) in dB or as mel bands have it; None of latents and recordings alone."""
    if "mel" in streams:
        return streams["mel"][0].float().cpu().numpy().T
    if "mgc" not in streams:
        return None
    mgc = streams["mgc"][0].double().cpu().numpy()
    spectrum = mgc_to_spectrum(mgc, alpha_of(model.spec.feature_config), _FFT)
    return 10 * np.log10(np.maximum(spectrum, 1e-12)).T


def _f0(streams: Mapping[str, Tensor]) -> np.ndarray:
    """(T,) Hz, NaN where unvoiced."""
    lf0, vuv = (streams[name][0, :, 0].float().cpu().numpy() for name in ("lf0", "vuv"))
    return np.where(vuv >= 0.5, np.exp(lf0), np.nan)


def _figure(pictures: list[np.ndarray | None], curves: list[np.ndarray] | None = None) -> Any:
    """Pictures one above the other, recorded and made, and both F0 curves."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = [(name, image) for name, image in zip(("recorded", "made"), pictures) if image is not None]
    figure = Figure(figsize=(10, 2.5 * (len(drawn) + bool(curves))), layout="constrained")
    FigureCanvasAgg(figure)
    axes = iter(np.ravel(figure.subplots(len(drawn) + bool(curves), 1, squeeze=False)))
    for name, image in drawn:
        low, high = np.percentile(drawn[0][1], (2, 99.5))
        here = next(axes)
        here.imshow(image, origin="lower", aspect="auto", cmap="magma", vmin=low, vmax=high)
        here.set_ylabel(name)
    for name, curve in zip(("recorded", "made"), curves or ()):
        here = next(axes) if name == "recorded" else here
        here.plot(curve, label=name, linewidth=1)
        here.set(ylabel="F0 (Hz)", xlim=(0, len(curve)))
        here.legend(loc="upper right")
    return figure
