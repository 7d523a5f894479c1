"""EATS' aligner (Donahue et al., 2021, arXiv:2006.03575) on scores: how notes are shared out is learnt."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.conditions import Conditions
from nnsvs_lite.models.layers.conv import ConvStack
from nnsvs_lite.models.layers.expand import frame_positions, sum_by_note
from nnsvs_lite.models.layers.mdn import masked_mean
from nnsvs_lite.models.layers.outputs import zeroed
from nnsvs_lite.models.layers.soft_alignment import interpolation, soft_dtw
from nnsvs_lite.models.neural import Streams, StreamWeights
from nnsvs_lite.models.options import AcousticOptions, Depth, Positive, Rate, Size, Weight
from nnsvs_lite.models.refined import PostnetAcoustic

PENALTY, TEMPERATURE = 1.0, 0.01
"""Of soft dynamic time warping, as published; costs are mean distances in deviations of each band."""
LENGTH = 20.0
"""Frames that the raw length of a phone is before anything is learnt, and the unit of its loss."""
NOTE_PLACES = slice(4, 8)
"""Of ``frame_positions``: those that tell of the note alone."""


class EatsSinging(PostnetAcoustic):
    """Dilated convolutions over phones say how long each is; frames are soft mixtures of phones about them.

    Lengths are scaled so that the phones of a note fill it: the score's notes are given, the phones' own
    times are not read. Spectra learn by soft dynamic time warping, so that a phone a little early or late
    still learns, and lengths through it.

    Args:
        dim: channels. layers, kernel, dropout: of convolutions over phones, dilated 1 to 32 in turn.
        decoder_layers, decoder_kernel: over frames. variance: of the soft mixture, frames squared.
        pooled: frames that are one to the time warping. dtw_weight, length_weight: of the two losses.
        Others: see :class:`~nnsvs_lite.models.refined.PostnetAcoustic`.
    """

    def __init__(
        self,
        spec: Spec,
        inputs: Sequence[str] = ("phone", "pitch", "length"),
        dim: Size = 256,
        layers: Size = 60,
        kernel: Size = 3,
        dropout: Rate = 0.0,
        decoder_layers: Size = 8,
        decoder_kernel: Size = 5,
        variance: Positive = 10.0,
        pooled: Size = 8,
        dtw_weight: Weight = 1.0,
        length_weight: Weight = 0.1,
        weights: StreamWeights | None = None,
        postnet_layers: Depth = 0,
        postnet_channels: Size = 256,
        options: AcousticOptions | None = None,
    ):
        sizes = dict.fromkeys(inputs, dim)
        super().__init__(spec, options, sizes, postnet_layers, postnet_channels, weights, dim)
        self.softness, self.pooled, self.shift = variance, pooled, spec.frame_shift
        self.dtw_weight, self.length_weight = dtw_weight, length_weight
        self.spectra = [name for name in spec.streams if name not in ("lf0", "vuv", "bap")]
        self.encoder = ConvStack(dim, layers, kernel, dropout, cycle=6)
        self.conditions = Conditions(spec, self.options, dim)
        self.norm, self.long = nn.LayerNorm(dim), zeroed(nn.Linear(dim, 1))
        self.places = nn.Linear(NOTE_PLACES.stop - NOTE_PLACES.start, dim)
        self.decoder = ConvStack(dim, decoder_layers, decoder_kernel, dropout, cycle=3)

    def lengths(self, vectors: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Of phones in frames, (B, P), filling their notes; and the raw ones' total for each note, (B, N)."""
        raw = LENGTH / math.log(2) * F.softplus(self.long(vectors)[..., 0])
        raw = raw * batch.score.phone_mask
        totals, notes = sum_by_note(raw, batch), sum_by_note(batch.score.duration.to(raw.dtype), batch)
        share = notes / totals.clamp(min=1e-3)
        return raw * share.gather(1, batch.score.note_index), totals

    def outputs(self, batch: Batch, phone: Tensor, base: Streams, true: Streams) -> Streams:
        known, mask = batch.score.phone_mask, batch.frame_mask
        vectors = self.norm(self.encoder(self.embedding(batch) + self.conditions(batch), known))
        lengths, totals = self.lengths(vectors, batch)
        mix = interpolation(lengths, known, batch.max_frames, self.softness)
        places = frame_positions(batch, phone, self.shift)[..., NOTE_PLACES]
        x = self.decoder(mix.to(vectors.dtype) @ vectors + self.places(places), mask)
        values = self.heads(x)
        out = self.refined(values, base, mask) | {"attention": mix, "lengths": lengths}
        if not true:
            return out
        notes = sum_by_note(batch.score.duration.to(totals.dtype), batch)
        off = 0.5 * ((notes - totals) / LENGTH).square()
        out["loss_length"] = self.length_weight * masked_mean(off, batch.score.note_mask)
        if self.dtw_weight:
            out["loss_dtw"] = self.dtw_weight * self._warped(values, true, batch)
        return out

    def _warped(self, values: Streams, true: Streams, batch: Batch) -> Tensor:
        """Soft time warping of pooled spectra, in deviations, a mean over frames."""
        mask = batch.frame_mask[..., None]
        count = -(-batch.frame_lengths // self.pooled)
        pooled = []
        for streams in (values, true):
            x = torch.cat([streams[name] for name in self.spectra], dim=-1).float() * mask
            both = torch.cat([x, mask.to(x.dtype)], dim=-1)
            both = F.pad(both, (0, 0, 0, -both.shape[1] % self.pooled)).unflatten(1, (-1, self.pooled)).sum(2)
            pooled.append(both[..., :-1] / both[..., -1:].clamp(min=1))
        cost = (pooled[0][:, :, None] - pooled[1][:, None]).abs().mean(-1)
        return (soft_dtw(cost, count, count, PENALTY, TEMPERATURE) / count).mean()
