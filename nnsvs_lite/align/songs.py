"""Where recordings lie against their scores, song by song: offset and transposition, measured and applied.

A phrase is short, and what is sung in it may come again in the next; what holds for a whole recording is
found on all of its phrases together. Phrases move within their recording, whole songs move their score.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from nnsvs_lite.align.config import AlignConfig
from nnsvs_lite.align.corpus import AlignCorpus
from nnsvs_lite.align.sync import LEAST_MATCH, SHORT, Sync, move_score
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.change import change
from nnsvs_lite.score.types import Note, Score


def songs_of(corpus: AlignCorpus) -> list[list[str]]:
    """Utterances of each recording, in order of time; one without segments is a song of its own."""
    found: dict[tuple, list[str]] = {}
    for utt in corpus.utts:
        data, score = corpus.of[utt], corpus.scores[utt]
        alone = "" if data.segments else utt
        found.setdefault((data.place(utt)[0], data.utt2spk[utt], score.lang, alone), []).append(utt)
    return [sorted(utts, key=lambda utt: corpus.of[utt].place(utt)[1]) for utts in found.values()]


def joined(corpus: AlignCorpus, utts: Sequence[str]) -> DataDir:
    """A recording as one utterance, with the score of its phrases and rests between them."""
    notes: list[Note] = []
    for utt in utts:
        score, start = corpus.scores[utt], corpus.of[utt].place(utt)[1]
        part = list(score.slice(0, len(score.notes), offset=-start).notes)
        end = notes[-1].end if notes else 0.0
        if part[0].start > end:
            gap = dataclasses.replace(part[0], start=end, end=part[0].start, pitch=0, lyric="", slur=False)
            notes.append(dataclasses.replace(gap, phones=("pau",)))
        notes += [note for note in part if note.start >= end - 1e-3]
    data, song = corpus.of[utts[0]], f"{utts[0]}__song"
    score, wav = Score(tuple(notes), corpus.scores[utts[0]].lang), data.place(utts[0])[0]
    return DataDir(data.path, {song: wav}, {song: data.utt2spk[utts[0]]}, scores={song: score})


def place_songs(
    corpus: AlignCorpus,
    sync: Mapping[str, Sync],
    config: AlignConfig,
    measure: Callable[[list[DataDir]], list[Sync]],
) -> dict[str, str]:
    """Moves and transposes what is not where and as high as its score says; what was done by utterance.

    Args:
        corpus: changed in place: ``of``, ``scores``, ``given`` and ``durations``.
        sync: of each utterance by itself.
        measure: gives the same for joined songs.
    """
    songs, astray, alone = songs_of(corpus), [], []
    for utts in songs:
        rows = [sync[utt] for utt in utts]
        off = np.median([abs(row.offset) for row in rows]) >= config.sync.least
        high = np.median([abs(row.transposition) for row in rows]) >= 0.5
        if config.sync.correct and (off or high):
            (astray if len(utts) > 1 else alone).append(utts)
    found = [sync[utts[0]] for utts in alone] + measure([joined(corpus, utts) for utts in astray])
    done: dict[str, str] = {}
    for utts, whole in zip(alone + astray, found):
        for utt in utts if whole.agreement >= LEAST_MATCH else ():
            try:
                done |= _place(corpus, utt, whole, config)
            except DataError:
                continue  # as it is; the judgement says how far off it is
    return done


def _place(corpus: AlignCorpus, utt: str, whole: Sync, config: AlignConfig) -> dict[str, str]:
    """One utterance moved as its recording asks for; what was done, if anything."""
    data, score, old = corpus.of[utt], corpus.scores[utt], corpus.durations[utt]
    wav, start, end = data.place(utt)
    rec = data.segments[utt][0] if end is not None else utt
    total = dataclasses.replace(data, segments={}).duration(rec)
    stretch = whole.stretch if abs(whole.stretch - 1.0) * total >= 0.1 else 1.0
    offset = whole.offset if abs(whole.offset) >= _least(total, config) or stretch != 1.0 else 0.0
    semitones = round(whole.transposition)
    said = []
    if semitones:
        score = change(score, semitones, 1.0)
        said.append(f"sung {semitones:+d} semitones from the score, which was transposed")
    duration, given = old, corpus.given.get(utt, [])
    if offset or stretch != 1.0:
        at, begin = offset + stretch * start, 0.0
        if end is not None:
            begin = round(min(max(at, 0.0), total), 3)
            duration = round(min(stretch * old, total - begin), 7)
        if abs(at - begin) >= 1e-3 or stretch != 1.0 or duration != old:
            score = move_score(score, Sync(at - begin, stretch), duration, utt)
        if end is not None:
            data.segments[utt] = (rec, begin, begin + duration)
            given = [s._replace(start=s.start + start - begin, end=s.end + start - begin) for s in given]
            given[:1] = [s._replace(start=0.0) for s in given[:1]]
        said.append(f"the recording is {offset:+.2f} s from the score, which was moved")
    if said:
        corpus.scores[utt] = data.scores[utt] = score
        corpus.durations[utt] = duration
        if utt in corpus.given:
            corpus.given[utt] = given
    return {utt: "; ".join(said)} if said else {}


def _least(seconds: float, config: AlignConfig) -> float:
    """Seconds of offset that are believed: a short recording has too little to tell small ones."""
    return config.sync.least if seconds > SHORT else config.quality.max_offset
