"""Vocoders trained by other toolkits, as models of this one.

Read are generators of HiFi-GAN (jik876/hifi-gan), of NSF-HiFi-GAN (openvpi/SingingVocoders, with harmonics or
as "mini NSF"), and Parallel WaveGAN and HiFi-GAN of kan-bayashi/ParallelWaveGAN: their weights, and their
configuration beside them. Nothing of a file is run. What one of ours has no place for is an error.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from torch import Tensor

from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.spec import Moments, Spec, Stats, current_phones
from nnsvs_lite.io.atomic import write_text
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.settings import Settings, read_settings
from nnsvs_lite.models.checkpoint import load, save_model
from nnsvs_lite.models.config import Config
from nnsvs_lite.models.vocoder.neural import NeuralVocoder

_PATH = "nnsvs_lite.models.vocoder."


@dataclass(frozen=True)
class Foreign:
    """A generator of another toolkit, in our words.

    Attributes:
        class_path, init_args: of our model. names: its modules, and what each is called there.
        features: what it reads. unused: keys of weights that nothing reads, there either.
    """

    class_path: str
    init_args: dict[str, Any]
    names: dict[str, str]
    features: dict[str, Any]
    unused: tuple[str, ...] = ()


def convert_vocoder(
    checkpoint: str | os.PathLike,
    out: str | os.PathLike,
    config: str | os.PathLike | None = None,
    stats: str | os.PathLike | None = None,
) -> NeuralVocoder:
    """Writes ``model.pt``, ``config.yaml`` and ``features.yaml``, the features that it reads, to ``out``.

    Args:
        checkpoint: weights. config: of the generator; found beside them if not given.
        stats: of ParallelWaveGAN, the ``stats.npy`` by which its features were normalised.

    Returns the model. Raises DataError, naming the key, where a setting or a weight fits none of ours.
    """
    path = Path(checkpoint)
    settings = read_settings(_beside(path) if config is None else Path(config))
    weights = _weights(path)
    if "generator_params" in settings.value:
        foreign = _kan_bayashi(settings)
        if stats is None:
            raise DataError("it reads normalised features: give --stats, its stats.npy", path)
        moments = _moments(Path(stats), foreign.features["mel"]["bins"])
    else:
        foreign = _jik876(settings, weights)
        if stats is not None:
            raise DataError("it reads features as they are: leave --stats out", stats)
        moments = None
    features = FeatureConfig.from_dict(foreign.features, settings.where)
    spec = bare_spec(features, moments)
    model = {"class_path": _PATH + foreign.class_path, "init_args": foreign.init_args}
    made = Config.from_dict({"model": model}, settings.where)
    vocoder = made.build(spec).eval()
    _fill(vocoder, weights, foreign, path)
    save_model(Path(out) / "model.pt", vocoder, made, {"origin": path.name})
    made.write(Path(out) / "config.yaml")
    write_text(Path(out) / "features.yaml", yaml.safe_dump(features.to_dict(), sort_keys=False))
    return vocoder


def bare_spec(config: FeatureConfig, mel: Moments | None = None) -> Spec:
    """A specification without data: all that enters a network has mean 0 and deviation 1, but ``mel``."""

    def unit(size: int) -> Moments:
        return Moments((0.0,) * size, (1.0,) * size, (0.0,) * size, (0.0,) * size)

    # A specification has phones, of which a vocoder reads nothing.
    spec = Spec(config, config.streams, current_phones({"ja"}))
    streams = {name: unit(size) for name, size in spec.streams.items()}
    streams |= {} if mel is None else {"mel": mel}
    contexts = (unit(len(spec.columns(level))) for level in ("note", "phone"))
    return replace(spec, stats=Stats(streams, *contexts, {}, unit(1), unit(1)))


def _beside(path: Path) -> Path:
    for name in ("config.json", "config.yml", "config.yaml"):
        if path.with_name(name).is_file():
            return path.with_name(name)
    raise DataError("no config.json, config.yml or config.yaml beside it: give --config", path)


def _weights(path: Path) -> dict[str, Tensor]:
    """The generator's tensors; weight norm in any of its forms under today's names."""
    state: Any = load(path)
    for name in ("model", "generator"):
        state = state[name] if isinstance(state, dict) and isinstance(state.get(name), dict) else state
    if not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise DataError("holds no weights under 'generator', or under 'model' and 'generator'", path)
    forms = {f".weight_{old}": f".parametrizations.weight.original{new}" for old, new in (("g", 0), ("v", 1))}
    out = {}
    for name, value in state.items():
        end = next((form for form in forms if name.endswith(form)), "")
        out[name.removesuffix(end) + forms.get(end, "")] = value.float()
    return out


def _moments(path: Path, bins: int) -> Moments:
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"not a .npy file of numbers ({error})", path) from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        raise DataError("not a .npy file of numbers", path)
    if values.shape != (2, bins) or not np.isfinite(values).all() or (values[1] <= 0).any():
        what = f"must hold means and deviations of {bins} bands, (2, {bins}), not {values.shape}"
        raise DataError(what, path)
    zero = (0.0,) * bins
    return Moments(*(tuple(map(float, row)) for row in values), zero, zero)


class _Reader:
    """Values of a configuration, by name and type."""

    def __init__(self, settings: Settings, *path: str):
        self.settings, self.path = settings, path
        self.value = settings.value
        for name in path:
            self.value = self.value.get(name) or {}
            if not isinstance(self.value, dict):
                raise settings.fault(f"{name} must be a mapping", path)

    def __call__(self, name: str, hint: Any, default: Any = ...) -> Any:
        path = (*self.path, name)
        if self.value.get(name) is None:
            if default is ...:
                raise self.settings.fault(f"{'.'.join(path)} is missing")
            return default
        return self.settings.convert(hint, self.value[name], path)

    def need(self, name: str, hint: Any, *allowed: Any) -> None:
        """Raises DataError where a value is given that none of ours has."""
        value = self(name, hint, allowed[0])
        if value not in allowed:
            path = (*self.path, name)
            raise self.settings.fault(f"{'.'.join(path)} {value!r} is supported by no vocoder here", path)


_Sizes = tuple[int, ...]
_Lists = tuple[tuple[int, ...], ...]


def _jik876(settings: Settings, weights: dict[str, Tensor]) -> Foreign:
    """HiFi-GAN, and openvpi's NSF-HiFi-GAN, whose weights tell which it is."""
    of = _Reader(settings)
    of.need("resblock", str, "1", "2")
    of.need("noise_sigma", float, 0.0)
    rates, kernels = of("upsample_rates", _Sizes), of("resblock_kernel_sizes", _Sizes)
    paired = of("resblock", str, "1") == "1"
    source = "none"
    if "m_source.l_linear.weight" in weights:
        source = "harmonics"
    elif "source_conv.weight" in weights:
        source = "sine"
    dilations = of("resblock_dilation_sizes", _Lists)
    args = {
        "channels": of("upsample_initial_channel", int),
        "rates": rates,
        "up_kernels": of("upsample_kernel_sizes", _Sizes),
        "kernels": kernels,
        "dilations": dilations,
        "paired": paired,
        "source": source,
        "middle": True,
        "conditioned_on": "mel",
    }
    names = {"enter": "conv_pre", "leave": "conv_post"}
    names |= {f"ups.{i}": f"ups.{i}" for i in range(len(rates))}
    for own, there in _residual(rates, dilations):
        step = f"resblocks.{there}.convs"
        for k in range(len(dilations[there % len(dilations)])):
            names[f"{own}.steps.{k}.1"] = f"{step}1.{k}" if paired else f"{step}.{k}"
            if paired:
                names[f"{own}.steps.{k}.3"] = f"{step}2.{k}"
    if source == "harmonics":
        names |= {"merge": "m_source.l_linear"}
        names |= {f"excite.{i}": f"noise_convs.{i}" for i in range(len(rates))}
    elif source == "sine":
        names |= {"excite.0": "source_conv"}
    rate, fft = of("sampling_rate", int), of("n_fft", int)
    mel = {
        "bins": of("num_mels", int),
        "fft_size": fft,
        "win_size": of("win_size", int, fft),
        "fmin": of("fmin", float, 0.0),
        "fmax": of("fmax", float, rate / 2),
    }
    features = {"sample_rate": rate, "hop_size": of("hop_size", int), "mel": mel}
    return Foreign("hifigan.HifiGan", args, names, features)


def _residual(rates: _Sizes, dilations: _Lists) -> Iterator[tuple[str, int]]:
    """Residual blocks: our name, and the number in one list of all."""
    for number in range(len(rates) * len(dilations)):
        yield f"blocks.{number // len(dilations)}.blocks.{number % len(dilations)}", number


def _kan_bayashi(settings: Settings) -> Foreign:
    """Parallel WaveGAN and HiFi-GAN of kan-bayashi/ParallelWaveGAN."""
    top, of = _Reader(settings), _Reader(settings, "generator_params")
    kind = top("generator_type", str, "ParallelWaveGANGenerator")
    top.need("window", str, "hann")
    top.need("global_gain_scale", float, 1.0)
    for name in ("use_causal_conv", "causal"):
        of.need(name, bool, False)
    rate, fft = top("sampling_rate", int), top("fft_size", int)
    mel = {
        "bins": top("num_mels", int),
        "fft_size": fft,
        "win_size": top("win_length", int, fft),
        "fmin": top("fmin", float, 0.0),
        "fmax": top("fmax", float, rate / 2),
        "log": "log10",
        "log_floor": 1e-10,
    }
    features = {"sample_rate": rate, "hop_size": top("hop_size", int), "mel": mel}
    if kind == "ParallelWaveGANGenerator":
        return _parallel_wavegan(settings, of, features)
    if kind == "HiFiGANGenerator":
        return _their_hifigan(of, features)
    raise settings.fault(f"generator_type {kind!r} is no vocoder that can be converted", ("generator_type",))


def _parallel_wavegan(settings: Settings, of: _Reader, features: dict[str, Any]) -> Foreign:
    of.need("upsample_net", str, "ConvInUpsampleNetwork")
    for name, hint, allowed in (("in_channels", int, 1), ("out_channels", int, 1), ("bias", bool, True)):
        of.need(name, hint, allowed)
    rates = _Reader(settings, "generator_params", "upsample_params")("upsample_scales", _Sizes)
    layers = of("layers", int, 30)
    args = {
        "channels": of("residual_channels", int, 64),
        "gate_channels": of("gate_channels", int, 128),
        "skip_channels": of("skip_channels", int, 64),
        "layers": layers,
        "cycles": of("stacks", int, 3),
        "kernel": of("kernel_size", int, 3),
        "rates": rates,
        "context": of("aux_context_window", int, 2),
        "conditioned_on": "mel",
    }
    names = {"enter": "first_conv", "up.mix": "upsample_net.conv_in"}
    names |= {"leave.1": "last_conv_layers.1", "leave.3": "last_conv_layers.3"}
    names |= {f"up.smooth.{i}": f"upsample_net.upsample.up_layers.{2 * i + 1}" for i in range(len(rates))}
    parts = {"convolve": "conv", "cond": "conv1x1_aux", "out": "conv1x1_out", "skip": "conv1x1_skip"}
    for i in range(layers):
        names |= {f"stack.blocks.{i}.{own}": f"conv_layers.{i}.{there}" for own, there in parts.items()}
    last = f"conv_layers.{layers - 1}.conv1x1_out"
    del names[f"stack.blocks.{layers - 1}.out"]
    return Foreign("parallel_wavegan.ParallelWaveGan", args, names, features, (last,))


def _their_hifigan(of: _Reader, features: dict[str, Any]) -> Foreign:
    for name, hint, allowed in (("kernel_size", int, 7), ("out_channels", int, 1), ("bias", bool, True)):
        of.need(name, hint, allowed)
    of.need("nonlinear_activation", str, "LeakyReLU")
    rates, dilations = of("upsample_scales", _Sizes), of("resblock_dilations", _Lists)
    paired = of("use_additional_convs", bool, True)
    args = {
        "channels": of("channels", int, 512),
        "rates": rates,
        "up_kernels": of("upsample_kernel_sizes", _Sizes),
        "kernels": of("resblock_kernel_sizes", _Sizes),
        "dilations": dilations,
        "paired": paired,
        "conditioned_on": "mel",
    }
    names = {"enter": "input_conv", "leave": "output_conv.1"}
    names |= {f"ups.{i}": f"upsamples.{i}.1" for i in range(len(rates))}
    for own, there in _residual(rates, dilations):
        for k in range(len(dilations[there % len(dilations)])):
            names[f"{own}.steps.{k}.1"] = f"blocks.{there}.convs1.{k}.1"
            if paired:
                names[f"{own}.steps.{k}.3"] = f"blocks.{there}.convs2.{k}.1"
    return Foreign("hifigan.HifiGan", args, names, features)


def _fill(vocoder: NeuralVocoder, weights: dict[str, Tensor], foreign: Foreign, path: Path) -> None:
    """Puts weights into the model; raises DataError where one is missing, left over, or of another size."""
    own, left, filled = vocoder.state_dict(), dict(weights), {}
    for name, value in own.items():
        module = name.partition(".parametrizations.")[0]
        module = module if module != name else name.rpartition(".")[0]
        there, end = foreign.names[module], name[len(module) :]
        if there + end in left:
            found = left.pop(there + end)
        elif end.endswith("original1") and f"{there}.weight" in left:
            # Weight norm was taken away: the direction is the weight itself, the length its norm.
            found = left[f"{there}.weight"]
        elif end.endswith("original0") and f"{there}.weight" in left:
            found = left[f"{there}.weight"].flatten(1).norm(dim=1).reshape(value.shape)
        else:
            raise DataError(f"the weights have no {there + end}", path)
        if found.shape != value.shape:
            what = f"{there + end} is of size {list(found.shape)}, its configuration says {list(value.shape)}"
            raise DataError(what, path)
        filled[name] = found
    norms = {f"{foreign.names[n.partition('.parametrizations.')[0]]}.weight" for n in own if "original0" in n}
    for name in left:
        if name not in norms and not name.startswith(foreign.unused or ("\0",)):
            raise DataError(f"nothing here takes the weights {name}", path)
    vocoder.load_state_dict(filled)
