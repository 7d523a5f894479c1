"""Scores: notes and lyrics, their readers, and the phones to sing."""

from nnsvs_lite.score.types import REST, Note, Phone, Score

__all__ = ["REST", "Note", "Phone", "Score"]
