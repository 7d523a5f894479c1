"""Stage 2: features of a data dir, in blocks that any number of jobs can share.

A block of sorted utterances is one folder, ``<out>/.shards/<number>/``, with a fingerprint of all that it
came from: a run that is killed, or restarted with another number of jobs, redoes only what is missing.
"""

import dataclasses
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nnsvs_lite.corpus.datadir import DataDir, audio_files, write_place
from nnsvs_lite.features.config import FeatureConfig
from nnsvs_lite.features.spec import FRAMES, PHONES, SCORE_TABLES, Spec, current_phones
from nnsvs_lite.io.atomic import atomic_dir, read_json, write_json
from nnsvs_lite.io.done import Done, digest
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.jobs import run_jobs
from nnsvs_lite.io.tables import FeatureReader, read_table, write_features, write_table
from nnsvs_lite.score.types import Score

ANALYSIS = 2
"""Number of the analysis; raised whenever the same input would give other numbers."""
BLOCK = 8
"""Utterances a block."""


class Extraction:
    """The features of one data dir, from analysis to collected tables.

    Args:
        data: a data dir with scores, labels and audio. out: the set's folder in the dump, ``<dump>/<set>``.
        config: a feature configuration.
    """

    def __init__(self, data: str | os.PathLike, out: str | os.PathLike, config: FeatureConfig):
        self.data_path, self.out, self.config = Path(data), Path(out), config
        self.names = (*SCORE_TABLES, *config.streams)
        self._heard: dict[Path, str] = {}

    @cached_property
    def data(self) -> DataDir:
        """The data dir, read at first use."""
        data = DataDir.read(self.data_path)
        if data.label_name == "align.ctm":
            # Stage 1 leaves out of align.ctm the phrases whose alignment it does not trust.
            trusted = [utt for utt in data.utts if data.labels.get(utt)]
            if data.utts and not trusted:
                raise DataError(
                    "stage 1 kept all its utterances out, for the reasons in exp/align_*/rejected; "
                    "mend the labels in corrections/ or choose other utterances for this set",
                    self.data_path,
                )
            data = data.subset(trusted)
        if not data.utts:
            raise DataError("holds no utterance", self.data_path)
        if not data.scores:
            raise DataError(
                "has no score, and lyrics alone cannot be learnt from; stage 1 (align) drafts scores from "
                "what is heard: look through exp/align_*/draft, and go on with --datadir exp/align_*/draft",
                self.data_path,
            )
        return data

    @cached_property
    def blocks(self) -> list[list[str]]:
        """Utterances of each block, in order."""
        utts = self.data.utts
        return [utts[i : i + BLOCK] for i in range(0, len(utts), BLOCK)]

    def done(self) -> Done:
        """The marker of the collected tables."""
        options: dict[str, Any] = {"analysis": ANALYSIS, "config": self.config.to_dict()}
        if (self.data_path / "utt2lang").exists():
            codes = read_table(self.data_path / "utt2lang").values()
            options["phones"] = [dataclasses.asdict(phones) for phones in current_phones(codes)]
        return Done(self.out, "extract", [self.data_path, *audio_files(self.data_path)], options)

    def folder(self, block: int) -> Path:
        """Where a block's features are kept until they are collected."""
        return self.out / ".shards" / f"{block:05d}"

    def fingerprint(self, block: int) -> str:
        """A hash of everything that decides a block's numbers."""
        rows, codes = [], set()
        for utt in self.blocks[block]:
            wav, start, end = self.data.place(utt)
            score = self.data.scores.get(utt)
            labels = self.data.labels.get(utt, [])
            if wav not in self._heard:
                self._heard[wav] = digest(wav)
            rows.append([utt, self._heard[wav], start, end, score and score.to_json(), labels])
            codes |= {score.lang} if score else set()
        phones = [dataclasses.asdict(p) for p in current_phones(codes)]
        value = [ANALYSIS, self.config.to_dict(), phones, rows]
        return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()

    def is_done(self, block: int) -> bool:
        """Whether a block was analysed from its present input."""
        marker = self.folder(block) / "done.json"
        return marker.exists() and read_json(marker) == {"fingerprint": self.fingerprint(block)}

    def analyse(self, block: int) -> list[str]:
        """Analyses one block, unless that is done. Returns what is wrong, a line an utterance."""
        from nnsvs_lite.features.utterance import extract

        if self.is_done(block):
            return []
        found: dict[str, dict[str, np.ndarray]] = {}
        faults = []
        for utt in self.blocks[block]:
            try:
                found[utt] = extract(self.data, utt, self.config)
            except DataError as error:
                faults.append(str(error))
        if not faults:
            with atomic_dir(self.folder(block)) as tmp:
                write_features(tmp, self.names, found.items())
                write_json(tmp / "done.json", {"fingerprint": self.fingerprint(block)})
        return faults

    def run_job(self, job: int, nj: int) -> None:
        """Analyses one of ``nj`` shares, from 1. Raises DataError, after all others, for what cannot be."""
        if not 1 <= job <= nj:
            raise DataError(f"must lie in 1..{nj} (--nj), not {job}", "--job")
        share = range(job - 1, len(self.blocks), nj)
        _report((fault for block in share for fault in self.analyse(block)), self.data_path)

    def run_all(self, nj: int) -> None:
        """Analyses all blocks with ``nj`` processes; raises as :meth:`run_job`."""
        faults = run_jobs(self.analyse, range(len(self.blocks)), nj)
        _report((fault for block in faults for fault in block), self.data_path)

    def collect(self) -> Spec:
        """Merges blocks into sorted tables; writes the Spec. Raises DataError if one is missing or unfit."""
        done = self.done()
        missing = [block for block in range(len(self.blocks)) if not self.is_done(block)]
        if missing:
            first = self.blocks[missing[0]][0]
            raise DataError(
                f"{len(missing)} of {len(self.blocks)} blocks are not analysed, the first begins with "
                f"{first}: run all jobs, then collect",
                self.out,
            )
        langs, speakers = {u: self.data.scores[u].lang for u in self.data.utts}, tuple(self.data.speakers)
        phones, shared = current_phones(langs.values()), self.data.shared_phones
        spec = Spec(self.config, self.config.streams, phones, speakers, shared_phones=shared)
        done.clear()
        for leftover in self.out.glob(".*.tmp*"):
            leftover.unlink()
        lengths: dict[str, dict[str, int]] = {FRAMES: {}, PHONES: {}}
        write_features(self.out, self.names, self._merged(spec, langs, lengths))
        tables = {**lengths, "utt2spk": self.data.utt2spk, "utt2lang": langs, "score": self.data.scores}
        if self.data.segments:
            # Phrases' places in their recordings: what is sung is joined to songs again.
            tables["segments"] = self.data.segments
        for name, table in tables.items():
            text = {"score": Score.to_json, "segments": write_place}.get(name, str)
            write_table(self.out / name, table, text)
        spec.write(self.out)
        dump, merged = self.out.parent, _of_all_sets(spec, self.out.parent)
        merged.write(dump)
        # Another set may be collected beside this one: whichever writes last has seen both.
        while Spec.read(dump, stats=False) != (merged := _of_all_sets(spec, dump)):
            merged.write(dump)
        outputs = [self.out / f"{name}.{end}" for name in self.names for end in ("ark", "scp")]
        outputs += [self.out / name for name in (*tables, "schema.json")]
        done.set(outputs, [dump / "schema.json"])
        shutil.rmtree(self.out / ".shards", ignore_errors=True)
        return merged

    def _merged(
        self, spec: Spec, langs: dict[str, str], lengths: dict[str, dict[str, int]]
    ) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        """All utterances of all blocks; ``lengths`` gets theirs."""
        for block, utts in enumerate(self.blocks):
            readers = {name: FeatureReader(self.folder(block) / f"{name}.scp") for name in self.names}
            for utt in utts:
                value = {name: reader[utt] for name, reader in readers.items()}
                check_lengths(value, spec, langs[utt], f"{self.out}: {utt}")
                lengths[FRAMES][utt] = int(value["duration"].sum())
                lengths[PHONES][utt] = len(value["duration"])
                yield utt, value


def check_lengths(value: dict[str, np.ndarray], spec: Spec, code: str, where: str) -> None:
    """Raises DataError naming the first table whose rows or columns do not fit the others or its language."""
    language = spec.phone_set(code)
    notes, phones = len(value["note_time"]), len(value["duration"])
    frames = int(value["duration"].clip(0, 1e9).sum())
    shapes = {
        "note_context": (notes, len(language.columns("note"))),
        "phone_context": (phones, len(language.columns("phone"))),
        "note_index": (phones, 1),
        "note_time": (notes, 2),
        "time_lag": (notes, 1),
        "duration": (phones, 1),
    } | {name: (frames, size) for name, size in spec.streams.items()}
    for name, shape in shapes.items():
        if value[name].shape != shape:
            raise DataError(f"{name} is {value[name].shape}, {shape} is needed", where)
    index, durations = value["note_index"], value["duration"]
    if not ((index >= 0) & (index < notes) & (durations >= 0)).all():
        raise DataError("a phone's note_index or duration cannot be", where)


def _of_all_sets(spec: Spec, dump: Path) -> Spec:
    """What a dump holds: its sets' speakers and languages, of those extracted alike, made one."""
    speakers, languages = set(spec.speakers), {phones.code: phones for phones in spec.languages}
    for path in sorted(dump.glob("*/schema.json")):
        try:
            other = Spec.read(path.parent, stats=False)
        except DataError:
            # Of another version: it stands alone until it is extracted again.
            continue
        alike = ("feature_config", "streams", "shared_phones")
        alike = all(getattr(other, name) == getattr(spec, name) for name in alike)
        if alike and all(languages.get(phones.code, phones) == phones for phones in other.languages):
            speakers |= set(other.speakers)
            languages |= {phones.code: phones for phones in other.languages}
    return dataclasses.replace(
        spec,
        speakers=tuple(sorted(speakers, key=str.encode)),
        languages=tuple(languages[code] for code in sorted(languages)),
    )


def _report(faults: Iterable[str], where: Path) -> None:
    found = []
    for fault in faults:
        found.append(fault)
        print(fault, file=sys.stderr)
    if found:
        raise DataError(f"{len(found)} utterances cannot be analysed, the first: {found[0]}", where)
