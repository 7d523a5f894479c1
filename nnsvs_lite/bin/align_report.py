"""Pictures of an alignment."""

import argparse

HELP = "draw phrases of an alignment: waveform, spectrogram, score, boundaries"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", required=True, metavar="DIR", help="experiment folder of nnsvs-lite align")
    parser.add_argument(
        "--data", action="append", required=True, metavar="DIR", help="data dir; may be repeated"
    )
    parser.add_argument("--utt", action="append", default=[], help="utterance to draw; may be repeated")
    parser.add_argument(
        "--worst", type=int, default=12, help="how many of the least sure, where none is named"
    )


def run(args: argparse.Namespace) -> int | None:
    """Draws them and prints where the page is."""
    from nnsvs_lite.report.alignment import align_report

    print(align_report(args.out, args.data, utts=args.utt, worst=args.worst))
