"""The demo corpus of the embedded singer, as ``nnsvs-lite demo-corpus`` writes it."""

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.prepare import finish
from nnsvs_lite.io.atomic import read_json, read_text, write_text
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.packed import Packed
from nnsvs_lite.io.tables import table_lines
from nnsvs_lite.score.formats.htslabel import read_lab
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.timing import check_agreement


def prepare(
    db_root: str | os.PathLike,
    out: str | os.PathLike,
    *,
    eval_songs: Iterable[str] | None = None,
    dev_songs: Iterable[str] | None = None,
    **options,
) -> dict[str, DataDir]:
    """Writes ``out/{train,dev,eval}``: etudes to train on, songs for dev and eval.

    Each gets a copy of the corpus' ``LICENSE``, which names the voices.

    Args:
        db_root: the folder that ``nnsvs-lite demo-corpus --out`` wrote.
        eval_songs: recording ids, such as ``f001_sakura``; the corpus' own if None.
        dev_songs: likewise.
        options: as for :func:`nnsvs_lite.corpus.prepare.finish`.

    Raises DataError where ``db_root`` is not such a folder or is incomplete.
    """
    root = Path(db_root)
    hint = f"; make it with: nnsvs-lite demo-corpus --out {root}"
    if not (root / "manifest.json").is_file():
        raise DataError(f"no demo corpus here{hint}", root)
    manifest = read_json(root / "manifest.json")
    songs = DataDir(path=root, wavs=Packed(), utt2spk={})
    own: dict[str, list[str]] = defaultdict(list)
    for _, name, part in table_lines(root / "parts"):
        score = read_score(root / "musicxml" / f"{name}.musicxml", lang="ja")
        for singer in manifest["singers"]:
            speaker = singer["speaker"]
            utt = f"{speaker}_{name}"
            wav = root / "wav" / f"{utt}.wav"
            if not wav.is_file():
                raise DataError(f"no such file; the corpus is incomplete{hint}", wav)
            labels = read_lab(root / "lab" / f"{utt}.lab")
            check_agreement(score, labels, root / "lab" / f"{utt}.lab")
            songs.wavs[utt] = wav.resolve()
            songs.put(utt, speaker, score, labels)
            own[part].append(utt)
    dirs = finish(
        songs,
        out,
        eval_songs=own["eval"] if eval_songs is None else eval_songs,
        dev_songs=own["dev"] if dev_songs is None else dev_songs,
        **options,
    )
    # The voices' licence asks for attribution wherever the recordings go.
    notice = read_text(root / "LICENSE")
    for part in dirs.values():
        write_text(part.path / "LICENSE", notice)
    return dirs
