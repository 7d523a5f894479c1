"""Pack a trained voice into one file, or say what is in one."""

import argparse

from nnsvs_lite.bin._options import add_trust_code

HELP = "pack a trained voice into one file, or show what is in one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("exp", nargs="?", help="exp dir of a finished recipe's acoustic model")
    parser.add_argument("-o", "--out", help="file to write, such as voice.nnsvs")
    parser.add_argument("--licence", help="text file with the terms of the corpus; the recipe's if not given")
    parser.add_argument("--corpus", help="name of the corpus; the recipe's if not given")
    parser.add_argument("--vocoder", help="exp dir of a trained vocoder to go with it")
    parser.add_argument("--show", metavar="FILE", help="say what a packed voice holds, and write nothing")
    add_trust_code(parser)


def run(args: argparse.Namespace) -> int | None:
    from nnsvs_lite.io.errors import DataError
    from nnsvs_lite.models import pack

    if args.show:
        if args.exp or args.out:
            raise DataError("--show goes alone")
        print(pack.Pack.read(args.show).describe())
        return
    if not (args.exp and args.out):
        raise DataError("an exp dir and -o voice.nnsvs are needed, or --show FILE")
    made = pack.pack(args.exp, args.out, args.licence, args.corpus, args.vocoder, args.trust_code)
    size = made.path.stat().st_size / 1e6
    print(f"{args.out}: {size:.1f} MB, corpus {made.manifest['corpus']}")
