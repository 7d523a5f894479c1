"""From a score to a waveform."""
