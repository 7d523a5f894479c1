"""Parts of neural models that count and do not descend gradients."""

from abc import abstractmethod
from collections.abc import Sequence

from torch import nn

from nnsvs_lite.models.batch import Example


class Counted(nn.Module):
    """A part that learns by one look at the training set, into buffers of sizes known before."""

    @abstractmethod
    def fit(self, examples: Sequence[Example]) -> None:
        """Learns from utterances with durations and streams; the same from the same, on the CPU."""
