"""What the singer did in training where the score was alike: tokens of it, beside a network."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch, Example, collate
from nnsvs_lite.models.layers.acoustic_floor import SmoothFloor
from nnsvs_lite.models.layers.context import FEW_PHONES
from nnsvs_lite.models.layers.counted import Counted
from nnsvs_lite.models.layers.expand import full_phone_context, gather_rows, phone_of_frame
from nnsvs_lite.models.layers.linguistic import one_hot
from nnsvs_lite.models.melody import SCORE_PITCH

TOKENS = 2048
"""Frames of the training set that are kept, at most, evenly spread over it."""
Kernel = Literal["gaussian", "exponential"]
WIDTH = {"gaussian": 2.0, "exponential": 4.0}
"""Of kernels, in the units of keys."""
NOISE = {"gaussian": 5.0, "exponential": 1.0}
"""Variance of what no score tells, where that of a token's deviation is 1."""
HALF = {"gaussian": FEW_PHONES, "exponential": 5000}
"""Phones of training that halve the share of tokens."""
SOFT = 0.01
"""Added to squares of distances below a root, which would make the rounding of small ones large."""
SAME_PHONE, SAME_SINGER, PITCH = 3.0, 2.0, 4.0
"""Lengths in keys: of the phone and the singer themselves; semitones that count as 1."""
REACH = 0.05
"""Seconds over which a neighbouring phone is heard."""
BLOCK = 2048
"""Frames that are compared with all tokens at once."""


class Keyed(Counted):
    """What knows frames by the score: a key tells the singer, the phone with its classes, its neighbours as
    far as they are near, the note's pitch, the place in the phone and its length.
    """

    def __init__(self, spec: Spec):
        super().__init__()
        self._shift = spec.frame_shift
        names = ("phone", "prev_phone", "next_phone")
        self._phones = [spec.column("phone", name) for name in names]
        self._pitch = len(spec.columns("phone")) + spec.column("note", SCORE_PITCH)
        self._singers = max(1, len(spec.speakers))
        self.register_buffer("classes", torch.tensor(spec.phone_classes), persistent=False)
        phones, classes = self.classes.shape
        self.key_size = self._singers + phones + 3 * classes + 5

    def _keys(self, batch: Batch, phone: Tensor) -> Tensor:
        """(B, T, size of a key)."""
        context = gather_rows(full_phone_context(batch), phone)
        ids = context[..., self._phones].long().clamp(0, len(self.classes) - 1)
        own, before, after = self.classes[ids].unbind(-2)
        lengths = batch.score.duration.to(torch.float32)
        ends = lengths.cumsum(1).gather(1, phone)
        length = lengths.gather(1, phone)
        frames = torch.arange(batch.max_frames, device=phone.device, dtype=torch.float32) + 0.5
        left = ((ends - frames) * self._shift).clamp(min=0)[..., None]
        length = (length * self._shift).clamp(min=self._shift)[..., None]
        passed = (length - left).clamp(min=0)
        singer = one_hot(batch.singer, self._singers)[:, None].expand(*phone.shape, -1)
        place = [0.5 * passed / length, 0.5 * torch.log1p(passed / 0.03), 0.5 * torch.log1p(left / 0.03)]
        parts = [singer * SAME_SINGER, one_hot(ids[..., 0], len(self.classes)) * SAME_PHONE, own]
        parts += [before * torch.exp(-passed / REACH), after * torch.exp(-left / REACH)]
        parts += [context[..., self._pitch, None] / PITCH, 0.3 * length.log(), *place]
        return torch.cat(parts, dim=-1)


class Retrieval(Keyed):
    """Spectra of an utterance from tokens, frames of the training set, by Gaussian process regression
    (Rasmussen and Williams, 2006, eq. 2.25) on top of the smoothed rule.

    Where nothing alike was sung the rule remains. Errors of tokens and of networks differ: their mean is
    better than either, most with little data.

    Args: share: of tokens in what is sung, for a training set of no size; ``HALF`` phones halve it.
        kernel: how likeness falls with distance: ``exponential`` as of a process that is rough (section 4.2.1
            there), whose nearest tokens count for more: what is common in large sets is not smoothed away.
    """

    def __init__(self, spec: Spec, share: float, kernel: Kernel = "gaussian"):
        super().__init__(spec)
        self.kernel, half = kernel, HALF[kernel]
        self.share = share * half / (half + spec.phone_count)
        self.floor = SmoothFloor(spec)
        self.sizes = {name: spec.streams[name] for name in self.floor.steps.names}
        scale = torch.cat([torch.tensor(spec.stats.streams[name].std) for name in self.sizes])
        self.register_buffer("scale", scale.clamp(min=1e-4), persistent=False)
        count = min(TOKENS, int(sum(spec.phone_stat("frames", 0.0))))
        self.register_buffer("keys", torch.zeros(count, self.key_size))
        self.register_buffer("weights", torch.zeros(count, sum(self.sizes.values())))

    def _kernel(self, a: Tensor, b: Tensor) -> Tensor:
        """(A, B) of keys (A, size) and (B, size)."""
        square = a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.t()
        square, width = square.clamp(min=0), WIDTH[self.kernel]
        if self.kernel == "exponential":
            return torch.exp((square + SOFT).sqrt() / -width)
        return torch.exp(square * (-0.5 / width**2))

    def _floor(self, batch: Batch, phone: Tensor) -> Tensor:
        rule = self.floor(batch, phone)
        return torch.cat([rule[name] for name in self.sizes], dim=-1)

    @torch.no_grad()
    def fit(self, examples: Sequence[Example]) -> None:
        keys, values = [], []
        frames = sum(example.frames for example in examples)
        step, seen = max(1, math.ceil(frames / max(1, len(self.keys)))), 0
        for example in examples:
            batch = collate([example], self._shift)
            phone = phone_of_frame(batch)
            kept = slice(-seen % step, None, step)
            seen += example.frames
            true = torch.cat([batch.streams[name] for name in self.sizes], dim=-1)
            keys.append(self._keys(batch, phone)[0, kept])
            values.append(((true - self._floor(batch, phone)) / self.scale)[0, kept])
        keys, values = torch.cat(keys)[: len(self.keys)], torch.cat(values)[: len(self.keys)]
        kernel = self._kernel(keys.double(), keys.double())
        kernel.diagonal().add_(NOISE[self.kernel])
        self.keys.zero_()[: len(keys)] = keys
        self.weights.zero_()[: len(keys)] = torch.cholesky_solve(
            values.double(), torch.linalg.cholesky(kernel)
        ).float()

    def retrieve(self, batch: Batch, phone: Tensor) -> dict[str, Tensor]:
        """Spectral streams (B, T, D) of tokens alone; ``phone`` (B, T) from ``phone_of_frame``."""
        keys = self._keys(batch, phone).flatten(0, 1)
        # A graph has no loops.
        blocks = [keys] if torch.onnx.is_in_onnx_export() else keys.split(BLOCK)
        parts = [self._kernel(block, self.keys) @ self.weights for block in blocks]
        values = torch.cat(parts).unflatten(0, phone.shape) * self.scale + self._floor(batch, phone)
        return dict(zip(self.sizes, values.split(list(self.sizes.values()), dim=-1)))

    def forward(self, streams: dict[str, Tensor], batch: Batch, phone: Tensor) -> dict[str, Tensor]:
        """The streams (B, T, D), spectral ones moved towards tokens by ``share``."""
        tokens = self.retrieve(batch, phone)
        return streams | {n: torch.lerp(streams[n], value, self.share) for n, value in tokens.items()}
