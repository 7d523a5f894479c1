"""Options that every neural acoustic model takes, as ``options:`` among its ``init_args``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class AcousticOptions:
    """What is not particular to one system.

    Attributes:
        floor: predict the distance from the smoothed rule (each phone's mean spectrum)
            and not from the overall mean. No published system does; little data needs it.
        singer: embed the singer, where the data has several.
        language: embed the language, where the data has several.
        forget: probability with which, in training, a number of the context is hidden, for a
            training set of no size; see :func:`nnsvs_lite.models.layers.context.hiding`.
        style_tokens: number of global style tokens, 0 for none (published: 10); see
            :class:`nnsvs_lite.models.layers.style.StyleTokens`.
        perceptual: weight of the perceptual-entropy loss, 0 for none; see
            :class:`nnsvs_lite.models.layers.perceptual.PerceptualEntropy`.
        gv: strength, 0 to 1, of the post-filter that gives sung spectra the variance of
            recordings; see :class:`nnsvs_lite.models.layers.postfilter.VarianceScaling`.
    """

    floor: bool = False
    singer: bool = True
    language: bool = True
    forget: float = 0.0
    style_tokens: int = 0
    perceptual: float = 0.0
    gv: float = 0.0

    @staticmethod
    def of(value: AcousticOptions | dict[str, Any] | None) -> AcousticOptions:
        """The options of a configuration, in which they are a mapping, or may be absent."""
        if isinstance(value, AcousticOptions):
            return value
        names = {f.name for f in fields(AcousticOptions)}
        return AcousticOptions(**{k: v for k, v in (value or {}).items() if k in names})
