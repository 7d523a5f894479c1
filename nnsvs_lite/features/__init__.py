"""Acoustic analysis and score context tables."""
