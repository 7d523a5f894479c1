"""Vocoders without parameters: signal processing, an utterance at a time, on the CPU."""

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from nnsvs_lite.models.base import VocoderModel
from nnsvs_lite.models.batch import Batch


class SignalVocoder(VocoderModel):
    """Base of those that learn nothing."""

    trains = False

    @property
    def threads(self) -> int:
        """They leave Python's lock, and use one thread each."""
        return torch.get_num_threads()

    @abstractmethod
    def waveform(self, streams: Mapping[str, np.ndarray], seed: int) -> np.ndarray:
        """float64 (samples,) of ``inputs``, (T, D) each."""

    def synthesize(self, batch: Batch) -> Tensor:
        streams = {name: batch.streams[name].cpu().numpy() for name in self.inputs}
        frames = batch.frame_lengths.tolist()
        config = self.spec.feature_config
        out = torch.zeros(len(frames), config.n_samples(max(frames)), dtype=torch.float64)
        for row, n in enumerate(frames):
            x = self.waveform({name: value[row, :n] for name, value in streams.items()}, batch.seed)
            out[row, : len(x)] = torch.from_numpy(x)
        return out
