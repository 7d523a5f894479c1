"""Makes the demo corpus with the embedded singer."""

import argparse

HELP = "make the demo corpus: scores and recordings of a virtual singer"
STAGE = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", required=True, help="folder to write the corpus to")
    parser.add_argument("--seed", type=int, default=0, help="seed of the performance")
    parser.add_argument("--sample-rate", type=int, default=24000, help="sampling rate in Hz")
    parser.add_argument("--singers", type=int, default=1, help="number of singers, 1 or 2")
    parser.add_argument("--etudes", type=int, default=60, help="number of etudes, up to 60")
    parser.add_argument("--nj", type=int, default=2, help="processes")
    parser.add_argument(
        "--hts-voice",
        metavar="DATA_DIR",
        help="instead of making the corpus, sing this data dir with the HTS voice alone (its times, F0 and"
        " spectra) and write a decode folder to --out",
    )


def run(args: argparse.Namespace) -> None:
    if args.hts_voice is not None:
        from nnsvs_lite.virtual.hts_baseline import sing_baseline

        made = sing_baseline(args.hts_voice, args.out, sample_rate=args.sample_rate)
        print(f"singing of the HTS voice {'written to' if made else 'is up to date:'} {args.out}")
        return

    from nnsvs_lite.virtual.demo import make_demo_corpus

    options = {name: getattr(args, name) for name in ("seed", "sample_rate", "singers", "etudes")}
    made = make_demo_corpus(args.out, jobs=args.nj, **options)
    print(f"demo corpus {'written to' if made else 'is up to date:'} {args.out}")
