"""MIR-1K: clips of karaoke, the voice on the right channel, with F0 every 20 ms and no notes."""

from pathlib import Path

import numpy as np

from nnsvs_lite.corpus.tree import Found
from nnsvs_lite.corpus.truth import KnownPitch, columns, hertz, track_of

_SHIFT = 0.02
_RIGHT = 1


def read_truth(found: Found, root: Path) -> KnownPitch:
    """A line of ``.pv`` is the MIDI number of a frame of 40 ms, 0 where unvoiced; one begins every 20 ms."""
    path = found.files["f0"]
    midi = columns(path, 1)[:, 0]
    # Their middles.
    times = _SHIFT * np.arange(1, len(midi) + 1)
    return KnownPitch(found.song.partition("_")[0], "", track_of(times, hertz(midi), path), channel=_RIGHT)
