"""MLP Singer (Tae et al., 2021, arXiv:2106.07886), in the official size and in Muskits'."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conditions import Conditions
from nnsvs_lite.models.layers.score_embedding import ToFrames
from nnsvs_lite.models.options import AcousticOptions, Depth, Rate, Size
from nnsvs_lite.models.refined import RefinedAcoustic


def mlp(dim: int, expansion: int, dropout: float) -> nn.Sequential:
    """Two linear layers, a GELU between them, dropout after both."""
    enter, leave = nn.Linear(dim, dim * expansion), nn.Linear(dim * expansion, dim)
    return nn.Sequential(enter, nn.GELU(), nn.Dropout(dropout), leave, nn.Dropout(dropout))


class MixerBlock(nn.Module):
    """One MLP over the frames of a chunk, then one over ``dim`` channels; each is added to its input."""

    def __init__(self, dim: int, chunk: int, expansion: int, dropout: float):
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(dim), nn.LayerNorm(dim)])
        self.tokens = mlp(chunk, expansion, dropout)
        self.channels = mlp(dim, expansion, dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (N, chunk, dim), ``mask`` (N, chunk) bool: frames outside it are not read."""
        rows = self.norms[0](x) * mask[..., None]
        x = x + self.tokens(rows.transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norms[1](x))


def in_chunks(x: Tensor, mask: Tensor, chunk: int, overlap: int, body: Callable) -> Tensor:
    """Runs ``body`` on overlapping chunks and joins the middles of what it gives.

    Chunk ``i`` keeps frames ``i * hop`` to ``(i + 1) * hop`` with ``hop = chunk - 2 * overlap``, and
    sees ``overlap`` frames more on either side, zeros beyond the utterance. So where chunks lie
    depends on the utterance alone, and a body that keeps its input gives it back exactly.

    Args:
        x: (B, T, D). mask: (B, T) bool.
        chunk: frames of a chunk. overlap: of these, on either side, dropped.
        body: ``(N, chunk, D)``, ``(N, chunk)`` bool to ``(N, chunk, E)``.

    Returns (B, T, E). Raises DataError if nothing is left of a chunk.
    """
    hop = chunk - 2 * overlap
    if overlap < 0 or hop < 1:
        raise DataError(f"chunks of {chunk} frames with {overlap} dropped on either side leave none")
    b, t, _ = x.shape
    count = (t + hop - 1) // hop
    after = count * hop - t + overlap
    x = F.pad(x * mask[..., None], (0, 0, overlap, after))
    seen = F.pad(mask, (overlap, after))
    places = torch.arange(count, device=x.device)[:, None] * hop + torch.arange(chunk, device=x.device)
    out = body(x[:, places].flatten(0, 1), seen[:, places].flatten(0, 1))
    return out[:, overlap : overlap + hop].reshape(b, count * hop, -1)[:, :t]


class Mixer(nn.Module):
    """A stack of :class:`MixerBlock`, run :func:`in_chunks`."""

    def __init__(self, dim: int, layers: int, chunk: int, overlap: int, expansion: int, dropout: float):
        super().__init__()
        self.chunk, self.overlap = chunk, overlap
        self.blocks = nn.ModuleList(MixerBlock(dim, chunk, expansion, dropout) for _ in range(layers))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, T, dim), ``mask`` (B, T) bool."""

        def body(x: Tensor, mask: Tensor) -> Tensor:
            for block in self.blocks:
                x = block(x, mask)
            return x

        return in_chunks(x, mask, self.chunk, self.overlap, body)


class MlpSinger(RefinedAcoustic):
    """Phone and pitch vectors side by side, mixed over frames and channels chunk by chunk.

    Args:
        phone_dim, pitch_dim: of the embeddings. dim: channels. layers: mixer blocks.
        chunk: frames of a chunk. overlap: frames dropped on either side of it.
        expansion: of the MLPs' inner layers. dropout: probability.
        Others: see :class:`~nnsvs_lite.models.refined.PostnetAcoustic`.
    """

    def __init__(
        self,
        spec: Spec,
        phone_dim: Size = 256,
        pitch_dim: Size = 32,
        dim: Size = 288,
        layers: Size = 16,
        chunk: Size = 192,
        overlap: Depth = 16,
        expansion: Size = 2,
        dropout: Rate = 0.5,
        places: bool = False,
        postnet_layers: Depth = 0,
        postnet_channels: Size = 512,
        options: AcousticOptions | None = None,
    ):
        sizes = {"phone": phone_dim, "pitch": pitch_dim}
        super().__init__(spec, options, sizes, postnet_layers, postnet_channels, dim=dim)
        self.inputs = nn.Linear(phone_dim + pitch_dim, dim)
        self.to_frames = ToFrames(spec, dim, places)
        self.conditions = Conditions(spec, self.options, dim)
        self.mixer = Mixer(dim, layers, chunk, overlap, expansion, dropout)

    def frames(self, batch: Batch, phone: Tensor) -> Tensor:
        parts = self.embedding.parts(batch)
        phones = self.inputs(torch.cat([parts["phone"], parts["pitch"]], dim=-1)) + self.conditions(batch)
        return self.mixer(self.to_frames(phones, batch, phone), batch.frame_mask)
