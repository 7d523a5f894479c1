"""What stage 1 says of its result: ``report.json``, ``report.txt`` and ``rejected``."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from nnsvs_lite.align.compare import PUBLISHED, OnsetError, figures, onset_errors, table
from nnsvs_lite.align.config import AlignConfig
from nnsvs_lite.align.corpus import AlignCorpus
from nnsvs_lite.align.quality import Quality
from nnsvs_lite.align.sync import Sync
from nnsvs_lite.io.atomic import write_json, write_text
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.tables import write_table

_SHOWN = 20


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
        out: the experiment folder.
        corpus: with the labels that it came with, if any.
        config: of the run.
        version: of the back end.
        aligned: the aligner's labels.
        refined: those after refinement; None where it was switched off.
        final: those written, with corrections.
        quality: by utterance.
        sync: by utterance.
        failed: utterances that the aligner could not align, and why.
        say: where the text goes.
    """
    rejected = {utt: q.rejected for utt, q in quality.items() if q.rejected}
    # "used" are the labels that go on to training, so without the phrases that are kept out.
    used = {utt: rows for utt, rows in final.items() if utt not in rejected}
    errors = {
        name: [e for utt in corpus.utts if utt in labels for e in _errors(corpus, utt, labels[utt])]
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


def _errors(corpus: AlignCorpus, utt: str, labels: list[Segment]) -> list[OnsetError]:
    return onset_errors(utt, labels, corpus.given[utt]) if utt in corpus.given else []


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
