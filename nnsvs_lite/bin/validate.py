"""``nnsvs-lite validate``: every fault of data dirs, one a line."""

import argparse

HELP = "stage 0: list every fault of data dirs; exit status 1 if there is any"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", nargs="+", metavar="DATA_DIR", help="data dir, such as data/train")
    parser.add_argument("--lang", help="language of utterances that do not state theirs, such as ja")
    parser.add_argument(
        "--tolerance", type=float, default=0.5, help="seconds by which score, labels and audio may differ"
    )
    parser.add_argument("--dump", metavar="DUMP_DIR", help="feature tables to be checked as well")


def run(args: argparse.Namespace) -> int:
    from nnsvs_lite.corpus.validate import validate

    count = 0
    for path in args.data:
        faults = validate(path, lang=args.lang, tolerance=args.tolerance, dump=args.dump)
        for fault in faults:
            print(fault)
        count += len(faults)
    print(f"{count} fault{'' if count == 1 else 's'} in {', '.join(args.data)}")
    return 1 if count else 0
