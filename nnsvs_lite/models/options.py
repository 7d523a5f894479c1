"""Options that every neural acoustic model takes, as ``options:`` among its ``init_args``."""

from dataclasses import dataclass
from typing import Annotated, Literal

from nnsvs_lite.io.settings import Within

Size = Annotated[int, Within(1, 1 << 14)]
"""Of a layer, or how many there are."""
Depth = Annotated[int, Within(0, 1 << 14)]
"""The same, of what there may be none."""
Rate = Annotated[float, Within(0, below=1)]
Weight = Annotated[float, Within(0, 1e6)]
Positive = Annotated[float, Within(above=0, high=1e6)]


@dataclass(frozen=True)
class AcousticOptions:
    """What is not particular to one system.

    Attributes:
        residual_to_rule: predict the distance from the smoothed rule (each phone's mean spectrum)
            and not from the overall mean. No published system does; little data needs it.
        singer: embed the singer, where the data has several.
        language: embed the language, where the data has several.
        context_dropout: probability with which, in training, a number of the context is hidden, for a
            training set of no size; see :func:`nnsvs_lite.models.layers.context.hiding`.
        style_tokens: number of global style tokens, 0 for none (published: 10).
        perceptual: weight of the perceptual-entropy loss, 0 for none.
        vibrato_habit: sing each singer's vibrato, learnt and drawn note by note; see
            :class:`nnsvs_lite.models.layers.vibrato_habit.VibratoHabit`. A network alone learns the mean of
            all phases, which is none.
        retrieval: share, 0 to 1, of what the singer sang in training where the score was alike, for a
            training set of no size; see :class:`nnsvs_lite.models.layers.retrieval.Retrieval`.
        retrieval_kernel: how alike scores are; ``gaussian`` is that of models made before there was a choice.
        path: share, 0 to 1, of the singer's own frames as they followed each other, chosen by score and
            spectrum; see :class:`nnsvs_lite.models.layers.frame_path.FramePath`.
        pitch: ``mean``, as the system predicts it, or ``flow``: that, and a movement about it that is drawn
            (:class:`nnsvs_lite.models.layers.pitch_flow.PitchFlow`), in place of any ``vibrato_habit``.
        contour: share, 0 to 1, of a line of F0 by ridge regression, for a training set of no size; see
            :class:`nnsvs_lite.models.layers.contour.Contour`.
        contour_leaps: how it is told of changes of note; ``glides`` is that of models made before there was a
            choice.
        gv: strength, 0 to 1, of the post-filter that gives sung spectra the variance of recordings.
        movement: strength, 0 to 1, of the singer's quick movement that is added to vowels; see
            :class:`nnsvs_lite.models.layers.movement.Movement`.
    """

    residual_to_rule: bool = False
    singer: bool = True
    language: bool = True
    context_dropout: Rate = 0.0
    style_tokens: Depth = 0
    perceptual: Weight = 0.0
    vibrato_habit: bool = False
    retrieval: Annotated[float, Within(0, 1)] = 0.0
    retrieval_kernel: Literal["gaussian", "exponential"] = "gaussian"
    path: Annotated[float, Within(0, 1)] = 0.0
    pitch: Literal["mean", "flow"] = "mean"
    contour: Annotated[float, Within(0, 1)] = 0.0
    contour_leaps: Literal["glides", "dips"] = "glides"
    gv: Annotated[float, Within(0, 1)] = 0.0
    movement: Annotated[float, Within(0, 1)] = 0.0
