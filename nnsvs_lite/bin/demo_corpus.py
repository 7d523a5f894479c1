"""Makes the demo corpus with the embedded singer."""

from __future__ import annotations

import argparse

HELP = "make the demo corpus: scores and recordings of a virtual singer"
STAGE = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", required=True, help="folder to write the corpus to")
    parser.add_argument("--seed", type=int, default=0, help="seed of etudes and performance")
    parser.add_argument("--sample-rate", type=int, default=24000, help="sampling rate in Hz")
    parser.add_argument("--singers", type=int, default=1, help="number of singers, 1 or 2")
    parser.add_argument("--etudes", type=int, default=60, help="number of etudes")
    parser.add_argument("--nj", type=int, default=2, help="processes")
    parser.add_argument(
        "--hmm-baseline",
        metavar="DATA_DIR",
        help="instead of making the corpus, sing this data dir with the HMM system alone (times, F0 and"
        " spectra of the voice) and write a decode folder to --out",
    )


def run(args: argparse.Namespace) -> int | None:
    if args.hmm_baseline is not None:
        from nnsvs_lite.virtual.baseline import sing_baseline

        made = sing_baseline(args.hmm_baseline, args.out, sample_rate=args.sample_rate)
        print(f"singing of the HMM system {'written to' if made else 'is up to date:'} {args.out}")
        return None

    from nnsvs_lite.virtual.demo import make_demo_corpus

    made = make_demo_corpus(
        args.out,
        seed=args.seed,
        sample_rate=args.sample_rate,
        singers=args.singers,
        etudes=args.etudes,
        jobs=args.nj,
    )
    print(f"demo corpus {'written to' if made else 'is up to date:'} {args.out}")
    return None
