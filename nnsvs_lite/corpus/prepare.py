"""The last step of every corpus' preparation: songs to phrases, split into training, dev and eval sets."""

import os
from collections.abc import Iterable
from pathlib import Path

from nnsvs_lite.corpus.datadir import DataDir, song_of, sort_ids
from nnsvs_lite.corpus.segment import segment_at_rests
from nnsvs_lite.io.atomic import read_text, write_text
from nnsvs_lite.io.errors import DataError, nearest

PARTS = ("train", "dev", "eval")
"""The data dirs that every corpus is split into."""
SPLIT = "split"
"""File of a data dir that says, on one line, how its sets were chosen."""
PROVENANCE = "provenance"
"""File of a data dir made of others: what :func:`provenance` says of each, a line a corpus."""
NAMED = 12
"""Songs that it names."""


def provenance(path: str | os.PathLike) -> list[str]:
    """How the sets of a data dir were chosen, and whose its phone times are: a line each, if known."""
    path, lines = Path(path), []
    if (path / PROVENANCE).is_file():
        return read_text(path / PROVENANCE).splitlines()
    if (path / SPLIT).is_file():
        lines.append(f"Split: {' '.join(read_text(path / SPLIT).split())}")
    found, given = (path / "align.ctm").exists(), (path / "label.ctm").exists()
    if found:
        lines.append(f"Phone times: found by stage 1{', in place of those of the corpus' if given else ''}")
    elif given:
        lines.append("Phone times: given with the corpus")
    return lines


def choose_songs(wanted: Iterable[str], songs: Iterable[str]) -> list[str]:
    """Song ids by full id or by the part after the last ``_``, such as ``003``.

    Raises DataError for one that is not there.
    """
    songs = sort_ids(songs)
    known, short = set(songs), {song.rpartition("_")[2]: song for song in songs}
    chosen = []
    for name in wanted:
        song = name if name in known else short.get(name)
        if song is None:
            raise DataError(f"no song {name!r}{nearest(name, short)}; there are {', '.join(sort_ids(short))}")
        chosen.append(song)
    return chosen


def finish(
    songs: DataDir,
    out: str | os.PathLike,
    *,
    eval_songs: Iterable[str],
    dev_songs: Iterable[str] = (),
    dev_phrases: int | None = None,
    cut: bool = True,
    told: str = "",
    **cutting: float,
) -> dict[str, DataDir]:
    """Cuts whole songs into phrases, splits by song, writes ``out/{train,dev,eval}``.

    Args:
        songs: whole songs with scores that hold phones, and labels if there are any. What is cut is taken
            out of it: of very many songs, both would be much memory.
        out: the folder of the three data dirs.
        eval_songs: song ids, or their last parts, for ``eval``.
        dev_songs: the same for ``dev``. If empty, the last phrases of training
            are taken out of it for ``dev``, as where there are but two songs.
        dev_phrases: how many phrases that are; a tenth, at least one, if None.
        cut: False where ``songs`` are phrases already, ``<song id>_<number>``; the other arguments may then
            name them or their songs.
        told: how the songs were chosen, for results; their names if not given.
        cutting: values of :class:`nnsvs_lite.corpus.segment.Cutting`.

    Raises DataError for an unknown song, a song in both dev and eval, or no phrase left to train on.
    """
    eval_songs, dev_songs = list(eval_songs), list(dev_songs)
    whole = songs.utts if cut else [*songs.utts, *map(song_of, songs.utts)]
    eval_ids = set(choose_songs(eval_songs, whole))
    dev_ids = set(choose_songs(dev_songs, whole))
    both = sorted(eval_ids & dev_ids)
    if both:
        raise DataError(f"{both[0]} stands in both dev and eval songs", songs.path)
    # Songs without labels are cut by stage 1, which finds where their pauses are sung.
    if songs.labels and cut:
        phrases = segment_at_rests(songs, **cutting)
        songs.scores, songs.labels, songs.text = {}, {}, {}
    else:
        phrases = songs.subset(songs.utts)
    parts: dict[str, list[str]] = {name: [] for name in PARTS}
    for utt in phrases.utts:
        names = {song_of(utt) if phrases.labels else utt} | (set() if cut else {utt, song_of(utt)})
        parts["eval" if names & eval_ids else "dev" if names & dev_ids else "train"].append(utt)
    if not parts["dev"]:
        count = max(1, round(len(parts["train"]) / 10)) if dev_phrases is None else dev_phrases
        cut = max(len(parts["train"]) - count, 0)
        parts["dev"] = parts["train"][cut:]
        parts["train"] = parts["train"][:cut]
    for name, utts in parts.items():
        if not utts:
            raise DataError(f"no phrase is left for {name}; name other songs for dev and eval", songs.path)
    told = told or f"eval {_some(eval_songs)}; dev {_some(dev_songs) or 'the last phrases of training'}"
    sets = {name: phrases.take(parts[name]) for name in PARTS[1:]}
    made = {name: part.write(Path(out) / name) for name, part in {PARTS[0]: phrases, **sets}.items()}
    for part in made.values():
        write_text(part.path / SPLIT, f"{told}\n")
    return made


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return " ".join(names[:NAMED]) + more
