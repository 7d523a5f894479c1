"""nnsvs_lite: staged recipes for singing voice synthesis."""

__version__ = "0.1.0"
