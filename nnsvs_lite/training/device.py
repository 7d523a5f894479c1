"""Devices, checked before anything is put on them."""

import torch

from nnsvs_lite.io.errors import DataError


def find_device(name: str) -> torch.device:
    """A torch device that can be used.

    Raises DataError for a name torch does not know, or a device this machine lacks.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    # torch built without CUDA raises an AssertionError.
    except (RuntimeError, AssertionError) as error:
        raise DataError(f"device {name!r} cannot be used: {str(error).splitlines()[0]}") from None
    return device


def check_gpus(count: int) -> None:
    """Raises DataError where this machine has fewer GPUs."""
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count > there:
        raise DataError(f"--ngpu {count}: there are {there} GPUs here; 0 computes on the CPU")
