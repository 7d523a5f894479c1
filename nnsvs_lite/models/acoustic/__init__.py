"""Acoustic models: phone context and durations to vocoder features."""
