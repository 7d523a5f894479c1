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


def run(args: argparse.Namespace) -> int | None:
    from nnsvs_lite.singer.demo import make_demo_corpus

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
