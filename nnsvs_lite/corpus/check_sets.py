"""What is wrong with data dirs together, and by their sound: one list, with figures, of bounded length."""

import itertools
import os
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nnsvs_lite.corpus.check_sound import HOP, Heard, listen
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.faults import DataFault
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.jobs import run_jobs
from nnsvs_lite.io.tables import read_table

NAMED = 10
"""Faults of one kind that are named."""

_OFFSET = 0.08  # seconds; reconciled corpora stay below
_OVERLAP = 0.2  # seconds
_PHRASE = 6  # notes that make a phrase to be known again
_LIKELY, _SAME = 0.985, 0.98
_ROWS = 256  # compared at once
_RATES = np.arange(0.25, 16, 0.25)  # Hz


class _Utterance(NamedTuple):
    data: DataDir
    utt: str
    heard: Heard
    name: str

    def __str__(self) -> str:
        return f"{self.data.path.name}/{self.name}"

    @property
    def place(self) -> tuple[str, float, float]:
        wav, start, end = self.data.place(self.utt)
        return os.path.realpath(wav), start, float("inf") if end is None else end


Finding = tuple[str, _Utterance, str]
"""Kind, of which utterance, and in words."""


def check_sets(paths: Iterable[str | os.PathLike], nj: int = 1) -> list[DataFault]:
    """Listens to every utterance of data dirs, and compares them with each other.

    Data dirs that cannot be read are passed over: :func:`~nnsvs_lite.corpus.validate.validate` says why.
    Where one has a table ``utt2file``, its utterances are called by their ids and these names; raises
    DataError where it cannot be read.

    Returns:
        what was found: of each kind the first :data:`NAMED`, and how many more there are.
    """
    utts: list[_Utterance] = []
    for path in dict.fromkeys(map(Path, paths)):
        files = read_table(path / "utt2file") if (path / "utt2file").exists() else {}
        try:
            data = DataDir.read(path)
            for utt, heard in zip(data.utts, run_jobs(partial(listen, data), data.utts, nj)):
                data.place(utt)
                name = f"{utt} ({files[utt]})" if utt in files else utt
                utts.append(_Utterance(data, utt, heard, name))
        except DataError:
            continue
    kinds: dict[str, list[DataFault]] = defaultdict(list)
    checks = (_sounds, _offsets, _names, _places, _phrases, _copies)
    for kind, utt, what in itertools.chain.from_iterable(check(utts) for check in checks):
        kinds[kind].append(DataFault(str(utt.data.path), 0, f"{utt.name}: {what}"))
    for kind, faults in kinds.items():
        if more := len(faults) - NAMED:
            faults[NAMED:] = [DataFault(faults[0].path, 0, f"and {more} more: {kind}")] if more > 0 else []
    return [fault for faults in kinds.values() for fault in faults]


def _sounds(utts: Sequence[_Utterance]) -> Iterator[Finding]:
    for utt in utts:
        for kind, what in utt.heard.faults.items():
            yield kind, utt, what


def _by_recording(utts: Sequence[_Utterance]) -> Iterable[list[_Utterance]]:
    groups = defaultdict(list)
    for utt in utts:
        groups[utt.place[0]].append(utt)
    return groups.values()


def _offsets(utts: Sequence[_Utterance]) -> Iterator[Finding]:
    """Recordings whose notes are constantly sung away from the score, by their labels."""
    for group in _by_recording(utts):
        seconds = [s for utt in group for s in utt.heard.apart]
        if len(seconds) >= _PHRASE and abs(middle := statistics.median(seconds)) > _OFFSET:
            notes = f"the {len(seconds)} notes of its recording are sung"
            yield "a constant offset", group[0], f"{notes} {middle:+.2f} s from the score in the median"


def _names(utts: Sequence[_Utterance]) -> Iterator[Finding]:
    """Ids that are the same, or files of the same name where capitals do not count."""
    first: dict[str, _Utterance] = {}
    for utt in utts:
        other = first.setdefault(utt.utt.casefold(), utt)
        if other is not utt:
            how = "is also in" if other.utt == utt.utt else "differs only in capitals from"
            yield "one id twice", utt, f"{how} {other}"


def _places(utts: Sequence[_Utterance]) -> Iterator[Finding]:
    """Stretches of one recording that stand in two sets."""
    for group in _by_recording(utts):
        latest: dict[Path, _Utterance] = {}
        for utt in sorted(group, key=lambda utt: utt.place):
            for path, other in latest.items():
                shared = min(other.place[2], utt.place[2]) - utt.place[1]
                if path != utt.data.path and shared > _OVERLAP:
                    what = f"shares {shared:.2f} s of its recording with {other}"
                    yield "one recording in two sets", utt, what
            latest[utt.data.path] = max(latest.get(utt.data.path, utt), utt, key=lambda utt: utt.place[2])


def _phrases(utts: Sequence[_Utterance]) -> Iterator[Finding]:
    """The same notes and lyrics of one speaker in two sets, in whatever key and tempo."""
    first: dict[tuple, _Utterance] = {}
    for utt in utts:
        score = utt.data.scores.get(utt.utt)
        notes = [note for note in score.notes if note.pitch] if score else []
        if len(notes) < _PHRASE:
            continue
        tune = tuple((n.pitch - notes[0].pitch, n.phones, round(n.beats, 1)) for n in notes)
        other = first.setdefault((utt.data.utt2spk[utt.utt], tune), utt)
        if other.data is not utt.data:
            yield "one phrase in two sets", utt, f"has the notes and lyrics of {other}"


def _copies(utts: Sequence[_Utterance]) -> Iterator[Finding]:
    """Recordings that sound the same: louder, resampled, trimmed or with noise, but no other take."""
    utts = [utt for utt in utts if len(utt.heard.loudness) > 1]
    # Those with the very same loudness are compared with others once.
    groups: dict[bytes, list[_Utterance]] = defaultdict(list)
    for utt in utts:
        groups[utt.heard.loudness.tobytes()].append(utt)
    firsts = [group[0] for group in groups.values()]
    earlier = dict(zip(groups, _first_alike([utt.heard.loudness for utt in firsts])))
    for utt in utts:
        loudness = utt.heard.loudness
        first, number = groups[loudness.tobytes()][0], earlier[loudness.tobytes()]
        other = first if number is None else firsts[number]
        # A loudness that never changes is not even like itself.
        if other is not utt and (other is not first or _likeness(loudness, loudness) > _SAME):
            yield "one recording twice", utt, f"sounds the same as {other}"


def _first_alike(loudnesses: Sequence[np.ndarray]) -> Iterator[int | None]:
    """Of each loudness the first one before it that is the same but for level, noise and ends, if any.

    How loudness fluctuates, wherever it starts, is nearly equal in copies, and quickly compared: products of
    matrices, which for as many utterances as there are take less time by far than listening to them.
    """
    keys = np.array([_fluctuation(loudness) for loudness in loudnesses], np.float32)
    for start in range(0, len(keys), _ROWS):
        likely = keys[start : start + _ROWS] @ keys[: start + _ROWS].T > _LIKELY
        for i, row in enumerate(likely, start):
            near = np.flatnonzero(row[:i])
            yield next((int(j) for j in near if _likeness(loudnesses[i], loudnesses[j]) > _SAME), None)


def _fluctuation(loudness: np.ndarray) -> np.ndarray:
    """Modulation spectrum of a loudness (T,), of length 1."""
    times = np.arange(len(loudness)) * HOP
    spectrum = np.abs(np.exp(-2j * np.pi * _RATES[:, None] * times) @ loudness)
    return spectrum / max(np.linalg.norm(spectrum), 1e-9)


def _likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of two loudnesses where they overlap, at the shift that fits best; 0 if that is little."""
    size = 1 << (len(a) + len(b)).bit_length()
    lag = int(np.fft.irfft(np.fft.rfft(a, size) * np.fft.rfft(b, size).conj(), size).argmax())
    lag -= size if lag > len(a) else 0
    one, other = a[max(lag, 0) :], b[max(-lag, 0) :]
    length = min(len(one), len(other))
    if length < 0.5 * min(len(a), len(b)) or length < 2:
        return 0.0
    one, other = one[:length] - one[:length].mean(), other[:length] - other[:length].mean()
    return float(one @ other / max(np.sqrt((one @ one) * (other @ other)), 1e-12))
