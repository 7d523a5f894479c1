"""Attention whose steps from phone to phone are led by known durations."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.models.layers.conv import MaskedConv1d

SHARPNESS = 4.0
"""How fast attention leaves a phone about its end, at the start of training: logits a step."""


class DurationControl(nn.Module):
    """When, and how fast, each phone's attention moves on to the next phone.

    Singing-Tacotron (Wang et al., 2022, arXiv:2202.07907) predicts from the score's durations
    a share of each phone's attention that moves on at every step, with a linear layer of 24,
    two convolutions of 32 and a linear layer. A constant share scatters: after some phones
    attention may be anywhere. Here the phones' ends are known, and the share is
    ``sigmoid(SHARPNESS * (t + 1/2 - end) + learnt)`` at step ``t``; the network, the paper's, learns
    what to add.
    """

    def __init__(self):
        super().__init__()
        self.inputs = nn.Linear(1, 24)
        self.convs = nn.ModuleList([MaskedConv1d(24, 32, 3), MaskedConv1d(32, 32, 3)])
        self.out = nn.Linear(32, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, steps: Tensor, mask: Tensor) -> Tensor:
        """``steps`` (B, P) of each phone, ``mask`` (B, P) bool: logits (B, P) at step 0."""
        x = self.inputs(torch.log1p(steps)[..., None])
        for conv in self.convs:
            x = torch.relu(conv(torch.relu(x), mask))
        return SHARPNESS * (0.5 - steps.cumsum(1)) + self.out(x)[..., 0]


def share_at(logits: Tensor, step: int) -> Tensor:
    """Shares (B, P) of phones' attention that move on at a step, from :class:`DurationControl`."""
    return torch.sigmoid(logits + SHARPNESS * step)


class DurationAttention(nn.Module):
    """Forward attention (Zhang et al., 2018) with a share of its own for each phone.

    The weights of the last step move on by the shares and are multiplied with a softmax over
    content and place: a query from the decoder, keys from the encoder, and a convolution of
    all the attention that phones have had (Chorowski et al., 2015).

    Args:
        inputs: size of the encoder's vectors. query: of the decoder's. dim: in which they meet.
        channels, kernel: of the convolution.
    """

    def __init__(self, inputs: int, query: int, dim: int, channels: int = 32, kernel: int = 31):
        super().__init__()
        self.key = nn.Linear(inputs, dim)
        self.query = nn.Linear(query, dim, bias=False)
        self.past = MaskedConv1d(1, channels, kernel)
        self.past_out = nn.Linear(channels, dim, bias=False)
        self.score = nn.Linear(dim, 1, bias=False)

    @staticmethod
    def start(mask: Tensor) -> Tensor:
        """Weights before the first step: all on the first phone, (B, P)."""
        return F.pad(torch.ones_like(mask[:, :1], dtype=torch.float32), (0, mask.shape[1] - 1))

    def forward(
        self, query: Tensor, keys: Tensor, mask: Tensor, share: Tensor, last: Tensor, total: Tensor
    ) -> Tensor:
        """Weights of a step, (B, P).

        Args:
            query: (B, query). keys: (B, P, dim), from ``key``. mask: (B, P) bool.
            share: (B, P) from :func:`share_at`.
            last: (B, P) weights of the step before. total: (B, P), their sum so far.
        """
        past = self.past_out(self.past(total[..., None], mask))
        scores = self.score(torch.tanh(keys + past + self.query(query)[:, None]))[..., 0]
        content = scores.masked_fill(~mask, float("-inf")).softmax(-1)
        moved = last * share
        carried = (last - moved + F.pad(moved, (1, -1))) * content
        # A little everywhere: where content and place disagree wholly nothing would be left.
        carried = carried + 1e-6 * content
        return carried / carried.sum(-1, keepdim=True)


def guided_attention(weights: Tensor, phone: Tensor, mask: Tensor, steps: Tensor, sigma: float) -> Tensor:
    """What attention away from the known phone costs (after Tachibana et al., 2018).

    ``mean over steps and phones of weights * (1 - exp(-((n - phone) / N)^2 / (2 sigma^2)))``. In the
    paper the place to be at is the diagonal; here it is the phone that is sung.

    Args:
        weights: (B, S, P). phone: (B, S) index of the phone sung at each step.
        mask: (B, P) bool. steps: (B, S) bool, true on the utterance's steps.
        sigma: in utterances.
    """
    places = torch.arange(weights.shape[2], device=weights.device, dtype=torch.float32)
    count = mask.sum(1)[:, None, None].clamp(min=1)
    distance = (places - phone[..., None]) / count
    cost = 1 - torch.exp(-distance.square() / (2 * sigma**2))
    valid = steps[..., None] * mask[:, None]
    return (weights * cost * valid).sum() / valid.sum().clamp(min=1)
