"""What a performance is compared with: the natural recording, its labels and its score."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader, read_table
from nnsvs_lite.score.types import Score


@dataclass(frozen=True)
class NoteGroups:
    """Which phones belong to the sung notes of a score; all arrays are ``(sung notes,)``.

    Attributes:
        note: index of the note in the score.
        first: index of its first phone.
        nucleus: index of its nucleus, the first phone that is not an onset consonant.
        last: index of its last phone.
        pitch: MIDI number.
    """

    note: np.ndarray
    first: np.ndarray
    nucleus: np.ndarray
    last: np.ndarray
    pitch: np.ndarray

    def spans(self, phones: Sequence[Segment]) -> np.ndarray:
        """Start of the first and end of the last phone of each note, ``(sung notes, 2)`` seconds."""
        pairs = [(phones[a].start, phones[b].end) for a, b in zip(self.first, self.last)]
        return np.array(pairs, dtype=np.float64).reshape(-1, 2)


def group_notes(score: Score, note_index: Sequence[int]) -> NoteGroups:
    """Finds the phones of each sung note: rests, and notes without a phone, are left out."""
    from nnsvs_lite.score.languages import get_language

    language = get_language(score.lang)
    of_note: dict[int, list[int]] = {}
    for phone, note in enumerate(note_index):
        of_note.setdefault(int(note), []).append(phone)
    symbols = score.phones
    rows = []
    for note, phones in of_note.items():
        if score.notes[note].is_rest:
            continue
        onset = language.onset_count([symbols[p] for p in phones])
        rows.append((note, phones[0], phones[min(onset, len(phones) - 1)], phones[-1]))
    note, first, nucleus, last = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return NoteGroups(note, first, nucleus, last, np.array([score.notes[n].pitch for n in note]))


@dataclass(frozen=True)
class Utterance:
    """The truth about one phrase.

    Attributes:
        utt: its id.
        score: notes with phones, from time 0.
        phones: labelled phone times, on the frame grid.
        note_index: note of each phone.
        silences: phones that are not sung.
        frame_shift: seconds.
        f0: ``(frames,)`` Hz, 0 where unvoiced.
        mgc: ``(frames, order + 1)``. bap: ``(frames, bands)``. Both None where the dump has none.
        mel: ``(frames, bins)``, None where the dump has none.
    """

    utt: str
    score: Score
    phones: list[Segment]
    note_index: np.ndarray
    silences: frozenset[str]
    frame_shift: float
    f0: np.ndarray = field(repr=False)
    mgc: np.ndarray | None = field(repr=False)
    bap: np.ndarray | None = field(repr=False)
    mel: np.ndarray | None = field(default=None, repr=False)

    @property
    def symbols(self) -> list[str]:
        """The phones without their times."""
        return [phone.label for phone in self.phones]

    @property
    def seconds(self) -> float:
        """Length of the recording."""
        return len(self.f0) * self.frame_shift

    @cached_property
    def notes(self) -> NoteGroups:
        """The sung notes."""
        return group_notes(self.score, self.note_index)

    @cached_property
    def sung_phones(self) -> np.ndarray:
        """For each phone whether it is sung (not pau or br), ``(phones,)`` booleans."""
        return np.array([phone.label not in self.silences for phone in self.phones], dtype=bool)

    @cached_property
    def sung_frames(self) -> np.ndarray:
        """For each frame whether it lies in a sung phone, ``(frames,)`` booleans."""
        mask = np.zeros(len(self.f0), dtype=bool)
        for phone, sung in zip(self.phones, self.sung_phones):
            if sung:
                mask[round(phone.start / self.frame_shift) : round(phone.end / self.frame_shift)] = True
        return mask


class Reference:
    """One set of a dump, such as ``dump/world_24k`` and ``eval``.

    Args:
        dump: folder with ``schema.json``.
        name: the set.

    Attributes:
        spec: what the dump holds, without statistics.
        utts: all utterances, sorted.

    Raises:
        DataError: where the folder, ``schema.json`` or a table is missing.
    """

    def __init__(self, dump: str | os.PathLike, name: str):
        self.path = Path(dump) / name
        if not self.path.is_dir():
            raise DataError("no such set in the dump; run feature extraction first", self.path)
        self.spec = Spec.read(dump, stats=False)
        streams = self.spec.streams
        if "lf0" not in streams or "vuv" not in streams:
            raise DataError("names no lf0 and vuv among its streams", Path(dump) / "schema.json")
        self.frame_shift = self.spec.frame_shift
        self._scores = read_table(self.path / "score")
        if not self._scores:
            raise DataError("holds no utterance", self.path / "score")
        self.utts = sorted(self._scores, key=str.encode)
        self._streams = [name for name in ("lf0", "vuv", "mgc", "bap", "mel") if name in streams]
        names = (*self._streams, "duration", "note_index")
        self._tables = {name: FeatureReader(self.path / f"{name}.scp") for name in names}

    def __getitem__(self, utt: str) -> Utterance:
        """Loads one utterance.

        Raises:
            DataError: where the dump lacks it, or its tables disagree in length.
        """
        where = f"{self.path}: {utt}"
        if utt not in self._scores:
            raise DataError(f"no utterance {utt!r}", self.path / "score")
        score = Score.from_json(self._scores[utt], where)
        value = {name: table[utt] for name, table in self._tables.items()}
        durations = np.round(value["duration"].reshape(-1)).astype(np.int64)
        note_index = np.round(value["note_index"].reshape(-1)).astype(np.int64)
        symbols = score.phones
        if not len(symbols) == len(durations) == len(note_index):
            raise DataError(
                f"{len(symbols)} phones in the score, {len(durations)} durations, {len(note_index)} note "
                "indices; extract the features again",
                where,
            )
        frames = {len(value[name]) for name in self._streams}
        if frames != {int(durations.sum())}:
            raise DataError(
                f"durations sum to {durations.sum()} frames, features have {sorted(frames)}", where
            )
        ends = np.cumsum(durations) * self.frame_shift
        begins = ends - durations * self.frame_shift
        from nnsvs_lite.score.languages import get_language

        return Utterance(
            utt=utt,
            score=score,
            phones=[
                Segment(round(float(a), 7), round(float(b), 7), symbol)
                for a, b, symbol in zip(begins, ends, symbols)
            ],
            note_index=note_index,
            silences=frozenset(get_language(score.lang).silences),
            frame_shift=self.frame_shift,
            f0=f0_in_hertz(value["lf0"], value["vuv"]),
            mgc=value.get("mgc"),
            bap=value.get("bap"),
            mel=value.get("mel"),
        )


def f0_in_hertz(lf0: np.ndarray, vuv: np.ndarray) -> np.ndarray:
    """F0 in Hz, 0 where ``vuv`` is below 0.5; both ``(frames, 1)``, ``lf0`` in log Hz."""
    return np.where(vuv.reshape(-1) >= 0.5, np.exp(lf0.reshape(-1).astype(np.float64)), 0.0)
