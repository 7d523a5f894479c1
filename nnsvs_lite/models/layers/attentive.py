"""Tacotron 2's decoder (Shen et al., 2018) with attention that durations lead."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.models.layers.conv import MaskedConv1d
from nnsvs_lite.models.layers.hearing import HearingDecoder, Memory
from nnsvs_lite.models.layers.outputs import zeroed

SHARPNESS = 4.0
"""How fast attention leaves a phone about its end, at the start of training: logits a step."""


class DurationControl(nn.Module):
    """When, and how fast, each phone's attention moves on to the next phone.

    Singing-Tacotron (Wang et al., 2022, arXiv:2202.07907) predicts from durations a constant share of
    each phone's attention that moves on at every step. That scatters: after some phones attention may be
    anywhere. Here the phones' ends are known, and the share is
    ``sigmoid(SHARPNESS * (t + 1/2 - end) + learnt)`` at step ``t``; the paper's network learns what to add.
    """

    def __init__(self):
        super().__init__()
        self.inputs = nn.Linear(1, 24)
        self.convs = nn.ModuleList([MaskedConv1d(24, 32, 3), MaskedConv1d(32, 32, 3)])
        self.out = zeroed(nn.Linear(32, 1))

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

    The weights of the last step move on by the shares and are multiplied with a softmax over content and
    place: a query from the decoder, keys from the encoder, and a convolution of all the attention that
    phones have had (Chorowski et al., 2015). Queries and keys meet in ``dim``.
    """

    def __init__(self, inputs: int, query: int, dim: int):
        super().__init__()
        self.key = nn.Linear(inputs, dim)
        self.query = nn.Linear(query, dim, bias=False)
        self.past = MaskedConv1d(1, 32, 31)
        self.past_out = nn.Linear(32, dim, bias=False)
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
        # A little everywhere: where content and place disagree wholly nothing would be left.
        carried = (last - moved + F.pad(moved, (1, -1))) * content + 1e-6 * content
        return carried / carried.sum(-1, keepdim=True)


def guided_attention(weights: Tensor, phone: Tensor, mask: Tensor, steps: Tensor, sigma: float) -> Tensor:
    """The mean of ``weights * (1 - exp(-((n - phone) / N)^2 / (2 sigma^2)))`` over steps and phones.

    As by Tachibana et al. (2018), where the place to be at is the diagonal; here, the phone that is sung.

    Args:
        weights: (B, S, P). phone: (B, S) index of the phone sung at each step.
        mask: (B, P) bool. steps: (B, S) bool, true on the utterance's steps.
    """
    places = torch.arange(weights.shape[2], device=weights.device, dtype=torch.float32)
    count = mask.sum(1)[:, None, None].clamp(min=1)
    distance = (places - phone[..., None]) / count
    cost = 1 - torch.exp(-distance.square() / (2 * sigma**2))
    valid = steps[..., None] * mask[:, None]
    return (weights * cost * valid).sum() / valid.sum().clamp(min=1)


class AttentiveDecoder(HearingDecoder):
    """Hears its last frame through a prenet, attends, and gives some frames a step.

    The first LSTM layer's state asks the attention, and what that finds enters the same layer: it has to
    run step by step, in training too. Under teacher forcing the rest is fused over all steps.

    Args:
        inputs: size of the encoder's vectors. hidden: of both LSTM layers.
        attention: size in which queries and keys meet.
        Others: see :class:`HearingDecoder`.
    """

    def __init__(
        self,
        inputs: int,
        size: int,
        hidden: int = 1024,
        prenet: int = 256,
        dropout: float = 0.5,
        attention: int = 512,
        reduction: int = 1,
    ):
        super().__init__(size, hidden + inputs, prenet, dropout, reduction, stops=False)
        self.hidden = hidden
        self.attention = DurationAttention(inputs, hidden, attention)
        self.first = nn.LSTMCell(prenet + inputs, hidden)
        self.second = nn.LSTM(hidden, hidden, batch_first=True)

    def remember(self, vectors: Tensor, mask: Tensor, control: Tensor) -> Memory:
        """``vectors`` (B, P, inputs), ``mask`` (B, P) bool, ``control`` (B, P), see ``DurationControl``."""
        return Memory(vectors, mask, self.attention.key(vectors), control)

    def whole(self, rows: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        state, asked = self.begin(memory)[0], []
        for k, row in enumerate(rows.unbind(1)):
            state = self._first(memory, row, k, state)
            asked.append(state)
        context = torch.stack([s[4] for s in asked], dim=1)
        below = self.second(torch.stack([s[0] for s in asked], dim=1))[0]
        return torch.cat([below, context], dim=-1), torch.stack([s[2] for s in asked], dim=1)

    def begin(self, memory: Memory) -> tuple[tuple[Tensor, ...], None]:
        zero = memory.vectors.new_zeros(len(memory.vectors), self.hidden)
        start = self.attention.start(memory.mask).to(zero.dtype)
        return (zero, zero, start, torch.zeros_like(start), zero), None

    def step(self, row: Tensor, k: int, memory: Memory, state: tuple) -> tuple[Tensor, Tensor, tuple]:
        first = self._first(memory, row, k, state[0])
        below, second = self.second(first[0][:, None], state[1])
        return torch.cat([below[:, 0], first[4]], dim=-1), first[2], (first, second)

    def _first(self, memory: Memory, row: Tensor, k: int, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The attention and the first LSTM layer: state, cell, weights, their sum, context."""
        h, c, last, total, _ = state
        weights = self.attention(h, memory.keys, memory.mask, share_at(memory.control, k), last, total)
        context = torch.bmm(weights[:, None].to(memory.vectors.dtype), memory.vectors)[:, 0]
        h, c = self.first(torch.cat([row, context], dim=-1), (h, c))
        return h, c, weights, total + weights, context
