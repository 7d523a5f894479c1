"""A singer of whom everything is known: the score's pitch with a known vibrato, one known resonance."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.features.world import alpha_of, fft_size_of, spectrum_to_mgc
from nnsvs_lite.models.base import AcousticModel
from nnsvs_lite.models.layers.acoustic_floor import SmoothFloor
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.synthesis.singer import Singer

DEPTH, RATE = 40.0, 5.5
RESONANCE = 2000.0
ORDER = 39


class Hummer(AcousticModel):
    """The score with 40 cents of 5.5 Hz, one resonance at 2 kHz, -12 dB of noise."""

    def __init__(self, spec: Spec, mgc: np.ndarray):
        super().__init__(spec)
        self.floor = SmoothFloor(spec)
        self.register_buffer("mgc", torch.tensor(mgc, dtype=torch.float32))

    def loss(self, batch):
        raise NotImplementedError

    def infer(self, batch):
        lf0 = self.floor(batch, phone_of_frame(batch))["lf0"]
        time = torch.arange(lf0.shape[1])[None, :, None] * self.spec.frame_shift
        lf0 = lf0 + DEPTH * math.log(2) / 1200 * torch.sin(2 * math.pi * RATE * time)
        shape = (*lf0.shape[:2], -1)
        return {
            "lf0": lf0,
            "vuv": torch.ones_like(lf0),
            "mgc": self.mgc.expand(*shape),
            "bap": torch.full((*lf0.shape[:2], 3), -12.0),
        }


def make_hummer(toy_voice: Path) -> Singer:
    """The toy voice's timing, the hummer's sound."""
    toy = Singer.load(toy_voice)
    config = toy.spec.feature_config
    features = replace(config, world=replace(config.world, mgc_order=ORDER))
    hertz = np.linspace(0, config.sample_rate / 2, fft_size_of(config) // 2 + 1)
    envelope = 1e-6 * (1e-2 + 1 / (1 + ((hertz - RESONANCE) / 250) ** 2))
    mgc = spectrum_to_mgc(envelope[None], ORDER, alpha_of(config))[0]
    hummer = Hummer(replace(toy.spec, feature_config=features, streams=features.streams), mgc)
    return Singer(toy.timelag, toy.duration, hummer)
