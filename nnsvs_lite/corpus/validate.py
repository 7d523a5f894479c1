"""Every fault of a data dir in one pass; of audio files only headers are read."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nnsvs_lite.corpus.check_audio import check_audio
from nnsvs_lite.corpus.check_features import check_features, check_table
from nnsvs_lite.corpus.check_score import check_labels, check_score, check_text, read_labels
from nnsvs_lite.corpus.datadir import parse_place, shares_phones
from nnsvs_lite.corpus.faults import DataFault, Faults, TableRow, rows_of
from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.io.packed import Packed
from nnsvs_lite.io.tables import bad_id
from nnsvs_lite.score.languages import Language, get_language
from nnsvs_lite.score.types import Score

LABELS = ("label.ctm", "align.ctm")

_SEPARATORS = "_-."
_PAST_END = 0.01


def validate(
    path: str | os.PathLike,
    *,
    lang: str | None = None,
    tolerance: float = 0.5,
    dump: str | os.PathLike | None = None,
) -> list[DataFault]:
    """All faults of a data dir, sorted by file and line; empty if there is none.

    Args:
        path: the data dir.
        lang: language of utterances for which neither ``utt2lang``, which then
            need not be there, nor the score has one.
        tolerance: seconds by which lengths of score, labels and audio of an utterance may differ.
        dump: a folder of feature tables to be checked as well.

    Raises DataError for an unknown ``lang``.
    """
    path = Path(path)
    if lang is not None:
        get_language(lang)
    faults = Faults()
    if not path.is_dir():
        faults.add(path, 0, "no such data dir")
        return faults
    utts = _DataDirCheck(path, faults, lang, tolerance).run()
    for scp in path.glob("*.scp"):
        if scp.name != "wav.scp":
            _compare_ids(scp, dict.fromkeys(check_table(scp, faults), 0), utts, faults)
    if dump is not None:
        dump = Path(dump)
        sub = dump / path.name
        same = sub.is_dir() or path.name == dump.name
        check_features(sub if sub.is_dir() else dump, faults, utts=utts if same else ())
    return faults.sorted()


def lyrics_alone(path: Path) -> bool:
    """Whether a data dir has lyrics, and neither a score nor labels."""
    return (path / "text").exists() and not any((path / name).exists() for name in ("score", "label.ctm"))


def _compare_ids(path: Path, lines: Mapping[str, int], utts: Iterable[str], faults: Faults) -> None:
    """Ids of a table, with their lines, against those of ``utt2spk``, both ways."""
    known = set(utts)
    for key, line in lines.items():
        if key not in known:
            hint = nearest(key, known) if len(known) < 1000 else ""
            faults.add(path, line, f"{key!r} is not in utt2spk{hint}")
    for utt in known.difference(lines):
        faults.add(path, 0, f"no line for {utt!r}, which is in utt2spk")


def _language(code: str | None, report: Callable[[str], None]) -> Language | None:
    """The language of a code; an unknown one is reported wherever it stands."""
    with suppress(DataError):
        return None if code is None else get_language(code)
    report(f"unknown language {code!r}")
    return None


@dataclass
class _DataDirCheck:
    """One pass over the tables of a data dir."""

    path: Path
    faults: Faults
    lang: str | None
    tolerance: float

    def run(self) -> Iterable[str]:
        """Checks all tables; returns the utterances."""
        optional = self.lang is not None and not (self.path / "utt2lang").exists()
        self._check_speakers()
        try:
            shares_phones(self.path / "phone_set")
        except DataError as error:
            self.faults.add(self.path / "phone_set", 1, error.what)
        seconds = self._check_recordings()
        langs = {}
        for row in () if optional else self._rows("utt2lang"):
            langs[row.key] = sys.intern(row.value)
            _language(row.value, partial(self.faults.add, self.path / "utt2lang", row.line))
        scores = {} if lyrics_alone(self.path) else self._check_scores(langs, seconds)
        for row in self._rows("text"):
            what = check_text(row.value, scores[row.key]) if row.key in scores else ""
            if what:
                self.faults.add(self.path / "text", row.line, f"{row.key}: {what}")
        for name in LABELS:
            if (self.path / name).exists():
                self._check_ctm(name, langs, scores, seconds)
        return self.utts

    def _rows(self, name: str) -> Iterator[TableRow]:
        """The rows of a table, read as they are taken, whose ids are to be those of ``utt2spk``."""
        rows = rows_of(self.path / name, self.faults)
        return self._compared(name, rows) if (self.path / name).exists() else rows

    def _compared(self, name: str, rows: Iterable[TableRow]) -> Iterator[TableRow]:
        """The same rows; when all were taken, their ids are compared with those of ``utt2spk``."""
        lines: dict[str, int] = {}
        for row in rows:
            lines.setdefault(row.key, row.line)
            yield row
        # Stage 1 leaves out of align.ctm the phrases whose alignment it does not trust.
        utts = self.utts.keys() & lines if name == "align.ctm" else self.utts
        _compare_ids(self.path / name, lines, utts, self.faults)

    def _check_speakers(self) -> None:
        path = self.path / "utt2spk"
        self.utts: dict[str, int] = {}
        members: dict[str, list[str]] = {}
        for line, utt, speaker in rows_of(path, self.faults):
            self.utts[utt] = line
            members.setdefault(speaker, []).append(utt)
            if what := bad_id(speaker):
                self.faults.add(path, line, f"{utt}: speaker {what}")
            elif not (utt.startswith(speaker) and (utt + "_")[len(speaker)] in _SEPARATORS):
                self.faults.add(path, line, f"id {utt!r} does not begin with its speaker {speaker!r}")
        path = self.path / "spk2utt"
        rows = list(rows_of(path, self.faults))
        if not path.exists():
            return
        for line, speaker, utts in rows:
            listed = utts.split()
            real = set(members.pop(speaker, []))
            for utt in sorted(set(listed) - real):
                self.faults.add(path, line, f"lists {utt!r} under {speaker!r}, utt2spk does not")
            for utt in sorted(real.difference(listed)):
                self.faults.add(path, line, f"does not list {utt!r} under {speaker!r}, utt2spk does")
            if len(set(listed)) != len(listed):
                self.faults.add(path, line, f"lists an utterance of {speaker!r} twice")
        for speaker in members:
            self.faults.add(path, 0, f"no line for speaker {speaker!r}, which is in utt2spk")

    def _check_recordings(self) -> dict[str, float]:
        """Utterance to the length of its audio in seconds, where it is known."""
        path = self.path / "segments"
        whole = not path.exists()
        wavs = list(self._rows("wav.scp") if whole else rows_of(self.path / "wav.scp", self.faults))
        audio = check_audio(self.path / "wav.scp", wavs, self.faults)
        if whole:
            return {utt: audio[utt].seconds for utt in self.utts if utt in audio}
        known = {row.key for row in wavs}
        used, seconds = set(), {}
        for line, utt, value in self._rows("segments"):
            report = partial(self.faults.add, path, line)
            try:
                rec, start, end = parse_place(value)
            except DataError as error:
                report(error.what)
                continue
            used.add(rec)
            if rec not in known:
                report(f"{utt}: recording {rec!r} is not in wav.scp")
            if not start >= 0:
                report(f"{utt}: starts at {start:g} s, before its recording")
            if not end > start:
                report(f"{utt}: ends at {end:g} s, not after its start at {start:g} s")
            elif rec in audio and end > audio[rec].seconds + _PAST_END:
                length = audio[rec].seconds
                report(f"{utt}: ends at {end:g} s, past the end of its recording ({length:.3f} s)")
            else:
                seconds[utt] = end - start
        for row in wavs:
            if row.key not in used:
                what = f"recording {row.key!r} has no line in segments"
                self.faults.add(self.path / "wav.scp", row.line, what)
        return seconds

    def _check_scores(self, langs: dict[str, str], seconds: dict[str, float]) -> Mapping[str, Score]:
        path = self.path / "score"
        scores: Packed[Score] = Packed()
        for line, utt, value in self._rows("score"):
            report = partial(self.faults.add, path, line)
            try:
                score = Score.from_json(value)
            except DataError as error:
                report(f"{utt}: {error.what}")
                continue
            scores[utt] = score
            if score.lang != langs.get(utt, score.lang):
                report(f"{utt}: language {score.lang!r}, utt2lang has {langs[utt]!r}")
            language = _language(score.lang or self.lang, report)
            for what in check_score(score, language):
                report(f"{utt}: {what}")
            if utt in seconds and abs(score.duration - seconds[utt]) > self.tolerance:
                lengths = f"the score lasts {score.duration:.3f} s, the audio {seconds[utt]:.3f} s"
                report(f"{utt}: {lengths}; that is more than {self.tolerance:g} s apart")
        return scores

    def _check_ctm(
        self, name: str, langs: dict[str, str], scores: Mapping[str, Score], seconds: dict[str, float]
    ) -> None:
        path = self.path / name
        rows = self._compared(name, rows_of(path, self.faults, repeats=True))
        for utt, labels in read_labels(rows, path, self.faults).items():
            score = scores.get(utt)
            code = langs.get(utt) or (score.lang if score else self.lang)
            language = _language(code, lambda what: None)
            for line, what in check_labels(labels, language, score, seconds.get(utt), self.tolerance):
                self.faults.add(path, line, f"{utt}: {what}")
