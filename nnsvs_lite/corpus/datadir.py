"""The data dir: one folder of sorted text tables, as Kaldi and ESPnet have it."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nnsvs_lite.corpus.check_audio import PIPE, audio_info
from nnsvs_lite.io.atomic import atomic_dir, check_regular, read_text, write_text
from nnsvs_lite.io.ctm import Segment, read_ctm, write_ctm
from nnsvs_lite.io.done import portable
from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.io.packed import Packed
from nnsvs_lite.io.tables import bad_id, read_table, table_lines, write_table
from nnsvs_lite.score.types import Score

OF_UTTERANCES = ("utt2spk", "segments", "text", "scores", "utt2lang", "labels", "given")
"""Tables of a :class:`DataDir` by utterance."""
PHONE_SETS = ("prefixed", "shared")
"""Phones of several languages: each one's own, or one where they have the same phonetic features."""


def sort_ids(ids: Iterable[str]) -> list[str]:
    """Ids in C-locale (byte) order, the order of every table."""
    return sorted(ids, key=str.encode)


def song_of(utt: str) -> str:
    """The song id of a phrase id: ``<song>_<number>`` without its number."""
    return utt.rpartition("_")[0] or utt


def parse_place(value: str, where: str | None = None) -> tuple[str, float, float]:
    """Recording, start and end in seconds of a line of ``segments``; raises DataError where malformed."""
    try:
        rec, *times = value.split()
        start, end = map(float, times)
        if not math.isfinite(start + end):
            raise ValueError
    except ValueError:
        raise DataError("malformed line, 'utt recording start end' is needed", where) from None
    if what := bad_id(rec):
        raise DataError(what, where)
    return rec, start, end


def write_place(place: tuple[str, float, float]) -> str:
    """What :func:`parse_place` reads."""
    rec, start, end = place
    return f"{rec} {start:.7f} {end:.7f}"


def audio_files(path: str | os.PathLike) -> list[Path]:
    """All recordings that a data dir names; raises DataError where it has no ``wav.scp`` that can be read."""
    return sorted({Path(value) for value in read_table(Path(path) / "wav.scp").values()})


@dataclass
class DataDir:
    """Recordings, scores, lyrics and labels of a set of utterances.

    Attributes:
        path: the folder it was read from or is to be written to; for messages.
        wavs: recording id to audio file. Without ``segments`` an utterance is a
            whole recording of the same id.
        utt2spk: utterance to speaker; its keys are the utterances.
        segments: utterance to (recording, start, end), seconds. Empty if none.
        text: utterance to lyrics.
        scores: utterance to score, whose time 0 is the start of the utterance's audio.
        utt2lang: utterance to language code.
        labels: utterance to phone labels in seconds from the utterance's start. Of a dir that was read, they
            are put in anew to be changed.
        label_name: the file that the labels come from and are written to.
        given: the corpus' own labels (``label.ctm``), where ``labels`` are those of ``align.ctm``.
        shared_phones: whether phones of several languages are one where they are alike (``phone_set``).
    """

    path: Path
    wavs: MutableMapping[str, Path]
    utt2spk: dict[str, str]
    segments: MutableMapping[str, tuple[str, float, float]] = field(default_factory=Packed)
    text: MutableMapping[str, str] = field(default_factory=Packed)
    scores: MutableMapping[str, Score] = field(default_factory=Packed)
    utt2lang: dict[str, str] = field(default_factory=dict)
    labels: MutableMapping[str, Sequence[Segment]] = field(default_factory=Packed)
    label_name: str = "label.ctm"
    given: MutableMapping[str, Sequence[Segment]] = field(default_factory=Packed)
    shared_phones: bool = False

    @cached_property
    def utts(self) -> list[str]:
        """All utterances, sorted."""
        return sort_ids(self.utt2spk)

    @property
    def speakers(self) -> list[str]:
        """All speakers, sorted."""
        return sort_ids(set(self.utt2spk.values()))

    @property
    def spk2utt(self) -> dict[str, list[str]]:
        """Speaker to its utterances, sorted."""
        table: dict[str, list[str]] = {}
        for utt in self.utts:
            table.setdefault(self.utt2spk[utt], []).append(utt)
        return table

    @classmethod
    def read(cls, path: str | os.PathLike) -> DataDir:
        """Reads a data dir.

        ``wav.scp`` and ``utt2spk`` are needed, all else may be missing. Labels come from ``align.ctm``,
        or else from ``label.ctm``. Relative wav paths are taken from the working folder.

        Raises DataError at the first fault that keeps it from being read; see
        :func:`nnsvs_lite.corpus.validate.validate` for all faults at once.
        """
        path = Path(path)
        if not path.is_dir():
            raise DataError("no such data dir", path)
        wavs: Packed[Path] = Packed()
        for number, key, value in table_lines(path / "wav.scp"):
            where = f"{path / 'wav.scp'}:{number}"
            if value.startswith("|") or value.endswith("|"):
                raise DataError(PIPE, where)
            if not value:
                raise DataError("malformed line, 'recording path' is needed", where)
            wavs[key] = Path(value)
        segments: Packed[tuple[str, float, float]] = Packed()
        if (path / "segments").exists():
            for number, utt, value in table_lines(path / "segments"):
                segments[utt] = parse_place(value, f"{path / 'segments'}:{number}")
        label_name = "align.ctm" if (path / "align.ctm").exists() else "label.ctm"
        utt2spk = {}
        for number, utt, speaker in table_lines(path / "utt2spk"):
            if what := bad_id(speaker):
                raise DataError(f"{utt}: speaker {what}", f"{path / 'utt2spk'}:{number}")
            utt2spk[utt] = sys.intern(speaker)
        scores: Packed[Score] = Packed()
        lang = {}
        for _, utt, line in table_lines(path / "score") if (path / "score").exists() else ():
            scores[utt] = score = Score.from_json(line, f"{path / 'score'}: {utt}")
            lang[utt] = sys.intern(score.lang)
        return cls(
            path=path,
            wavs=wavs,
            utt2spk=utt2spk,
            segments=segments,
            text=Packed(_optional(path / "text")),
            scores=scores,
            utt2lang=lang | {utt: sys.intern(code) for utt, code in _optional(path / "utt2lang")},
            labels=read_ctm(path / label_name) if (path / label_name).exists() else Packed(),
            label_name=label_name,
            given=read_ctm(path / "label.ctm")
            if label_name == "align.ctm" and (path / "label.ctm").exists()
            else Packed(),
            shared_phones=shares_phones(path / "phone_set"),
        )

    def write(self, path: str | os.PathLike | None = None) -> DataDir:
        """Writes all tables, sorted, in place of any folder that is there; returns self with its new path."""
        target = Path(self.path if path is None else path)
        with atomic_dir(target) as tmp:
            write_table(tmp / "wav.scp", self.wavs, portable)
            write_table(tmp / "utt2spk", self.utt2spk)
            write_table(tmp / "spk2utt", {spk: " ".join(utts) for spk, utts in self.spk2utt.items()})
            for name, table, text in (
                ("segments", self.segments, write_place),
                ("text", self.text, str),
                ("score", self.scores, Score.to_json),
                ("utt2lang", self.utt2lang, str),
            ):
                if table:
                    write_table(tmp / name, table, text)
            if self.shared_phones:
                write_text(tmp / "phone_set", "shared\n")
            if self.labels:
                write_ctm(tmp / self.label_name, self.labels)
            if self.given:
                write_ctm(tmp / "label.ctm", self.given)
        return replace(self, path=target)

    def put(self, utt: str, speaker: str, score: Score, labels: Sequence[Segment]) -> None:
        """Adds an utterance with what its score says of it, and its labels if it has any."""
        self.utt2spk[utt] = speaker
        self.scores[utt] = score
        self.utt2lang[utt] = score.lang
        self.text[utt] = score.lyrics
        if labels:
            self.labels[utt] = labels

    def place(self, utt: str) -> tuple[Path, float, float | None]:
        """The audio file of an utterance with its start and end there, in seconds.

        The end is None where the utterance is the whole recording.

        Raises DataError for an unknown utterance or recording.
        """
        rec, start, end = utt, 0.0, None
        if self.segments:
            if utt not in self.segments:
                raise DataError(f"no line for {utt!r}{nearest(utt, self.segments)}", self.path / "segments")
            rec, start, end = self.segments[utt]
        if rec not in self.wavs:
            raise DataError(f"no line for {rec!r}{nearest(rec, self.wavs)}", self.path / "wav.scp")
        return self.wavs[rec], start, end

    def duration(self, utt: str) -> float:
        """Length of an utterance in seconds; reads the wav header where there is no segment."""
        wav, start, end = self.place(utt)
        if end is None:
            info = audio_info(wav)
            if info.fault:
                raise DataError(f"audio of {utt}: {info.fault}", wav)
            end = info.seconds
        return end - start

    def audio(self, utt: str, first: int = 0, count: int | None = None) -> tuple[np.ndarray, int]:
        """The samples of an utterance, float64 (samples,) in -1..1, and the sampling rate in Hz.

        ``first`` and ``count`` choose some of them, as far as there are any; nothing else is decoded.

        Raises DataError where the file is missing, unreadable, not mono, or over 10 ms shorter than needed.
        """
        import soundfile

        wav, start, end = self.place(utt)
        check_regular(wav)
        try:
            with soundfile.SoundFile(str(wav)) as file:
                rate = file.samplerate
                if file.channels != 1:
                    raise DataError(f"has {file.channels} channels, one is needed", wav)
                begin = round(start * rate)
                total = file.frames - begin if end is None else round(end * rate) - begin
                if total <= 0 or begin + total > file.frames + rate // 100:
                    length = file.frames / rate
                    raise DataError(f"{utt} is {start:g} to {end:g} s of it, it has {length:.3f} s", wav)
                first = min(first, total, file.frames - begin)
                file.seek(begin + first)
                count = total - first if count is None else min(count, total - first)
                return file.read(count, dtype="float64"), rate
        except (soundfile.LibsndfileError, OSError, TypeError) as error:
            raise DataError(f"audio of {utt} cannot be read: {error}", wav) from None

    def subset(self, utts: Iterable[str]) -> DataDir:
        """Only these utterances, and their recordings; raises DataError for an unknown utterance."""
        keep = sort_ids(set(utts))
        for utt in keep:
            if utt not in self.utt2spk:
                raise DataError(f"no utterance {utt!r}{nearest(utt, self.utt2spk)}", self.path)
        tables = {name: _part(getattr(self, name), keep) for name in OF_UTTERANCES}
        return replace(self, wavs=_part(self.wavs, self._recordings(keep)), **tables)

    def take(self, utts: Iterable[str]) -> DataDir:
        """As :meth:`subset`, but they are no longer here then: two subsets would need more memory."""
        taken = self.subset(utts)
        for utt in taken.utts:
            for name in OF_UTTERANCES:
                getattr(self, name).pop(utt, None)
        self.__dict__.pop("utts", None)
        self.wavs = _part(self.wavs, self._recordings(self.utts))
        return taken

    def _recordings(self, utts: Iterable[str]) -> list[str]:
        """Recordings of these utterances, sorted."""
        return sort_ids({self.segments[utt][0] if self.segments else utt for utt in utts})

    def split(self, parts: Mapping[str, Iterable[str]]) -> dict[str, DataDir]:
        """Several subsets by name; raises DataError for an utterance that is unknown or in two of them."""
        lists = {name: list(utts) for name, utts in parts.items()}
        part_of: dict[str, str] = {}
        for name, utts in lists.items():
            for utt in utts:
                if part_of.setdefault(utt, name) != name:
                    raise DataError(f"{utt} stands in both {part_of[utt]} and {name}", self.path)
        return {name: self.subset(utts) for name, utts in lists.items()}


def _part(table: MutableMapping[str, Any], ids: Iterable[str]) -> MutableMapping[str, Any]:
    """Those of these ids that are there; they are gone through, and not the whole table."""
    return table.part(ids) if isinstance(table, Packed) else {key: table[key] for key in ids if key in table}


def shares_phones(path: Path) -> bool:
    """Reads ``phone_set``, one of ``PHONE_SETS``, the first where there is no such file; else DataError."""
    word = read_text(path, 100).strip() if path.exists() else "prefixed"
    if word not in PHONE_SETS:
        raise DataError(f"{word!r} is none of {', '.join(PHONE_SETS)}", path)
    return word == "shared"


def _optional(path: Path) -> Iterator[tuple[str, str]]:
    """Ids and values of a table that may be missing."""
    return ((key, value) for _, key, value in table_lines(path)) if path.exists() else iter(())
