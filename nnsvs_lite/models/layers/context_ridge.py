"""What a line through the score's context tells: fitted at once, with a prior that fits any size of data."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

SIGNAL = 2.0
"""Variance that the context is believed to tell, in units of what it does not tell. Chosen on another
corpus, by songs that were held out: with half a minute to learn from as with five, 1 to 3 are best."""
OWN = 0.1
"""The same of the mean of a kind: ten notes weigh as much as the belief that there is nothing to tell."""


class ContextRidge(nn.Module):
    """Bayesian linear regression (Bishop, 2006, eq. 3.53): with nothing to learn from it tells 0.

    Args:
        kinds: of rows, each with a mean of its own. size: of what is told of a row.
        outputs: shape of what is predicted. alike: rows in a row that tell the same, as frames do.
    """

    def __init__(self, kinds: int, size: int, outputs: tuple[int, ...] = (), alike: float = 1.0):
        super().__init__()
        precision = torch.tensor([1 / OWN] * kinds + [size / SIGNAL] * size)
        self.register_buffer("precision", precision * alike, persistent=False)
        self.register_buffer("weight", torch.zeros(kinds + size, *outputs))

    @torch.no_grad()
    def fit(self, examples: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Learns from pieces of rows (R, kinds + size) and what they come to (R, *outputs)."""
        spread, slope = torch.diag(self.precision.double()), self.weight.double() * 0
        for rows, values in examples:
            rows = rows.double()
            spread += rows.t() @ rows
            slope += rows.t() @ values.double()
        self.weight.copy_(torch.linalg.solve(spread, slope))

    def forward(self, rows: Tensor) -> Tensor:
        """(..., kinds + size) to (..., *outputs)."""
        return rows @ self.weight
