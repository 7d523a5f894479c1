"""What acoustic models share whose decoder attends to phones and hears its own frames."""

from abc import abstractmethod
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.models.batch import Batch, length_mask
from nnsvs_lite.models.layers.attentive import guided_attention
from nnsvs_lite.models.layers.hearing import Decoded, HearingDecoder, Memory
from nnsvs_lite.models.neural import Streams
from nnsvs_lite.models.refined import PostnetAcoustic

STOP_WEIGHT = 5.0
"""What one step past the end counts in the cross-entropy of stopping; there is one of them in hundreds."""


class PhoneTimes(nn.Module):
    """Tells vectors of phones how long each is in the score: its steps, and a step's share of it."""

    def __init__(self, dim: int):
        super().__init__()
        self.linear = nn.Linear(2, dim)

    def forward(self, batch: Batch, reduction: int) -> Tensor:
        """(B, P, dim), for steps of ``reduction`` frames."""
        steps = batch.score.duration / reduction
        return self.linear(torch.stack([torch.log1p(steps), 1 / steps.clamp(min=1.0)], dim=-1))


class AttendingAcoustic(PostnetAcoustic):
    """An autoregressive decoder that attends to phones, and a postnet.

    As many steps are made as the durations have room for, whatever the stop token says, which is learnt
    all the same; where attention has come to the end before, it rests there. Its own way through the phones
    is drawn to that of the score by one more loss.

    The postnet reads steps on both sides, in training those that heard later targets; the loss before it
    is on steps that heard earlier ones only.

    A system makes ``decoder`` and gives :meth:`memory`. In singing, ``attention`` (B, S, P) and, where it
    has one, ``stop`` (B, S) are among what :meth:`predict` gives.

    Attributes:
        sigma, guided_weight: of :func:`guided_attention`.
        decoder: the decoder.
    """

    sigma: float
    guided_weight: float
    decoder: HearingDecoder

    @abstractmethod
    def memory(self, batch: Batch) -> Memory:
        """What the decoder attends to."""

    def middles(self, batch: Batch) -> Tensor:
        """(B, P): where phones have their middles in the score, in steps."""
        length = batch.score.duration.to(batch.score.note_context.dtype)
        return (length.cumsum(1) - length / 2) / self.decoder.reduction - 0.5

    def outputs(self, batch: Batch, phone: Tensor, base: Streams, true: Streams) -> Streams:
        mask, reduction = batch.frame_mask, self.decoder.reduction
        memory, steps = self.memory(batch), -(-batch.max_frames // reduction)
        if true:
            target = torch.cat([true[name] for name in self.space.sizes], dim=-1) * mask[..., None]
            decoded = self.decoder.follow(memory, self.decoder.heard(target, steps), batch.seed)
        else:
            decoded = self.decoder.sing(memory, steps, batch.seed, told=partial(self._told, base))
        out = self.refined(self.space.split(decoded.frames[:, : batch.max_frames]), base, mask)
        out["attention"] = decoded.weights
        if decoded.stop is not None:
            out["stop"] = decoded.stop
        return out | (self._learnt(decoded, batch, phone) if true else {})

    def _told(self, base: Streams, frame: Tensor, number: int) -> Tensor:
        """A frame (B, size) of its own as targets are: of voicing not the logit, but whether it is voiced."""
        streams = self.space.split(frame)
        logit = base["vuv"][:, min(number, base["vuv"].shape[1] - 1)] + streams["vuv"]
        return torch.cat([(streams | {"vuv": (logit > 0).to(frame.dtype)})[n] for n in streams], dim=-1)

    def _learnt(self, decoded: Decoded, batch: Batch, phone: Tensor) -> Streams:
        reduction, steps = self.decoder.reduction, decoded.weights.shape[1]
        # An utterance's last step may begin in it and have its middle beyond: the last phone's.
        middle = torch.arange(steps, device=phone.device) * reduction + reduction // 2
        middle, last = middle.clamp(max=batch.max_frames - 1), batch.score.phone_lengths[:, None] - 1
        sung, known = phone[:, middle].minimum(last), batch.score.phone_mask
        inside = batch.frame_mask[:, ::reduction]
        guided = guided_attention(decoded.weights.float(), sung, known, inside, self.sigma)
        terms = {"loss_guided": self.guided_weight * guided}
        if decoded.stop is not None:
            # The last step of each utterance is its end.
            ends = ~length_mask(inside.sum(1) - 1, steps)
            weight = decoded.stop.new_tensor(STOP_WEIGHT)
            error = F.binary_cross_entropy_with_logits(
                decoded.stop.float(), ends.float(), pos_weight=weight, reduction="none"
            )
            terms["loss_stop"] = (error * inside).sum() / inside.sum().clamp(min=1)
        return terms
