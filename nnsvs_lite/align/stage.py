"""Stage 1 as a whole: from data dirs to ``align.ctm``, TextGrids and a report."""

import dataclasses
import functools
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from nnsvs_lite.align.backend import Aligner
from nnsvs_lite.align.config import AlignConfig
from nnsvs_lite.align.corpus import AlignCorpus, given_tables, read_corpus, restore, write_back
from nnsvs_lite.align.corrections import edited, find_corrections, read_correction
from nnsvs_lite.align.draft import draft, timed
from nnsvs_lite.align.frames import analyse, load_frames, save_frames
from nnsvs_lite.align.mfa import MfaAligner
from nnsvs_lite.align.phrases import AlignPhrase, CorpusFolder, cut_utterance, join_phrases
from nnsvs_lite.align.quality import FATAL, Quality, judge, sync_faults
from nnsvs_lite.align.refine import refine, to_labels
from nnsvs_lite.align.report import onset_errors, write_report
from nnsvs_lite.align.segmental import LEAST
from nnsvs_lite.align.slots import Item
from nnsvs_lite.align.songs import place_songs
from nnsvs_lite.align.sync import SHORT, Sync, moved, synchronise
from nnsvs_lite.align.units import check_texts, units_of
from nnsvs_lite.align.viter import ViterAligner
from nnsvs_lite.corpus.datadir import DataDir
from nnsvs_lite.corpus.labels import reconcile
from nnsvs_lite.corpus.segment import segment_at_rests
from nnsvs_lite.io.atomic import read_json, write_json, write_text
from nnsvs_lite.io.ctm import Segment, write_ctm
from nnsvs_lite.io.done import Done, digest, stamp
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.jobs import run_jobs
from nnsvs_lite.io.settings import plain
from nnsvs_lite.io.tables import read_table
from nnsvs_lite.io.textgrid import write_textgrid
from nnsvs_lite.score.types import Score

ALIGNERS: dict[str, type[Aligner]] = {"viter": ViterAligner, "mfa": MfaAligner}
"""Back ends by the name that the configuration gives them."""
_VERSION = 4
_TABLES = ("wav.scp", "segments", "score", "text", "utt2spk", "utt2lang", "label.ctm")
_FAR = 0.1
_GRIDS, _RECORD = "textgrids", "textgrids.json"
_DRAFTS, _DRAFTED = "draft", "draft.json"


def _measure(
    folder: Path, config: AlignConfig, audio: Mapping[Path, list[str]], data: DataDir
) -> tuple[Item, Sync]:
    """One job: the only utterance of a data dir, its evidence from the cache if it is there."""
    (utt,), shift = data.utts, config.refine.frame_shift
    wav, start, end = data.place(utt)
    key = json.dumps([audio[wav], start, end, shift, _VERSION])
    cache = folder / f"{utt}.{hashlib.sha256(key.encode()).hexdigest()[:12]}.npz"
    score = data.scores[utt]
    try:
        frames = load_frames(cache)
    except (ValueError, OSError, EOFError, KeyError):
        frames = analyse(*data.audio(utt), shift)
        save_frames(cache, frames)
    count, drafted = len(frames), not score.duration
    if drafted and count >= 2 * LEAST * len(score.phones):
        score = draft(score, frames)
    sync = Sync() if drafted else synchronise(frames, score, config.sync)
    drifts = config.sync.correct and abs(sync.stretch - 1.0) * count * shift >= 0.1
    moved = drifts or (config.sync.correct and abs(sync.offset) >= config.sync.least)
    place = sync.offset if moved else 0.0, sync.stretch if drifts else 1.0, sync.transposition
    floor = float(np.percentile(frames.level, 5.0))
    return Item(utt, data.utt2spk[utt], score, cache, count, *place, drafted=drafted, floor=floor), sync


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

    Writes ``align.ctm`` into each data dir (phrases that were rejected are not in it), and ``textgrids/``,
    ``report.json``, ``report.txt``, ``rejected`` and ``config.yaml`` into ``out``.

    Args:
        paths: data dirs; the aligner learns from all of them.
        realign: align even where there are labels.
        corrections: a folder of TextGrids mended by hand.

    Raises DataError for faulty data, a back end that is missing or fails, or a correction that does not fit.
    """
    paths, out = [Path(p) for p in paths], Path(out)
    missing = [p for p in paths if not p.is_dir()]
    if missing:
        raise DataError("no such data dir", missing[0])
    if not realign and all((given_tables(p) / "label.ctm").exists() for p in paths):
        for path in paths:
            (path / "align.ctm").unlink(missing_ok=True)
            restore(path)
        say("the corpus comes with labels (label.ctm), they are used; --realign true aligns anyway")
        return None
    corpus = read_corpus(paths)
    # Once, and not for each of the phrases of a recording.
    audio = {wav: stamp(wav) for wav in sorted({w for d in corpus.dirs.values() for w in d.wavs.values()})}
    done = _marker(corpus, config, out, corrections, audio)
    if done.is_current():
        say("alignment is up to date")
        return read_json(out / "report.json")
    done.clear()
    report = _Run(corpus, config, out, corrections, jobs, say, audio).run()
    # Made anew: where breaths were carved into a score, its table as it was is an input from now on.
    done = _marker(corpus, config, out, corrections, audio)
    done.set([out / "report.json", out / "rejected", *[p / "align.ctm" for p in paths]])
    return report


def _marker(
    corpus: AlignCorpus,
    config: AlignConfig,
    out: Path,
    corrections: str | os.PathLike | None,
    audio: Mapping[Path, list[str]],
) -> Done:
    """The done marker of a run with the inputs as they are now."""
    inputs = [given_tables(p) / name for p in corpus.dirs for name in _TABLES]
    model = config.viter.model if config.backend == "viter" else ""
    inputs += [Path(name) for name in (corrections, model, config.phone_map, out / _GRIDS) if name]
    options = {"config": plain(config), "version": _VERSION, "audio": list(audio.values())}
    return Done(out, "align", inputs, options)


class _Run:
    """One run of the stage; see :func:`align`."""

    def __init__(self, corpus, config, out, corrections, jobs, say, audio):
        self.corpus, self.config, self.out, self.jobs, self.say = corpus, config, out, max(1, jobs), say
        self.audio = audio
        self.work = out / "work"
        faults = [f"{utt}: {why}" for utt, why in corpus.faults.items()]
        faults += check_texts(corpus.scores, [utt for utt in corpus.utts if utt not in corpus.faults])
        names = [path.resolve().name for path in corpus.drafts]
        faults += [
            f"{name}: two data dirs of lyrics alone have this name" for name in names if names.count(name) > 1
        ]
        for line in faults:
            say(line)
        if faults:
            raise DataError(f"{len(faults)} faults in lyrics and scores, the first: {faults[0]}")
        # As stage 0 left them; songs that lie elsewhere are moved.
        self.before = {path: (dict(data.segments), dict(data.scores)) for path, data in corpus.dirs.items()}
        self.edited = edited(out / _GRIDS, out / _RECORD)
        self.mended = self.edited | find_corrections(corrections, corpus.utts)
        for utt in self.edited:
            say(f"{self.edited[utt]} was edited: it is kept, and {self.mended[utt]} is what counts")
        self._check_drafts()
        # Started last, so that nothing is written where the data are faulty.
        self.aligner, self.version = None, "the lyrics alone" if corpus.drafts else "the score alone"
        if config.backend in ALIGNERS:
            self.aligner = ALIGNERS[config.backend](config, self.work / config.backend, self.jobs)
            self.version = self.aligner.check()
        elif not config.refine.enabled:
            raise DataError("without an aligner and without refine: enabled nothing is aligned")

    def run(self) -> dict:
        """Runs all steps."""
        import yaml

        write_text(self.out / "config.yaml", yaml.safe_dump(plain(self.config), sort_keys=False))
        items = self._analyse()
        if not items:
            raise DataError("no utterance is long enough to be aligned", next(iter(self.corpus.dirs)))
        corpus, config, refined = self.corpus, self.config, {}
        mended = {
            utt: read_correction(path, corpus.scores[utt], corpus.durations[utt])
            for utt, path in self.mended.items()
            if utt in corpus.scores
        }
        aligned, failed = self._align(items) if self.aligner else ({}, {})
        if config.refine.enabled:
            self.say(f"refining {len(items)} utterances with their scores")
            if config.refine.start == "aligner":
                times = {utt: tuple(s.start for s in rows) for utt, rows in aligned.items()}
                items = [dataclasses.replace(item, first=times.get(item.utt, ())) for item in items]
            found = refine(items, config.refine, self.jobs)
            for item in found.items:
                onsets, end = found.onsets[item.utt], corpus.durations[item.utt]
                refined[item.utt] = to_labels(item, onsets, end, config.refine)
            quality = judge(self.sync, found, config, self.jobs)
            for utt, rows in aligned.items():
                late = [abs(seconds) for _, seconds in onset_errors(refined[utt], rows)]
                far = sum(seconds > _FAR for seconds in late)
                said = f"the aligner is over 0.1 s off at {far} of {len(late)} onsets"
                quality[utt].remarks += [said] * bool(far)
        else:
            why = {utt: "; ".join(sync_faults(self.sync[utt], config.quality)) for utt in aligned}
            quality = {utt: Quality(1.0, rejected=rejected) for utt, rejected in why.items()}
        labels = (refined or aligned) | mended
        quality |= {utt: Quality(1.0, remarks=["mended by hand"]) for utt in mended}
        for utt in corpus.utts:
            if utt not in labels:
                quality[utt] = Quality(rejected=self.short.get(utt) or failed[utt])
        for utt in aligned:
            quality[utt].likelihood = self.likely.get(utt)
        for utt, remark in self.placed.items():
            quality[utt].placed.append(remark)
        scores = self._carve(labels, quality)
        used = {utt: rows for utt, rows in labels.items() if not quality[utt].rejected}
        self._write_textgrids(labels, scores)
        compared = {"aligner": aligned, "refined": refined, "used": used}
        sync = {utt: self.sync[utt] for utt in corpus.utts if not self.found[utt].drafted}
        report = write_report(
            self.out, corpus, config, self.version, compared, quality, sync, failed, self.say
        )
        if not self._write_labels(labels, scores, quality):
            first = min(utt for utt in quality if quality[utt].rejected)
            why = f"all {len(quality)} utterances are out; {first}: {quality[first].rejected}"
            raise DataError(f"nothing is kept for training: {why}", self.out / "report.txt")
        return report

    def _analyse(self) -> list[Item]:
        """Measures all utterances; returns those that are long enough, with their evidence on disk."""
        corpus, folder = self.corpus, self.work / "frames"
        self.say(f"measuring {len(corpus.utts)} utterances, {sum(corpus.durations.values()):.0f} s")
        self.sync: dict[str, Sync] = {}
        self.short: dict[str, str] = {}
        items, keep = [], set()
        self.found: dict[str, Item] = {}

        def measure(parts: Iterable[DataDir]) -> list[Sync]:
            rows = []
            job = functools.partial(_measure, folder, self.config, self.audio)
            for item, sync in run_jobs(job, parts, self.jobs):
                keep.add(item.cache)
                self.found[item.utt], self.sync[item.utt] = item, sync
                rows.append(sync)
            return rows

        measure(corpus.of[utt].subset([utt]) for utt in corpus.utts)
        for item in self.found.values():
            corpus.scores[item.utt] = corpus.of[item.utt].scores[item.utt] = item.score
        self.placed = place_songs(corpus, self.sync, self.config, measure)
        measure(corpus.of[utt].subset([utt]) for utt in self.placed)
        for item in (self.found[utt] for utt in corpus.utts):
            phones = item.score.phones
            if item.frames < 2 * LEAST * len(phones):
                seconds = corpus.durations[item.utt]
                self.short[item.utt] = f"{seconds:.2f} s are too short for {len(phones)} phones"
                continue
            # Labels that agree with the score were reconciled with it, breaths and all.
            reconciled = [s.label for s in corpus.given.get(item.utt, [])] == phones
            items.append(dataclasses.replace(item, breaths=not reconciled))
        for stale in set(folder.glob("*.npz")) - keep:
            stale.unlink()
        return items

    def _align(self, items: list[Item]) -> tuple[dict[str, list[Segment]], dict[str, str]]:
        """The back end's labels by utterance, and why others have none."""
        phrases: list[AlignPhrase] = []
        for item in items:
            score = moved(item.score, item.offset, item.stretch)
            phrases += cut_utterance(item.utt, item.speaker, score, self.corpus.durations[item.utt])
        single = self.config.backend != "mfa" or self.config.mfa.single_speaker
        names = read_table(self.config.phone_map, ids=False) if self.config.phone_map else None
        root = self.work / self.config.backend
        folder = CorpusFolder(root, self.config.unit, single, self.config.pieces, names)
        folder.write(phrases, self.corpus.of)
        self.say(f"aligning {len(phrases)} phrases with {self.version}")
        found, failed = self.aligner.align(folder)
        labels: dict[str, list[Segment]] = {}
        self.likely: dict[str, float] = {}
        reasons: dict[str, str] = {}
        for utt, group in itertools.groupby(phrases, lambda phrase: phrase.utt):
            parts = list(group)
            lost = [failed[part.name] for part in parts if part.name in failed]
            if lost:
                reasons[utt] = f"{self.config.backend}: {lost[0]}"
            else:
                labels[utt] = join_phrases(parts, found, self.corpus.durations[utt])
                likely = [
                    self.aligner.likely[part.name] for part in parts if part.name in self.aligner.likely
                ]
                self.likely |= {utt: min(likely)} if likely else {}
        return labels, reasons

    def _carve(self, labels: dict[str, list[Segment]], quality: dict[str, Quality]) -> dict[str, Score]:
        """Scores in which the breaths that were heard are rests; ``labels`` follow them."""
        scores = dict(self.corpus.scores)
        for utt, rows in labels.items():
            judged = quality.setdefault(utt, Quality(confidence=1.0))
            if judged.rejected and judged.whole:
                continue
            if [s.label for s in rows] != scores[utt].phones:
                try:
                    mended = reconcile(scores[utt], rows, where=utt, duration=self.corpus.durations[utt])
                except DataError as error:
                    judged.rejected = error.what
                    continue
                labels[utt], scores[utt] = mended.labels, mended.score
                judged.remarks += mended.remarks
            if self.found[utt].drafted:
                scores[utt] = timed(scores[utt], labels[utt], load_frames(self.found[utt].cache))
        return scores

    def _write_labels(
        self,
        labels: Mapping[str, list[Segment]],
        scores: Mapping[str, Score],
        quality: Mapping[str, Quality],
    ) -> int:
        """Each data dir's ``align.ctm``, and tables that changed; returns how many utterances are kept.

        Songs are cut into phrases where their labels have pauses. Where nothing is kept nothing is written.
        """
        made: dict[Path, DataDir] = {}
        for path, data in self.corpus.dirs.items():
            rows = {utt: labels[utt] for utt in data.utts if utt in labels}
            if path in self.corpus.drafts:
                data = data.subset(rows)
            mine = {utt: scores[utt] for utt in data.utts}
            given = {utt: self.corpus.given[utt] for utt in data.utts if utt in self.corpus.given}
            whole = dataclasses.replace(data, scores=mine, labels=rows, given=given, label_name="align.ctm")
            made[path] = self._cut(whole, quality)
        kept = sum(len(data.labels) for data in made.values())
        self._write_drafts({path.resolve().name: made[path] for path in self.corpus.drafts if kept})
        for path, data in made.items():
            if not kept:
                (path / "align.ctm").unlink(missing_ok=True)
            elif path in self.corpus.drafts:
                data = self.corpus.dirs[path]
                rows = {u: labels[u] for u in data.utts if u in labels and not quality[u].rejected}
                write_ctm(path / "align.ctm", rows)
            elif (
                given_tables(path) != path
                or data.segments != self.before[path][0]
                or data.scores != self.before[path][1]
            ):
                write_back(path, data)
            else:
                write_ctm(path / "align.ctm", data.labels)
        return kept

    def _check_drafts(self) -> None:
        """Raises DataError for a drafted score that somebody has mended: it would be drafted anew."""
        record = self.out / _DRAFTED
        ours = set(read_json(record)) if record.exists() else set()
        ours |= {digest(path / "score") for path in self.corpus.dirs if (path / "score").exists()}
        for score in sorted((self.out / _DRAFTS).glob("*/score")):
            if digest(score) not in ours:
                how = "put it into its data dir, where it is the score of the recordings, or remove it"
                raise DataError(f"was mended, and would be drafted anew: {how}", score)

    def _write_drafts(self, drafts: Mapping[str, DataDir]) -> None:
        """Data dirs with drafted scores, by name, in the place of those of the last run."""
        record, folder, new = self.out / _DRAFTED, self.out / _DRAFTS, self.out / f".{_DRAFTS}"
        shutil.rmtree(new, ignore_errors=True)
        for name, data in drafts.items():
            text = {utt: score.lyrics for utt, score in data.scores.items()}
            dataclasses.replace(data, text=text, given={}).write(new / name)
        # Old and new ones are known as ours, so that those of a killed run do not pass for mended.
        write_json(record, [digest(path) for root in (new, folder) for path in sorted(root.glob("*/score"))])
        shutil.rmtree(folder, ignore_errors=True)
        if drafts:
            new.replace(folder)

    def _cut(self, data: DataDir, quality: Mapping[str, Quality]) -> DataDir:
        """Phrases of the songs in a data dir without segments and labels; labels of what is kept alone."""
        long = any(self.corpus.durations[utt] > SHORT for utt in data.utts)
        if not self.config.cut or data.segments or data.given or not long:
            kept = {utt: rows for utt, rows in data.labels.items() if not quality[utt].rejected}
            return dataclasses.replace(data, labels=kept)
        fit = {u: rows for u, rows in data.labels.items() if [s.label for s in rows] == data.scores[u].phones}
        phrases = segment_at_rests(dataclasses.replace(data, labels=fit))
        for utt, (song, start, end) in phrases.segments.items():
            judged = quality[song]
            times = [fault.time for fault in judged.faults if fault.kind in FATAL]
            if judged.rejected and (judged.whole or any(start <= time <= end for time in times)):
                phrases.labels.pop(utt, None)
        count = f"{len(phrases.utts)} phrases, {len(phrases.labels)} of them with labels"
        self.say(f"{len(data.utts)} songs became {count}")
        return phrases

    def _write_textgrids(self, labels: Mapping[str, list[Segment]], scores: Mapping[str, Score]) -> None:
        """A TextGrid for every utterance but those that somebody has edited."""
        record, folder, written = self.out / _RECORD, self.out / _GRIDS, {}
        before = read_json(record) if record.exists() else {}
        for utt in self.corpus.utts:
            path = self.out / f".{_GRIDS}" / f"{utt}.TextGrid"
            if utt in labels and utt not in self.edited:
                self._write_textgrid(path, labels[utt], scores[utt], self.corpus.durations[utt])
                written[path.name] = [digest(path), *before.get(path.name, [])[:1]]
        # Old and new ones are known as ours, so that those of a killed run do not pass for edited.
        write_json(record, written)
        folder.mkdir(exist_ok=True)
        for name in written:
            (self.out / f".{_GRIDS}" / name).replace(folder / name)

    @staticmethod
    def _write_textgrid(path: Path, labels: list[Segment], score: Score, duration: float) -> None:
        words, index = [], score.note_index
        if [s.label for s in labels] == score.phones:
            for first, last in units_of(score, "syllable"):
                lyric = "".join(note.lyric for note in score.notes[index[first] : index[last - 1] + 1])
                words.append(Segment(labels[first].start, labels[last - 1].end, lyric))
        tiers = {"words": words, "phones": [s for s in labels if s.label != "pau"]}
        write_textgrid(path, tiers, duration)
