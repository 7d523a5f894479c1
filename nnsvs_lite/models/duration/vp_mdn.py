"""NNSVS' duration model."""

from nnsvs_lite.models.timing import NeuralDuration, VpMdn


class VpMdnDuration(VpMdn, NeuralDuration):
    """Convolutions over phones."""
