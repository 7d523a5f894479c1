"""Scores moved to where their songs are sung, before songs without labels are cut into phrases."""

import dataclasses

from nnsvs_lite.align.config import SyncConfig
from nnsvs_lite.align.frames import analyse
from nnsvs_lite.align.sync import Sync, moved, synchronise
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.types import Note, Score

_LEAST_MATCH = 0.3


def move_score(score: Score, sync: Sync, duration: float, where: str = "score") -> Score:
    """A score in the recording's time: note times ``offset + stretch * time``.

    Rests at both ends are fitted to the recording; where there are none, they are made.

    Args:
        score: with notes from time 0.
        sync: as estimated.
        duration: seconds of the recording.
        where: for messages.

    Raises:
        DataError: where a sung note would lie outside the recording.
    """

    score = moved(score, sync.offset, sync.stretch)
    notes = score.notes
    first = next((i for i, n in enumerate(notes) if not n.is_rest), None)
    if first is None:
        raise DataError("nothing is sung in its score", where)
    last = max(i for i, n in enumerate(notes) if not n.is_rest)
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
    phones = like.phones if like.is_rest else ("pau",)
    beats = round((end - start) * like.tempo / 60, 6)
    silent = dataclasses.replace(
        like, pitch=0, lyric="", phones=phones, slur=False, breath=False, beats=beats
    )
    return [dataclasses.replace(silent, start=start, end=end)]


def move_scores(data: DataDir, config: SyncConfig | None = None) -> tuple[DataDir, dict[str, Sync]]:
    """A data dir of whole songs with scores in the time of their recordings, and what was found.

    Raises:
        DataError: for an utterance without a score, one that has labels (its score is
            in their time already), or one whose recording does not sound like its score.
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
        if sync.agreement < _LEAST_MATCH:
            raise DataError(
                f"the recording does not sound like the score (at best, {sync.offset:+.2f} s moved, they "
                f"agree for {sync.agreement:.0%} of the time)",
                where,
            )
        scores[utt] = move_score(data.scores[utt], sync, len(audio) / rate, where)
        found[utt] = sync
    return dataclasses.replace(data, scores=scores), found
