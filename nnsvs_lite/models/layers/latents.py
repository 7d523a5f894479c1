"""The inner parts of variational end-to-end systems (VITS; Kim, Kong and Son 2021, arXiv:2106.06103): the
posterior encoder, the flow, and the divergence between what is heard and what the score tells. All (B, T, C).
"""

import torch
from torch import Tensor, nn

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.layers.conv import MaskedConv1d
from nnsvs_lite.models.layers.outputs import zeroed


class MaskedGates(nn.Module):
    """WaveNet's gated convolutions without its past, each adding to what goes on and to what comes out."""

    def __init__(self, dim: int, layers: int, kernel: int):
        super().__init__()
        self.convs = nn.ModuleList(MaskedConv1d(dim, 2 * dim, kernel) for _ in range(layers))
        self.mixes = nn.ModuleList(nn.Linear(dim, 2 * dim if i else dim) for i in reversed(range(layers)))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``x`` (B, T, dim), ``mask`` (B, T) bool: (B, T, dim)."""
        total = 0.0
        for conv, mix in zip(self.convs, self.mixes):
            value, gate = conv(x, mask).chunk(2, dim=-1)
            *rest, skip = mix(torch.tanh(value) * torch.sigmoid(gate)).split(x.shape[-1], dim=-1)
            total = total + skip
            x = x + rest[0] if rest else x
        return total


class Normal(nn.Module):
    """A linear layer to the means and log deviations of ``size`` independent normal numbers; it begins at 0
    and 1.
    """

    def __init__(self, dim: int, size: int):
        super().__init__()
        self.linear = zeroed(nn.Linear(dim, 2 * size))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(..., dim) to two of (..., size)."""
        mean, log_deviation = self.linear(x).chunk(2, dim=-1)
        return mean, log_deviation.clamp(-7, 7)


class PosteriorEncoder(nn.Module):
    """Spectra of a recording to the distribution of its latents.

    Args:
        bins: of a spectrum. dim, layers, kernel: of gated convolutions. size: latents a frame.
    """

    def __init__(self, bins: int, dim: int, layers: int, kernel: int, size: int):
        super().__init__()
        self.enter = nn.Linear(bins, dim)
        self.convs = MaskedGates(dim, layers, kernel)
        self.leave = Normal(dim, size)
        # Of different spectra, different latents, from the first step on.
        nn.init.normal_(self.leave.linear.weight[:size], std=dim**-0.5)

    def forward(self, spectra: Tensor, told: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """``spectra`` (B, T, bins), ``told`` (B, 1, dim) of the singer: means, log deviations."""
        return self.leave(self.convs(self.enter(spectra) + told, mask))


class Coupling(nn.Module):
    """One half of the numbers moves the other (Dinh et al. 2017, arXiv:1605.08803), without scaling it:
    volumes stay, and the logarithm of the Jacobian's determinant is 0.
    """

    def __init__(self, size: int, dim: int, layers: int, kernel: int):
        super().__init__()
        self.enter, self.convs = nn.Linear(size // 2, dim), MaskedGates(dim, layers, kernel)
        self.leave = zeroed(nn.Linear(dim, size // 2))

    def forward(self, x: Tensor, told: Tensor, mask: Tensor, back: bool = False) -> Tensor:
        still, moved = x.chunk(2, dim=-1)
        step = self.leave(self.convs(self.enter(still) + told, mask))
        return torch.cat([still, moved - step if back else moved + step], dim=-1)


class Flow(nn.Module):
    """Couplings, after each of which the order of numbers is reversed; it begins as such reversals alone.

    Args:
        size: numbers a frame, even. count: couplings. dim, layers, kernel: of each.

    Raises DataError for an odd size.
    """

    def __init__(self, size: int, count: int, dim: int, layers: int, kernel: int):
        super().__init__()
        if size % 2:
            raise DataError(f"{size} latents are odd: a flow needs two halves", "latents")
        self.couplings = nn.ModuleList(Coupling(size, dim, layers, kernel) for _ in range(count))

    def forward(self, x: Tensor, told: Tensor, mask: Tensor) -> Tensor:
        """From latents (B, T, size) to where the prior is; ``told`` (B, 1, dim) of the singer."""
        for coupling in self.couplings:
            x = coupling(x, told, mask).flip(-1)
        return x

    def reordered(self, x: Tensor) -> Tensor:
        """Numbers (B, T, size) in the order in which they come out, none of them moved."""
        return x.flip(-1) if len(self.couplings) % 2 else x

    def back(self, x: Tensor, told: Tensor, mask: Tensor) -> Tensor:
        """The inverse of :meth:`forward`."""
        for coupling in reversed(self.couplings):
            x = coupling(x.flip(-1), told, mask, back=True)
        return x


def divergence(
    posterior: tuple[Tensor, Tensor], prior: tuple[Tensor, Tensor], drawn: Tensor | None = None
) -> Tensor:
    """(B, T): the Kullback-Leibler divergence of normal distributions, (mean, log deviation) each, summed
    over numbers.

    With ``drawn``, a sample of the posterior that went through a flow of unchanged volume, the prior is that
    of what comes out of the flow, and the divergence is what the sample tells of it (VITS, eq. 4): its mean
    over samples is the divergence.
    """
    (mean, log_deviation), (prior_mean, prior_log) = posterior, prior
    square = (mean - prior_mean).square() + torch.exp(2 * log_deviation)
    if drawn is not None:
        square = (drawn - prior_mean).square()
    return (prior_log - log_deviation - 0.5 + 0.5 * square * torch.exp(-2 * prior_log)).float().sum(-1)
