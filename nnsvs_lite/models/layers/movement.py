"""Movement within vowels: networks learn means, which are still; here the singer's own is added again."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch, Example, collate
from nnsvs_lite.models.layers.context import FEW_PHONES
from nnsvs_lite.models.layers.conv import gaussian_kernel, smooth
from nnsvs_lite.models.layers.counted import Counted
from nnsvs_lite.models.layers.harmonics import HarmonicComb
from nnsvs_lite.models.layers.postfilter import first_scaled
from nnsvs_lite.models.melody import SCORE_PITCH

VOWELS = 256
"""Sung vowels of the training set that are kept, at most, of all singers and phones alike."""
SECONDS = 0.4
"""Kept of a vowel; what is longer goes back and forth in it."""
SLOW = {"mgc": 0.2, "mel": 0.06}
"""Seconds, the deviation of the Gaussian that takes off what networks can tell."""
FADE = 0.01
"""Seconds over which it comes and goes at the ends of a vowel."""
FIRST, FULL = 6, 10
"""The mel-cepstrum up to which there is none, and the one from which there is all: half of the distance
between spectra lies in the first six, and little of what is heard as life."""
LAST, BEYOND = 24, 0.3
"""The one after which there is but a part: those are many, and what they add is fine."""
FEW = 2 * FEW_PHONES
"""Phones of a training set that halve the power: more data leave networks less still."""
TAKES = 3
"""Vowels that fit best, among which a note's seed chooses."""
PITCH = 4.0
"""Semitones that count as much as a length by a factor of e."""
ALIKE = 1024.0
"""Distances are alike where they differ by less than a part of so many."""
OTHER = 100.0
"""Distance of another singer's vowel; of another vowel its square."""


class Movement(Counted):
    """Adds to each vowel's mel-cepstra, or mel bands above 1200 Hz, what was quick in one like it that the
    singer sang; of bands what his own pitch did to them is left out.

    Args: strength: of it, for a training set of no size, 1 is all; ``FEW`` phones halve its power.
    """

    def __init__(self, spec: Spec, strength: float):
        super().__init__()
        self.strength = strength * math.sqrt(FEW / (FEW + spec.phone_count))
        self._shift = spec.frame_shift
        self._vowel, self._phone = spec.column("phone", "is_vowel"), spec.column("phone", "phone")
        self._pitch = spec.column("note", SCORE_PITCH)
        self.size = round(SECONDS / spec.frame_shift)
        self.name = "mgc" if "mgc" in spec.streams else "mel"
        order = torch.arange(spec.streams[self.name], dtype=torch.float32)
        ramp = ((order - FIRST) / (FULL - FIRST)).clamp(0, 1) * torch.where(order > LAST, BEYOND, 1.0)
        self.comb = None
        if self.name == "mel":
            ramp, self.comb = (order >= first_scaled("mel", spec)).to(order.dtype), HarmonicComb(spec)
        self.register_buffer("ramp", ramp, persistent=False)
        self.register_buffer("kernel", gaussian_kernel(SLOW[self.name], spec.frame_shift), persistent=False)
        count = min(VOWELS, int(sum(spec.phone_stat("count", 0.0))))
        # Phone (0 for none), singer, pitch, log length, frames.
        self.register_buffer("keys", torch.zeros(count, 5))
        self.register_buffer("moves", torch.zeros(count, self.size, len(order), dtype=torch.float16))

    def _key(self, batch: Batch) -> Tensor:
        """(B, P, 5), as ``keys``."""
        score = batch.score
        phones = score.phone_context[..., self._phone] * score.phone_context[..., self._vowel]
        pitch = score.note_context[..., self._pitch].gather(1, score.note_index)
        length = score.duration.to(torch.float32)
        singer = batch.singer[:, None].expand(phones.shape).to(torch.float32)
        return torch.stack([phones, singer, pitch, length.clamp(min=1).log(), length], dim=-1)

    @torch.no_grad()
    def fit(self, examples: Sequence[Example]) -> None:
        found: dict[tuple[float, float], list[tuple[Tensor, Tensor]]] = {}
        for example in examples:
            batch = collate([example], self._shift)
            key, spectra = self._key(batch)[0], batch.streams[self.name]
            if self.comb is not None:
                spectra = spectra - batch.streams["vuv"] * self.comb(batch.streams["lf0"])
            ends = key[:, 4].long().cumsum(0)
            for row, end in zip(key, ends.tolist()):
                frames = int(row[4])
                if row[0] > 0 and frames * self._shift >= 4 * FADE:
                    x = spectra[:, end - frames : end]
                    quick = (x - smooth(x, torch.ones(1, frames) > 0, self.kernel))[0, : self.size]
                    row = row.clone()
                    row[4] = len(quick)
                    found.setdefault((float(row[0]), float(row[1])), []).append((row, quick.half()))
        # In turns, the longest of each vowel of each singer: they hold the most.
        ranked = [sorted(rows, key=lambda pair: -float(pair[0][3])) for rows in found.values()]
        deepest = max(map(len, ranked), default=0)
        kept = [rows[i] for i in range(deepest) for rows in ranked if i < len(rows)][: len(self.keys)]
        self.keys.zero_()
        self.moves.zero_()
        for i, (row, quick) in enumerate(kept):
            self.keys[i] = row
            self.moves[i, : len(quick)] = quick

    def _choose(self, batch: Batch, key: Tensor) -> tuple[Tensor, Tensor]:
        """(B, P) long: a row of ``keys`` for each phone; (B, P) bool, whether it is of that vowel."""
        a, b = key[..., None, :], self.keys
        cost = (a[..., 2] - b[..., 2]).abs() / PITCH + (a[..., 3] - b[..., 3]).abs()
        cost = cost + OTHER * (a[..., 1] != b[..., 1]) + OTHER**2 * (a[..., 0] != b[..., 0])
        best, index = _nearest(cost, min(TAKES, len(b)))
        # Those of another singer only where this one has none.
        alike = (best < best[..., :1] + OTHER / 2).sum(-1)
        seed = batch.score.note_seed.gather(1, batch.score.note_index)
        index = index.gather(-1, (seed % alike)[..., None])[..., 0]
        return index, (best[..., 0] < OTHER**2) & (key[..., 0] > 0)

    def forward(self, streams: dict[str, Tensor], batch: Batch, phone: Tensor) -> dict[str, Tensor]:
        """The streams (B, T, D), spectra moved; ``phone`` (B, T) from ``phone_of_frame``."""
        if not self.strength or not len(self.keys):
            return streams
        key = self._key(batch)
        chosen, known = self._choose(batch, key)
        length = batch.score.duration.gather(1, phone)
        passed = torch.arange(batch.max_frames, device=phone.device) - (
            batch.score.duration.cumsum(1).gather(1, phone) - length
        )
        row = chosen.gather(1, phone)
        held = self.keys[row, 4].long().clamp(min=2)
        place = passed.clamp(min=0) % (2 * held - 2)
        place = torch.where(place < held, place, 2 * held - 2 - place)
        edge = torch.minimum(passed, length - 1 - passed).clamp(min=0)
        gain = ((edge + 0.5) * (self._shift / FADE)).clamp(max=1) * known.gather(1, phone) * batch.frame_mask
        move = self.moves[row, place].to(streams[self.name].dtype) * self.ramp
        return streams | {self.name: streams[self.name] + move * (gain * self.strength)[..., None]}


def _nearest(cost: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The least costs (..., count) and where they are; of those that are alike the first, on any device."""
    cost = torch.round(cost * ALIKE) / ALIKE
    if torch.onnx.is_in_onnx_export():
        return cost.topk(count, dim=-1, largest=False)
    order = cost.sort(dim=-1, stable=True)
    return order.values[..., :count], order.indices[..., :count]
