"""Commands that set experiments side by side; each calls one function of the package."""

import shlex
from argparse import Namespace
from pathlib import Path

from nnsvs_lite.bin import command as options
from nnsvs_lite.bin.command import arg, command, flag, many
from nnsvs_lite.io.errors import DataError


@command(
    "set scored experiments side by side: a table with intervals, and one HTML page",
    arg(
        "experiments",
        "results.json, decode folder, or exp dir of an acoustic model; several of one NAME are seeds of "
        "one system",
        nargs="+",
        metavar="[NAME=]EXP",
    ),
    arg("-o --out", "HTML file to write; only the table without it", type=Path),
    arg("--latex", "file to write the first table to, as LaTeX; with spreads between seeds", metavar="TEX"),
    arg("--csv", "file to write every number to, with intervals and spreads", metavar="CSV"),
    arg("--title", "heading of the page", default="Comparison"),
    arg("--baseline", "system that the others are set against (rule, else the first)"),
    flag("--pool-seeds", "take names that differ in _seed<number> for one system"),
    arg("--phrases", "how many phrases can be heard, spread over the set; else all", type=int),
    options.MEGABYTES,
    answers=True,
)
def compare(args: Namespace) -> None:
    from nnsvs_lite.io.atomic import write_text
    from nnsvs_lite.report.comparison import compare
    from nnsvs_lite.report.latex import csv_table, latex_table
    from nnsvs_lite.report.markdown import comparison_tables

    if args.phrases is not None and args.phrases < 1:
        raise DataError(f"must be at least 1, not {args.phrases}", "--phrases")
    comparison = compare(args.experiments, args.baseline, args.pool_seeds)
    print(comparison_tables(comparison), end="")
    for path, table in ((args.latex, latex_table), (args.csv, csv_table)):
        if path is not None:
            write_text(path, table(comparison))
    if args.out is not None:
        from nnsvs_lite.report.page import build_comparison

        words = shlex.join(["nnsvs-lite", "compare", *args.experiments])
        build_comparison(comparison, args.out, args.title, words, args.phrases, args.megabytes)
        print(f"\ncompare: {args.out} written")


@command(
    "run recipes with every configuration and every seed, and compare: a table, LaTeX, CSV",
    arg("configs", "models by name, such as sinsy_tiny or duration/mdn, or YAMLs", nargs="+", metavar="CONF"),
    arg("--seeds", "seeds of training, parted by commas", default="0,1,2"),
    many("--recipe", "folder of a recipe; may be repeated; the working folder if not given", metavar="DIR"),
    arg("-o --out", "folder for tables and logs", type=Path, default=Path("sweep")),
    arg("--jobs", "runs at the same time: more where a cluster computes", default=1),
    arg("--baseline", "system that the others are set against (rule, else the first)"),
    overrides="Any other option goes to the recipe's run.sh, such as --cmd utils/slurm.sh.",
)
def sweep(args: Namespace) -> int:
    from nnsvs_lite.report.sweep import read_seeds, sweep

    if args.jobs < 1:
        raise DataError(f"must be at least 1, not {args.jobs}", "--jobs")
    recipes = [Path(recipe) for recipe in args.recipe or ["."]]
    seeds = read_seeds(args.seeds)
    return sweep(args.configs, seeds, recipes, args.out, args.overrides, args.jobs, args.baseline)
