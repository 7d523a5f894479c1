"""nnsvs-lite compare: several experiments on one page."""

import argparse
import shlex
from pathlib import Path

HELP = "set scored experiments side by side: a table with intervals, and one HTML page"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "experiments",
        nargs="+",
        metavar="[NAME=]EXP",
        help="results.json, decode folder, or exp dir of an acoustic model; several of one NAME are seeds of "
        "one system",
    )
    parser.add_argument("-o", "--out", type=Path, help="HTML file to write; only the table without it")
    parser.add_argument("--title", default="Comparison", help="heading of the page")
    parser.add_argument("--baseline", help="system that the others are set against (rule, else the first)")
    parser.add_argument(
        "--pool-seeds", action="store_true", help="take names that differ in _seed<number> for one system"
    )
    parser.add_argument(
        "--phrases", type=int, help="how many phrases can be heard, spread over the set; else all"
    )
    parser.add_argument("--megabytes", type=float, default=30.0, help="largest size of the page")


def run(args: argparse.Namespace) -> int:
    from nnsvs_lite.io.errors import DataError
    from nnsvs_lite.report.comparison import compare
    from nnsvs_lite.report.markdown import comparison_tables

    if args.phrases is not None and args.phrases < 1:
        raise DataError(f"must be at least 1, not {args.phrases}", "--phrases")

    comparison = compare(args.experiments, args.baseline, args.pool_seeds)
    print(comparison_tables(comparison), end="")
    if args.out is not None:
        from nnsvs_lite.report.page import build_comparison

        command = shlex.join(["nnsvs-lite", "compare", *args.experiments])
        build_comparison(comparison, args.out, args.title, command, args.phrases, args.megabytes)
        print(f"\ncompare: {args.out} written")
    return 0
