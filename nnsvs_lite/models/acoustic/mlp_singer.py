"""MLP Singer (Tae et al., 2021, arXiv:2106.07886), in the official size and in Muskits'."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conditions import Conditions
from nnsvs_lite.models.layers.context import hiding
from nnsvs_lite.models.layers.mixer import Mixer
from nnsvs_lite.models.layers.score_embedding import ScoreEmbedding, ToFrames
from nnsvs_lite.models.options import AcousticOptions
from nnsvs_lite.models.refined import RefinedAcoustic


class MlpSinger(RefinedAcoustic):
    """Phone and pitch vectors side by side, mixed over frames and channels chunk by chunk.

    Chunks begin at the utterance's first frame in training as in singing, so both see the
    same; what lies near a chunk's edges is dropped and comes from its neighbour.

    Args:
        phone_dim, pitch_dim: of the embeddings. dim: channels. layers: mixer blocks.
        chunk: frames of a chunk. overlap: frames dropped on either side of it.
        expansion: of the MLPs' inner layers. dropout: probability.
        places: see :class:`~nnsvs_lite.models.layers.score_embedding.ToFrames`.
        postnet_layers: 0 for none. postnet_channels: of its convolutions.
        options: see :class:`~nnsvs_lite.models.options.AcousticOptions`.
    """

    def __init__(
        self,
        spec: Spec,
        phone_dim: int = 256,
        pitch_dim: int = 32,
        dim: int = 288,
        layers: int = 16,
        chunk: int = 192,
        overlap: int = 16,
        expansion: int = 2,
        dropout: float = 0.5,
        places: bool = False,
        postnet_layers: int = 0,
        postnet_channels: int = 512,
        options: AcousticOptions | None = None,
    ):
        super().__init__(spec, options, "residual", dim, postnet_layers, postnet_channels)
        sizes = {"phone": phone_dim, "pitch": pitch_dim}
        self.embedding = ScoreEmbedding(spec, sizes, hiding(self.options.context_dropout, spec))
        self.inputs = nn.Linear(phone_dim + pitch_dim, dim)
        self.to_frames = ToFrames(spec, dim, places)
        self.conditions = Conditions(spec, self.options, dim)
        self.mixer = Mixer(dim, layers, chunk, overlap, expansion, dropout)

    def frames(self, batch: Batch, phone: Tensor) -> Tensor:
        parts = self.embedding.parts(batch)
        phones = self.inputs(torch.cat([parts["phone"], parts["pitch"]], dim=-1)) + self.conditions(batch)
        return self.mixer(self.to_frames(phones, batch, phone), batch.frame_mask)
