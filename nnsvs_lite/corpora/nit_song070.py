"""NIT-SONG070-F001: 31 children's songs by one woman, Japanese, 48 kHz, CC BY 3.0.

HTS Working Group, Nagoya Institute of Technology. The score stands only inside the
full-context labels; the phone times are the sung ones.
"""

import os
import wave
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.kana import add_lyrics
from nnsvs_lite.corpus.labels import reconcile
from nnsvs_lite.corpus.prepare import finish
from nnsvs_lite.io.atomic import atomic_path, write_text
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.score.formats.htslabel import read_full

URL = "http://hts.sp.nitech.ac.jp/archives/2.3/HTS-demo_NIT-SONG070-F001.tar.bz2"
TREE = "HTS-demo_NIT-SONG070-F001"
PREFIX = "nitech_jp_song070_f001_"
SPEAKER = "nitech_jp_song070_f001"

_EXPECTED = (
    f"give the unpacked {TREE} (with data/labels/full/*.lab and data/raw/*.raw), from {URL},"
    f" or a folder of {PREFIX}NNN.wav and .lab"
)

EVAL_SONGS = ("004", "007", "010")
"""The split of ESPnet's and Muskits' recipes."""

DEV_SONGS = ("003",)


def prepare(
    db_root: str | os.PathLike,
    out: str | os.PathLike,
    *,
    eval_songs: Iterable[str] | None = None,
    dev_songs: Iterable[str] | None = None,
    **options,
) -> dict[str, DataDir]:
    """Writes ``out/{train,dev,eval}`` and ``out/reconciled.txt``.

    Args:
        db_root: the unpacked archive, its ``data`` folder, or a flat folder of
            ``nitech_jp_song070_f001_NNN.{wav,lab}`` with full-context labels.
        out: the folder of the data dirs. Headerless recordings become
            ``out/wav/*.wav``.
        eval_songs: song numbers. If None: 004 007 010, with 003 for dev, as far as
            all of these are there, else the last song.
        dev_songs: song numbers; if None or empty, the last phrases of training
            serve as dev (but see above).
        options: as for :func:`nnsvs_lite.corpus.prepare.finish`.

    Raises DataError where ``db_root`` is not this corpus, saying what is expected; where a song's labels and
    score disagree, all such songs at once.
    """
    out = Path(out)
    labels, audio = find_files(Path(db_root))
    if eval_songs is None:
        numbers = [song.removeprefix(PREFIX) for song in labels]
        whole = set(numbers) >= {*EVAL_SONGS, *DEV_SONGS}
        eval_songs = EVAL_SONGS if whole else numbers[-1:]
        if whole and dev_songs is None:
            dev_songs = DEV_SONGS
    songs = DataDir(path=Path(db_root), wavs={}, utt2spk={})
    report, faults = [], []
    for song, label in labels.items():
        wav = audio[song]
        if wav.suffix == ".raw":
            wav = _raw_to_wav(wav, out / "wav" / f"{song}.wav")
        songs.wavs[song] = wav.resolve()
        try:
            full = read_full(label)
            duration = songs.duration(song)
            result = reconcile(add_lyrics(full.score), full.labels, where=str(label), duration=duration)
        except DataError as error:
            faults.append(error)
            continue
        songs.put(song, SPEAKER, replace(result.score, title=song), result.labels)
        report += [f"{song}: {remark}\n" for remark in [*full.remarks, *result.remarks]]
    if faults:
        more = f" (and {len(faults) - 1} songs more)" if len(faults) > 1 else ""
        raise DataError(faults[0].what + more, faults[0].where)
    write_text(out / "reconciled.txt", "".join(report))
    return finish(songs, out, eval_songs=eval_songs, dev_songs=dev_songs or (), **options)


def find_files(db_root: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Full-context label and audio file of each song, by song id, sorted.

    Raises DataError where nothing of the corpus is here, or a song lacks its audio.
    """
    if not db_root.is_dir():
        raise DataError(f"no such folder; {_EXPECTED}", db_root)
    for folder in (db_root, db_root / "data", db_root / TREE / "data"):
        full = folder / "labels" / "full"
        if full.is_dir():
            places = [folder / "wav", folder / "raw"]
            break
    else:
        full, places = db_root, [db_root]
    labels = {path.stem: path for path in sorted(full.glob(f"{PREFIX}*.lab"))}
    if not labels:
        raise DataError(f"no {PREFIX}NNN.lab here; {_EXPECTED}", full)
    audio = {}
    for song in labels:
        files = [place / f"{song}{suffix}" for place in places for suffix in (".wav", ".raw")]
        found = [file for file in files if file.is_file()]
        if not found:
            there = " or ".join(str(place / f"{song}.{place.name}") for place in places if place != full)
            what = f"{song} has labels but no audio; {there or song + '.wav'} is needed"
            raise DataError(what, labels[song])
        audio[song] = found[0]
    return labels, audio


def _raw_to_wav(raw: Path, wav: Path) -> Path:
    """Headerless 16-bit little-endian mono samples at 48 kHz, with a header."""
    data = raw.read_bytes()
    if not data or len(data) % 2:
        raise DataError(f"has {len(data)} bytes; 16-bit samples are expected", raw)
    with atomic_path(wav) as tmp, wave.open(str(tmp), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(data)
    return wav
