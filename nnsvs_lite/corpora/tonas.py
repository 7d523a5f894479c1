"""TONAS: flamenco recordings with corrected F0 and notes."""

from pathlib import Path

from nnsvs_lite.corpus.tree import Found
from nnsvs_lite.corpus.truth import KnownPitch, columns, hertz, notes_of, track_of
from nnsvs_lite.io.atomic import read_text
from nnsvs_lite.io.errors import DataError


def read_truth(found: Found, root: Path) -> KnownPitch:
    """F0 as seconds, energy, what a program found, and that corrected (Hz, 0 where unvoiced); notes as onset
    and length in seconds, MIDI number and energy, below a line with the cents by which A4 is above 440 Hz.
    """
    path = found.files["f0"]
    times, _, _, corrected = columns(path, 4).T
    track = track_of(times, corrected, path)
    path = found.files["notes"]
    first = read_text(path).partition("\n")[0].strip(" \r,\ufeff")
    try:
        cents = float(first)
    except ValueError:
        raise DataError(f"the tuning in cents is expected, not {first!r}", f"{path}:1") from None
    onsets, seconds, midi, _ = columns(path, 4, ",", skip=1).T
    notes = {"corrected": notes_of(onsets, seconds, hertz(midi, cents), path)}
    return KnownPitch(found.song.partition("_")[2] or found.song, found.places["style"], track, notes)
