"""The report card of a voice: how it sings beside its singer, what it was trained on, what to record next."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from nnsvs_lite.evaluation.reference import Reference, f0_in_hertz
from nnsvs_lite.evaluation.results import REFERENCES, read_results
from nnsvs_lite.features.f0 import hz_to_midi
from nnsvs_lite.features.spec import Spec
from nnsvs_lite.io.atomic import read_json, write_text
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.done import digest
from nnsvs_lite.io.errors import DataError
from nnsvs_lite.io.tables import FeatureReader
from nnsvs_lite.models.pack import load_voice
from nnsvs_lite.report import plots
from nnsvs_lite.report.comparison import Comparison, find_results, read_setup
from nnsvs_lite.report.experiments import read_experiment
from nnsvs_lite.report.page import environment, loss_charts
from nnsvs_lite.score.languages.base import SILENCES
from nnsvs_lite.score.types import Score

RARE = 5
"""Times; a phone, or notes of a length, that were sung less often are to be recorded."""
THIN = 1.0
"""Seconds; a pitch amid others that was sung for less is to be recorded."""
ENOUGH = 300.0
"""Seconds of singing that a voice should have at least."""
LENGTHS = (0.15, 0.3, 0.6, 1.2)
"""Seconds that part lengths of notes, as they were sung."""
MOST = 24
"""Names in a recommendation; what is more is counted."""


@dataclass
class Coverage:
    """What of a voice's phones and pitches a training set holds.

    Attributes:
        seconds: sung, by phone and MIDI number of the note. phones: how often each was sung.
        lengths: notes in each class of :data:`LENGTHS`. pitches: F0 of voiced frames, MIDI numbers.
        phrases: utterances.
    """

    seconds: Counter[tuple[str, int]] = field(default_factory=Counter)
    phones: Counter[str] = field(default_factory=Counter)
    lengths: np.ndarray = field(default_factory=lambda: np.zeros(len(LENGTHS) + 1, int))
    pitches: np.ndarray = field(default_factory=lambda: np.zeros(0))
    phrases: int = 0

    @classmethod
    def of(cls, dump: str | os.PathLike, name: str) -> "Coverage":
        """Reads a set of a dump. Raises DataError where it is missing or damaged."""
        reference, found, pitches = Reference(dump, name), cls(), []
        for utterance in map(reference.__getitem__, reference.utts):
            score = utterance.score
            names = [reference.spec.name_of(score.lang, segment.label) for segment in utterance.phones]
            spans = utterance.notes.spans(utterance.phones)
            found.add(score, utterance.phones, names, spans[:, 1] - spans[:, 0])
            pitches.append(hz_to_midi(utterance.f0[utterance.f0 > 0]))
        found.pitches = np.concatenate(pitches)
        return found

    def add(
        self, score: Score, labels: Sequence[Segment], names: Sequence[str], lengths: Sequence[float]
    ) -> None:
        """Counts a phrase: its labels, what its phones are called, and the seconds of its sung notes."""
        self.phrases += 1
        for segment, phone, note in zip(labels, names, score.note_index, strict=True):
            if segment.label not in SILENCES:
                self.phones[phone] += 1
                self.seconds[phone, score.notes[note].pitch] += segment.end - segment.start
        self.lengths += np.bincount(np.digitize(lengths, LENGTHS), minlength=len(LENGTHS) + 1)

    def at(self, pitch: int) -> float:
        """Seconds that notes of a pitch were sung."""
        return sum(seconds for (_, own), seconds in self.seconds.items() if own == pitch)

    @property
    def range(self) -> range:
        """MIDI numbers from the lowest to the highest note, rests left out."""
        sung = [pitch for _, pitch in self.seconds if pitch > 0]
        return range(min(sung), max(sung) + 1) if sung else range(0)


def length_names() -> list[str]:
    """What the classes of :data:`LENGTHS` are called."""
    ends = [f"{end:g}" for end in LENGTHS]
    return [f"under {ends[0]} s", *(f"{a}–{b} s" for a, b in zip(ends, ends[1:])), f"over {ends[-1]} s"]


def _some(words: list[str]) -> str:
    more = f" and {len(words) - MOST} more" if len(words) > MOST else ""
    return ", ".join(words[:MOST]) + more


def record_next(spec: Spec, coverage: Coverage | None) -> list[tuple[str, str]]:
    """What a voice lacks, see :func:`lacking`, by the statistics of its training set."""
    names = ("", *spec.phones)
    sung = spec.phones[len(SILENCES) :]
    frames = dict(zip(names, spec.phone_stat("frames", 0.0)))
    seconds = sum(frames[p] for p in sung) * spec.frame_shift
    counts = dict(zip(names, spec.phone_stat("count", 0.0)))
    return lacking(sung, counts, _held(spec), seconds, coverage)


def _held(spec: Spec) -> list[str]:
    return [phone for phone, held in zip(("", *spec.phones), spec.sustaining) if held]


def lacking(
    sung: Sequence[str],
    counts: Mapping[str, float],
    held: Sequence[str],
    seconds: float,
    coverage: Coverage | None,
) -> list[tuple[str, str]]:
    """What recordings lack: a kind, and which phones, pitches or lengths; the most urgent first.

    Args:
        sung: phones that there are, silences left out; ``held``: those that notes are held on.
        counts: how often each was sung. seconds: of all singing.
    """
    out = [("phones that were never sung", [p for p in sung if not counts[p]])]
    rare = sorted((p for p in sung if 0 < counts[p] < RARE), key=counts.__getitem__)
    out.append((f"phones sung fewer than {RARE} times", [f"{p} ({counts[p]:.0f})" for p in rare]))
    if coverage is not None:
        span = coverage.range
        thin = [(p, coverage.at(p)) for p in span if coverage.at(p) < THIN]
        names = [f"{plots.note_name(p)} ({found:.1f} s)" for p, found in thin]
        out.append(("pitches within the range that are hardly sung", names))
        gaps = [
            f"{phone} at {plots.note_name(pitch)}"
            for pitch in span
            for phone in held
            if coverage.phones[phone] and coverage.at(pitch) >= THIN and not coverage.seconds[phone, pitch]
        ]
        out.append(("vowels at pitches where others are sung", gaps))
        few = [f"{n} ({k})" for n, k in zip(length_names(), coverage.lengths) if k < RARE]
        out.append(("notes of these lengths", few))
    rows = [(kind, _some(words)) for kind, words in out if words]
    if seconds < ENOUGH:
        rows.append(("more of everything", f"{seconds / 60:.1f} minutes were sung, 5 are little"))
    return rows


def find_dump(voice: Path) -> Path | None:
    """The dump that an exp dir was trained on, where it lies in the same recipe still; else None."""
    if not (voice / "data.json").is_file():
        return None
    known = read_json(voice / "data.json")
    wanted = known.get("stats") if isinstance(known, dict) else None
    stats = sorted(voice.resolve().parent.parent.glob("*/*/stats.json"))
    return next((path.parent for path in stats if digest(path)[:12] == wanted), None)


def build_card(
    voice: str | os.PathLike,
    out: str | os.PathLike | None = None,
    dump: str | os.PathLike | None = None,
    train_set: str = "train",
    results: str | os.PathLike | None = None,
) -> Path:
    """Writes the card of an exp dir or a packed voice: one HTML file; returns its path.

    Args:
        out: ``card.html`` in the exp dir, or beside the packed voice, where not given.
        dump: with the recordings' features; found by the exp dir's own record where not given.
        train_set: set of the dump. results: ``results.json``; the exp dir's own where not given.

    Raises DataError where the voice cannot be read, or what is named is missing or damaged.
    """
    import jinja2

    voice = Path(voice)
    usual = voice / "card.html" if voice.is_dir() else voice.with_suffix(".html")
    out = usual if out is None else Path(out)
    models = load_voice(voice, torch.device("cpu"))
    spec: Spec = models["acoustic"].spec
    dump = Path(dump) if dump is not None else find_dump(voice)
    coverage, notes, comparison = None, [], None
    if dump is not None:
        models["acoustic"].check_fits(Spec.read(dump, stats=False), voice)
        coverage = Coverage.of(dump, train_set)
    else:
        notes.append("No dump is named (--dump) or found: coverage of pitches and lengths is not known.")
    try:
        if results is None and not voice.is_dir():
            raise DataError("none are named (--results)")
        comparison = Comparison.of_one(read_results(find_results(voice if results is None else results)))
    except DataError as error:
        if results is not None:
            raise
        notes.append(f"No scores: {error}")
    experiments = {"acoustic": voice} if voice.is_dir() else {}
    if (voice / "voice.json").is_file():
        names = read_json(voice / "voice.json")
        experiments |= {kind: voice.parent / str(name) for kind, name in names.items()}
    sizes = {
        kind: (type(model).__name__, sum(p.numel() for p in model.parameters()))
        for kind, model in models.items()
    }
    charts = {k: loss_charts(read_experiment(k, path)) for k, path in experiments.items() if path.is_dir()}
    ranges = {"the singer, in what was trained on": coverage.pitches} if coverage else {}
    if comparison and dump is not None:
        ranges |= _scored_pitches(dump, comparison.all_runs[0].results)
    loader = jinja2.PackageLoader("nnsvs_lite.report")
    blocks = {"trim_blocks": True, "lstrip_blocks": True, "undefined": jinja2.StrictUndefined}
    page = jinja2.Environment(loader=loader, autoescape=True, **blocks).get_template("card.html.j2")
    text = page.render(
        title=voice.name,
        spec=spec,
        models={kind: (*row, charts.get(kind, [])) for kind, row in sizes.items()},
        coverage=coverage,
        notes=notes,
        record=record_next(spec, coverage),
        comparison=comparison,
        numbers=[comparison.numbers(name) for name in ("main", "life")] if comparison else [],
        references=REFERENCES,
        map=coverage_map(spec.phones[len(SILENCES) :], _held(spec), coverage)
        if coverage and coverage.range
        else "",
        ranges=[(who, np.percentile(f0, (0, 5, 50, 95, 100))) for who, f0 in ranges.items() if len(f0)],
        lengths=list(zip(length_names(), coverage.lengths)) if coverage else [],
        name_of=lambda midi: plots.note_name(round(midi)),
        environment=environment(),
    )
    write_text(out, text)
    return out


def _scored_pitches(dump: Path, results: Path) -> dict[str, np.ndarray]:
    """F0 of voiced frames of the scored phrases, MIDI numbers, where dump and decoded features are there."""
    name = (read_setup(results) or {}).get("set")
    if not name or not (dump / name).is_dir() or not (results.parent / "lf0.scp").is_file():
        return {}
    reference = Reference(dump, name)
    lf0, vuv = (FeatureReader(results.parent / f"{stream}.scp") for stream in ("lf0", "vuv"))
    f0 = {
        "the singer, in the scored phrases": [reference[utt].f0 for utt in reference.utts],
        "the voice, in the scored phrases": [f0_in_hertz(lf0[utt], vuv[utt]) for utt in lf0],
    }
    return {who: hz_to_midi(np.concatenate([x[x > 0] for x in found])) for who, found in f0.items()}


def coverage_map(sung: Sequence[str], held: Sequence[str], coverage: Coverage) -> str:
    """Seconds of each phone at each pitch, those that are held first, and of all together."""
    phones = sorted((p for p in sung if coverage.phones[p]), key=lambda p: p not in held)
    rows = {"all": [coverage.at(pitch) for pitch in coverage.range]}
    rows |= {p: [coverage.seconds[p, pitch] for pitch in coverage.range] for p in phones}
    return plots.coverage_map(rows, [plots.note_name(p) for p in coverage.range])
