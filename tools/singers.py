"""Whether a voice of several singers sings as each of them: the same scores by every singer.

    tools/singers.py --model EXP --dump DUMP --train-set train_multi SCORE... > table.md

Each singing is analysed again from its waveform. The table sets the mean spectra of its vowels against those
of every singer's recordings in the training set: the smallest number of a row should stand under the singer
whose id was given. Beside it, how far the singing is from the score's pitch.
"""

import argparse
from pathlib import Path

import numpy as np
from timbre import singers_of, timbre_distance, vowel_spectra

from nnsvs_lite.evaluation.measures import note_cents
from nnsvs_lite.evaluation.reference import group_notes, sung_pitch
from nnsvs_lite.evaluation.system import analyse, tuning_f0
from nnsvs_lite.features.audio import resample
from nnsvs_lite.io.ctm import Segment
from nnsvs_lite.score.languages import get_language
from nnsvs_lite.synthesis.decode import phone_times
from nnsvs_lite.synthesis.singer import Performance, Singer


def tuning(song: Performance, f0: np.ndarray) -> np.ndarray:
    """Cents from the score of every sung note that lasts, from the waveform's F0."""
    off = []
    for phrase in song.phrases:
        times = phrase.start + phone_times(phrase.duration, song.frame_shift)
        segments = [Segment(a, b, p) for a, b, p in zip(times, times[1:], phrase.score.phones)]
        notes = group_notes(phrase.score, phrase.score.note_index)
        off.append(note_cents(notes.pitch, sung_pitch(f0, song.frame_shift, notes.spans(segments))))
    return np.concatenate(off)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True, help="exp dir or packed voice")
    parser.add_argument("--dump", type=Path, required=True, help="dump dir of its training set")
    parser.add_argument("--train-set", default="train_multi")
    parser.add_argument("scores", nargs="+", type=Path, help="score files")
    args = parser.parse_args()
    voice = Singer.load(args.model)
    vowels = get_language(voice.spec.codes[0]).vowels
    own = singers_of(args.dump, args.train_set, vowels)
    print("| sung as | " + " | ".join(f"to {name} (dB)" for name in own) + " | in tune (cents) |")
    print("|---" * (len(own) + 2) + "|")
    for name in voice.singers:
        spectra, labels, off = [], [], []
        for path in args.scores:
            song = voice.sing(path, singer=name)
            phones = [Segment(p.start, p.end, p.symbol) for p in song.phones]
            config = voice.spec.feature_config
            wave = resample(song.waveform, song.sample_rate, config.sample_rate)
            found = analyse(wave, song.score, phones, config)
            ends = np.array([p.end for p in phones]) / song.frame_shift
            index = np.searchsorted(ends, np.arange(len(found.mgc)), side="right").clip(max=len(phones) - 1)
            spectra.append(found.mgc)
            labels.append([phones[i].label for i in index])
            off.append(tuning(song, tuning_f0(wave, song.score, config)))
        heard = vowel_spectra(spectra, labels, vowels)
        distances = {other: timbre_distance(heard, theirs) for other, theirs in own.items()}
        nearest = min(distances, key=lambda other: distances[other])
        cells = [f"**{d:.2f}**" if other == nearest else f"{d:.2f}" for other, d in distances.items()]
        print(
            f"| `{name}` | " + " | ".join(cells) + f" | {np.median(np.abs(np.concatenate(off))):.1f} |",
            flush=True,
        )
    rows = [f"`{a}` and `{b}` {timbre_distance(own[a], own[b]):.2f} dB" for a in own for b in own if a < b]
    print("\nBetween the recordings themselves: " + ", ".join(rows) + ".")


if __name__ == "__main__":
    main()
