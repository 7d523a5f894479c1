"""A score laid over its recording, however far it lies from it; or told that it is another song's."""

from dataclasses import replace

import numpy as np

from nnsvs_lite.align.config import SyncConfig
from nnsvs_lite.align.frames import QUIET, Frames, analyse
from nnsvs_lite.align.sync import Sync, move_score, moved, synchronise
from nnsvs_lite.features.f0 import hz_to_midi, runs
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.change import change
from nnsvs_lite.score.types import Score

_VOICED, _HELD = 0.6, 0.1
"""Least voicing of a sung frame; seconds that singing lasts at least."""
_LITTLE, _TEMPI = 0.03, (0.5, 2.0)
"""Share by which a tempo may drift; between which factors others are looked for."""
_RIGHT = 0.55
"""Share of sung frames within a semitone of the score, from which both are one song."""
_DRIFT = 0.1
"""Seconds over the whole song that a drift of the tempo must make to be believed."""
_BEYOND = 0.5
"""Seconds by which a last note may be held on after the recording's end."""


def place_score(score: Score, x: np.ndarray, rate: int) -> tuple[Score, list[str]]:
    """A score in the time and at the pitch of its recording, samples (n,), and remarks on what was moved.

    Offsets of any size, another tempo (half to double) and another key are found.

    Raises DataError where no voice is heard, or what is heard is not the score.
    """
    frames = analyse(x, rate)
    sung = (frames.f0 > 0) & (frames.voicing > _VOICED) & (frames.level > QUIET)
    held = [(a, b) for a, b in runs(sung) if (b - a) * frames.shift >= _HELD]
    notes = [note for note in score.notes if not note.is_rest]
    if not held:
        raise DataError("no voice is heard in it")
    if not notes:
        raise DataError("nothing is sung in its score")
    first, last = held[0][0] * frames.shift, held[-1][1] * frames.shift
    stretch = (last - first) / max(notes[-1].end - notes[0].start, 0.1)
    # As it stands; from where singing begins; and at the tempo at which it ends where singing does.
    places = [(0.0, 1.0), (first - notes[0].start, 1.0)]
    if _TEMPI[0] <= stretch <= _TEMPI[1] and abs(stretch - 1.0) > _LITTLE:
        places.append((first - stretch * notes[0].start, stretch))
    found = [(_placed(score, frames, *place), place) for place in places]
    sync, (offset, stretch) = max(found, key=lambda row: row[0].agreement - 0.02 * (row[1] != (0.0, 1.0)))
    whole = Sync(
        round(sync.offset + sync.stretch * offset, 3),
        round(sync.stretch * stretch, 5),
        sync.transposition,
        sync.agreement,
    )
    if abs(whole.stretch - 1.0) * len(frames) * frames.shift < _DRIFT:
        # Too little to be told from late and early notes: the middle of the song stays where it is.
        middle = (notes[0].start + notes[-1].end) / 2
        whole = replace(whole, offset=round(whole.offset + (whole.stretch - 1.0) * middle, 3), stretch=1.0)
    semitones = round(whole.transposition)
    right = _right(frames, sung, moved(score, whole.offset, whole.stretch), semitones)
    if right < _RIGHT:
        what = f"its pitch is that of the score in {right:.0%} of the singing"
        raise DataError(f"does not sound like its score ({what}): is it the score of this song?")
    remarks = []
    if abs(whole.stretch - 1.0) > 0.005:
        remarks.append(f"sung {1 / whole.stretch:.3f} times as fast as its score, which was changed")
    # A few hundredths of a second are a singer's habit, which is learnt.
    if abs(whole.offset) < SyncConfig().least and whole.stretch == 1.0:
        whole = replace(whole, offset=0.0)
    elif abs(whole.offset) >= SyncConfig().least:
        remarks.append(f"sung {whole.offset:+.2f} s from its score, which was moved")
    if semitones:
        score = change(score, semitones, 1.0)
        remarks.append(f"sung {semitones:+d} semitones from its score, which was transposed")
    length = len(x) / rate
    return move_score(_ended(score, whole, length), whole, length, "its score"), remarks


def _placed(score: Score, frames: Frames, offset: float, stretch: float) -> Sync:
    return synchronise(frames, moved(score, offset, stretch), SyncConfig(max_drift=_LITTLE))


def _ended(score: Score, place: Sync, length: float) -> Score:
    """The score with its last note no longer than the recording, where it is held on a little beyond."""
    last = max(i for i, note in enumerate(score.notes) if not note.is_rest)
    note = score.notes[last]
    end = (length - place.offset) / place.stretch
    if note.end <= end or note.end > end + _BEYOND / place.stretch or end <= note.start:
        return score
    kept = replace(note, end=round(end - 1e-4, 7))
    return replace(score, notes=(*score.notes[:last], kept))


def _right(frames: Frames, sung: np.ndarray, score: Score, semitones: int) -> float:
    """Share of the sung frames in notes that are within a semitone of them, octaves apart."""
    edges = np.array([note.start for note in score.notes] + [score.notes[-1].end])
    pitches = np.array([0, *(note.pitch for note in score.notes), 0])
    note = pitches[np.searchsorted(edges, np.arange(len(frames)) * frames.shift, side="right")]
    both = sung & (note > 0)
    if both.sum() < 0.3 * (note > 0).sum():
        return 0.0
    apart = hz_to_midi(frames.f0[both]) - note[both] - semitones
    return float(np.mean(np.abs((apart + 6) % 12 - 6) < 1))
