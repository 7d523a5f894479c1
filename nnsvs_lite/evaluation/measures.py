"""Which numbers a results table holds: their keys, units, definitions, and how they pool.

An utterance contributes a small vector to each measure. Vectors of several
utterances are summed (or, for medians, joined) before the number is taken, so
that a table pools frames, notes or phones: long utterances weigh more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nnsvs_lite.evaluation.metrics import correlation_from_sums


def _ratio(sums: np.ndarray) -> float:
    return float(sums[0] / sums[1]) if sums[1] else float("nan")


def _root_ratio(sums: np.ndarray) -> float:
    return float(np.sqrt(_ratio(sums)))


def _median_abs(values: np.ndarray) -> float:
    return float(np.median(np.abs(values))) if values.size else float("nan")


@dataclass(frozen=True)
class Measure:
    """One column of the results.

    Attributes:
        key: its name in ``results.json``.
        label: heading for people.
        unit: unit as shown; ``%`` for shares, which are stored as 0..1.
        better: ``lower``, ``higher``, or ``zero`` for a signed bias.
        digits: decimals shown.
        group: ``main``, ``more``, ``espnet``, or ``truth``.
        definition: a sentence for the table's foot.
        finish: from the pooled vector to the number.
        joined: vectors are joined end to end instead of summed.
    """

    key: str
    label: str
    unit: str
    better: str
    digits: int
    group: str
    definition: str
    finish: Callable[[np.ndarray], float] = _ratio
    joined: bool = False

    def pool(self, parts: Sequence[np.ndarray]) -> float | None:
        """The number over several utterances; None where nothing counts or it is infinite."""
        if not parts:
            return None
        value = self.finish(np.concatenate(parts) if self.joined else np.sum(parts, axis=0))
        return value if np.isfinite(value) else None

    def show(self, value: float | None) -> str:
        """The number as text, shares in per cent, a dash where there is none."""
        if value is None:
            return "–"
        return f"{value * self.factor:.{self.digits}f}"

    def show_interval(self, pair: tuple[float, float] | None) -> str:
        """Both ends as text, ``4.1–4.5``; empty where there is no interval."""
        if pair is None:
            return ""
        return (" to " if min(pair) < 0 else "–").join(map(self.show, pair))

    def show_signed(self, value: float) -> str:
        """A difference as text, with its sign; 0 where it rounds to that."""
        rounded = round(value * self.factor, self.digits)
        return f"{rounded:+.{self.digits}f}" if rounded else f"{0:.{self.digits}f}"

    @property
    def factor(self) -> float:
        """What a stored number is multiplied by when shown."""
        return 100.0 if self.unit == "%" else 1.0

    @property
    def heading(self) -> str:
        """Label with unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def gain(self, value: float, floor: float) -> float:
        """By how much ``value`` is better than ``floor``, in its own unit; negative if worse."""
        if self.better == "zero":
            return abs(floor) - abs(value)
        return floor - value if self.better == "lower" else value - floor


MEASURES: tuple[Measure, ...] = (
    Measure(
        "mcd_db", "MCD", "dB", "lower", 2, "main",
        "mel-cepstral distortion, (10/ln 10) √(2 Σ (c − ĉ)²), c0 left out, mean over frames that the "
        "reference labels call sung (every phone but pau and br)",
    ),
    Measure(
        "lf0_rmse_cents", "F0 RMSE", "cents", "lower", 1, "main",
        "root mean square of 1200 log2(f̂/f) over frames voiced in both",
        _root_ratio,
    ),
    Measure(
        "vuv_error", "V/UV error", "%", "lower", 2, "main",
        "frames whose voicing differs, of all frames (also called VDE)",
    ),
    Measure(
        "bap_db", "BAP", "dB", "lower", 3, "main",
        "distortion of coded band aperiodicity: the formula of MCD over all bands / 10, same frames as MCD",
    ),
    Measure(
        "onset_mae_ms", "Onset", "ms", "lower", 1, "main",
        "mean absolute error of the start of each sung note's first phone, predicted against labelled",
    ),
    Measure(
        "vowel_onset_mae_ms", "Vowel onset", "ms", "lower", 1, "main",
        "the same for the start of each sung note's nucleus",
    ),
    Measure(
        "phone_duration_mae_ms", "Phone duration", "ms", "lower", 1, "main",
        "mean absolute error of the durations of sung phones",
    ),
    Measure(
        "in_tune_cents", "In tune", "cents", "lower", 1, "main",
        "F0 re-estimated from the wav against the pitch in the score: per note of at least 0.2 s the "
        "median deviation over the middle half of its sung span, then the median of the absolute values; "
        "a note with no voiced frame there counts as infinitely off; the floor sings the score's pitch, so "
        "it is in tune by construction",
        _median_abs, joined=True,
    ),
    Measure(
        "mel_db", "Mel distance", "dB", "lower", 2, "more",
        "mean absolute difference of log-mel spectra over bands, same frames as MCD; only where the features "
        "have mel spectra",
    ),
    Measure(
        "f0_correlation", "F0 correlation", "", "higher", 4, "more",
        "Pearson correlation of F0 in Hz over frames voiced in both", correlation_from_sums,
    ),
    Measure(
        "rpa", "RPA", "%", "higher", 1, "more",
        "raw pitch accuracy: reference-voiced frames within 50 cents",
    ),
    Measure("rca", "RCA", "%", "higher", 1, "more", "raw chroma accuracy: RPA with octaves forgiven"),
    Measure(
        "gpe", "GPE", "%", "lower", 2, "more",
        "gross pitch errors: frames voiced in both that are off by more than 20 %",
    ),
    Measure(
        "ffe", "FFE", "%", "lower", 2, "more",
        "F0 frame error: gross pitch errors and voicing errors, of all frames",
    ),
    Measure(
        "semitone_accuracy", "Semitone accuracy", "%", "higher", 1, "more",
        "reference-voiced frames that round to the same semitone",
    ),
    Measure(
        "semitone_accuracy_overall", "Semitone accuracy, all frames", "%", "higher", 1, "more",
        "the same over all frames, unvoiced as a label of its own",
    ),
    Measure(
        "onset_bias_ms", "Onset bias", "ms", "zero", 1, "more",
        "mean signed onset error, late is positive",
    ),
    Measure(
        "onset_within_50ms", "Onset within 50 ms", "%", "higher", 1, "more",
        "notes whose onset is off by at most 50 ms",
    ),
    Measure(
        "duration_within_20ms", "Duration within 20 ms", "%", "higher", 1, "more",
        "sung phones whose duration is off by at most 20 ms",
    ),
    Measure(
        "duration_within_50ms", "Duration within 50 ms", "%", "higher", 1, "more",
        "sung phones whose duration is off by at most 50 ms",
    ),
    Measure(
        "syllable_duration_mae_ms", "Syllable duration", "ms", "lower", 1, "more",
        "mean absolute error of the durations of syllables, from the first phone of a sung note to its last",
    ),
    Measure(
        "syllable_within_20ms", "Syllable within 20 ms", "%", "higher", 1, "more",
        "syllables whose duration is off by at most 20 ms",
    ),
    Measure(
        "syllable_within_50ms", "Syllable within 50 ms", "%", "higher", 1, "more",
        "syllables whose duration is off by at most 50 ms",
    ),
    Measure(
        "espnet_mcd_db", "MCD", "dB", "lower", 2, "espnet",
        "mel-cepstral distortion as ESPnet's evaluate_mcd.py has it: SPTK mel-cepstra with c0, frames "
        "paired by time warping, mean over utterances",
    ),
    Measure(
        "espnet_log_f0_rmse", "Log F0 RMSE", "", "lower", 4, "espnet",
        "as ESPnet's evaluate_f0.py: natural log of Hz, Harvest from 40 to 800 Hz, frames voiced in both "
        "after time warping, mean over utterances",
    ),
    Measure(
        "espnet_semitone_accuracy", "Semitone accuracy", "%", "higher", 1, "espnet",
        "as ESPnet's evaluate_semitone.py: frames of the warped F0 with the same semitone, unvoiced "
        "included, mean over utterances",
    ),
    Measure(
        "espnet_vuv_error", "V/UV error", "%", "lower", 2, "espnet",
        "as ESPnet's evaluate_vuv.py: frames of the warped F0 whose voicing differs, mean over utterances",
    ),
    Measure(
        "truth_lf0_rmse_cents", "F0 RMSE", "cents", "lower", 1, "truth",
        "F0 of the wav against the F0 that the virtual singer intended, over frames voiced in both",
        _root_ratio,
    ),
    Measure(
        "truth_onset_mae_ms", "Onset", "ms", "lower", 1, "truth",
        "onset error against the times that the virtual singer intended",
    ),
    Measure(
        "truth_vowel_onset_mae_ms", "Vowel onset", "ms", "lower", 1, "truth",
        "the same for the start of each note's nucleus",
    ),
    Measure(
        "truth_phone_duration_mae_ms", "Phone duration", "ms", "lower", 1, "truth",
        "duration error against the times that the virtual singer intended",
    ),
)  # fmt: skip

PREFIXES = {"truth": "against the truth, ", "espnet": "as ESPnet, "}
"""Said before the label where a group shares labels with another."""

BY_KEY: dict[str, Measure] = {measure.key: measure for measure in MEASURES}


def group(name: str) -> list[Measure]:
    """The measures of one group, in the order of the table."""
    return [measure for measure in MEASURES if measure.group == name]
