"""How a recording lies against its score as a whole: offset, tempo drift, transposition.

The score says at every moment which pitch should sound, or none. Offset and drift
are those at which most of the recording agrees with that, by F0 and voicing.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np

from nnsvs_lite.align.config import SyncConfig
from nnsvs_lite.align.frames import QUIET, Frames, analyse
from nnsvs_lite.align.segmental import running_sums
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.features.f0 import hz_to_midi
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.types import Note, Score

_CENTS, _VOICED = 70.0, 0.6
SHORT = 15.0
"""Seconds: in less than this a drift cannot be told from late and early notes."""
_PLATEAU = 0.003
LEAST_MATCH = 0.3
"""Share of agreement from which recording and score belong together."""
_PREFERENCE = 0.01
"""Share of agreement that a shift of the whole ``search`` range must bring to be believed."""


@dataclass(frozen=True)
class Sync:
    """How a recording lies against its score."""

    offset: float = 0.0  # seconds by which the recording is later than the score
    stretch: float = 1.0  # seconds of the recording for one of the score
    transposition: float = 0.0  # semitones by which the singing is above the score
    agreement: float = 0.0  # share of the score's time at which pitch and rests agree, 0..1


def moved(score: Score, offset: float, stretch: float) -> Score:
    """The score with what was at time ``t`` at ``offset + stretch * t`` seconds."""
    if offset == 0.0 and stretch == 1.0:
        return score

    def time(seconds: float) -> float:
        return round(offset + stretch * seconds, 7)

    notes = tuple(
        dataclasses.replace(n, start=time(n.start), end=time(n.end), tempo=round(n.tempo / stretch, 4))
        for n in score.notes
    )
    timeline = score.timeline and score.timeline.moved(offset, stretch)
    return dataclasses.replace(score, notes=notes, timeline=timeline)


def synchronise(frames: Frames, score: Score, config: SyncConfig) -> Sync:
    """Estimates offset, drift and transposition."""
    step = max(1, round(0.01 / frames.shift))  # 10 ms are enough, and a fourth of the work
    f0, level = frames.f0[::step], frames.level[::step]
    shift = frames.shift * step
    voiced = (f0 > 0) & (level > QUIET) & (frames.voicing[::step] > _VOICED)
    midi = np.where(voiced, hz_to_midi(np.maximum(f0, 1.0)), np.nan)
    pitches = np.array([note.pitch for note in score.notes])
    if not (pitches > 0).any() or not voiced.any():
        return Sync()
    edges = np.array([note.start for note in score.notes] + [score.notes[-1].end])
    offsets = np.arange(-config.search, config.search + 1e-9, shift)
    stretches = np.array([1.0])
    if score.duration > SHORT and config.max_drift > 0:
        # A drift moves the end of the score by no more than the steps between offsets.
        count = max(1, int(np.ceil(config.max_drift * score.duration / (4 * shift))))
        stretches = 1.0 + config.max_drift * np.arange(-count, count + 1) / count
    penalty = 1.0 - _PREFERENCE * (np.abs(offsets) / max(config.search, 1e-6))[:, None]
    # The transposition is found on every fourth offset, since notes are longer than that.
    coarse, middle = slice(None, None, 4), len(stretches) // 2
    best, found = -1.0, 0
    for semitones in _transpositions(midi, pitches):
        agreement = _agreement(
            midi - semitones, voiced, pitches, edges, offsets[coarse], stretches[middle % 2 :: 2], shift
        )
        top = float((agreement * penalty[coarse]).max()) * (1.0 - _PREFERENCE * (abs(semitones) > 0))
        if top > best + 0.005:
            best, found = top, semitones
    value = penalty * _agreement(midi - found, voiced, pitches, edges, offsets, stretches, shift)
    i, k = np.unravel_index(int(value.argmax()), value.shape)
    # The best is a plateau rather than a point: its middle, near the best point.
    weight = np.exp((value - value[i, k]) / _PLATEAU)
    weight[np.abs(offsets - offsets[i]) > 0.1] = 0.0
    weight /= weight.sum()
    offset = float((weight * offsets[:, None]).sum())
    stretch = float((weight * stretches[None, :]).sum())
    # The score's pitch at each frame, 0 in rests and outside the score.
    note = np.searchsorted(edges, (np.arange(len(midi)) * shift - offset) / stretch, side="right")
    sung = np.array([0, *pitches, 0])[note]
    error = (midi - sung)[voiced & (sung > 0)]
    near = error[np.abs(error - found) < 1.0]
    transposition = float(np.median(near)) if len(near) else float(found)
    rounded = round(offset, 3), round(stretch, 5), round(transposition, 2)
    return Sync(*rounded, round(max(float(value[i, k]), 0.0), 3))


def _transpositions(midi: np.ndarray, pitches: np.ndarray) -> list[int]:
    """Whole semitones worth trying, 0 first: those near the difference of the pitch ranges."""
    sung = pitches[pitches > 0]
    middle = round(float(np.nanmedian(midi) - np.median(sung)))
    near = [middle + k for k in range(-7, 8)] + list(range(-2, 3))
    return [0] + sorted({k for k in near if k != 0}, key=lambda k: (abs(k), k))


def _agreement(midi, voiced, pitches, edges, offsets, stretches, shift) -> np.ndarray:
    """Share of the score's time that agrees, (offsets, stretches)."""
    rows, which = np.unique(pitches, return_inverse=True)
    fits = np.where(voiced, np.exp(-0.5 * (100.0 * (midi - rows[:, None]) / _CENTS) ** 2), 0.0)
    # Rests are worth less: a singer holds notes into them and reverberation fills them.
    fits[rows == 0] = np.where(voiced, 0.0, 0.5)
    sums = running_sums(fits)
    weight = np.where(pitches > 0, 1.0, 0.5) * np.diff(edges)
    total = np.empty((len(offsets), len(stretches)))
    for k, stretch in enumerate(stretches):  # one at a time bounds the memory of a whole song
        times = offsets[:, None] + stretch * edges
        place = np.clip(np.round(times / shift), 0, len(midi)).astype(np.int64)
        total[:, k] = (sums[which, place[:, 1:]] - sums[which, place[:, :-1]]).sum(axis=-1)
    return total * shift / weight.sum()


def move_score(score: Score, sync: Sync, duration: float, where: str = "score") -> Score:
    """A score in the recording's time: note times ``offset + stretch * time``.

    Rests at both ends are fitted to the recording; where there are none, they are made.

    Raises DataError where a sung note would lie outside the recording.
    """
    score = moved(score, sync.offset, sync.stretch)
    notes = score.notes
    places = [i for i, n in enumerate(notes) if not n.is_rest]
    if not places:
        raise DataError("nothing is sung in its score", where)
    first, last = places[0], places[-1]
    if notes[first].start < 0.0 or notes[last].end > duration:
        raise DataError(
            f"the score, moved by {sync.offset:+.2f} s, is sung from {notes[first].start:.2f} to "
            f"{notes[last].end:.2f} s, the recording has {duration:.2f} s",
            where,
        )
    sung = notes[first : last + 1]
    head = _rest(notes[0] if first else sung[0], 0.0, sung[0].start)
    tail = _rest(notes[-1] if last < len(notes) - 1 else sung[-1], sung[-1].end, duration)
    return dataclasses.replace(score, notes=(*head, *sung, *tail))


def _rest(like: Note, start: float, end: float) -> list[Note]:
    """A rest from ``start`` to ``end`` in the measure of ``like``; none where it would have no length."""
    if end - start < 1e-3:
        return []
    values = {"start": start, "end": end, "beats": round((end - start) * like.tempo / 60, 6)}
    values["phones"] = like.phones if like.is_rest else ("pau",)
    return [dataclasses.replace(like, pitch=0, lyric="", slur=False, breath=False, **values)]


def move_scores(data: DataDir, config: SyncConfig | None = None) -> tuple[DataDir, dict[str, Sync]]:
    """A data dir of whole songs with scores in the time of their recordings, and what was found.

    Raises DataError for an utterance without a score, one that has labels (its score is in their time
    already), or one whose recording does not sound like its score.
    """
    config = config or SyncConfig()
    found: dict[str, Sync] = {}
    scores: dict[str, Score] = {}
    for utt in data.utts:
        where = f"{data.path}: {utt}"
        if utt not in data.scores:
            raise DataError("has no score", where)
        if data.labels.get(utt):
            raise DataError("has labels; only songs without labels are moved", where)
        audio, rate = data.audio(utt)
        sync = synchronise(analyse(audio, rate), data.scores[utt], config)
        if sync.agreement < LEAST_MATCH:
            raise DataError(
                f"the recording does not sound like the score (at best, {sync.offset:+.2f} s moved, they "
                f"agree for {sync.agreement:.0%} of the time)",
                where,
            )
        scores[utt] = move_score(data.scores[utt], sync, len(audio) / rate, where)
        found[utt] = sync
    return dataclasses.replace(data, scores=scores), found
