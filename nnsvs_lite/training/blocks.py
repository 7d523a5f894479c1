"""What is done to the blocks that a network repeats: compiling, and computing again what they would keep."""

import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList
from torch.utils.checkpoint import checkpoint

from nnsvs_lite.io.errors import DataError


def blocks(network: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """Modules, and their function that is a block: ``block`` where they have one; ``forward`` of members of
    lists that hold two layers or more, and none that counts what it is given. None is inside another.
    """
    for part in network.children():
        if callable(getattr(type(part), "block", None)):
            yield part, "block"
        elif isinstance(network, nn.ModuleList) and _is_block(part):
            yield part, "forward"
        else:
            yield from blocks(part)


def _is_block(part: nn.Module) -> bool:
    layers = [m for m in part.modules() if next(m.parameters(recurse=False), None) is not None]
    many = len([m for m in layers if not isinstance(m, ParametrizationList)]) > 1
    # Batch norm, and spectral norm.
    counts = any(name.split(".")[-1] in ("running_mean", "_u") for name, _ in part.named_buffers())
    return many and not counts and not isinstance(part, (nn.ModuleList, nn.ModuleDict))


def _again(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Keeps what goes in alone, if anything is to be kept."""
    if not torch.is_grad_enabled():
        return function(*args, **kwargs)
    return checkpoint(function, *args, use_reentrant=False, **kwargs)


def prepare(network: nn.Module, backend: str = "", recompute: bool = False) -> int:
    """Has the blocks of a network compiled at their first call, or computed again in the backward pass.

    Weights and their names stay as they are.

    Args:
        backend: that compiles, in torch's words; "" for none.

    Returns the number of blocks. Raises DataError where there is nothing to compile with.
    """
    if backend == "inductor" and not shutil.which(os.environ.get("CXX", "g++")):
        raise DataError("training.compile needs a C++ compiler: install g++, or name another in CXX")
    found = list(blocks(network)) if backend or recompute else []
    if backend:
        # Slow to load.
        from torch._dynamo import config as dynamo

        # Blocks of a kind share one code, of which torch keeps eight variants, and runs any more as it is.
        dynamo.cache_size_limit = max(dynamo.cache_size_limit, 8 * len(found))
    for module, name in found:
        # Unbound, so that copies of the network call what is theirs.
        function = getattr(type(module), name)
        if backend:
            function = torch.compile(function, backend=backend, dynamic=True)
        setattr(module, name, partial(_again, function, module) if recompute else partial(function, module))
    return len(found)
