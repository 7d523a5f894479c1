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

from __future__ import annotations

import importlib.metadata
import os
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from nnsvs_lite.io.atomic import atomic_path, write_json, write_text
from nnsvs_lite.io.ctm import Segment, write_ctm
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureWriter, write_table
from nnsvs_lite.score.formats.readers import read_score
from nnsvs_lite.score.types import Phone, Score
from nnsvs_lite.virtual import render
from nnsvs_lite.virtual.etudes import make_etudes
from nnsvs_lite.virtual.melody import Melody, musicxml
from nnsvs_lite.virtual.songs import SONGS
from nnsvs_lite.virtual.voices import SOURCES, load_singer, voice_path

_FORMAT = 2


@dataclass(frozen=True)
class _Task:
    """One recording to make."""

    score: Path
    wav: Path
    speaker: str
    name: str
    seed: int
    sample_rate: int

    @property
    def utt(self) -> str:
        return f"{self.speaker}_{self.name}"


@dataclass(frozen=True)
class _Take:
    """What is known of a recording besides its samples."""

    utt: str
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
) -> bool:
    """Writes the demo corpus; does nothing if it is there already.

    The same arguments give the same bytes, whatever ``jobs`` is.

    Args:
        out: folder to write.
        seed: of the etudes and of the singers' noise.
        sample_rate: Hz, 8000 to 48000.
        singers: 1 or 2.
        etudes: how many etudes; phonetic balance is reached with 60.
        jobs: processes.

    Returns:
        Whether anything had to be made.

    Raises:
        DataError: if a number is out of range, or a voice is not installed.
    """
    if not 1 <= singers <= len(SOURCES):
        raise DataError(f"--singers: there are {len(SOURCES)} singers, not {singers}")
    if not 1 <= etudes <= 999:
        raise DataError(f"--etudes: 1 to 999 are possible, not {etudes}")
    if not 8000 <= sample_rate <= 48000:
        raise DataError(f"--sample-rate: the voices reach from 8000 to 48000 Hz, not {sample_rate}")
    out = Path(out)
    sources = SOURCES[:singers]
    options = {
        "format": _FORMAT,
        "seed": seed,
        "sample_rate": sample_rate,
        "etudes": etudes,
        "singers": [asdict(s) for s in sources],
        "versions": {n: importlib.metadata.version(n) for n in ("pyworld", "numpy", "scipy")},
    }
    done = Done(out, "demo_corpus", [voice_path(s) for s in sources], options)
    if done.is_current():
        return False
    done.clear()
    parts = {song.melody.name: song.part for song in SONGS}
    melodies: list[Melody] = [song.melody for song in SONGS]
    for etude in make_etudes(seed, etudes):
        melodies.append(etude)
        parts[etude.name] = "train"
    scores = {melody.name: out / "musicxml" / f"{melody.name}.musicxml" for melody in melodies}
    for melody in melodies:
        write_text(scores[melody.name], musicxml(melody))
    tasks = [
        _Task(scores[name], out / "wav" / f"{s.speaker}_{name}.wav", s.speaker, name, seed, sample_rate)
        for s in sources
        for name in parts
    ]
    takes = {take.utt: take for take in _sing_all(tasks, jobs)}
    outputs = [*scores.values(), *(task.wav for task in tasks), *_write_truth(out, takes)]
    write_table(out / "parts", parts)
    write_text(out / "LICENSE", license_text(singers))
    write_json(
        out / "manifest.json",
        options | {"levels_dbfs": {utt: round(takes[utt].level, 2) for utt in sorted(takes)}},
    )
    done.set([*outputs, out / "parts", out / "LICENSE", out / "manifest.json"])
    return True


def _sing_all(tasks: Sequence[_Task], jobs: int) -> Iterator[_Take]:
    if jobs <= 1:
        yield from map(_sing, tasks)
        return
    with ProcessPoolExecutor(min(jobs, len(tasks))) as pool:
        yield from pool.map(_sing, tasks, chunksize=1)


def _sing(task: _Task) -> _Take:
    """Sings one score and writes its waveform."""
    import soundfile

    singer = load_singer(task.speaker)
    score = read_score(task.score, lang="ja")
    rng = np.random.default_rng([task.seed, 2, zlib.crc32(task.utt.encode())])
    performance = singer.perform(score, rng)
    wav = singer.render(performance, task.sample_rate)
    with atomic_path(task.wav) as tmp:
        soundfile.write(tmp, render.to_pcm16(wav), task.sample_rate, subtype="PCM_16")
    return _Take(
        task.utt, score, performance.phones, performance.f0, render.active_level(wav, task.sample_rate)
    )


def _write_truth(out: Path, takes: dict[str, _Take]) -> list[Path]:
    utts = sorted(takes, key=str.encode)
    truth, written = out / "truth", []
    for utt in utts:
        lines = [f"{round(p.start * 1e7)} {round(p.end * 1e7)} {p.symbol}\n" for p in takes[utt].phones]
        written.append(out / "lab" / f"{utt}.lab")
        write_text(written[-1], "".join(lines))
    write_ctm(
        truth / "phones.ctm",
        {utt: [Segment(p.start, p.end, p.symbol) for p in takes[utt].phones] for utt in utts},
    )
    onsets = []
    notes: dict[str, list[Segment]] = {}
    for utt in utts:
        score, phones = takes[utt].score, takes[utt].phones
        for i, note in enumerate(score.notes):
            if note.is_rest:
                continue
            mine = [p for p in phones if p.note == i]
            vowel = next((p.start for p in mine if p.symbol in "aiueoN"), -1.0)
            onsets.append(f"{utt} {i} {note.pitch} {note.start:.7f} {mine[0].start:.7f} {vowel:.7f}\n")
            notes.setdefault(utt, []).append(Segment(mine[0].start, mine[-1].end, f"{i}:{note.pitch}"))
    write_text(truth / "onsets", "".join(onsets))
    write_ctm(truth / "notes.ctm", notes)
    with FeatureWriter(truth, "f0") as writer:
        for utt in utts:
            writer.write(utt, takes[utt].f0[:, None].astype(np.float32))
    return [*written, *(truth / n for n in ("phones.ctm", "onsets", "notes.ctm", "f0.scp", "f0.ark"))]


def license_text(singers: int = 1) -> str:
    """Attribution of the voices and the rights in the songs, as the corpus carries them."""
    lines = [
        "The demo corpus was made by nnsvs_lite with HMM voices by other people.",
        "",
        "Voices, used unchanged; their spectra and durations are in the recordings:",
        "",
        *(f"- {source.speaker}: {source.attribution}" for source in SOURCES[:singers]),
        "",
        "The recordings are adaptations of these voices and are under the same licence,",
        "Creative Commons Attribution 3.0 (http://creativecommons.org/licenses/by/3.0/).",
        "The etudes are by nnsvs_lite and under its licence.",
        "",
        "Songs:",
        "",
        *(f"- {song.melody.title} ({song.melody.name}). {song.rights}" for song in SONGS),
    ]
    return "\n".join(lines) + "\n"
