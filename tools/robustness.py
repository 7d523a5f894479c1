"""A table of robustness, as FastSpeech has one: what acoustic models repeat, skip and lose on 50 hard scores.

    tools/robustness.py exp/acoustic_tacotron2_singing_world_24k exp/acoustic_resf0_conv_world_24k

The scores (Japanese) are of what attention finds hard: one syllable again and again, vowels that follow each
other, very long notes, very short ones, leaps, long phrases. Their phone times are those of the rule. A model
that attends is at each step at the note of the phone that it attends to most; one that is given durations is
where these say, and cannot fail. Hearing is not asked.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from nnsvs_lite.io.errors import DataError
from nnsvs_lite.models.base import AcousticModel
from nnsvs_lite.models.batch import Example, collate
from nnsvs_lite.models.checkpoint import load_model
from nnsvs_lite.models.duration.rule import RuleDuration
from nnsvs_lite.models.layers.expand import phone_of_frame
from nnsvs_lite.models.neural import NeuralAcoustic
from nnsvs_lite.models.timelag.rule import RuleTimeLag
from nnsvs_lite.score import Note, Score
from nnsvs_lite.score.phonemize import attach_phones
from nnsvs_lite.synthesis.phrases import example_of
from nnsvs_lite.synthesis.predict import predict_timing

KINDS = ("repeated", "vowels", "long", "short", "leaps", "phrase")
SYLLABLES = list("かさたなはまやらがだばぱきしちにひみりくすつぬふむゆるけせてねへめれこそとのほもよろ")


@dataclass(frozen=True)
class Faults:
    """Of one score: notes that were sung again, were never come to, and were not sung in their time."""

    repeats: int
    skips: int
    lost: int

    @property
    def any(self) -> bool:
        return bool(self.repeats or self.skips or self.lost)


def faults(path: np.ndarray, due: np.ndarray, sung: np.ndarray) -> Faults:
    """Of a way through the notes.

    Args:
        path: (S,) the note at each step. due: (S,) the note that the score has there.
        sung: (N,) bool, notes that are no rests; the others do not count.

    A note is repeated where the path comes to it from a later one, skipped where it has steps of its own in
    the score and the path has none, lost where it is not at it in the middle of its time.
    """
    back = np.flatnonzero(np.diff(path) < 0) + 1
    repeats = sum(bool(sung[path[step]]) for step in back)
    notes = [n for n in np.unique(due) if sung[n]]
    skips = sum(n not in path for n in notes)
    middles = [np.flatnonzero(due == n) for n in notes]
    lost = sum(path[steps[len(steps) // 2]] != n for n, steps in zip(notes, middles))
    return Faults(repeats, skips, int(lost))


def hard_scores(count: int, seed: int = 0) -> Iterator[tuple[str, Score]]:
    """Kind and score, with phones."""
    rng = np.random.default_rng(seed)
    for k in range(count):
        kind = KINDS[k % len(KINDS)]
        size = {"long": 4, "phrase": 40}.get(kind, 14)
        lengths = {"long": (2.0, 5.0), "short": (0.09, 0.14)}.get(kind, (0.25, 0.6))
        lyrics = [str(rng.choice(SYLLABLES)) for _ in range(size)]
        if kind == "repeated":
            lyrics = [lyrics[0]] * size
        elif kind == "vowels":
            lyrics = [str(rng.choice(list("あいうえお"))) for _ in range(size)]
        rows, time, pitch = [Note(0.0, 0.3, 0, beats=0.6)], 0.3, 64
        for lyric in lyrics:
            length = float(rng.uniform(*lengths))
            pitch = (
                int(rng.integers(57, 77))
                if kind == "leaps"
                else int(np.clip(pitch + rng.integers(-2, 3), 58, 74))
            )
            rows.append(Note(time, time + length, pitch, lyric, beats=2 * length, tempo=120.0))
            time += length
        rows.append(Note(time, time + 0.3, 0, beats=0.6, tempo=120.0))
        yield kind, attach_phones(Score(tuple(rows), lang="ja"))


@torch.inference_mode()
def way(model: AcousticModel, example: Example) -> tuple[np.ndarray, np.ndarray]:
    """The note of each step, as the model goes and as the score has it."""
    batch = model.heard(collate([example], model.spec.frame_shift))
    phone = phone_of_frame(batch)[0].numpy()
    index = batch.score.note_index[0].numpy()
    made = model.predict(model.styled(batch), teacher=False) if isinstance(model, NeuralAcoustic) else {}
    if "attention" not in made:
        return index[phone], index[phone]
    weights = made["attention"][0].numpy()
    step = -(-len(phone) // len(weights))
    middle = np.minimum(np.arange(len(weights)) * step + step // 2, len(phone) - 1)
    return index[weights.argmax(-1)], index[phone[middle]]


def row_of(model: AcousticModel, scores: list[tuple[str, Score]]) -> list[tuple[str, Faults]]:
    """Kind and faults of each score."""
    spec = model.spec
    examples = [example_of(f"{kind}{i}", score, spec) for i, (kind, score) in enumerate(scores)]
    timings = predict_timing(examples, RuleTimeLag(spec), RuleDuration(spec))
    found = []
    for (kind, score), example, timing in zip(scores, examples, timings):
        sung = np.array([note.pitch > 0 for note in score.notes])
        found.append((kind, faults(*way(model, example.timed(timing.duration)), sung)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("exp", nargs="+", help="experiments of acoustic models that sing Japanese")
    parser.add_argument("--count", type=int, default=50, help="scores (default: %(default)s)")
    args = parser.parse_args()
    if args.count < 1:
        parser.error("--count must be at least 1")
    try:
        _print_table(args.exp, list(hard_scores(args.count)))
    except DataError as error:
        sys.exit(f"robustness: {error}")


def _print_table(exps: list[str], scores: list[tuple[str, Score]]) -> None:
    print("| model | repeats | skips | lost | scores with faults | of which: " + ", ".join(KINDS) + " |")
    print("|---|---:|---:|---:|---:|---|")
    for exp in exps:
        found = row_of(load_model(exp, "acoustic"), scores)
        total = [sum(getattr(f, name) for _, f in found) for name in ("repeats", "skips", "lost")]
        bad = [kind for kind, f in found if f.any]
        share = f"{100 * len(bad) / len(found):.0f} %"
        of = ", ".join(str(bad.count(kind)) for kind in KINDS)
        print(f"| {exp} | {total[0]} | {total[1]} | {total[2]} | {share} | {of} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
