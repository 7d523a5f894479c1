"""Structural similarity of spectra, taken as pictures."""

import torch
from torch import Tensor
from torch.nn import functional as F

SIZE, DEVIATION = 11, 1.5
"""Of the Gaussian window, in frames and bands (Wang et al. 2004)."""
C1, C2 = 0.01**2, 0.03**2


def ssim(a: Tensor, b: Tensor, mask: Tensor) -> Tensor:
    """Of each frame and band, (B, T, D), 1 where they are alike (Wang et al. 2004, IEEE TIP 13(4), eq. 13).

    Args:
        a, b: (B, T, D) from 0 up; within 1 the constants are those of the paper, of larger numbers the less.
        mask: (B, T); beyond it, and beyond the lowest and the highest band, is 0 in both.
    """
    places = torch.arange(SIZE, dtype=torch.float32, device=a.device) - SIZE // 2
    kernel = torch.exp(-((places / DEVIATION) ** 2) / 2)
    kernel = kernel / kernel.sum()

    def mean(x: Tensor) -> Tensor:
        x = F.conv2d(x[:, None], kernel[None, None, :, None], padding=(SIZE // 2, 0))
        return F.conv2d(x, kernel[None, None, None], padding=(0, SIZE // 2))[:, 0]

    # Variances are differences of squares: half precision would leave nothing of them.
    with torch.autocast("cpu" if a.is_meta else a.device.type, enabled=False):
        a, b = (x.float() * mask[..., None] for x in (a, b))
        mean_a, mean_b = mean(a), mean(b)
        var_a, var_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
        both = mean(a * b) - mean_a * mean_b
        alike = (2 * mean_a * mean_b + C1) * (2 * both + C2)
        return alike / ((mean_a**2 + mean_b**2 + C1) * (var_a + var_b + C2))
