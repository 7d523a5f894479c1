"""Stage 1 as a whole: from data dirs to ``align.ctm``, TextGrids and a report."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nnsvs_lite.align.backend import make_aligner
from nnsvs_lite.align.config import AlignConfig
from nnsvs_lite.align.corrections import find_corrections, read_correction
from nnsvs_lite.align.frames import analyse
from nnsvs_lite.align.phrases import CorpusFolder, Phrase, cut_utterance, join_phrases
from nnsvs_lite.align.quality import Quality, judge, sync_faults
from nnsvs_lite.align.refine import Item, item_slots, load_frames, refine, save_frames, to_labels
from nnsvs_lite.align.report import write_report
from nnsvs_lite.align.segmental import LEAST
from nnsvs_lite.align.sync import Sync, synchronise
from nnsvs_lite.align.units import check_texts, units_of
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.labels import reconcile
from nnsvs_lite.io.atomic import write_text
from nnsvs_lite.io.ctm import Segment, read_ctm, write_ctm
from nnsvs_lite.io.done import Done
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.jobs import run_jobs
from nnsvs_lite.io.tables import read_table, write_table
from nnsvs_lite.io.textgrid import write_textgrid
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.score.types import Score

GIVEN = "score.given"
"""The score table as it was before breaths were carved into it."""
_VERSION = 2
_TABLES = ("wav.scp", "segments", "text", "utt2spk", "utt2lang", "label.ctm")


@dataclass
class Corpus:
    """All data dirs of a run; utterances are unique across them.

    Attributes:
        dirs: by path.
        of: data dir by utterance.
        scores: by utterance, as stage 0 gave them.
        given: labels that came with the corpus, by utterance.
        durations: seconds of audio by utterance.
        utts: in order.
    """

    dirs: dict[Path, DataDir] = field(default_factory=dict)
    of: dict[str, DataDir] = field(default_factory=dict)
    scores: dict[str, Score] = field(default_factory=dict)
    given: dict[str, list[Segment]] = field(default_factory=dict)
    durations: dict[str, float] = field(default_factory=dict)
    utts: list[str] = field(default_factory=list)


def read_corpus(paths: Sequence[Path]) -> Corpus:
    """Reads data dirs as stage 0 left them: an ``align.ctm`` of an earlier run is not looked at.

    Raises:
        DataError: where one cannot be read or an utterance stands in two of them.
    """
    corpus = Corpus()
    for path in paths:
        data = DataDir.read(path)
        if (path / GIVEN).exists():
            rows = _score_table(path / GIVEN)
            data = dataclasses.replace(data, scores={**data.scores, **rows})
        corpus.dirs[path] = data
        if (path / "label.ctm").exists():
            corpus.given.update(read_ctm(path / "label.ctm"))
        for utt in data.utts:
            if utt in corpus.of:
                raise DataError(f"{utt} stands in {corpus.of[utt].path} too", path)
            corpus.of[utt] = data
            corpus.durations[utt] = data.duration(utt)
        corpus.scores.update(data.scores)
    corpus.utts = sorted(corpus.of, key=str.encode)
    return corpus


def _score_table(path: Path) -> dict[str, Score]:
    return {utt: Score.from_json(line, f"{path}: {utt}") for utt, line in read_table(path).items()}


@dataclass(frozen=True)
class _Analysis:
    data: DataDir
    utt: str
    score: Score
    cache: Path
    shift: float
    config: AlignConfig


def _cache_path(folder: Path, data: DataDir, utt: str, shift: float) -> Path:
    wav, start, end = data.place(utt)
    status = wav.stat() if wav.exists() else None
    key = [os.fspath(wav), start, end, shift, _VERSION]
    key += [status.st_size, status.st_mtime_ns] if status else []
    return folder / f"{utt}.{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:12]}.npz"


def _measure(task: _Analysis) -> tuple[str, int, float, Sync]:
    """One job: an utterance's evidence, from the cache if it is there: frames, floor and sync."""
    frames = None
    if task.cache.exists():
        try:
            frames = load_frames(task.cache)
        except (ValueError, OSError, EOFError, KeyError):
            frames = None
    if frames is None:
        audio, rate = task.data.audio(task.utt)
        frames = analyse(audio, rate, task.shift)
        save_frames(task.cache, frames)
    floor = float(np.percentile(frames.level, 5.0))
    return task.utt, len(frames), floor, synchronise(frames, task.score, task.config.sync)


def align(
    paths: Sequence[str | os.PathLike],
    config: AlignConfig,
    out: str | os.PathLike,
    *,
    realign: bool = False,
    corrections: str | os.PathLike | None = None,
    jobs: int = 1,
    say: Callable[[str], None] = print,
) -> dict | None:
    """Runs stage 1; returns the report, or None where the corpus' own labels are used.

    Writes ``align.ctm`` into each data dir (phrases that were rejected are not in
    it), and ``textgrids/``, ``report.json``, ``report.txt``, ``rejected`` and
    ``config.yaml`` into ``out``.

    Args:
        paths: data dirs; the aligner learns from all of them.
        config: see :class:`AlignConfig`.
        out: the experiment folder.
        realign: align even where there are labels.
        corrections: a folder of TextGrids mended by hand.
        jobs: parallel processes.
        say: where lines of progress go.

    Raises:
        DataError: for faulty data, a back end that is missing or fails, or a
            correction that does not fit.
    """
    paths, out = [Path(p) for p in paths], Path(out)
    missing = [p for p in paths if not p.is_dir()]
    if missing:
        raise DataError("no such data dir", missing[0])
    if not realign and all((p / "label.ctm").exists() for p in paths):
        for path in paths:
            (path / "align.ctm").unlink(missing_ok=True)
        say("the corpus comes with labels (label.ctm), they are used; --realign true aligns anyway")
        return None
    done = _marker(paths, config, out, corrections)
    if done.is_current():
        say("alignment is up to date")
        return json.loads((out / "report.json").read_text(encoding="utf-8"))
    done.clear()
    report = _Run(paths, config, out, corrections, jobs, say).run()
    # Made anew: where breaths were carved into a score, its table as it was is an input from now on.
    done = _marker(paths, config, out, corrections)
    done.set([out / "report.json", out / "rejected", *[p / "align.ctm" for p in paths]])
    return report


def _marker(
    paths: Sequence[Path], config: AlignConfig, out: Path, corrections: str | os.PathLike | None
) -> Done:
    """The done marker of a run with the inputs as they are now."""
    inputs = [p / name for p in paths for name in _TABLES]
    inputs += [p / (GIVEN if (p / GIVEN).exists() else "score") for p in paths]
    inputs += [Path(corrections)] if corrections else []
    if config.backend == "viter" and config.viter.model:
        inputs.append(Path(config.viter.model))
    if config.phone_map:
        inputs.append(Path(config.phone_map))
    audio = sorted({wav for p in paths for wav in DataDir.read(p).wavs.values()})
    stamps = [[os.fspath(w), w.stat().st_size, w.stat().st_mtime_ns] for w in audio if w.exists()]
    return Done(out, "align", inputs, {"config": config.to_dict(), "version": _VERSION, "audio": stamps})


class _Run:
    """One run of the stage; see :func:`align`."""

    def __init__(self, paths, config, out, corrections, jobs, say):
        self.config, self.out, self.jobs, self.say = config, out, max(1, jobs), say
        self.work = out / "work"
        self.aligner = make_aligner(config, self.work / config.backend, self.jobs)
        self.version = self.aligner.check()
        self.corpus = read_corpus(paths)
        self._check_texts()
        self.corrections = {
            utt: read_correction(path, self.corpus.scores[utt], self.corpus.durations[utt])
            for utt, path in find_corrections(corrections, self.corpus.utts).items()
        }

    def _check_texts(self) -> None:
        codes = {score.lang for score in self.corpus.scores.values()}
        symbols = {code: set(get_language(code).phones) for code in sorted(codes)}
        faults = check_texts(self.corpus.scores, self.corpus.utts, symbols)
        for line in faults:
            self.say(line)
        if faults:
            raise DataError(f"{len(faults)} faults in lyrics and scores, the first: {faults[0]}")

    def run(self) -> dict:
        """Runs all steps."""
        import yaml

        write_text(self.out / "config.yaml", yaml.safe_dump(self.config.to_dict(), sort_keys=False))
        items = self._analyse()
        if not items:
            raise DataError(
                "no utterance is long enough to be aligned", self.corpus.of[self.corpus.utts[0]].path
            )
        aligned, failed = self._align(items)
        labels, quality = dict(aligned), {}
        if self.config.refine.enabled:
            if self.config.refine.start_from == "aligner":
                items = [dataclasses.replace(i, start=tuple(aligned.get(i.utt, ()))) for i in items]
            self.say(f"refining {len(items)} utterances with their scores")
            refined = refine(items, self.config.refine, self.jobs)
            labels = {
                i.utt: to_labels(
                    i,
                    item_slots(i, self.config.refine),
                    refined.onsets[i.utt],
                    self.corpus.durations[i.utt],
                    self.config.refine.frame_shift,
                )
                for i in items
            }
            quality = judge(items, self.sync, refined, self.config, self.jobs)
        else:
            quality = {
                utt: Quality(1.0, rejected="; ".join(sync_faults(self.sync[utt], self.config.quality)))
                for utt in aligned
            }
        before_hand = dict(labels)
        labels.update(self.corrections)
        for utt in self.corrections:
            quality[utt] = Quality(confidence=1.0, remarks=["mended by hand"])
        for utt in self.corpus.utts:
            if utt not in labels:
                quality[utt] = Quality(rejected=self.short.get(utt) or failed[utt])
        scores = self._carve(labels, quality)
        self._write_labels(labels, scores, {utt for utt, q in quality.items() if q.rejected})
        return write_report(
            self.out,
            self.corpus,
            self.config,
            version=self.version,
            aligned=aligned,
            refined=before_hand if self.config.refine.enabled else None,
            final=labels,
            quality=quality,
            sync=self.sync,
            failed=failed,
            say=self.say,
        )

    def _analyse(self) -> list[Item]:
        corpus, shift = self.corpus, self.config.refine.frame_shift
        folder = self.work / "frames"
        tasks = [
            _Analysis(
                corpus.of[utt].subset([utt]),
                utt,
                corpus.scores[utt],
                _cache_path(folder, corpus.of[utt], utt, shift),
                shift,
                self.config,
            )
            for utt in corpus.utts
        ]
        self.say(f"measuring {len(tasks)} utterances, {sum(corpus.durations.values()):.0f} s")
        self.sync: dict[str, Sync] = {}
        self.short: dict[str, str] = {}
        items = []
        for task, (utt, frames, floor, sync) in zip(tasks, run_jobs(_measure, tasks, self.jobs)):
            self.sync[utt] = sync
            if frames < 2 * LEAST * len(task.score.phones):
                self.short[utt] = (
                    f"{corpus.durations[utt]:.2f} s are too short for {len(task.score.phones)} phones"
                )
                continue
            moved = self.config.sync.correct and abs(sync.offset) >= self.config.sync.least
            drifts = self.config.sync.correct and abs(sync.stretch - 1.0) * corpus.durations[utt] >= 0.1
            items.append(
                Item(
                    utt,
                    corpus.of[utt].utt2spk[utt],
                    task.score,
                    task.cache,
                    frames,
                    offset=sync.offset if moved or drifts else 0.0,
                    stretch=sync.stretch if drifts else 1.0,
                    transposition=sync.transposition,
                    floor=floor,
                    # Labels that agree with the score were reconciled with it, breaths and all.
                    breaths=[s.label for s in corpus.given.get(utt, [])] != task.score.phones,
                )
            )
        keep = {task.cache for task in tasks}
        for stale in sorted(folder.glob("*.npz")):
            if stale not in keep:
                stale.unlink()
        return items

    def _align(self, items: list[Item]) -> tuple[dict[str, list[Segment]], dict[str, str]]:
        """The back end's labels by utterance, and why others have none."""
        phrases: list[Phrase] = []
        for item in items:
            score = item.score
            if item.offset or item.stretch != 1.0:
                notes = tuple(
                    dataclasses.replace(
                        n, start=n.start * item.stretch + item.offset, end=n.end * item.stretch + item.offset
                    )
                    for n in score.notes
                )
                timeline = score.timeline and score.timeline.moved(item.offset, item.stretch)
                score = dataclasses.replace(score, notes=notes, timeline=timeline)
            phrases += cut_utterance(item.utt, item.speaker, score, self.corpus.durations[item.utt])
        single = self.config.backend != "mfa" or self.config.mfa.single_speaker
        names = read_table(self.config.phone_map) if self.config.phone_map else None
        root = self.work / self.config.backend
        folder = CorpusFolder(root, self.config.unit, single, self.config.pieces, names)
        folder.write(phrases, self.corpus.of)
        self.say(f"aligning {len(phrases)} phrases with {self.version}")
        found, failed = self.aligner.align(folder)
        by_utt: dict[str, list[Phrase]] = {}
        for phrase in phrases:
            by_utt.setdefault(phrase.utt, []).append(phrase)
        labels: dict[str, list[Segment]] = {}
        reasons: dict[str, str] = {}
        for utt, parts in by_utt.items():
            lost = [part.name for part in parts if part.name in failed]
            if lost:
                reasons[utt] = f"{self.config.backend}: {failed[lost[0]]}"
            else:
                labels[utt] = join_phrases(parts, found, self.corpus.durations[utt])
        return labels, reasons

    def _carve(self, labels: dict[str, list[Segment]], quality: dict[str, Quality]) -> dict[str, Score]:
        """Scores in which the breaths that were heard are rests; ``labels`` follow them."""
        scores = dict(self.corpus.scores)
        for utt, rows in labels.items():
            judged = quality.setdefault(utt, Quality(confidence=1.0))
            if judged.rejected or [s.label for s in rows] == scores[utt].phones:
                continue
            try:
                mended = reconcile(scores[utt], rows, where=utt, duration=self.corpus.durations[utt])
            except DataError as error:
                judged.rejected = error.what
                continue
            labels[utt], scores[utt] = mended.labels, mended.score
            judged.remarks += mended.remarks
        return scores

    def _write_labels(
        self, labels: Mapping[str, list[Segment]], scores: Mapping[str, Score], rejected: set[str]
    ) -> None:
        """``align.ctm`` and, where breaths were found, ``score`` of each data dir; TextGrids of all."""
        for path, data in self.corpus.dirs.items():
            for utt in data.utts:
                if utt in labels:
                    self._write_textgrid(utt, labels[utt], scores[utt])
            if any(scores[utt] != self.corpus.scores[utt] for utt in data.utts) or (path / GIVEN).exists():
                if not (path / GIVEN).exists():
                    write_text(path / GIVEN, (path / "score").read_text(encoding="utf-8"))
                write_table(path / "score", {utt: scores[utt].to_json() for utt in data.utts})
            kept = {utt: labels[utt] for utt in data.utts if utt in labels and utt not in rejected}
            write_ctm(path / "align.ctm", kept)

    def _write_textgrid(self, utt: str, labels: list[Segment], score: Score) -> None:
        words = []
        if [s.label for s in labels] == score.phones:
            words = [
                Segment(labels[u.first].start, labels[u.last - 1].end, _lyrics(score, u.first, u.last))
                for u in units_of(score, "syllable")
            ]
        tiers = {"words": words, "phones": [s for s in labels if s.label != "pau"]}
        write_textgrid(self.out / "textgrids" / f"{utt}.TextGrid", tiers, self.corpus.durations[utt])


def _lyrics(score: Score, first: int, last: int) -> str:
    return "".join(score.notes[n].lyric for n in sorted(set(score.note_index[first:last])))
