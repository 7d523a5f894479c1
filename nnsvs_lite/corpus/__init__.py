"""Data dirs and public corpora."""
