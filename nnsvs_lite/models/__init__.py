"""Timing, duration and acoustic models: pure torch modules."""
