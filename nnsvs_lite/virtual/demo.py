"""Makes the demo corpus: scores, recordings of a virtual singer, labels and the truth.

What lies in the folder afterwards:

    musicxml/<name>.musicxml   etudes and songs
    wav/<speaker>_<name>.wav   PCM16, mono
    lab/<speaker>_<name>.lab   phone times, HTS form: start and end in 100 ns, phone
    truth/phones.ctm           the same as one table
    truth/notes.ctm            sung notes: from the first phone's start, label is
                               ``<note index>:<MIDI pitch>``
    truth/onsets               for each note: id, note index, MIDI pitch, then in seconds
                               score start, sung start, start of its first vowel (-1
                               for none); rests left out
    truth/f0.{scp,ark}         (frames, 1) Hz each 5 ms, 0 where unvoiced
    parts                      <name> train, dev or eval
    manifest.json              seed, sampling rate, singers
    LICENSE                    whose voices and songs they are, and the terms
"""

import importlib.metadata
import os
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nnsvs_lite.features.audio import write_audio
from nnsvs_lite.io.atomic import read_text, write_json, write_text
from nnsvs_lite.io.ctm import Segment, write_ctm
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.jobs import run_jobs
from nnsvs_lite.io.tables import FeatureWriter, write_table
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.types import Phone, Score
from nnsvs_lite.virtual.performance import segments
from nnsvs_lite.virtual.render import PEAK, active_level
from nnsvs_lite.virtual.sheets import etudes as all_etudes
from nnsvs_lite.virtual.sheets import songs
from nnsvs_lite.virtual.voices import LICENSE, SOURCES, load_singer, source, voice_path

_FORMAT = 3


class _Take(NamedTuple):
    """What is known of a recording besides its samples; ``level`` in dBFS."""

    score: Score
    phones: list[Phone]
    f0: np.ndarray
    level: float


def make_demo_corpus(
    out: str | os.PathLike,
    *,
    seed: int = 0,
    sample_rate: int = 24000,
    singers: int = 1,
    etudes: int = 60,
    jobs: int = 1,
    speakers: Sequence[str] = (),
    with_songs: bool = True,
) -> bool:
    """Writes the demo corpus; does nothing if it is there already.

    The same arguments give the same bytes, whatever ``jobs`` is.

    Args:
        out: folder to write. seed: of the singers' noise. sample_rate: Hz, 8000 to 48000. singers: 1 or 2.
        etudes: how many of the etudes, from the first on; phonetic balance takes all 60. jobs: processes.
        speakers: ids of the singers, variants too, in place of ``singers``. with_songs: without them the last
            etude is for testing, and the one before it for dev.

    Returns whether anything had to be made. Raises DataError if a number is out of range, or a voice is not
    installed.
    """
    least = 1 if with_songs else 3
    for option, value, low, high in (
        ("--singers", singers, 1, len(SOURCES)),
        ("--etudes", etudes, least, len(all_etudes())),
        ("--sample-rate", sample_rate, 8000, 48000),
    ):
        if not low <= value <= high:
            raise DataError(f"{option}: {low} to {high} are possible, not {value}")
    out = Path(out)
    sources = tuple(map(source, speakers)) or SOURCES[:singers]
    options = {
        "format": _FORMAT,
        "seed": seed,
        "sample_rate": sample_rate,
        "etudes": etudes,
        "singers": [asdict(s) for s in sources],
        "versions": {n: importlib.metadata.version(n) for n in ("pyworld-prebuilt", "numpy", "scipy")},
    }
    sheets = [*(songs() if with_songs else ()), *all_etudes()[:etudes]]
    parts = {sheet.name: sheet.part for sheet in sheets}
    if not with_songs:
        parts |= {sheet.name: part for sheet, part in zip(sheets[-2:], ("dev", "eval"))}
    inputs = [*(voice_path(s) for s in sources), *(sheet.path for sheet in sheets)]
    done = Done(out, "demo_corpus", inputs, options)
    if done.is_current():
        return False
    done.clear()
    scores = {sheet.name: out / "musicxml" / sheet.path.name for sheet in sheets}
    for sheet in sheets:
        write_text(scores[sheet.name], read_text(sheet.path))
    recordings = [
        (score, out / "wav" / f"{s.speaker}_{name}.wav", s.speaker)
        for s in sources
        for name, score in scores.items()
    ]
    wavs = [wav for _, wav, _ in recordings]
    sing = partial(_sing, seed=seed, sample_rate=sample_rate)
    made = {wav.stem: take for wav, take in zip(wavs, run_jobs(sing, recordings, jobs), strict=True)}
    takes = {utt: made[utt] for utt in sorted(made, key=str.encode)}
    outputs = [*scores.values(), *wavs, *_write_truth(out, takes)]
    write_table(out / "parts", parts)
    voices = "\n".join(f"- {s.speaker}: {s.attribution}" for s in sources)
    texts = "\n".join(f"- {sheet.title} ({sheet.name}). {sheet.rights}" for sheet in songs())
    write_text(out / "LICENSE", LICENSE.format(voices=voices, songs=texts))
    levels = {utt: round(take.level, 2) for utt, take in takes.items()}
    write_json(out / "manifest.json", options | {"levels_dbfs": levels})
    done.set([*outputs, out / "parts", out / "LICENSE", out / "manifest.json"])
    return True


def _sing(job: tuple[Path, Path, str], seed: int, sample_rate: int) -> _Take:
    """Sings one score and writes its waveform; ``job``: score, wav and singer."""
    path, file, speaker = job
    singer, score = load_singer(speaker), read_score(path, lang="ja")
    rng = np.random.default_rng([seed, 2, zlib.crc32(file.stem.encode())])
    rendition = singer.perform(score, rng)
    wav = singer.render(rendition, sample_rate)
    write_audio(file, wav, sample_rate, PEAK)
    return _Take(score, rendition.phones, rendition.f0, active_level(wav, sample_rate))


def _write_truth(out: Path, takes: dict[str, _Take]) -> list[Path]:
    """Labels and ``truth/`` of the takes, which are in the order of their ids; the files."""
    truth, labs, onsets = out / "truth", [], []
    notes: dict[str, list[Segment]] = {}
    for utt, take in takes.items():
        lines = [f"{round(p.start * 1e7)} {round(p.end * 1e7)} {p.symbol}\n" for p in take.phones]
        labs.append(out / "lab" / f"{utt}.lab")
        write_text(labs[-1], "".join(lines))
        for i, note in enumerate(take.score.notes):
            if note.is_rest:
                continue
            mine = [p for p in take.phones if p.note == i]
            vowel = next((p.start for p in mine if p.symbol in "aiueoN"), -1.0)
            onsets.append(f"{utt} {i} {note.pitch} {note.start:.7f} {mine[0].start:.7f} {vowel:.7f}\n")
            notes.setdefault(utt, []).append(Segment(mine[0].start, mine[-1].end, f"{i}:{note.pitch}"))
    write_ctm(truth / "phones.ctm", {utt: segments(take.phones) for utt, take in takes.items()})
    write_text(truth / "onsets", "".join(onsets))
    write_ctm(truth / "notes.ctm", notes)
    with FeatureWriter(truth, "f0") as writer:
        for utt, take in takes.items():
            writer.write(utt, take.f0[:, None].astype(np.float32))
    return [*labs, *(truth / n for n in ("phones.ctm", "onsets", "notes.ctm", "f0.scp", "f0.ark"))]
