"""Where a configuration lies that is given by name."""

import argparse

HELP = "print the path of a configuration, such as acoustic sinsy_tiny, or the names of a kind"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", help="features, align, timelag, duration, acoustic")
    parser.add_argument(
        "name", nargs="?", help="a name, or a path, which must be there; all names if not given"
    )


def run(args: argparse.Namespace) -> int | None:
    from nnsvs_lite.io.settings import config_names, find_config

    print("\n".join(config_names(args.kind)) if args.name is None else find_config(args.kind, args.name))
