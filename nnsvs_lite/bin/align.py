"""Stage 1: phone labels from recordings, lyrics and scores."""

import argparse

HELP = "make phone labels of recordings from their lyrics and scores (stage 1)"
STAGE = True


def _truth(value: str) -> bool:
    if value.lower() in ("true", "yes", "1"):
        return True
    if value.lower() in ("false", "no", "0"):
        return False
    raise argparse.ArgumentTypeError(f"must be true or false, not {value!r}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", action="append", required=True, metavar="DIR", help="data dir; may be repeated"
    )
    parser.add_argument("--config", default="viter", help="name of an aligner, or its YAML")
    parser.add_argument("--out", required=True, metavar="DIR", help="experiment folder, exp/align_<conf>")
    parser.add_argument(
        "--realign",
        type=_truth,
        default=False,
        metavar="true|false",
        help="align even where the corpus has labels, and compare with them",
    )
    parser.add_argument(
        "--corrections",
        metavar="DIR",
        help="TextGrids mended by hand, which win; ./corrections where there is one",
    )
    parser.add_argument(
        "--seed", type=int, help="of the aligner's training; that of the configuration if not given"
    )
    parser.add_argument("--nj", type=int, default=1, help="parallel jobs")


def run(args: argparse.Namespace) -> int | None:
    import dataclasses
    from pathlib import Path

    from nnsvs_lite.align.config import read_config
    from nnsvs_lite.align.stage import align
    from nnsvs_lite.io.settings import find_config

    config = read_config(find_config("align", args.config))
    if args.seed is not None:
        config = dataclasses.replace(config, viter=dataclasses.replace(config.viter, seed=args.seed))
    corrections = args.corrections or ("corrections" if Path("corrections").is_dir() else None)
    align(args.data, config, args.out, realign=args.realign, corrections=corrections, jobs=args.nj)
