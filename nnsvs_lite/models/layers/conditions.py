"""Who sings, in which language and style, as vectors added to a model's inner ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.batch import Batch, length_mask
from nnsvs_lite.models.layers.context import adopt_rows
from nnsvs_lite.models.layers.conv import MaskedBatchNorm
from nnsvs_lite.models.options import AcousticOptions

STYLE = 256
"""Size of a style vector."""
CHANNELS = (32, 32, 64, 64, 128, 128)
"""Of the reference encoder's convolutions."""
HEADS = 4
"""Of the attention over tokens, which share the style vector."""


class ReferenceEncoder(nn.Module):
    """Frames of ``size`` numbers to one vector: six 3 x 3 convolutions of stride 2, and a GRU."""

    def __init__(self, size: int):
        super().__init__()
        sizes = (1, *CHANNELS)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in zip(sizes, sizes[1:]))
        self.norms = nn.ModuleList(MaskedBatchNorm(c) for c in CHANNELS)
        for _ in CHANNELS:
            size = (size + 1) // 2
        self.gru = nn.GRU(CHANNELS[-1] * size, 128, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """``x`` (B, T, size), ``lengths`` (B,): (B, 128)."""
        x = (x * length_mask(lengths, x.shape[1])[..., None])[:, None]
        for conv, norm in zip(self.convs, self.norms):
            x = conv(x)
            lengths = (lengths + 1) // 2
            batch, channels, time, width = x.shape
            mask = length_mask(lengths, time)
            # Each place of time and frequency is a row to the norm; those of padding do not count.
            rows = x.permute(0, 2, 3, 1).reshape(batch, time * width, channels)
            rows = torch.relu(norm(rows, mask.repeat_interleave(width, dim=1)))
            x = rows.reshape(batch, time, width, channels).permute(0, 3, 1, 2) * mask[:, None, :, None]
        states = self.gru(x.permute(0, 2, 1, 3).flatten(2))[0]
        last = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, states.shape[2])
        return states.gather(1, last)[:, 0]


class StyleTokens(nn.Module):
    """Wang et al. 2018 (arXiv:1803.09017), with the sizes of Muskits.

    In training the streams to be learnt are also the reference: what the score cannot tell of them as a
    whole goes into a few (``count``) tokens, whose mixture is the style. In singing there is no reference:
    the mean mixture of training is taken, or one that the user gives (:meth:`use`).
    """

    def __init__(self, spec: Spec, count: int):
        super().__init__()
        self.names = list(spec.streams)
        moments = [spec.stats.streams[name] for name in self.names]
        center, std = (torch.tensor(sum((getattr(m, key) for m in moments), ())) for key in ("mean", "std"))
        self.register_buffer("center", center, persistent=False)
        self.register_buffer("scale", 1 / std.clamp(min=1e-4), persistent=False)
        self.encoder = ReferenceEncoder(len(center))
        self.tokens = nn.Parameter(torch.randn(count, STYLE // HEADS) * 0.5)
        self.query = nn.Linear(self.encoder.gru.hidden_size, STYLE, bias=False)
        self.key = nn.Linear(STYLE // HEADS, STYLE, bias=False)
        self.value = nn.Linear(STYLE // HEADS, STYLE, bias=False)
        self.register_buffer("weights", torch.full((HEADS, count), 1 / count))
        self.register_buffer("heard", torch.zeros(()))

    def use(self, weights: Sequence[float]) -> None:
        """Sings with these weights of the tokens from now on; 1 in all is what training knows.

        Raises DataError where there are not as many weights as tokens.
        """
        if len(weights) != len(self.tokens):
            given = f"{len(weights)} weights of style tokens are given"
            raise DataError(f"{given}, the model has {len(self.tokens)}")
        self.weights.copy_(torch.tensor(list(weights)).expand(HEADS, -1))

    def attend(self, batch: Batch) -> Tensor:
        """How much of each token the streams of a batch hold: (B, heads, tokens), sums 1."""
        frames = torch.cat([batch.streams[name] for name in self.names], dim=-1)
        reference = self.encoder((frames - self.center) * self.scale, batch.score.duration.sum(1))
        query = self.query(reference).unflatten(-1, (HEADS, -1))
        key = self.key(torch.tanh(self.tokens)).unflatten(-1, (HEADS, -1))
        return torch.softmax(torch.einsum("bhd,nhd->bhn", query, key) / query.shape[-1] ** 0.5, dim=-1)

    def mix(self, weights: Tensor) -> Tensor:
        """(B, heads, tokens) to style vectors (B, STYLE)."""
        value = self.value(torch.tanh(self.tokens)).unflatten(-1, (HEADS, -1))
        return torch.einsum("bhn,nhd->bhd", weights, value).flatten(1)

    def forward(self, batch: Batch, listen: bool) -> Tensor:
        """(B, STYLE), from the streams where ``listen``, which also counts towards the mean."""
        if not listen:
            return self.mix(self.weights.expand(len(batch.score.note_lengths), -1, -1))
        weights = self.attend(batch)
        with torch.no_grad():
            self.heard += 1
            self.weights.lerp_(weights.mean(0).to(self.weights.dtype), (1 / self.heard).clamp(min=0.01))
        return self.mix(weights)


class Conditions(nn.Module):
    """Embeddings of what holds for a whole utterance.

    Data of one singer and one language need none of these: nothing is made, and nothing added.
    The style comes with the batch, see :class:`StyleTokens`. ``dim`` is that of the vectors to add to.
    """

    def __init__(self, spec: Spec, options: AcousticOptions, dim: int):
        super().__init__()
        self.names = {"singer": spec.speakers, "language": spec.codes}
        counts = (len(spec.speakers) * options.singer, len(spec.languages) * options.language)
        self.singer, self.language = (nn.Embedding(n, dim) if n > 1 else None for n in counts)
        for table in (self.singer, self.language):
            if table is not None:
                nn.init.normal_(table.weight, std=0.3)
        self.style = nn.Linear(STYLE, dim, bias=False) if options.style_tokens else None

    def adopt(self, other: Conditions) -> None:
        """Takes up another's vectors by name; new ones start at the mean of the known."""
        for name in ("singer", "language", "style"):
            own, old = getattr(self, name), getattr(other, name)
            if old is not None and own is None or own is not None and old is None and name == "style":
                raise ValueError(f"only one of the two has vectors of {name}")
            if own is not None and old is not None:
                rows, known = (c.names.get(name, range(len(own.weight))) for c in (self, other))
                adopt_rows(own.weight, old.weight, rows, known)

    def forward(self, batch: Batch) -> Tensor:
        """(B, 1, dim), or a zero that can be added to anything."""
        total = batch.score.note_context.new_zeros(())
        for name in ("singer", "language", "style"):
            if (layer := getattr(self, name)) is not None:
                total = total + layer(getattr(batch, name))[:, None]
        return total
