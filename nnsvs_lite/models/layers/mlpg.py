"""Parameter generation with dynamic features, as tensors, for padded batches on any device.

Tokuda et al. 2000, "Speech parameter generation algorithms for HMM-based speech synthesis",
case 1 (the state sequence is given).
"""

import torch
from torch import Tensor
from torch.nn import functional as F

WINDOWS = 3
"""Static, delta (-0.5, 0, 0.5), delta-delta (1, -2, 1)."""


def dynamics(x: Tensor) -> Tensor:
    """(..., T, D) to (..., T, 3 D): static, delta, delta-delta; the ends repeat."""
    padded = torch.cat([x[..., :1, :], x, x[..., -1:, :]], dim=-2)
    before, after = padded[..., :-2, :], padded[..., 2:, :]
    return torch.cat([x, (after - before) / 2, before - 2 * x + after], dim=-1)


def generate(means: Tensor, precisions: Tensor, mask: Tensor) -> Tensor:
    """The most likely static trajectories, (B, T, D), on padding 0.

    ``means`` are (B, T, 3 D) of :func:`dynamics`, ``precisions`` likewise inverse variances. Windows that
    reach over an end of an utterance, as ``mask`` (B, T) has it, count for nothing.
    """
    if torch.onnx.is_in_onnx_export():
        raise ValueError("its trajectories are solved frame by frame")
    static, delta, second = precisions.chunk(WINDOWS, dim=-1)
    m_static, m_delta, m_second = means.chunk(WINDOWS, dim=-1)

    def earlier(x: Tensor) -> Tensor:  # The row of window t, seen from frame t - 1.
        return F.pad(x[:, 1:], (0, 0, 0, 1))

    def later(x: Tensor) -> Tensor:
        return F.pad(x[:, :-1], (0, 0, 1, 0))

    valid = mask[..., None].to(means.dtype)
    inner = later(valid) * valid * earlier(valid)
    static, delta, second = static * valid, delta * inner, second * inner
    # W'PW has five diagonals; padding has 1 on the main one, and stays 0.
    main = static + (earlier(delta) + later(delta)) / 4 + earlier(second) + 4 * second + later(second)
    main = main + (1 - valid)
    first = -2 * (second + earlier(second))
    second_off = earlier(second) - earlier(delta) / 4
    right = static * m_static + (later(delta * m_delta) - earlier(delta * m_delta)) / 2
    right = right + earlier(second * m_second) - 2 * second * m_second + later(second * m_second)
    return _solve(main, first, second_off, right)


def _solve(main: Tensor, first: Tensor, second: Tensor, right: Tensor) -> Tensor:
    """Symmetric pentadiagonal systems, by L D L'; diagonals (B, T, D) start at their upper row."""
    zero = torch.zeros_like(main[:, 0])
    one = torch.ones_like(zero)
    forward = []
    # At step t: d1, y1 of t - 1 and d2, y2 of t - 2; l1, l2 of row t; l2_next of row t + 1.
    d1, d2, y1, y2, l1, l2, l2_next = one, one, zero, zero, zero, zero, zero
    for a, b, c, r in zip(main.unbind(1), first.unbind(1), second.unbind(1), right.unbind(1)):
        d = a - l1 * l1 * d1 - l2 * l2 * d2
        y = r - l1 * y1 - l2 * y2
        l1, l2, l2_next = (b - l2_next * l1 * d1) / d, l2_next, c / d
        forward.append((l1, l2_next, y / d))
        d1, d2, y1, y2 = d, d1, y, y1
    out = []
    x1, x2 = zero, zero
    for l1_below, l2_below, value in reversed(forward):
        x1, x2 = value - l1_below * x1 - l2_below * x2, x1
        out.append(x1)
    return torch.stack(out[::-1], dim=1)
