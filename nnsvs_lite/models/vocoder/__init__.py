"""Vocoders: streams to waveforms."""
