"""Kaldi tables, atomic files, errors and done markers. Knows nothing of music."""
