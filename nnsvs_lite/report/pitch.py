"""``results.json`` and ``RESULTS.md`` of F0 trackers."""

import importlib.util
import os
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nnsvs_lite.corpus.check_audio import audio_info
from nnsvs_lite.corpus.truth import KnownPitch, read_truths
from nnsvs_lite.evaluation import pitch
from nnsvs_lite.evaluation.intervals import estimate
from nnsvs_lite.evaluation.measures import Measure
from nnsvs_lite.io.atomic import write_json, write_text
from nnsvs_lite.io.errors import printable
from nnsvs_lite.report.markdown import markdown_table, safe, show

HOW = """\
## How it is measured

Every recording counts once, but for the error in cents, which is of all frames together. In brackets: 95 %,
1,000 bootstrap draws over recordings. Frames are those of the annotation; F0 of the trackers, one value every
5 ms, is interpolated to them. A frame that a tracker calls unvoiced has no pitch and misses. No score and no
words are known. Notes are found by one model of notes from each tracker's F0, and matched by `mir_eval`.
"""


def report_pitch(
    data: str | os.PathLike,
    exp: str | os.PathLike,
    out: str | os.PathLike,
    results: str | os.PathLike | None,
    title: str,
    command: str,
) -> list[str]:
    """Scores all trackers in ``exp`` on the recordings of ``data``; writes ``out`` (JSON) and ``results``.

    Returns lines for the terminal. Raises DataError where data or tracks are missing.
    """
    wavs, truths = read_truths(data)
    f0, notes = pitch.tracked(exp)
    seconds = sum(audio_info(path).seconds for path in wavs.values())
    lines = [f"# {printable(title)}", "", "Made by", "", f"    {printable(command)}", ""]
    counts = [(len(truths), "recording"), (len({t.singer for t in truths.values()}), "singer")]
    what = " of ".join(f"{n} {word}{'s' * (n != 1)}" for n, word in counts)
    lines += [f"{what}, {seconds:.0f} s.", ""]
    told: dict[str, Any] = {"frames": {}, "notes": {}}
    known = {utt: truth for utt, truth in truths.items() if truth.f0 is not None}
    measures: list[Measure] = []
    if known:
        vectors = {name: pitch.score_tracks(known, f0[name]) for name in f0}
        measures += pitch.FRAMES
        lines += ["## F0", "", *_numbers("tracker", pitch.FRAMES, vectors), ""]
        lines += _by_group("RPA (%)", pitch.FRAMES[0], known, vectors)
        told["frames"] = _told(pitch.FRAMES, vectors)
    annotators = sorted({name for truth in truths.values() for name in truth.notes})
    if annotators and importlib.util.find_spec("mir_eval") is None:
        lines += [
            "Notes are not scored: that needs the package mir_eval: pip install 'nnsvs_lite[pitch]'",
            "",
        ]
    elif annotators:
        measures += pitch.NOTES
        for name in annotators:
            reference = {utt: t.notes[name] for utt, t in truths.items() if name in t.notes}
            vectors = {tracker: pitch.score_notes(reference, notes[tracker]) for tracker in notes}
            for other in annotators:
                if other != name:
                    theirs = {u: t.notes[other] for u, t in truths.items() if other in t.notes}
                    vectors[f"annotator {other}"] = pitch.score_notes(reference, theirs)
            count = sum(map(len, reference.values()))
            lines += [f"## Notes, against annotator {name} ({count} notes)", ""]
            lines += [*_numbers("notes of", pitch.NOTES, vectors), ""]
            told["notes"][name] = _told(pitch.NOTES, vectors)
    if not known and len(f0) > 1:
        lines += _agreement(truths, f0)
    lines += [HOW, *(f"- **{m.label}**: {m.definition}." for m in measures)]
    write_json(out, told)
    if results is not None:
        write_text(results, "\n".join(lines).rstrip() + "\n")
    start = lines.index("## F0") if known else 6
    return lines[start : lines.index(HOW)]


def _numbers(what: str, measures: Sequence[Measure], vectors: Mapping[str, pitch.Vectors]) -> list[str]:
    head = [what, *(m.heading for m in measures)]
    return markdown_table(
        head, [[name, *(show(m, estimate(m, [v[m.key]])) for m in measures)] for name, v in vectors.items()]
    )


def _told(
    measures: Iterable[Measure], vectors: Mapping[str, pitch.Vectors]
) -> dict[str, dict[str, float | None]]:
    return {n: {m.key: m.pool(list(v[m.key].values())) for m in measures} for n, v in vectors.items()}


def _groups(truths: Mapping[str, KnownPitch]) -> dict[str, list[str]]:
    """Recordings by group, where there are several groups."""
    groups: dict[str, list[str]] = {}
    for utt, truth in truths.items():
        groups.setdefault(truth.group or "none", []).append(utt)
    return dict(sorted(groups.items())) if len(groups) > 1 else {}


def _by_group(
    what: str, measure: Measure, truths: Mapping[str, KnownPitch], vectors: Mapping[str, pitch.Vectors]
) -> list[str]:
    rows = []
    for group, utts in _groups(truths).items():
        numbers = (measure.pool([v[measure.key][utt] for utt in utts]) for v in vectors.values())
        rows.append([safe(group), str(len(utts)), *map(measure.show, numbers)])
    head = ["group", "recordings", *vectors]
    return [f"{what} by group:", "", *markdown_table(head, rows), ""] if rows else []


def _agreement(truths: Mapping[str, KnownPitch], f0: Mapping[str, Mapping[str, np.ndarray]]) -> list[str]:
    """Where nothing is annotated: how far the trackers agree."""
    parts = {"all": list(truths), **_groups(truths)}
    found = {group: pitch.agreement(f0, utts) for group, utts in parts.items()}
    pairs = list(found["all"])
    rows = [
        [safe(group), str(len(parts[group])), *(f"{100 * share:.1f}" for share in shares.values())]
        + [f"{100 * statistics.fmean(shares.values()):.1f}"]
        for group, shares in found.items()
    ]
    head = ["recordings of", "number", *(f"{a}, {b}" for a, b in pairs), "mean"]
    text = "F0 is not annotated here, so nobody is right: of the frames that either of two trackers calls"
    text += " voiced, the share (%) in which both are, within 50 cents."
    return ["## How far trackers agree", "", text, "", *markdown_table(head, rows), ""]
