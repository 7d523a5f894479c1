"""nnsvs-lite evaluate: metrics of several systems on one set."""

import argparse
from pathlib import Path

HELP = "score decoded waveforms: results.json and RESULTS.md"
STAGE = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dump", type=Path, required=True, help="dump dir, such as dump/world_24k")
    parser.add_argument("--set", default="eval", help="set of the dump")
    parser.add_argument(
        "--system",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="decode folder; repeat for each system",
    )
    parser.add_argument("--out", type=Path, required=True, help="results.json to write")
    parser.add_argument("--results-md", type=Path, help="RESULTS.md to write")
    parser.add_argument("--data", type=Path, help="data dir of the set, for the natural recordings")
    parser.add_argument("--truth", type=Path, help="folder with known phone times and F0; needs --data")
    parser.add_argument(
        "--exp",
        action="append",
        default=[],
        metavar="KIND=DIR",
        help="exp dir of a model, such as acoustic=DIR",
    )
    parser.add_argument("--title", default="Results", help="heading of RESULTS.md")
    parser.add_argument("--command", default="", help="command line to state in RESULTS.md")
    parser.add_argument(
        "--espnet", action="store_true", help="compute the metrics of ESPnet too (slower); needs --data"
    )
    parser.add_argument("--nj", type=int, default=1, help="processes")


def run(args: argparse.Namespace) -> int:
    from nnsvs_lite.evaluation.system import named_paths
    from nnsvs_lite.report.evaluate import evaluate

    return evaluate(
        args.dump,
        args.set,
        named_paths(args.system, "--system"),
        args.out,
        args.results_md,
        args.data,
        args.truth,
        named_paths(args.exp, "--exp"),
        args.title,
        args.command,
        args.nj,
        args.espnet,
    )
