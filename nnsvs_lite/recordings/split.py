"""Training, dev and eval sets of what stage 1 could align: chosen last, so that none is left empty."""

import math
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from nnsvs_lite.corpus.datadir import DataDir, song_of, sort_ids
from nnsvs_lite.corpus.prepare import PARTS, SPLIT
from nnsvs_lite.corpus.segment import segment_at_rests
from nnsvs_lite.corpus.validate import validate
from nnsvs_lite.io.atomic import write_text
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.languages.base import SILENCES

HELD_OUT = 0.08
"""Share of the singing that dev and eval are to have, each."""
MANY = 12
"""Songs from which whole songs are held out."""


def aligned_phrases(songs: Sequence[str | os.PathLike], drafts: Sequence[str | os.PathLike] = ()) -> DataDir:
    """All phrases with labels of data dirs of songs that have been through stage 1, as one data dir.

    Args:
        songs: their scores and phone times. Whole songs are cut here.
        drafts: data dirs of drafted scores, in place of those of lyrics alone among ``songs``.
    """
    merged = DataDir(Path(os.path.commonpath([*songs])), {}, {}, label_name="align.ctm")
    for path in [*songs, *drafts]:
        data = DataDir.read(path)
        if not data.scores:
            continue
        data = data.subset(utt for utt in data.utts if data.labels.get(utt))
        if not data.segments:
            # Labels that came with songs, or songs that stage 1 takes for phrases since they are short.
            data = segment_at_rests(data)
        for utt in data.utts:
            rec = data.segments[utt][0]
            merged.wavs[rec], merged.segments[utt] = data.wavs[rec], data.segments[utt]
            merged.put(utt, data.utt2spk[utt], data.scores[utt], data.labels[utt])
    return merged


def choose(data: DataDir) -> dict[str, list[str]]:
    """Utterances of each of :data:`~nnsvs_lite.corpus.prepare.PARTS`.

    Of many songs whole ones are held out; of few, phrases, of which no other has the notes and words. Those
    are taken first whose phones are the most common in what is left for training.

    Raises DataError where there are fewer phrases than parts.
    """
    if len(data.utts) < len(PARTS):
        count = f"{len(data.utts)} phrase{'s' * (len(data.utts) != 1)} could be used"
        raise DataError(
            f"{count}, {len(PARTS)} are the least: record more, with rests between phrases", data.path
        )
    groups = _groups(data)
    length = {name: sum(data.duration(utt) for utt in utts) for name, utts in groups.items()}
    phones = {
        name: Counter(p for utt in utts for p in data.scores[utt].phones) for name, utts in groups.items()
    }
    left = sum(phones.values(), Counter())
    wanted = HELD_OUT * sum(length.values())
    parts: dict[str, list[str]] = {name: [] for name in PARTS}
    free = sort_ids(groups)
    for part in ("eval", "dev"):
        seconds = 0.0
        # As near to the share as phrases go, one at least, and one for each set that is not chosen yet.
        while free[2 if part == "eval" else 1 :]:
            best = max(free, key=lambda name: (_common(phones[name], left), -length[name], name))
            if parts[part] and seconds + length[best] / 2 > wanted:
                break
            parts[part] += groups[best]
            seconds += length[best]
            left -= phones[best]
            free.remove(best)
    parts["train"] = [utt for name in free for utt in groups[name]]
    return {name: sort_ids(utts) for name, utts in parts.items()}


def _groups(data: DataDir) -> dict[str, list[str]]:
    """What stays together: songs where there are many, else phrases of one text and tune."""
    songs = defaultdict(list)
    for utt in data.utts:
        songs[data.segments[utt][0] if data.segments else song_of(utt)].append(utt)
    if len(songs) >= MANY:
        return dict(songs)
    tunes: dict[tuple, str] = {}
    groups = defaultdict(list)
    for utt in data.utts:
        sung = [note for note in data.scores[utt].notes if not note.is_rest]
        tune = tuple((n.pitch - sung[0].pitch, n.phones, round(n.beats, 1)) for n in sung)
        groups[tunes.setdefault(tune, utt)].append(utt)
    # Where nearly all is one phrase, sets must share it.
    return dict(groups) if len(groups) >= len(PARTS) else {utt: [utt] for utt in data.utts}


def _common(mine: Mapping[str, int], left: Mapping[str, int]) -> float:
    """How many of each phone training keeps if these are taken from it: the rarest counts, up to five."""
    kept = [min(left[phone] - count, 5) for phone, count in mine.items() if phone not in SILENCES]
    return min(kept, default=-math.inf)


def split(
    songs: Sequence[str | os.PathLike], out: str | os.PathLike, drafts: Sequence[str | os.PathLike] = ()
) -> dict[str, DataDir] | None:
    """Writes ``out/{train,dev,eval}``; returns them, or None where all was done before.

    Args are those of :func:`aligned_phrases`. Raises DataError as :func:`choose`, and for faulty data.
    """
    done = Done(out, "split", [*songs, *drafts], {"version": 1})
    if done.is_current():
        return None
    done.clear()
    data = aligned_phrases(songs, drafts)
    parts = data.split(choose(data))
    made = {name: part.write(Path(out) / name) for name, part in parts.items()}
    what = "songs" if len(data.wavs) >= MANY else "phrases"
    for part in made.values():
        write_text(part.path / SPLIT, f"{what} whose phones are common in what is left for training\n")
    faults = [fault for part in made.values() for fault in validate(part.path)]
    if faults:
        more = f" ({len(faults)} faults in all; nnsvs-lite validate lists them)"
        raise DataError(faults[0].what + more, faults[0].place)
    done.set(path for part in made.values() for path in part.path.iterdir())
    return made
