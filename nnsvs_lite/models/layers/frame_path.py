"""A path through what the singer sang: her own frames, as they followed each other, beside means of them."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.batch import Batch, Example, collate
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.models.layers.retrieval import HALF, Keyed

FRAMES = 8192
"""Of the training set that are kept, at most: whole phrases, evenly spread over it."""
ORDERS = 25
"""Mel-cepstra that are compared, of which loudness counts half."""
SPECTRUM = 0.15
"""What a squared deviation of a mel-cepstrum costs, where a squared unit of keys costs 1."""
JUMP = 15.0
"""What it costs to go on elsewhere than at the next frame."""
GRID = 1024.0
"""Costs are whole parts of so many: their sums are exact, on any device."""
FAR = 1e4
"""Of a frame that cannot be had."""


def best_path(cost: Tensor, lengths: Tensor, follows: Tensor, jump: float) -> Tensor:
    """The cheapest sequence of rows (Viterbi), of which each is the next of the one before or costs ``jump``.

    Args:
        cost: (B, T, N), of row n at frame t. lengths: (B,) frames that count; beyond them the last row stays.
        follows: (N,) bool, whether a row is the next of the one before it.

    Returns: (B, T) long.
    """
    total, blocked = cost[:, 0], FAR * (~follows).to(cost.dtype)
    origins, jumped = [], []
    for t in range(1, cost.shape[1]):
        best, origin = total.min(1)
        # Counted from the cheapest, so that totals stay small.
        on = F.pad((total - best[:, None])[:, :-1], (1, 0), value=FAR) + blocked
        step = on.clamp(max=jump) + cost[:, t]
        total = torch.where((t < lengths)[:, None], step, total)
        origins.append(origin)
        jumped.append(on > jump)
    at = total.argmin(1)
    path = [at]
    for t in range(cost.shape[1] - 1, 0, -1):
        elsewhere = jumped[t - 1].gather(1, at[:, None])[:, 0]
        before = torch.where(elsewhere, origins[t - 1], at - 1)
        at = torch.where(t < lengths, before, at)
        path.append(at)
    return torch.stack(path, dim=1).flip(1)


class FramePath(Keyed):
    """Moves spectra towards frames of the training set that followed each other there: unit selection (Hunt
    and Black, 1996, eq. 1-3), a unit of which is a frame, and a join costs the same wherever it is.

    Frames are chosen by the score, as tokens of :class:`Retrieval` are, and by the mel-cepstrum that is
    predicted. What moves from one to the next is then a voice's own, slow movement as well as quick.

    Args: share: of them in what is sung, for a training set of no size; see ``HALF`` of retrieval.

    Raises DataError for features without mel-cepstra: of a mel spectrum the harmonics would come along.
    """

    def __init__(self, spec: Spec, share: float):
        super().__init__(spec)
        if "mgc" not in spec.streams:
            raise DataError("options.path is of mel-cepstra, and the features have none: set it to 0")
        self.share = share * HALF["exponential"] / (HALF["exponential"] + spec.phone_count)
        self.sizes = {name: spec.streams[name] for name in ("mgc", "bap") if name in spec.streams}
        scale = torch.tensor(spec.stats.streams["mgc"].std)[:ORDERS].clamp(min=1e-4)
        scale[0] *= 2.0
        self.register_buffer("scale", scale / SPECTRUM**0.5, persistent=False)
        count = min(FRAMES, int(sum(spec.phone_stat("frames", 0.0))))
        self.register_buffer("keys", torch.zeros(count, self.key_size))
        self.register_buffer("frames", torch.zeros(count, sum(self.sizes.values())))
        # 0 for none, 1 for the first of a phrase, 2 for what follows the row before.
        self.register_buffer("kind", torch.zeros(count, dtype=torch.uint8))

    def _compared(self, keys: Tensor, mgc: Tensor) -> Tensor:
        return torch.cat([keys, mgc[..., : len(self.scale)] / self.scale], dim=-1)

    @torch.no_grad()
    def fit(self, examples: Sequence[Example]) -> None:
        for value in (self.keys, self.frames, self.kind):
            value.zero_()
        frames = sum(example.frames for example in examples)
        share, seen, filled = min(1.0, len(self.kind) / max(1, frames)), 0.0, 0
        for example in examples:
            seen += example.frames * share
            size = min(example.frames, len(self.kind) - filled)
            if seen < filled + size / 2 or not size:
                continue
            batch = collate([example], self._shift)
            rows = slice(filled, filled + size)
            self.keys[rows] = self._keys(batch, phone_of_frame(batch))[0, :size]
            self.frames[rows] = torch.cat([batch.streams[name] for name in self.sizes], dim=-1)[0, :size]
            self.kind[rows], self.kind[filled] = 2, 1
            filled += size

    def forward(self, streams: dict[str, Tensor], batch: Batch, phone: Tensor) -> dict[str, Tensor]:
        """The streams (B, T, D), spectral ones moved; ``phone`` (B, T) from ``phone_of_frame``."""
        if torch.onnx.is_in_onnx_export():
            # Another library's roundings choose another path here and there.
            raise ValueError("a path through frames has no graph")
        if not self.share or not len(self.kind):
            return streams
        asked = self._compared(self._keys(batch, phone), streams["mgc"])
        known = self._compared(self.keys, self.frames)
        square = asked.square().sum(-1, keepdim=True) + known.square().sum(-1) - 2 * asked @ known.t()
        cost = torch.round((square + FAR * (self.kind == 0)) * GRID) / GRID
        path = best_path(cost, batch.frame_lengths, self.kind == 2, JUMP)
        rows, share = self.frames[path], self.share * (self.kind > 0)[path][..., None]
        values = dict(zip(self.sizes, rows.split(list(self.sizes.values()), dim=-1)))
        return streams | {n: streams[n] + share * (value - streams[n]) for n, value in values.items()}
