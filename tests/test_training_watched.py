"""What a training tells while it goes on: log lines, and what TensorBoard shows."""

import math
import re

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from models_common import ROOT, build, examples
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.config import TrainingOptions
from nnsvs_lite.training import samples
from nnsvs_lite.training.run import train
from nnsvs_lite.training.update import Updater


@pytest.fixture(scope="module")
def watched(toy_dump, tmp_path_factory):
    """A short training of an acoustic model: what it said, and its events."""
    out = tmp_path_factory.mktemp("watched") / "exp"
    words = ["--training.epochs", "10", "--training.min_steps", "0", "--model.hidden", "8"]
    capture = pytest.MonkeyPatch()
    said: list[str] = []
    capture.setattr("nnsvs_lite.training.loop.tqdm.write", said.append)
    assert train(ROOT / "conf" / "acoustic" / "resf0_conv.yaml", toy_dump, "train", "dev", out, words)
    capture.undo()
    events = EventAccumulator(str(out / "tensorboard"), size_guidance={"images": 0, "audio": 0, "scalars": 0})
    return said, events.Reload()


def test_lines_say_how_much_is_left(watched):
    said, _ = watched
    assert [re.match(r"epoch (\d+) of (\d+): ", line).groups() for line in said] == [
        (str(epoch), "10") for epoch in range(11)
    ]
    assert [bool(re.search(r"s, \d+ (s|min) left", line)) for line in said] == [False, *[True] * 9, False]


def test_tensorboard_has_rates_and_norms(watched):
    _, events = watched
    for name in ("learning_rate", "gradient_norm"):
        values = [event.value for event in events.Scalars(f"optimiser model/{name}")]
        assert all(value > 0 and math.isfinite(value) for value in values[1:])
    assert [event.step for event in events.Scalars("optimiser model/gradient_norm")] == [*range(1, 11)]
    rates = [event.value for event in events.Scalars("optimiser model/learning_rate")][1:]
    assert rates[-1] < max(rates)
    assert {"dev/loss", "train/loss"} <= set(events.Tags()["scalars"])


def test_tensorboard_has_a_phrase_now_and_then(watched, toy_dump):
    _, events = watched
    assert [event.step for event in events.Images("phrase/spectra")] == [2, 4, 6, 8, 10]
    heard = events.Audio("phrase/sound")
    assert [event.step for event in heard] == [2, 4, 6, 8, 10]
    spec = Spec.read(toy_dump)
    phrase = examples(toy_dump, "dev", spec)[0]
    assert heard[0].sample_rate == spec.sample_rate
    assert heard[0].length_frames == spec.feature_config.n_samples(phrase.frames)


def test_the_norm_of_a_gradient_is_that_before_clipping():
    """The gradient of (3 a + 4 b) is (3, 4): 5."""
    fabric = Fabric(accelerator="cpu", devices=1)
    network = nn.Linear(2, 1, bias=False)
    for clip in (0.0, 1.0):
        updater = Updater(fabric, network, TrainingOptions(lr=0.5, clip=clip, warmup=0))
        assert updater.watched() == {"learning_rate": 0.5}
        updater.add(network(torch.tensor([3.0, 4.0])).sum(), torch.tensor(1.0))
        updater.step(0, 0.0)
        assert updater.watched() == {"learning_rate": 0.5, "gradient_norm": pytest.approx(5.0)}
        assert "gradient_norm" not in updater.watched()


class Writer:
    def __init__(self):
        self.seen = {}

    def add_figure(self, name, figure, now):
        self.seen[name] = figure

    def add_audio(self, name, wav, now, sample_rate):
        self.seen[name] = wav


@pytest.mark.parametrize("name", ["muskits_rnn_tiny", "fft_singer_tiny"])
def test_mel_spectra_are_shown(toy_mel_dump, name):
    spec = Spec.read(toy_mel_dump)
    writer, phrase = Writer(), examples(toy_mel_dump, "dev", spec)[0]
    samples.show(writer, build(ROOT / "conf" / "acoustic" / f"{name}.yaml", spec).eval(), phrase, 1)
    assert writer.seen["phrase/spectra"].axes[0].get_images()[0].get_array().shape[1] == phrase.frames


def test_a_vocoder_is_heard(toy_dump, spec):
    phrase = examples(toy_dump, "dev", spec)[0]
    size = spec.feature_config.n_samples(phrase.frames)
    phrase.streams["wav"] = np.sin(np.arange(size, dtype=np.float32) / 20)[:, None]
    writer = Writer()
    samples.show(writer, build(ROOT / "conf" / "vocoder" / "hn_istft_tiny.yaml", spec).eval(), phrase, 1)
    assert writer.seen["phrase/sound"].shape == (1, size) and len(writer.seen["phrase/spectra"].axes) == 2


def test_timing_models_have_nothing_to_show(toy_dump, spec):
    writer = Writer()
    samples.show(
        writer,
        build(ROOT / "conf" / "duration" / "mdn.yaml", spec).eval(),
        examples(toy_dump, "dev", spec)[0],
        1,
    )
    assert writer.seen == {}


def test_it_is_looked_at_five_times_whatever_the_steps():
    for total, step in ((10, 1), (7, 1), (1000, 130), (3, 1)):
        tests = [*range(0, total, step), total]
        due = [now for before, now in zip(tests, tests[1:]) if samples.is_due(now, before, total)]
        assert len(due) == min(5, len(tests) - 1) and due[-1] == total
