"""Steps of training: gradients and losses over batches and ranks, clipping, learning rate."""

import math
from collections.abc import Callable
from functools import partial

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer

from nnsvs_lite.models.config import TrainingOptions

WARMEST = 0.5
"""Share of all steps that a warm-up takes at most: with little data ``warmup`` may be more than there are.
With a tenth, spectra of half a minute of singing were learnt by heart: 0.1 dB more MCD of a song held out."""


def learning_rate(options: TrainingOptions, step: int, progress: float) -> float:
    """Linear warm-up, then half a cosine down to a hundredth; ``progress``: share 0..1 that is over."""
    warm = min(1.0, (step + 1) / max(1, options.warmup))
    return options.lr * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def running_mean(decay: float) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The update of a running mean of weights that forgets its first, untrained ones soon."""

    def update(mean: Tensor, value: Tensor, count: Tensor) -> Tensor:
        keep = torch.clamp((1 + count) / (10 + count), max=decay)
        return mean * keep + value * (1 - keep)

    return update


class Updater:
    """Steps of one optimiser on the mean over all units (notes, phones, frames) of its batches.

    Ranks are averaged here and not by DistributedDataParallel, whose hooks count on one
    backward pass for each forward pass: a network and its discriminator do not keep to that.

    Args:
        fabric: launched. network: goes to its device.
        options: of the learning rate, of AdamW, and ``clip``; no norm is too large for 0.
        optimizer: takes parameters, ``lr`` and ``weight_decay``; AdamW if not given.
        schedule: of step and progress to a learning rate, as :func:`learning_rate`.
    """

    def __init__(
        self,
        fabric: Fabric,
        network: nn.Module,
        options: TrainingOptions,
        optimizer: Callable[..., Optimizer] | None = None,
        schedule: Callable[[int, float], float] | None = None,
    ):
        self.fabric, self.clip = fabric, options.clip
        self.schedule = schedule or partial(learning_rate, options)
        network.to(fabric.device)
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        # In one pass over the weights; the scaling of losses of 16-bit floats knows no such optimiser.
        fused = fabric.device.type in ("cpu", "cuda") and options.precision != "16-mixed"
        betas = (options.beta1, options.beta2)
        optimizer = optimizer or partial(torch.optim.AdamW, betas=betas, fused=fused)
        made = optimizer(self.parameters, lr=options.lr, weight_decay=options.weight_decay)
        self.optimizer = fabric.setup_optimizers(made)
        self._weights: list[Tensor] = []
        self._norms: tuple[Tensor, int] | None = None

    def add(self, loss: Tensor, weight: Tensor) -> None:
        """Takes up the gradient of ``loss``, a mean over ``weight`` units; other parameters get none."""
        # all_reduce writes into what it is given.
        self._weights.append(self.fabric.all_reduce(weight.clone(), reduce_op="sum"))
        # The first batch is the unit, so that sums stay small enough for half precision.
        factor = weight * self.fabric.world_size / self._weights[0].clamp(min=1e-6)
        self.fabric.backward(loss * factor, inputs=self.parameters)

    def watched(self) -> dict[str, float]:
        """The learning rate, and the mean norm of gradients, before clipping, since this was last asked."""
        norms, self._norms = self._norms, None
        rate = {"learning_rate": self.optimizer.param_groups[0]["lr"]}
        return rate | ({} if norms is None else {"gradient_norm": float(norms[0]) / norms[1]})

    def step(self, step: int, progress: float) -> None:
        """Moves weights by the gradients of all batches since the last step; arguments: see ``schedule``."""
        if self.fabric.world_size > 1:
            self._average()
        if len(self._weights) > 1:
            share = self._weights[0] / sum(self._weights).clamp(min=1e-6)
            torch._foreach_mul_([p.grad for p in self.parameters if p.grad is not None], share)
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule(step, progress)
        # The loop finds losses that are not finite; half precision skips such a step.
        norm = {"max_norm": self.clip or math.inf, "error_if_nonfinite": False}
        now = self.fabric.clip_gradients(nn.Module(), self.optimizer, **norm).detach()
        self._norms = (now, 1) if self._norms is None else (self._norms[0] + now, self._norms[1] + 1)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self._weights = []

    def _average(self) -> None:
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
        flat = self.fabric.all_reduce(torch.cat([g.reshape(-1) for g in grads]), reduce_op="mean")
        for parameter, grad in zip(self.parameters, flat.split([g.numel() for g in grads])):
            parameter.grad = grad.view_as(parameter)


class Means:
    """Mean losses over the units of all batches and ranks."""

    def __init__(self):
        self._sums: dict[str, Tensor] = {}

    def add(self, losses: dict[str, Tensor], share: float) -> None:
        """Takes up means over ``losses["weight"]`` units, which count ``share`` times."""
        # Nothing here waits for the device.
        weight = losses["weight"].double() * share
        for name, value in losses.items():
            term = weight if name == "weight" else value.detach().double() * weight
            self._sums[name] = self._sums.get(name, 0.0) + term

    def reduce(self, fabric: Fabric) -> tuple[dict[str, float], float]:
        """The means, and the number of units."""
        names = sorted(self._sums)
        values = torch.tensor([float(self._sums[n]) for n in names], dtype=torch.float64)
        out = dict(zip(names, fabric.all_reduce(values, reduce_op="sum").tolist()))
        weight = out.pop("weight", 0.0)
        return {name: value / max(weight, 1e-9) for name, value in out.items()}, weight
