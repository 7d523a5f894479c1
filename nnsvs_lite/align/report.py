"""What stage 1 says of its result: ``report.json``, ``report.txt`` and ``rejected``."""

import dataclasses
import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nnsvs_lite.align.config import AlignConfig
from nnsvs_lite.align.corpus import AlignCorpus
from nnsvs_lite.align.quality import Quality
from nnsvs_lite.align.sync import Sync
from nnsvs_lite.io.atomic import write_json, write_text
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.tables import write_table

_SHOWN = 20
PUBLISHED = {
    "Montreal Forced Aligner on singing": 0.403,
    "aligner made for singing, first": 0.209,
    "aligner made for singing, second": 0.186,
}
"""Published boundary error rates at 20 ms, measured on other singing data."""


class OnsetError(NamedTuple):
    """One onset found, against the reference: ``error`` seconds, positive where it is late."""

    utt: str
    before: str
    phone: str
    time: float
    error: float


def onset_errors(utt: str, found: Sequence[Segment], reference: Sequence[Segment]) -> list[OnsetError]:
    """Errors of all onsets that both have; the onset of the first label is 0 by definition.

    Where the phones differ, as with a breath that only one of both has, the longest
    common blocks are compared.
    """
    mine, theirs = [s.label for s in found], [s.label for s in reference]
    if mine == theirs:
        pairs = [(i, i) for i in range(len(mine))]
    else:
        blocks = difflib.SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks()
        pairs = [(b.a + k, b.b + k) for b in blocks for k in range(b.size)]
    return [
        OnsetError(
            utt, theirs[j - 1], theirs[j], reference[j].start, round(found[i].start - reference[j].start, 7)
        )
        for i, j in pairs
        if i and j
    ]


def figures(errors: Iterable[OnsetError]) -> dict[str, float] | None:
    """``n_onsets``, ``median_ms``, ``mean_ms``, ``bias_ms`` and the shares within 20 and 50 ms.

    The median and the mean are of absolute errors, the bias is the median with its
    sign. None where there is no onset to compare.
    """
    seconds = np.array([e.error for e in errors])
    if not len(seconds):
        return None
    size = np.round(np.abs(seconds), 6)
    return {
        "n_onsets": len(seconds),
        "median_ms": round(1e3 * float(np.median(size)), 2),
        "mean_ms": round(1e3 * float(size.mean()), 2),
        "bias_ms": round(1e3 * float(np.median(seconds)), 2),
        "within_20ms": round(float((size <= 0.02).mean()), 4),
        "within_50ms": round(float((size <= 0.05).mean()), 4),
    }


def table(rows: Mapping[str, Mapping[str, float] | None]) -> str:
    """Figures as a table of text, one row a name; names without figures are left out."""
    lines = [f"{'':<12} {'onsets':>7} {'median':>8} {'mean':>8} {'bias':>8} {'<=20 ms':>8} {'<=50 ms':>8}"]
    for name, row in rows.items():
        if row:
            lines.append(
                f"{name:<12} {row['n_onsets']:>7} {row['median_ms']:>5.1f} ms {row['mean_ms']:>5.1f} ms "
                f"{row['bias_ms']:>+5.1f} ms {row['within_20ms']:>8.1%} {row['within_50ms']:>8.1%}"
            )
    return "\n".join(lines)


def write_report(
    out: Path,
    corpus: AlignCorpus,
    config: AlignConfig,
    *,
    version: str,
    aligned: Mapping[str, list[Segment]],
    refined: Mapping[str, list[Segment]] | None,
    final: Mapping[str, list[Segment]],
    quality: Mapping[str, Quality],
    sync: Mapping[str, Sync],
    failed: Mapping[str, str],
    say: Callable[[str], None] = print,
) -> dict:
    """Writes the three files into ``out`` and prints the text; returns the report.

    Args:
        version: of the back end.
        aligned: the aligner's labels.
        refined: those after refinement; None where it was switched off.
        final: those written, with corrections.
        failed: utterances that the aligner could not align, and why.
    """
    rejected = {utt: q.rejected for utt, q in quality.items() if q.rejected}
    # "used" are the labels that go on to training, so without the phrases that are kept out.
    used = {utt: rows for utt, rows in final.items() if utt not in rejected}
    given = [utt for utt in corpus.utts if utt in corpus.given]
    errors = {
        name: [e for u in given if u in labels for e in onset_errors(u, labels[u], corpus.given[u])]
        for name, labels in (("aligner", aligned), ("refined", refined or {}), ("used", used))
    }
    best = errors["refined"] or errors["aligner"]
    by_phone: dict[str, list[OnsetError]] = {}
    for error in best:
        by_phone.setdefault(error.phone, []).append(error)
    kinds = Counter(fault.kind for q in quality.values() for fault in q.faults)
    report = {
        "version": 1,
        "backend": version,
        "unit": config.unit,
        "n_utts": len(corpus.utts),
        "n_rejected": len(rejected),
        "seconds": round(sum(corpus.durations.values()), 3),
        **{name: figures(rows) for name, rows in errors.items()},
        "error_rate_20ms": round(1.0 - figures(best)["within_20ms"], 4) if best else None,
        "published_error_rate_20ms": PUBLISHED,
        "by_phone": {phone: figures(rows) for phone, rows in sorted(by_phone.items())},
        "sync": _sync_figures(list(sync.values())),
        "faults": dict(sorted(kinds.items())),
        "aligner_failed": dict(sorted(failed.items())),
        "utterances": {
            utt: dataclasses.asdict(quality[utt]) | ({"sync": vars(sync[utt])} if utt in sync else {})
            for utt in corpus.utts
        },
    }
    write_json(out / "report.json", report)
    write_table(out / "rejected", rejected)
    text = report_text(report, rejected)
    write_text(out / "report.txt", text)
    for line in text.splitlines():
        say(line)
    return report


def _sync_figures(rows: list[Sync]) -> dict:
    offsets = np.array([row.offset for row in rows])
    drifts = np.array([row.stretch for row in rows])
    return {
        "median_offset": round(float(np.median(offsets)), 4),
        "largest_offset": round(float(offsets[np.abs(offsets).argmax()]), 4),
        "median_stretch": round(float(np.median(drifts)), 5),
        "largest_drift": round(float(np.abs(drifts - 1.0).max()), 5),
        "median_transposition": round(float(np.median([row.transposition for row in rows])), 3),
    }


def report_text(report: Mapping, rejected: Mapping[str, str]) -> str:
    """The report for people."""
    sync = report["sync"]
    lines = [
        f"{report['n_utts']} utterances, {report['seconds']:.0f} s, aligned with {report['backend']}, "
        f"one word per {report['unit']}",
        f"recording against score: offset {sync['median_offset']:+.3f} s (median; largest "
        f"{sync['largest_offset']:+.3f} s), tempo drift up to {sync['largest_drift']:.2%}, transposition "
        f"{sync['median_transposition']:+.2f} semitones (median)",
    ]
    if report["aligner"] or report["refined"]:
        lines += ["", "onsets against the corpus' own labels:"]
        lines.append(table({name: report[name] for name in ("aligner", "refined", "used")}))
        published = " / ".join(f"{100 * rate:.1f}" for rate in PUBLISHED.values())
        lines.append(
            f"boundary error rate at 20 ms: {report['error_rate_20ms']:.1%} (published, on other data: "
            f"{published} % for MFA and for two aligners made for singing)"
        )
    if report["faults"]:
        lines += ["", "faults: " + ", ".join(f"{kind} {count}" for kind, count in report["faults"].items())]
    lines += ["", f"{report['n_rejected']} of {report['n_utts']} utterances are kept out of training"]
    for utt in sorted(rejected, key=str.encode)[:_SHOWN]:
        lines.append(f"  {utt}: {rejected[utt]}")
    if len(rejected) > _SHOWN:
        lines.append(f"  ... and {len(rejected) - _SHOWN} more, all in the file rejected")
    return "\n".join(lines) + "\n"
