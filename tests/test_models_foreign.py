"""Vocoders of other toolkits sing here what they sing there."""

import json

import numpy as np
import pytest
import torch
import yaml
from torch.nn import functional as F
from vocoder_common import batch_of

from nnsvs_lite.bin.main import main
from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.checkpoint import load_model
from nnsvs_lite.models.foreign import convert_vocoder

JIK = {
    "resblock": "1",
    "upsample_rates": [5, 4, 2],
    "upsample_kernel_sizes": [11, 8, 4],
    "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilation_sizes": [[1, 3], [1, 2]],
    "num_mels": 8,
    "n_fft": 256,
    "hop_size": 40,
    "win_size": 256,
    "sampling_rate": 16000,
    "fmin": 0,
    "fmax": 8000,
    "batch_size": 16,
}
KAN = {
    "sampling_rate": 16000,
    "fft_size": 256,
    "hop_size": 40,
    "win_length": None,
    "window": "hann",
    "num_mels": 8,
    "fmin": 80,
    "fmax": 7600,
}


class Weights(dict):
    """Random weights under the names that another toolkit gives them, with weight norm."""

    def __init__(self):
        super().__init__()
        self.random = torch.Generator().manual_seed(0)

    def draw(self, *size: int) -> torch.Tensor:
        return torch.randn(size, generator=self.random) * 0.3

    def conv(self, name: str, *size: int, bias: int = 0, norm: bool = True) -> None:
        if norm:
            self[f"{name}.weight_v"] = self.draw(*size)
            self[f"{name}.weight_g"] = self.draw(size[0], *(1 for _ in size[1:])).abs() + 0.3
        else:
            self[f"{name}.weight"] = self.draw(*size)
        if bias:
            self[f"{name}.bias"] = self.draw(bias)

    def of(self, name: str) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Weight and bias."""
        if f"{name}.weight" in self:
            return self[f"{name}.weight"], self.get(f"{name}.bias")
        v, g = self[f"{name}.weight_v"], self[f"{name}.weight_g"]
        return g * v / v.flatten(1).norm(dim=1).reshape(g.shape), self.get(f"{name}.bias")

    def plain(self) -> dict:
        """The same without weight norm."""
        names = {name.rpartition(".")[0] for name in self}
        out = {f"{name}.weight": self.of(name)[0] for name in names}
        return out | {name: value for name, value in self.items() if name.endswith("bias")}


def hifigan(names, halves=("1", "2")) -> Weights:
    """Of a generator of these names, of JIK's sizes; ``halves``: of a residual step."""
    w, (enter, up, block, leave) = Weights(), names
    w.conv(enter, 16, 8, 7, bias=16)
    channels = 16
    for i, kernel in enumerate(JIK["upsample_kernel_sizes"]):
        w.conv(up.format(i), channels, channels // 2, kernel, bias=channels // 2)
        channels //= 2
        for j, (k, dilations) in enumerate(zip(JIK["resblock_kernel_sizes"], JIK["resblock_dilation_sizes"])):
            for step in range(len(dilations)):
                for which in halves:
                    w.conv(block.format(2 * i + j, which, step), channels, channels, k, bias=channels)
    w.conv(leave, 1, channels, 7, bias=1)
    return w


def nsf_hifigan() -> Weights:
    """With openvpi's sources."""
    w = hifigan(THEIRS)
    w.conv("m_source.l_linear", 1, 9, bias=1, norm=False)
    for i, (channels, step) in enumerate(((8, 8), (4, 2), (2, 1))):
        w.conv(f"noise_convs.{i}", channels, 1, 1 if step == 1 else 2 * step, bias=channels, norm=False)
    return w


THEIRS = ("conv_pre", "ups.{}", "resblocks.{}.convs{}.{}", "conv_post")


def sing_hifigan(w: Weights, mel: torch.Tensor, names, sources=None, halves=("1", "2")) -> torch.Tensor:
    """The published generator, written out: (B, bins, T) to (B, 1, S)."""
    enter, up, block, leave = names
    x = F.conv1d(mel, *w.of(enter), padding=3)
    for i, (rate, kernel) in enumerate(zip(JIK["upsample_rates"], JIK["upsample_kernel_sizes"])):
        x = F.leaky_relu(x, 0.1)
        weight, bias = w.of(up.format(i))
        x = F.conv_transpose1d(x, weight, bias, stride=rate, padding=(kernel - rate) // 2)
        x = x if sources is None else x + sources(i)
        total = 0
        for j, (k, dilations) in enumerate(zip(JIK["resblock_kernel_sizes"], JIK["resblock_dilation_sizes"])):
            y = x
            for step, dilation in enumerate(dilations):
                z = y
                for which, d in zip(halves, (dilation, 1)):
                    layer = w.of(block.format(2 * i + j, which, step))
                    z = F.conv1d(F.leaky_relu(z, 0.1), *layer, padding=k // 2 * d, dilation=d)
                y = y + z
            total = total + y
        x = total / 2
    return torch.tanh(F.conv1d(F.leaky_relu(x), *w.of(leave), padding=3))


def write(folder, weights, config, outer=("generator",)):
    state = dict(weights)
    for name in outer:
        state = {name: state}
    torch.save(state | {"steps": 7}, folder / "g.pt")
    (folder / ("config.json" if "resblock" in config else "config.yml")).write_text(
        json.dumps(config) if "resblock" in config else yaml.safe_dump(config)
    )
    return folder / "g.pt"


MEL = torch.randn(2, 8, 30, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("norm", "kind"), [(True, "1"), (False, "1"), (True, "2")], ids=["weight norm", "plain", "V3"]
)
def test_hifigan_sings_what_it_sang(tmp_path, norm, kind):
    halves = ("1", "2") if kind == "1" else ("",)
    w = hifigan(THEIRS, halves)
    config = JIK | {"resblock": kind}
    made = convert_vocoder(write(tmp_path, w if norm else w.plain(), config), tmp_path / "exp")
    with torch.inference_mode():
        expected = sing_hifigan(w, MEL, THEIRS, halves=halves)
        assert expected.abs().max() > 0.05
        torch.testing.assert_close(made.generate(MEL, None), expected[:, 0], rtol=1e-4, atol=1e-5)
        again = load_model(tmp_path / "exp", "vocoder")
        batch = batch_of(again.spec, 30, wav=False)
        batch.streams["mel"] = MEL[:1].transpose(1, 2)
        # Its frames lie half a hop later, and the last one goes on.
        wav = again.synthesize(batch)
        assert wav.shape == (1, 1200)
        torch.testing.assert_close(wav[0, :900], expected[0, 0, 20:920], rtol=1e-4, atol=1e-5)
    features = FeatureConfig.read(tmp_path / "exp" / "features.yaml")
    assert features == again.spec.feature_config and features.hop_size == 40
    assert features.mel.log == "natural" and features.mel.fmax == 8000


def test_nsf_hifigan_hears_its_sources(tmp_path):
    w = nsf_hifigan()
    made = convert_vocoder(
        write(tmp_path, w, JIK | {"noise_sigma": 0.0, "mini_nsf": False}), tmp_path / "exp"
    )
    assert made.inputs == ("lf0", "vuv", "mel") and made.controls == ("pitch",)
    batch = made.continued(batch_of(made.spec, 30, wav=False, seed=3), 0)
    mel = batch.streams["mel"].transpose(1, 2)
    with torch.inference_mode():
        sines, _ = made.sines(batch)
        source = torch.tanh(F.linear(sines.transpose(1, 2), *w.of("m_source.l_linear"))).transpose(1, 2)

        def sources(i):
            step = (8, 2, 1)[i]
            return F.conv1d(source, *w.of(f"noise_convs.{i}"), stride=step, padding=step // 2)

        expected = sing_hifigan(w, mel, THEIRS, sources)
        torch.testing.assert_close(made.generate(mel, batch), expected[:, 0], rtol=1e-4, atol=1e-5)


def test_its_sources_are_what_they_were_there(tmp_path):
    """openvpi's generator of sines, written out, of an F0 that stands still and is voiced at first."""
    made = convert_vocoder(write(tmp_path, nsf_hifigan(), JIK), tmp_path / "exp")
    batch = batch_of(made.spec, 30, wav=False, seed=3)
    batch.streams["lf0"][:] = np.log(220.0)
    batch.streams["vuv"][:] = (torch.arange(30) < 20)[None, :, None]
    batch = made.continued(batch, 0)
    with torch.inference_mode():
        sines, _ = made.sines(batch)
        # It counts samples from 1; its overtones start by chance, F0 at 0.
        turns = torch.arange(1, 1201)[:, None] * 220.0 / 16000 * torch.arange(1, 10)
        theirs = 0.1 * torch.sin(2 * torch.pi * (turns + made.source._starts(1, 3)[0])).T
    assert (sines[0, 0, 1:800] - theirs[0, :799]).abs().max() < 5 * 0.003
    noise = sines[0, :, 1:800] - theirs[:, :799]
    assert noise.std() == pytest.approx(0.003, rel=0.05)
    assert sines[0, :, 800:].std() == pytest.approx(0.1 / 3, rel=0.05)


def test_its_mini_form_hears_one_sine(tmp_path):
    w = hifigan(THEIRS)
    w.conv("source_conv", 4, 1, 1, bias=4, norm=False)
    made = convert_vocoder(write(tmp_path, w, JIK | {"mini_nsf": True}), tmp_path / "exp")
    batch = made.continued(batch_of(made.spec, 30, wav=False), 0)
    mel = batch.streams["mel"].transpose(1, 2)
    with torch.inference_mode():
        sine, _ = made.sines(batch, everywhere=True)
        assert sine.shape == (1, 1, 600) and float(sine.abs().max()) == pytest.approx(1.0, abs=0.01)
        added = F.conv1d(sine, *w.of("source_conv"))
        expected = sing_hifigan(w, mel, THEIRS, lambda i: added if i == 1 else 0)
        torch.testing.assert_close(made.generate(mel, batch), expected[:, 0], rtol=1e-4, atol=1e-5)


def stats(folder):
    np.save(folder / "stats.npy", np.stack([np.full(8, 0.5), np.full(8, 2.0)]))
    return folder / "stats.npy"


def test_hifigan_of_parallel_wavegans_toolkit(tmp_path):
    names = ("input_conv", "upsamples.{}.1", "blocks.{}.convs{}.{}.1", "output_conv.1")
    w = hifigan(names)
    params = {
        "channels": 16,
        "upsample_scales": JIK["upsample_rates"],
        "upsample_kernel_sizes": JIK["upsample_kernel_sizes"],
        "resblock_kernel_sizes": JIK["resblock_kernel_sizes"],
        "resblock_dilations": JIK["resblock_dilation_sizes"],
        "use_additional_convs": True,
    }
    config = KAN | {"generator_type": "HiFiGANGenerator", "generator_params": params}
    path = write(tmp_path, w, config, ("generator", "model"))
    made = convert_vocoder(path, tmp_path / "exp", stats=stats(tmp_path))
    batch = batch_of(made.spec, 30, wav=False)
    mel = (batch.streams["mel"] - 0.5) / 2.0
    with torch.inference_mode():
        expected = sing_hifigan(w, mel.transpose(1, 2), names)[:, 0]
        torch.testing.assert_close(made.synthesize(batch)[:, :900], expected[:, :900], rtol=1e-4, atol=1e-5)
    assert made.spec.feature_config.mel.log == "log10"


PWG = {"layers": 6, "stacks": 2, "residual_channels": 4, "gate_channels": 8, "skip_channels": 4}
PWG |= {"aux_channels": 8, "aux_context_window": 1, "upsample_params": {"upsample_scales": [5, 8]}}


def parallel_wavegan() -> Weights:
    w = Weights()
    w.conv("first_conv", 4, 1, 1, bias=4)
    w.conv("upsample_net.conv_in", 8, 8, 3)
    for i, rate in enumerate((5, 8)):
        w.conv(f"upsample_net.upsample.up_layers.{2 * i + 1}", 1, 1, 1, 2 * rate + 1)
    for i in range(6):
        w.conv(f"conv_layers.{i}.conv", 8, 4, 3, bias=8)
        w.conv(f"conv_layers.{i}.conv1x1_aux", 8, 8, 1)
        w.conv(f"conv_layers.{i}.conv1x1_out", 4, 4, 1, bias=4)
        w.conv(f"conv_layers.{i}.conv1x1_skip", 4, 4, 1, bias=4)
    w.conv("last_conv_layers.1", 4, 4, 1, bias=4)
    w.conv("last_conv_layers.3", 1, 4, 1, bias=1)
    return w


def test_parallel_wavegan_sings_what_it_sang(tmp_path):
    w = parallel_wavegan()
    path = write(tmp_path, w, KAN | {"generator_params": PWG}, ("generator", "model"))
    made = convert_vocoder(path, tmp_path / "exp", stats=stats(tmp_path))
    noise = torch.randn(2, 1, 1200, generator=torch.Generator().manual_seed(2))
    made.noise = lambda batch: noise
    with torch.inference_mode():
        c = F.conv1d(MEL, *w.of("upsample_net.conv_in"), padding=1)[:, None]
        for i, rate in enumerate((5, 8)):
            weight, _ = w.of(f"upsample_net.upsample.up_layers.{2 * i + 1}")
            c = F.conv2d(F.interpolate(c, scale_factor=(1, rate)), weight, padding=(0, rate))
        c, x, skips = c[:, 0], F.conv1d(noise, *w.of("first_conv")), 0
        for i in range(6):
            d, name = 2 ** (i % 3), f"conv_layers.{i}."
            y = F.conv1d(x, *w.of(name + "conv"), padding=d, dilation=d)
            y = y + F.conv1d(c, w.of(name + "conv1x1_aux")[0])
            y = torch.tanh(y[:, :4]) * torch.sigmoid(y[:, 4:])
            skips = skips + F.conv1d(y, *w.of(name + "conv1x1_skip"))
            x = (F.conv1d(y, *w.of(name + "conv1x1_out")) + x) * 0.5**0.5
        x = F.conv1d(F.relu(skips * (1 / 6) ** 0.5), *w.of("last_conv_layers.1"))
        expected = F.conv1d(F.relu(x), *w.of("last_conv_layers.3"))
        torch.testing.assert_close(made.generate(MEL, None), expected[:, 0], rtol=1e-4, atol=1e-5)


def test_what_does_not_fit_is_said_with_its_key(tmp_path):
    def said(weights, config, outer=("generator",), **given) -> str:
        for old in tmp_path.glob("config.*"):
            old.unlink()
        with pytest.raises(DataError) as error:
            convert_vocoder(write(tmp_path, weights, config, outer), tmp_path / "exp", **given)
        return str(error.value)

    w = hifigan(THEIRS)
    assert "nothing here takes the weights conv_mid.weight" in said(w | {"conv_mid.weight": MEL}, JIK)
    missing = {name: value for name, value in w.items() if name != "ups.1.bias"}
    assert "have no ups.1.bias" in said(missing, JIK)
    assert "conv_pre.bias is of size [3], its configuration says [16]" in said(
        w | {"conv_pre.bias": torch.zeros(3)}, JIK
    )
    assert "upsample_rates is missing" in said(w, {k: v for k, v in JIK.items() if k != "upsample_rates"})
    assert "noise_sigma 0.5 is supported by no vocoder here" in said(w, JIK | {"noise_sigma": 0.5})
    assert "rates 5 * 4 * 2 = 40 samples a frame, these features have 50" in said(w, JIK | {"hop_size": 50})
    assert "holds no weights under 'generator'" in said({}, JIK, ("generator", "x", "y"))
    assert "leave --stats out" in said(w, JIK, stats=stats(tmp_path))
    kan = KAN | {"generator_params": PWG}
    outer = ("generator", "model")
    assert "give --stats" in said(parallel_wavegan(), kan, outer)
    np.save(tmp_path / "few.npy", np.ones((2, 3)))
    assert "(2, 8), not (2, 3)" in said(parallel_wavegan(), kan, outer, stats=tmp_path / "few.npy")
    (tmp_path / "empty.npy").touch()
    np.savez(tmp_path / "several.npz", np.ones((2, 8)))
    for name in ("empty.npy", "several.npz"):
        assert "not a .npy file of numbers" in said(parallel_wavegan(), kan, outer, stats=tmp_path / name)
    listed = kan | {"generator_params": [1]}
    assert "generator_params must be a mapping" in said(w, listed, outer, stats=stats(tmp_path))
    melgan = kan | {"generator_type": "MelGANGenerator"}
    assert "'MelGANGenerator' is no vocoder that can be converted" in said(
        w, melgan, outer, stats=stats(tmp_path)
    )


def test_the_command_never_runs_what_a_file_says(tmp_path, capsys):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    path = write(tmp_path, hifigan(THEIRS), JIK)
    assert main(["convert-vocoder", str(path), "-o", str(tmp_path / "exp")]) == 0
    assert "HifiGan for 16000 Hz and frames of 40 samples" in capsys.readouterr().out
    torch.save({"generator": Bomb()}, path)
    assert main(["convert-vocoder", str(path), "-o", str(tmp_path / "exp")]) == 1
    message = capsys.readouterr().err
    assert "not a checkpoint of plain tensors" in message and "Traceback" not in message
    assert not (tmp_path / "ran").exists()
