"""Who sings, in which language and style, as vectors added to a model's inner ones."""

from __future__ import annotations

from torch import Tensor, nn

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.models.batch import Batch
from nnsvs_lite.models.layers.style import STYLE
from nnsvs_lite.models.options import AcousticOptions


class Conditions(nn.Module):
    """Embeddings of what holds for a whole utterance.

    Data of one singer and one language need none of these: nothing is made, and nothing added.
    The style comes with the batch, see :class:`~nnsvs_lite.models.layers.style.StyleTokens`.

    Args:
        spec: names singers and languages. options: which embeddings to make.
        dim: of the vectors to add to.
    """

    def __init__(self, spec: Spec, options: AcousticOptions, dim: int):
        super().__init__()
        singers, languages = spec.speakers, spec.languages
        self.singer = nn.Embedding(len(singers), dim) if options.singer and len(singers) > 1 else None
        several = options.language and len(languages) > 1
        self.language = nn.Embedding(len(languages), dim) if several else None
        for table in (self.singer, self.language):
            if table is not None:
                nn.init.normal_(table.weight, std=0.3)

        self.style = nn.Linear(STYLE, dim, bias=False) if options.style_tokens else None

    def forward(self, batch: Batch) -> Tensor:
        """(B, 1, dim), or a zero that can be added to anything."""
        total = batch.score.note_context.new_zeros(())
        if self.singer is not None:
            total = total + self.singer(batch.singer)[:, None]
        if self.language is not None:
            total = total + self.language(batch.language)[:, None]
        if self.style is not None:
            total = total + self.style(batch.style)[:, None]
        return total
