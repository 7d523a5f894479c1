"""Mixture density outputs (Bishop, 1994), one dimension."""

import math

import torch
from torch import Tensor, nn


class MixtureHead(nn.Module):
    """A mixture of K Gaussians over one value for each row.

    It starts as a single broad Gaussian around 0, of standard ``deviation``, whatever it reads.
    """

    MIN_LOG_SIGMA = -7.0

    def __init__(self, dim: int, components: int, deviation: float = 1.0):
        super().__init__()
        self.linear = nn.Linear(dim, 3 * components)
        nn.init.zeros_(self.linear.weight)
        with torch.no_grad():
            bias = self.linear.bias.view(3, components)
            bias[0] = 0.0
            # Slightly apart, or all components would learn the same.
            bias[1] = torch.linspace(-0.01, 0.01, components) * deviation if components > 1 else 0.0
            bias[2] = math.log(deviation)

    def penalty(self, deviation: float, count: float) -> Tensor:
        """What a Gaussian prior on the weights costs, as a mean over ``count`` examples.

        The prior says that predictions of normalised features scatter by ``deviation``.
        It outweighs a minute of data and is nothing beside an hour (MAP estimation).
        """
        weight = self.linear.weight
        return weight.square().sum() * (weight.shape[1] / (2 * deviation**2 * max(count, 1.0)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, L, dim) to log weights, means and log deviations, (B, L, K) each."""
        weights, means, log_sigma = self.linear(x).chunk(3, dim=-1)
        return torch.log_softmax(weights, -1), means, log_sigma.clamp(min=self.MIN_LOG_SIGMA)


def mixture_nll(
    y: Tensor, log_weights: Tensor, means: Tensor, log_sigma: Tensor, reach: float = math.inf
) -> Tensor:
    """Negative log likelihood of ``y`` (B, L): ``-log sum_k w_k N(y; mu_k, sigma_k)``, (B, L).

    An example that is more than ``reach`` deviations from a component counts as if it were that far, and
    draws the component no more (NNSVS: 5).
    """
    z = ((y[..., None] - means) * torch.exp(-log_sigma)).clamp(-reach, reach)
    log_prob = -0.5 * z**2 - log_sigma - 0.5 * math.log(2 * math.pi)
    return -torch.logsumexp(log_weights + log_prob, dim=-1)


def mixture_peak(log_weights: Tensor, means: Tensor, log_sigma: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of the most probable component, (B, L) each."""
    best = log_weights.argmax(-1, keepdim=True)
    return means.gather(-1, best).squeeze(-1), log_sigma.gather(-1, best).squeeze(-1).exp()


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``values`` (B, L) where ``mask`` (B, L) is true."""
    weights = mask.to(values.dtype)
    return (values * weights).sum() / weights.sum().clamp(min=1)
