"""The boundary predictor of shallow diffusion (Liu et al. 2022, arXiv:2105.02446, section 3.3): how much
noise makes an auxiliary's spectra and true ones alike.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.layers.conv import MaskedConv1d
from nnsvs_lite.models.layers.diffusion import Path, step_embedding

ALIKE = 0.4
"""How far apart the two may be judged and still be alike."""
MOSTLY = 0.95
"""Share of the steps, from a boundary up, at which they must be."""
GRID = 100
"""Depths that are looked at, of all the way to the noise."""

Pair = tuple[Tensor, Tensor, Tensor]
"""True frames and an auxiliary's, (B, T, D) each, within about 1, and a mask (B, T)."""


class BoundaryPredictor(nn.Module):
    """Whether noisy frames were true ones: five convolutions, told the step, and the mean over frames.

    The paper says as much of its classifier (second-hand); its sizes are unsourced.
    """

    def __init__(self, dim: int, channels: int = 64, layers: int = 5):
        super().__init__()
        self.channels, self.entry = channels, nn.Linear(dim, channels)
        self.step = nn.Linear(channels, channels)
        self.convs = nn.ModuleList(MaskedConv1d(channels, channels, 3) for _ in range(layers))
        self.exit = nn.Linear(channels, 1)

    def forward(self, x: Tensor, t: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, T, dim), ``t`` (B,) as a path's clock tells them, ``mask`` (B, T): logits (B,)."""
        x = self.entry(x) + self.step(step_embedding(t, self.channels))[:, None]
        for conv in self.convs:
            x = x + F.leaky_relu(conv(x, mask), 0.2)
        x = (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        return self.exit(x).squeeze(-1)


def first_alike(apart: Sequence[float]) -> int:
    """The first step from which on at least ``MOSTLY`` of all steps have the two within ``ALIKE``; the number
    of steps where there is none.

    Args:
        apart: how far apart they are judged at each step, from little noise to much.
    """
    alike = torch.as_tensor(apart) < ALIKE
    share = alike.flip(0).cumsum(0).flip(0) / torch.arange(len(alike), 0, -1)
    found = (share >= MOSTLY).nonzero()
    return int(found[0]) if len(found) else len(alike)


def marks(path: Path) -> Tensor:
    """(GRID,) the steps of even depths, from the least to noise alone."""
    return torch.tensor([[*path.times(1, i / GRID), path.clean][0] for i in range(1, GRID + 1)])


def find_depth(path: Path, draw: Callable[[int], Pair], items: Sequence[Pair], steps: int, dim: int) -> float:
    """The depth of shallow diffusion, over 0 to 1, by a predictor that is trained for it and then forgotten.

    Args:
        draw: a batch for a step of training. items: what the boundary is of. steps: of training.
        dim: of the frames.

    Raises DataError where the predictor tells nothing apart, as one does that has not learnt yet.
    """
    judge, at = BoundaryPredictor(dim), marks(path)
    optimizer = torch.optim.AdamW(judge.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for step in range(steps):
        true, made, mask = draw(step)
        both, t = torch.cat([true, made]), at[torch.randint(GRID, (len(true),))].repeat(2)
        found = judge(path.q_sample(both, t, torch.randn_like(both)), path.clock(t), mask.repeat(2, 1))
        wanted = (torch.arange(len(both)) < len(true)).to(found.dtype)
        F.binary_cross_entropy_with_logits(found, wanted).backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    found = boundary(path, judge.eval(), items)
    if found < 1.5 / GRID:
        told = f"a predictor of {steps} steps tells nothing apart; give it more, or state a depth"
        raise DataError(told, "boundary")
    return found


@torch.no_grad()
def boundary(path: Path, judge: Callable[[Tensor, Tensor, Tensor], Tensor], items: Sequence[Pair]) -> float:
    """The mean over rows of the depth from which on a ``judge``, as :class:`BoundaryPredictor`, takes the two
    for alike.
    """
    found: list[float] = []
    for true, made, mask in items:
        apart = []
        for t in marks(path).repeat(len(true), 1).unbind(1):
            noisy = (path.q_sample(x, t, torch.randn_like(x)) for x in (true, made))
            real, other = (torch.sigmoid(judge(x, path.clock(t), mask)) for x in noisy)
            apart.append((real - other).abs())
        # The first mark is a depth of 1 / GRID; where none is alike, it is all the way.
        found += [min(first_alike(row) + 1, GRID) / GRID for row in torch.stack(apart, dim=1)]
    return sum(found) / max(len(found), 1)
