"""nnsvs-lite report: the results page."""

import argparse
from pathlib import Path

HELP = "make the results page from scored waveforms: one HTML file"
STAGE = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", type=Path, required=True, help="results.json of nnsvs-lite evaluate")
    parser.add_argument("--out", type=Path, required=True, help="HTML file to write")
    parser.add_argument(
        "--system", action="append", default=[], metavar="NAME=DIR", help="decode folder, where it was moved"
    )
    parser.add_argument("--exp", action="append", default=[], metavar="KIND=DIR", help="exp dir of a model")
    parser.add_argument("--data", type=Path, help="data dir of the set, for the natural recordings")
    parser.add_argument("--megabytes", type=float, default=30.0, help="largest size of the file")


def run(args: argparse.Namespace) -> int:
    from nnsvs_lite.evaluation.system import named_paths
    from nnsvs_lite.report.page import build_page

    systems, exps = named_paths(args.system, "--system"), named_paths(args.exp, "--exp")
    written = build_page(args.results, args.out, systems, exps, args.data, args.megabytes)
    print(f"report: {args.out} {'written' if written else 'is up to date'}")
    return 0
