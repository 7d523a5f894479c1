"""Starting from the weights of another voice: what both name alike is shared, what is new starts fresh."""

import os
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.base import SvsModel
from nnsvs_lite.models.layers.counted import Counted

PHONES, FRAMES = 3, 60
"""What a phone that only the base knows counts for in the statistics of a voice, at most."""
ALIKE = 2.0
"""What phones tell of others falls by this power of e with each phonetic class that one has alone."""


def heir(spec: Spec, base: Spec) -> Spec:
    """The spec of a voice that starts from ``base``: its own, and what it lacks and the base knows.

    Singers of the base follow its own, where the base has vectors for them. Phones that its training never
    held have the base's statistics, spectra moved by what the two differ in over the phones of both, those
    that are alike above all: what vowels differ in says little of stops.
    """
    more = [name for name in base.speakers if name not in spec.speakers] if base.speakers[1:] else []
    own, old = spec.stats.phones, base.stats.phones
    shared = [phone for phone in own if phone in old]
    classes = dict(zip(spec.phones, np.array(spec.phone_classes)[1:]))
    known, inherited = np.array([own[phone].frames for phone in shared]), {}
    for phone in set(old) & set(spec.phones) - set(own) if known.sum() else ():
        far = [np.abs(classes[p] - classes[phone]).sum() for p in shared]
        weights, means = np.sqrt(known) * np.exp(-ALIKE * np.array(far)), {}
        for name, mean in old[phone].stream_mean.items():
            gaps = [np.subtract(own[p].stream_mean[name], old[p].stream_mean[name]) for p in shared]
            means[name] = tuple(map(float, mean + np.average(gaps, axis=0, weights=weights)))
        count, frames = min(old[phone].count, PHONES), min(old[phone].frames, FRAMES)
        inherited[phone] = replace(old[phone], count=count, frames=frames, stream_mean=means)
    stats = replace(spec.stats, phones=own | dict(sorted(inherited.items())))
    return replace(spec, speakers=(*spec.speakers, *more), stats=stats)


def transfer(model: SvsModel, base: SvsModel, path: str | os.PathLike) -> None:
    """Puts the weights of ``base`` into a new model of the same class and sizes, or of a class that adds to
    it.

    Vectors of phones, singers and languages, and columns of the context, are found by name; new ones start
    at the mean of the known. Parts that count learn from the new data alone.

    Raises DataError where the two do not go together, naming ``path``, where ``base`` is from.
    """
    old, new = base.spec.feature_config.to_dict(), model.spec.feature_config.to_dict()
    keys = ["frame_shift"] if model.family in ("timelag", "duration") else sorted(old.keys() | new.keys())
    try:
        if not isinstance(model, type(base)):
            raise ValueError(f"a {type(model).__name__} is to be trained, it is a {type(base).__name__}")
        if not model.trains:
            raise ValueError(f"{type(model).__name__} learns nothing by gradients")
        if differ := ", ".join(key for key in keys if old.get(key) != new.get(key)):
            raise ValueError(f"its features were analysed with other {differ}")
        _adopt(model, base, type(model).__name__, more=type(model) is not type(base))
    except ValueError as error:
        raise DataError(f"cannot start from it: {error}", path) from None


def _adopt(new: nn.Module, old: nn.Module, name: str, more: bool = False) -> None:
    """``more``: whether the new one may have parts that the old one lacks."""
    if isinstance(new, Counted):
        return
    if hasattr(new, "adopt"):
        new.adopt(old)
        return
    if getattr(new, "residual_to_rule", None) != getattr(old, "residual_to_rule", None):
        raise ValueError("residual_to_rule is another there")
    children, others = (
        {key: m for key, m in module.named_children() if not isinstance(m, Counted)} for module in (new, old)
    )
    if more:
        children = {key: child for key, child in children.items() if key in others}
    values, given = (dict(_stored(module)) for module in (new, old))
    if only := (children.keys() ^ others.keys()) | (values.keys() ^ given.keys()):
        raise ValueError(f"{name}.{sorted(only)[0]} is in one of the two alone")
    for key, value in values.items():
        if value.shape != given[key].shape:
            there, here = (tuple(tensor.shape) for tensor in (given[key], value))
            raise ValueError(f"{name}.{key} has sizes {there} there, {here} here")
        value.data.copy_(given[key])
    for key, child in children.items():
        _adopt(child, others[key], f"{name}.{key}")


def _stored(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters(recurse=False)
    for key, value in module.named_buffers(recurse=False):
        if key not in module._non_persistent_buffers_set:
            yield key, value
