"""Durations with uncertainty."""

from nnsvs_lite.models.timing import ContextMdn, NeuralDuration


class MdnDuration(ContextMdn, NeuralDuration):
    """Predicts the log-ratio of a phone's length to the rule's."""
