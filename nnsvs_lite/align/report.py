"""What stage 1 says of its result: ``report.json``, ``report.txt`` and ``rejected``."""

import dataclasses
import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from nnsvs_lite.align.config import AlignConfig
from nnsvs_lite.align.corpus import AlignCorpus
from nnsvs_lite.align.quality import Quality
from nnsvs_lite.align.sync import Sync
from nnsvs_lite.io.atomic import write_json, write_text
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.io.tables import write_table

_SHOWN, _FEW, _UNLIKELY = 20, 8, 3.5
_OTHER_LYRICS = 0.75
"""Share of vowels that sound most like themselves, below which an utterance that is kept is named."""
PUBLISHED = {
    "Montreal Forced Aligner on singing": 0.403,
    "aligner made for singing, first": 0.209,
    "aligner made for singing, second": 0.186,
}
"""Published boundary error rates at 20 ms, measured on other singing data."""


def onset_errors(found: Sequence[Segment], reference: Sequence[Segment]) -> list[tuple[str, float]]:
    """``(phone, seconds)`` of all onsets that both have, positive where ``found`` is late.

    The onset of the first label is 0 by definition and left out. Where the phones differ, as with a
    breath that only one of both has, the longest common blocks are compared.
    """
    phones = [[s.label for s in rows] for rows in (found, reference)]
    blocks = difflib.SequenceMatcher(None, *phones, autojunk=False).get_matching_blocks()
    pairs = [(a + k, b + k) for a, b, size in blocks for k in range(size) if a + k and b + k]
    return [(reference[j].label, round(found[i].start - reference[j].start, 7)) for i, j in pairs]


def figures(errors: Iterable[tuple[str, float]]) -> dict[str, float] | None:
    """Median and mean of absolute errors, median with its sign (bias), and the shares within 20 and 50 ms.

    None where there is no onset to compare.
    """
    seconds = np.array([late for _, late in errors])
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
    form = (
        "{:<12} {n_onsets:>7} {median_ms:>5.1f} ms {mean_ms:>5.1f} ms {bias_ms:>+5.1f} ms "
        "{within_20ms:>8.1%} {within_50ms:>8.1%}"
    )
    lines = [f"{'':<12} {'onsets':>7} {'median':>8} {'mean':>8} {'bias':>8} {'<=20 ms':>8} {'<=50 ms':>8}"]
    return "\n".join(lines + [form.format(name, **row) for name, row in rows.items() if row])


def write_report(
    out: Path,
    corpus: AlignCorpus,
    config: AlignConfig,
    version: str,
    labels: Mapping[str, Mapping[str, list[Segment]]],
    quality: Mapping[str, Quality],
    sync: Mapping[str, Sync],
    failed: Mapping[str, str],
    say: Callable[[str], None] = print,
) -> dict:
    """Writes the three files into ``out`` and prints the text; returns the report.

    Args:
        version: of the back end.
        labels: by utterance: those of the ``aligner``; ``refined``, none where that was switched off;
            and ``used``, which go on to training, so with corrections, without rejected phrases.
        failed: utterances that the aligner could not align, and why.
    """
    rejected = {utt: q.rejected for utt, q in quality.items() if q.rejected}
    given = [(utt, corpus.given[utt]) for utt in corpus.utts if utt in corpus.given]
    errors = {
        name: [error for utt, truth in given if utt in rows for error in onset_errors(rows[utt], truth)]
        for name, rows in labels.items()
    }
    best = errors["refined"] or errors["aligner"]
    by_phone = {phone: [e for e in best if e[0] == phone] for phone in sorted({e[0] for e in best})}
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
        "by_phone": {phone: figures(rows) for phone, rows in by_phone.items()},
        "agreement": figures(
            pair
            for utt, rows in labels["refined"].items()
            if utt in labels["aligner"]
            for pair in onset_errors(rows, labels["aligner"][utt])
        ),
        "n_drafts": len(corpus.utts) - len(sync),
        "sync": _sync_figures(list(sync.values())) if sync else None,
        "faults": dict(sorted(kinds.items())),
        "likelihood": _likelihoods(
            {utt: q.likelihood for utt, q in quality.items() if q.likelihood is not None}
        ),
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


def _likelihoods(values: Mapping[str, float]) -> dict | None:
    """Their middle, and those far below it by the modified z-score (Iglewicz and Hoaglin, 1993)."""
    if len(values) < _FEW:
        return None
    middle = float(np.median(list(values.values())))
    spread = max(1.4826 * float(np.median([abs(v - middle) for v in values.values()])), 1e-3)
    low = {utt: round(v, 2) for utt, v in sorted(values.items(), key=lambda row: row[1])}
    low = {utt: v for utt, v in low.items() if v < middle - _UNLIKELY * spread}
    return {"median": round(middle, 2), "low": low}


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
    ]
    if sync:
        lines.append(
            f"recording against score: offset {sync['median_offset']:+.3f} s (median; largest "
            f"{sync['largest_offset']:+.3f} s), tempo drift up to {sync['largest_drift']:.2%}, transposition "
            f"{sync['median_transposition']:+.2f} semitones (median)"
        )
    if report["n_drafts"]:
        lines.append(
            f"{report['n_drafts']} utterances have lyrics alone: data dirs with scores drafted from what is "
            "heard are in draft/"
        )
    if report["aligner"] or report["refined"]:
        lines += ["", "onsets against the corpus' own labels:"]
        lines.append(table({name: report[name] for name in ("aligner", "refined", "used")}))
        published = " / ".join(f"{100 * rate:.1f}" for rate in PUBLISHED.values())
        lines.append(
            f"boundary error rate at 20 ms: {report['error_rate_20ms']:.1%} (published, on other data: "
            f"{published} % for MFA and for two aligners made for singing)"
        )
    if report["aligner_failed"]:
        utt, why = next(iter(report["aligner_failed"].items()))
        count = f"{len(report['aligner_failed'])} of {report['n_utts']}"
        lines += ["", f"the aligner could not align {count}: {utt}: {why}"]
    if report["agreement"]:
        near, far = (report["agreement"][name] for name in ("within_20ms", "within_50ms"))
        lines += [
            "",
            f"aligner and refinement agree within 20 ms at {near:.1%} of onsets, within 50 ms at {far:.1%}",
        ]
    if unsure := (report["likelihood"] or {}).get("low"):
        count, middle = len(unsure), report["likelihood"]["median"]
        lines += [
            "",
            f"the aligner is least sure of {count} utterances (log-likelihood, {middle:.1f} in the middle):",
        ]
        sure = {utt: report["utterances"][utt]["confidence"] for utt in unsure}
        lines += [f"  {utt}: {unsure[utt]:.1f}, our confidence {sure[utt]:.2f}" for utt in [*unsure][:_SHOWN]]
    if placed := [f"  {utt}: {why}" for utt, row in report["utterances"].items() for why in row["placed"]]:
        lines += [
            "",
            f"{len(placed)} utterances do not lie in their score's time or pitch:",
            *placed[:_SHOWN],
        ]
        lines += [f"  ... and {len(placed) - _SHOWN} more, all in report.json"] * (len(placed) > _SHOWN)
    rows = {utt: row["vowels"] for utt, row in report["utterances"].items() if not row["rejected"]}
    if unlike := [f"  {utt}: {1 - share:.0%}" for utt, share in rows.items() if share < _OTHER_LYRICS]:
        lines += ["", f"{len(unlike)} that are kept may have other lyrics (vowels that sound like others):"]
        lines += unlike[:_SHOWN]
    if report["faults"]:
        lines += ["", "faults: " + ", ".join(f"{kind} {count}" for kind, count in report["faults"].items())]
    lines += ["", f"{report['n_rejected']} of {report['n_utts']} utterances are kept out of training"]
    lines += [f"  {utt}: {rejected[utt]}" for utt in sorted(rejected, key=str.encode)[:_SHOWN]]
    if len(rejected) > _SHOWN:
        lines.append(f"  ... and {len(rejected) - _SHOWN} more, all in the file rejected")
    return "\n".join(lines) + "\n"
