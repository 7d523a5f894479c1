"""Every fault of a data dir in one pass.

Nothing stops at the first fault: each file is read as far as it can be, and what can
be compared is compared. Nothing of the data is executed, and only headers of audio
files are read.
"""

import gc
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from nnsvs_lite.corpus.check_audio import AudioInfo, check_audio
from nnsvs_lite.corpus.check_features import check_features, check_table
from nnsvs_lite.corpus.check_score import check_labels, check_score, check_text, read_labels
from nnsvs_lite.corpus.faults import DataFault, Faults, TableRow, read_rows
from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.score.languages import Language, get_language
from nnsvs_lite.score.types import Score

NEEDED = ("wav.scp", "utt2spk", "spk2utt", "utt2lang", "text", "score")
"""The tables that a data dir must have; ``segments`` and labels are optional."""

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
        tolerance: seconds by which score, labels and audio of an utterance may
            differ in length.
        dump: a folder of feature tables to be checked as well.

    Raises:
        DataError: for an unknown ``lang``.
    """
    path = Path(path)
    if lang is not None:
        get_language(lang)
    faults = Faults()
    if not path.is_dir():
        faults.add(path, 0, "no such data dir")
        return faults.found
    with _without_collector():
        _DataDirCheck(path, faults, lang, tolerance).run()
    utts = [row.key for row in read_rows(path / "utt2spk", Faults())]
    for scp in sorted(path.glob("*.scp")):
        if scp.name != "wav.scp":
            ids = check_table(scp, faults)
            _compare_ids(scp, ids, utts, faults)
    if dump is not None:
        dump = Path(dump)
        same = path.name == dump.name
        sub = dump / path.name
        check_features(
            sub if sub.is_dir() else dump,
            faults,
            utts=utts if same or sub.is_dir() else (),
        )
    return faults.sorted()


@contextmanager
def _without_collector() -> Iterator[None]:
    """Pauses the collector of cycles: here are none, and its walks take half of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _compare_ids(path: Path, ids: Iterable[str], utts: Iterable[str], faults: Faults) -> None:
    """Ids of a table against those of ``utt2spk``, both ways."""
    lines = ids if isinstance(ids, dict) else dict.fromkeys(ids, 0)
    known = set(utts)
    for key, line in lines.items():
        if key not in known:
            faults.add(
                path, line, f"{key!r} is not in utt2spk{nearest(key, known) if len(known) < 1000 else ''}"
            )
    for utt in known.difference(lines):
        faults.add(path, 0, f"no line for {utt!r}, which is in utt2spk")


class _DataDirCheck:
    """One pass over the tables of a data dir."""

    def __init__(self, path: Path, faults: Faults, lang: str | None, tolerance: float):
        self.path = path
        self.faults = faults
        self.lang = lang
        self.tolerance = tolerance
        self.languages: dict[str, Language | None] = {}

    def run(self) -> None:
        rows = {
            name: read_rows(self.path / name, self.faults)
            if name != "utt2lang" or self.lang is None or (self.path / name).exists()
            else []
            for name in NEEDED
        }
        utt2spk = rows["utt2spk"]
        self.utts = {row.key: row.line for row in utt2spk}
        self._check_speakers(utt2spk, rows["spk2utt"])
        audio = check_audio(self.path / "wav.scp", rows["wav.scp"], self.faults)
        seconds = self._check_segments(rows["wav.scp"], audio)
        for name in ("utt2lang", "text", "score"):
            if (self.path / name).exists():
                self._ids(name, rows[name])
        langs = {row.key: row.value for row in rows["utt2lang"]}
        for row in rows["utt2lang"]:
            self._language(row.value, partial(self.faults.add, self.path / "utt2lang", row.line))
        scores = self._check_scores(rows["score"], langs, seconds)
        for row in rows["text"]:
            what = check_text(row.value, scores[row.key]) if row.key in scores else ""
            if what:
                self.faults.add(self.path / "text", row.line, f"{row.key}: {what}")
        for name in LABELS:
            if (self.path / name).exists():
                self._check_ctm(name, langs, scores, seconds)

    def _ids(self, name: str, rows: Iterable[TableRow]) -> None:
        lines: dict[str, int] = {}
        for row in rows:
            lines.setdefault(row.key, row.line)
        # Stage 1 leaves out of align.ctm the phrases whose alignment it does not trust.
        utts = set(self.utts).intersection(lines) if name == "align.ctm" else self.utts
        _compare_ids(self.path / name, lines, utts, self.faults)

    def _language(self, code: str | None, report) -> Language | None:
        """The language, looked up once; an unknown one is reported wherever it stands."""
        if code is None:
            return None
        if code not in self.languages:
            try:
                self.languages[code] = get_language(code)
            except DataError:
                self.languages[code] = None
        if self.languages[code] is None:
            report(f"unknown language {code!r}")
        return self.languages[code]

    def _check_speakers(self, utt2spk: list[TableRow], spk2utt: list[TableRow]) -> None:
        path = self.path / "utt2spk"
        members: dict[str, list[str]] = {}
        for line, utt, speaker in utt2spk:
            members.setdefault(speaker, []).append(utt)
            if " " in speaker:
                self.faults.add(
                    path, line, f"malformed line, 'utt speaker' is needed, not {speaker!r} for a speaker"
                )
            elif not (utt.startswith(speaker) and (utt + "_")[len(speaker)] in _SEPARATORS):
                self.faults.add(path, line, f"id {utt!r} does not begin with its speaker {speaker!r}")
        path = self.path / "spk2utt"
        if not path.exists():
            return
        for line, speaker, utts in spk2utt:
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

    def _check_segments(self, wavs: list[TableRow], audio: dict[str, AudioInfo]) -> dict[str, float]:
        """Utterance to the length of its audio in seconds, where it is known."""
        path = self.path / "segments"
        if not path.exists():
            self._ids("wav.scp", wavs)
            return {utt: audio[utt].seconds for utt in self.utts if utt in audio}
        rows = read_rows(path, self.faults)
        self._ids("segments", rows)
        known = {row.key for row in wavs}
        used, seconds = set(), {}
        for line, utt, value in rows:
            report = partial(self.faults.add, path, line)
            try:
                rec, start, end = value.split()
                start, end = float(start), float(end)
            except ValueError:
                report("malformed line, 'utt recording start end' is needed")
                continue
            used.add(rec)
            if rec not in known:
                report(f"{utt}: recording {rec!r} is not in wav.scp")
            if not start >= 0:
                report(f"{utt}: starts at {start:g} s, before its recording")
            if not end > start:
                report(f"{utt}: ends at {end:g} s, not after its start at {start:g} s")
            elif rec in audio and end > audio[rec].seconds + _PAST_END:
                report(
                    f"{utt}: ends at {end:g} s, past the end of its recording ({audio[rec].seconds:.3f} s)"
                )
            else:
                seconds[utt] = end - start
        for row in wavs:
            if row.key not in used:
                self.faults.add(
                    self.path / "wav.scp", row.line, f"recording {row.key!r} has no line in segments"
                )
        return seconds

    def _check_scores(
        self, rows: list[TableRow], langs: dict[str, str], seconds: dict[str, float]
    ) -> dict[str, Score]:
        path = self.path / "score"
        scores = {}
        for line, utt, value in rows:
            report = partial(self.faults.add, path, line)
            try:
                score = Score.from_json(value)
            except DataError as error:
                report(f"{utt}: {error.what}")
                continue
            scores[utt] = score
            if score.lang != langs.get(utt, score.lang):
                report(f"{utt}: language {score.lang!r}, utt2lang has {langs[utt]!r}")
            language = self._language(score.lang or self.lang, report)
            for what in check_score(score, language):
                report(f"{utt}: {what}")
            if utt in seconds and abs(score.duration - seconds[utt]) > self.tolerance:
                report(
                    f"{utt}: the score lasts {score.duration:.3f} s, the audio {seconds[utt]:.3f} s;"
                    f" that is more than {self.tolerance:g} s apart"
                )
        return scores

    def _check_ctm(
        self, name: str, langs: dict[str, str], scores: dict[str, Score], seconds: dict[str, float]
    ) -> None:
        path = self.path / name
        rows = read_rows(path, self.faults, repeats=True)
        self._ids(name, rows)
        for utt, labels in read_labels(path, rows, self.faults).items():
            score = scores.get(utt)
            code = langs.get(utt) or (score.lang if score else self.lang)
            self.faults.found += check_labels(
                path,
                utt,
                labels,
                language=self._language(code, lambda what: None),
                score=score,
                seconds=seconds.get(utt),
                tolerance=self.tolerance,
            )
