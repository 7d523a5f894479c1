"""Spectra to waveforms: the inverse of a short-time Fourier transform, frame by frame."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class InverseStft(nn.Module):
    """Frames, windowed again and added up, over the sum of squared windows (Griffin and Lim 1984, eq. 6).

    Frame t has its middle at sample ``t * hop``, as in :func:`torch.stft` with ``center=True``.

    Args:
        fft: samples of a frame, of a Hann window. hop: samples, at most half of ``fft``.

    Attributes:
        half_width: samples before and after a frame's middle that it is heard in.
    """

    def __init__(self, fft: int, hop: int):
        super().__init__()
        self.fft, self.hop, self.half_width = fft, hop, fft // 2
        self.register_buffer("window", torch.hann_window(fft), persistent=False)

    def forward(self, spectra: Tensor) -> Tensor:
        """Complex (B, T, fft / 2 + 1) to (B, T * hop)."""
        frames = torch.fft.irfft(spectra, self.fft) * self.window
        square = self.window.square().expand(1, frames.shape[1], -1)
        size = frames.shape[1] * self.hop
        whole, norm = (self._add(x)[:, self.fft // 2 :][:, :size] for x in (frames, square))
        return whole / norm.clamp(min=1e-8)

    def _add(self, frames: Tensor) -> Tensor:
        """(B, T, fft) to (B, (T - 1) * hop + fft)."""
        size = (frames.shape[1] - 1) * self.hop + self.fft
        return F.fold(frames.transpose(1, 2), (1, size), (1, self.fft), stride=(1, self.hop)).flatten(1)
