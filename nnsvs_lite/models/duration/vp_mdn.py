"""NNSVS' duration model."""

from nnsvs_lite.models.timing import NeuralDuration, VpMdn, with_defaults


class VpMdnDuration(VpMdn, NeuralDuration):
    """Convolutions over phones."""

    __init__ = with_defaults(VpMdn.__init__, hidden=256, layers=5, kernel=5)
