"""Several corpora as one: one rate, one loudness, one choice of phones."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nnsvs_lite.corpus.combine import join
from nnsvs_lite.corpus.datadir import sort_ids
from nnsvs_lite.corpus.prepare import PARTS, PROVENANCE, provenance
from nnsvs_lite.corpus.validate import validate
from nnsvs_lite.features.audio import read_wav, resample, write_audio
from nnsvs_lite.features.lufs import block_powers, loudness
from nnsvs_lite.io.atomic import atomic_dir, write_json, write_text
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.jobs import run_jobs
from nnsvs_lite.recordings.mixture import Sets, read_mixture

MIXING = 1
"""Number of the way of mixing; raised whenever the same corpora would give other data."""
HEADROOM = 1.0
"""dB that peaks stay below full scale, since at another rate they are others."""
RECORD = "mixture.json"


class Level(NamedTuple):
    """A recording as it was measured: its rate in Hz, its peak, mean squares of the blocks that are sung."""

    rate: int
    peak: float
    powers: np.ndarray


class MixedRecording(NamedTuple):
    """A recording: its file, who sings it, where in it, in seconds; what it is to be multiplied by."""

    wav: Path
    corpus: str
    singer: str
    spans: Sequence[tuple[float, float]]
    gain: float = 1.0


@dataclass
class Share:
    """What a singer of a corpus brings.

    Attributes:
        seconds: of each set. rates: Hz. loudness: LUFS. peak: at 1 full scale. gain: dB, to one loudness.
    """

    corpus: str
    singer: str
    languages: list[str]
    seconds: dict[str, float]
    rates: list[int]
    loudness: float
    peak: float
    gain: float = 0.0

    @property
    def said(self) -> str:
        """A line for people."""
        minutes = ", ".join(f"{part} {seconds / 60:.1f} min" for part, seconds in self.seconds.items())
        sound = f"{'/'.join(map(str, self.rates))} Hz, {self.loudness:.1f} LUFS {self.gain:+.1f} dB"
        return f"{self.corpus}: {self.singer} in {', '.join(self.languages)}: {minutes}; {sound}"


def mix(path: str | os.PathLike, out: str | os.PathLike, jobs: int = 1) -> list[Share] | None:
    """Writes ``out/{train,dev,eval}`` of the corpora that a YAML names, their audio, and a record.

    Returns what each singer brings; None where all was done before.

    Raises DataError as :func:`~nnsvs_lite.recordings.mixture.read_mixture`, and for recordings of a lower
    rate, or of two singers.
    """
    path, out = Path(path), Path(out)
    mixture, sets = read_mixture(path, out)
    takes = _takes(sets)
    folders = [data.path for parts in sets.values() for data in parts.values()]
    done = Done(out, "mix", [path, *folders, *sorted({t.wav for t in takes.values()})], {"mixing": MIXING})
    if done.is_current():
        return None
    levels = dict(zip(takes, run_jobs(_measure, takes.values(), jobs)))
    for rec, level in levels.items():
        if level.rate < mixture.sample_rate:
            what = f"is recorded at {level.rate} Hz, below the sample_rate of {path}"
            raise DataError(f"{what}, {mixture.sample_rate}", takes[rec].wav)
    rows = _rows(sets, takes, levels)
    if mixture.loudness is not None:
        # As much less than asked for as leaves nobody's peaks above full scale.
        room = (row.loudness - 20 * np.log10(row.peak) - HEADROOM for row in rows.values())
        target = min(mixture.loudness, *room)
        for row in rows.values():
            row.gain = round(target - row.loudness, 3)
    gains = {key: 10 ** (row.gain / 20) for key, row in rows.items()}
    takes = {rec: take._replace(gain=gains[take.corpus, take.singer]) for rec, take in takes.items()}
    with atomic_dir(out / "wav") as new:
        list(run_jobs(partial(_write, new, mixture.sample_rate), takes.items(), jobs))
        done.clear()
    written = [out / "wav" / f"{rec}.wav" for rec in takes]
    for part in PARTS:
        dirs = [parts[part] for parts in sets.values() if part in parts]
        dirs = [replace(data, shared_phones=mixture.phones == "shared") for data in dirs]
        dirs = [replace(data, wavs={r: out / "wav" / f"{r}.wav" for r in data.wavs}) for data in dirs]
        made = join(dirs, out / part)
        told = [(name, provenance(parts[part].path)) for name, parts in sets.items() if part in parts]
        write_text(made.path / PROVENANCE, "".join(f"{name}: {'; '.join(lines)}\n" for name, lines in told))
        if faults := validate(made.path):
            raise DataError(f"{faults[0].what} ({len(faults)} faults in all)", faults[0].place)
        written += made.path.iterdir()
    write_json(out / RECORD, asdict(mixture) | {"singers": [asdict(row) for row in rows.values()]})
    done.set(sorted([*written, out / RECORD]))
    return list(rows.values())


def _takes(sets: Sets) -> dict[str, MixedRecording]:
    takes: dict[str, MixedRecording] = {}
    for name, data in ((name, data) for name, parts in sets.items() for data in parts.values()):
        for utt, (rec, start, end) in sorted(data.segments.items()):
            take = takes.setdefault(rec, MixedRecording(data.wavs[rec], name, data.utt2spk[utt], []))
            if take.singer != data.utt2spk[utt]:
                both = f"{take.singer} and {data.utt2spk[utt]}"
                raise DataError(f"{both} sing in this one recording, which can have but one gain", take.wav)
            take.spans.append((start, end))
    return takes


def _measure(take: MixedRecording) -> Level:
    x, rate = read_wav(take.wav)
    spans = [x[round(start * rate) : round(end * rate)] for start, end in take.spans]
    return Level(rate, float(np.abs(x).max()), np.concatenate([block_powers(span, rate) for span in spans]))


def _rows(
    sets: Sets, takes: Mapping[str, MixedRecording], levels: Mapping[str, Level]
) -> dict[tuple[str, str], Share]:
    """By corpus and singer what she brings."""
    own: dict[tuple[str, str], list[str]] = {}
    for rec, take in takes.items():
        own.setdefault((take.corpus, take.singer), []).append(rec)
    rows = {}
    for (name, singer), recs in sorted(own.items()):
        level = loudness(levels[rec].powers for rec in recs)
        if level is None:
            raise DataError(f"{singer} of {name} is silent", takes[recs[0]].wav)
        seconds, languages = dict.fromkeys(PARTS, 0.0), set()
        for part, data in sets[name].items():
            utts = [utt for utt in data.utts if data.utt2spk[utt] == singer]
            seconds[part] = round(sum(data.duration(utt) for utt in utts), 3)
            languages |= {data.utt2lang[utt] for utt in utts}
        rates, peak = {levels[rec].rate for rec in recs}, max(levels[rec].peak for rec in recs)
        rows[name, singer] = Share(name, singer, sort_ids(languages), seconds, sorted(rates), level, peak)
    return rows


def _write(folder: Path, rate: int, job: tuple[str, MixedRecording]) -> None:
    rec, take = job
    x, own = read_wav(take.wav)
    write_audio(folder / f"{rec}.wav", resample(x * take.gain, own, rate), rate, peak=1.0)
