"""A decoder that hears its own last frame, and needs no attention: durations are known."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nnsvs_lite.models.layers.noise import SeededDropout


class ArDecoder(nn.Module):
    """Duration-informed Tacotron's decoder (Okamoto et al., 2019) as NNSVS' ladder has it.

    A strided convolution makes one vector of ``reduction`` frames. A step takes the vector
    and the last frame of the step before, half of whose numbers are dropped, in singing too
    (a prenet's part, so that it cannot lean on the frame alone); LSTM layers; a linear
    layer without bias on their output and the vector gives the step's frames.

    Under teacher forcing the frames to hear are known, and one LSTM runs over all steps at
    once. What a step gives depends on target frames before its first alone.

    Args:
        inputs: size of an encoder frame. size: of an output frame.
        hidden: of LSTM layers. layers: stacked. reduction: frames a step.
        dropout: of the frame that is heard.
    """

    def __init__(
        self, inputs: int, size: int, hidden: int, layers: int = 1, reduction: int = 1, dropout: float = 0.5
    ):
        super().__init__()
        self.size, self.hidden, self.reduction, self.dropout = size, hidden, reduction, dropout
        self.down = nn.Conv1d(inputs, inputs, reduction, stride=reduction, groups=inputs)
        self.lstm = nn.LSTM(inputs + size, hidden, layers, batch_first=True)
        self.out = nn.Linear(hidden + inputs, size * reduction, bias=False)
        # An untrained model gives 0, the base of its output space.
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor, mask: Tensor, target: Tensor | None, seed: int) -> Tensor:
        """``x`` (B, T, inputs), ``mask`` (B, T), ``target`` (B, T, size) or None: (B, T, size)."""
        vectors = self.vectors(x, mask)
        if target is None:
            out = self.sing(vectors, seed)
        else:
            out = self.follow(vectors, self.heard(target, vectors.shape[1]), seed)
        return out.reshape(len(x), -1, self.size)[:, : x.shape[1]]

    def vectors(self, x: Tensor, mask: Tensor) -> Tensor:
        """One vector a step: (B, K, inputs)."""
        x = (x * mask[..., None]).transpose(1, 2)
        return self.down(F.pad(x, (0, -x.shape[2] % self.reduction))).transpose(1, 2)

    def heard(self, target: Tensor, steps: int) -> Tensor:
        """The last target frame before each step, zeros before the first: (B, K, size)."""
        last = target[:, self.reduction - 1 :: self.reduction][:, : steps - 1]
        return F.pad(last, (0, 0, 1, 0))

    def masks(self, steps: int, like: Tensor, seed: int) -> Tensor:
        """(K, size): what of each heard frame is kept in singing, scaled; the same for all."""
        drop = SeededDropout(self.dropout, seed)
        whole = like.new_ones(1, self.size)
        return torch.cat([drop(whole) for _ in range(steps)])

    def follow(self, vectors: Tensor, heard: Tensor, seed: int) -> Tensor:
        """All steps at once on given frames: (B, K, reduction * size)."""
        if self.training:
            heard = F.dropout(heard, self.dropout)
        else:
            heard = heard * self.masks(vectors.shape[1], vectors, seed)
        states = self.lstm(torch.cat([vectors, heard], dim=-1))[0]
        return self.out(torch.cat([states, vectors], dim=-1))

    def sing(self, vectors: Tensor, seed: int, heard: Tensor | None = None) -> Tensor:
        """Step by step on its own frames, or on given ones: (B, K, reduction * size).

        All that does not depend on the step before is computed for all steps beforehand.
        """
        batch, steps, inputs = vectors.shape
        weights, biases = self._gates()
        ahead = F.linear(vectors, weights[0][:, :inputs], biases[0]).unbind(1)
        weights[0] = weights[0][:, inputs:]
        turned = [w.t() for w in weights]
        ahead_out = F.linear(vectors, self.out.weight[:, self.hidden :]).unbind(1)
        out_weight = self.out.weight[:, : self.hidden].t()
        masks = self.masks(steps, vectors, seed).unbind(0)
        h = [vectors.new_zeros(batch, self.hidden) for _ in weights]
        c = list(h)
        last, out = vectors.new_zeros(batch, self.size), []
        for k in range(steps):
            last = last if heard is None else heard[:, k]
            below = last * masks[k]
            for i, weight in enumerate(turned):
                start = ahead[k] if i == 0 else biases[i]
                gates = torch.addmm(start, torch.cat([below, h[i]], dim=1), weight)
                opened = torch.sigmoid(gates[:, : 3 * self.hidden])
                entry, forget, leave = opened.chunk(3, dim=1)
                c[i] = torch.addcmul(forget * c[i], entry, torch.tanh(gates[:, 3 * self.hidden :]))
                h[i] = below = leave * torch.tanh(c[i])
            out.append(torch.addmm(ahead_out[k], below, out_weight))
            last = out[-1][:, -self.size :]
        return torch.stack(out, dim=1)

    def _gates(self) -> tuple[list[Tensor], list[Tensor]]:
        """For each layer, weights over [input; state] and biases, in the order i, f, o, g."""

        def ordered(rows: Tensor) -> Tensor:
            i, f, g, o = rows.chunk(4)
            return torch.cat([i, f, o, g])

        weights, biases = [], []
        for w_in, w_state, b_in, b_state in self.lstm.all_weights:
            weights.append(ordered(torch.cat([w_in, w_state], dim=1)))
            biases.append(ordered(b_in + b_state))
        return weights, biases
