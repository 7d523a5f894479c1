"""NNSVS' time-lag model."""

from nnsvs_lite.models.timing import NeuralTimeLag, VpMdn


class VpMdnTimeLag(VpMdn, NeuralTimeLag):
    """Convolutions over notes, each given by the context of its first phone."""
