"""Recordings whose pitch is known: F0 and notes that people annotated, as a folder of tables.

``wav.scp``, ``utt2spk`` and ``utt2group`` are text; ``f0.scp`` has matrices of seconds and Hz, 0
where unvoiced; ``notes_<annotator>.ctm`` has notes, labelled by their Hz. What is not known has no table.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nnsvs_lite.corpus.datadir import sort_ids
from nnsvs_lite.io.atomic import read_text
from nnsvs_lite.io.ctm import Segment, read_ctm, write_ctm
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader, FeatureWriter, read_table, write_table

_NOTES = "notes_"


class KnownPitch(NamedTuple):
    """What is known of one recording.

    Attributes:
        singer: who sings. group: kind of recording, by which results are shown too; empty for none.
        f0: (T, 2) seconds and Hz, 0 where unvoiced; None where it is not known.
        notes: annotator to (N, 3), seconds of onset and end, Hz.
        channel: the one that the voice is on, from 0; None for recordings of one channel.
    """

    singer: str
    group: str = ""
    f0: np.ndarray | None = None
    notes: Mapping[str, np.ndarray] = {}
    channel: int | None = None


def hertz(midi: np.ndarray, cents: float = 0.0) -> np.ndarray:
    """MIDI numbers in Hz where A4, 69, is ``cents`` above 440 Hz; 0 and what is below it stay 0."""
    midi = np.asarray(midi, np.float64)
    return np.where(midi > 0, 440.0 * 2.0 ** ((midi - 69.0) / 12.0 + cents / 1200.0), 0.0)


def columns(path: Path, count: int, separator: str | None = None, skip: int = 0) -> np.ndarray:
    """Numbers (rows, count) of a text file but for ``skip`` lines; raises DataError where one differs."""
    rows = []
    for number, line in enumerate(read_text(path).lstrip("\ufeff").splitlines(), 1):
        if number <= skip or not line.strip():
            continue
        try:
            values = [float(word) for word in line.split(separator)]
            if len(values) != count or not np.isfinite(values).all():
                raise ValueError
        except ValueError:
            what = f"{count} numbers are expected, not {line.strip()!r}"
            raise DataError(what, f"{path}:{number}") from None
        rows.append(values)
    if not rows:
        raise DataError("holds no numbers", path)
    return np.array(rows)


def track_of(times: np.ndarray, hz: np.ndarray, where: Path) -> np.ndarray:
    """F0 (T, 2) of times in seconds and Hz; raises DataError where times do not rise or a pitch cannot be."""
    if (np.diff(times) <= 0).any():
        frame = int(np.flatnonzero(np.diff(times) <= 0)[0]) + 1
        raise DataError(
            f"frame {frame + 1}: its time, {times[frame]:g} s, is not after the one before", where
        )
    if (hz > 20000).any():
        raise DataError(f"F0 of {hz.max():g} Hz; is another unit meant?", where)
    return np.column_stack([times, np.maximum(hz, 0.0)])


def notes_of(onsets: np.ndarray, seconds: np.ndarray, hz: np.ndarray, where: Path) -> np.ndarray:
    """Notes (N, 3) by onset; raises DataError where one has no length or no pitch."""
    bad = np.flatnonzero((seconds <= 0) | (hz <= 0) | (onsets < 0) | (hz > 20000))
    if len(bad):
        k = int(bad[0])
        what = f"note {k + 1}: from {onsets[k]:g} s for {seconds[k]:g} s at {hz[k]:g} Hz"
        raise DataError(f"{what} cannot be", where)
    return np.column_stack([onsets, onsets + seconds, hz])[np.argsort(onsets, kind="stable")]


def write_truths(out: Path, wavs: Mapping[str, Path], truths: Mapping[str, KnownPitch]) -> list[Path]:
    """Writes the tables; returns them."""
    utts = sort_ids(truths)
    tables = {"wav.scp": {utt: str(wavs[utt]) for utt in utts}}
    tables["utt2spk"] = {utt: truths[utt].singer for utt in utts}
    tables["utt2group"] = {utt: truths[utt].group for utt in utts if truths[utt].group}
    for name, table in tables.items():
        (out / name).unlink(missing_ok=True)
        if table:
            write_table(out / name, table)
    for old in (*out.glob(f"{_NOTES}*.ctm"), *out.glob("f0.*")):
        old.unlink()
    tracks = {utt: truths[utt].f0 for utt in utts if truths[utt].f0 is not None}
    if tracks:
        with FeatureWriter(out, "f0") as writer:
            for utt, track in tracks.items():
                writer.write(utt, track)
    for name in sorted({name for truth in truths.values() for name in truth.notes}):
        write_notes(
            out / f"{_NOTES}{name}.ctm", {u: truths[u].notes[name] for u in utts if name in truths[u].notes}
        )
    return sorted(path for path in out.iterdir() if path.is_file() and not path.name.startswith("."))


def write_notes(path: Path, notes: Mapping[str, np.ndarray]) -> None:
    """Writes notes (N, 3) as CTM; recordings without one have no line."""
    write_ctm(path, {utt: [Segment(a, b, f"{hz:.4f}") for a, b, hz in rows] for utt, rows in notes.items()})


def read_notes(path: Path) -> dict[str, np.ndarray]:
    """Notes (N, 3) of what :func:`write_notes` wrote."""
    try:
        return {
            utt: np.array([[a, b, float(hz)] for a, b, hz in rows]) for utt, rows in read_ctm(path).items()
        }
    except ValueError as error:
        raise DataError(f"notes are labelled by their Hz: {error}", path) from None


def read_truths(folder: str | os.PathLike) -> tuple[dict[str, Path], dict[str, KnownPitch]]:
    """Recordings and what is known of them, by utterance; raises DataError where the folder has none."""
    folder = Path(folder)
    wavs = {utt: Path(path) for utt, path in read_table(folder / "wav.scp").items()}
    if not wavs:
        raise DataError("names no recordings", folder / "wav.scp")
    singers = read_table(folder / "utt2spk")
    groups = read_table(folder / "utt2group") if (folder / "utt2group").exists() else {}
    tracks = FeatureReader(folder / "f0.scp") if (folder / "f0.scp").exists() else {}
    notes = {
        path.stem.removeprefix(_NOTES): read_notes(path) for path in sorted(folder.glob(f"{_NOTES}*.ctm"))
    }
    none = np.zeros((0, 3))
    truths = {}
    for utt in wavs:
        f0 = tracks.get(utt)
        # Of a recording that has F0 and no notes, nothing was sung; without both, nothing is known.
        own = {name: table.get(utt, none) for name, table in notes.items() if utt in table or f0 is not None}
        truths[utt] = KnownPitch(singers.get(utt, ""), groups.get(utt, ""), f0, own)
    return wavs, truths
