"""Stage 5, inference: time lags, durations and acoustic features of a set."""

import argparse

from nnsvs_lite.bin._options import add_trust_code
from nnsvs_lite.io.errors import DataError

HELP = "predict phone times and acoustic features of every phrase of a set"
STAGE = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dump", required=True, help="dump dir")
    parser.add_argument("--set", required=True, help="set in it")
    parser.add_argument("--out", required=True, help="decode dir to write")
    parser.add_argument("--timelag", help="exp dir of the time-lag model")
    parser.add_argument("--duration", help="exp dir of the duration model")
    parser.add_argument("--acoustic", help="exp dir of the acoustic model")
    parser.add_argument("--natural", action="store_true", help="take the recordings' own features instead")
    parser.add_argument("--ngpu", type=int, default=0, help="0 computes on the CPU")
    parser.add_argument("--seed", type=int, default=0, help="of models that draw by chance in inference")
    add_trust_code(parser)


def run(args: argparse.Namespace) -> int | None:
    from nnsvs_lite.synthesis.decode import decode, decode_natural

    if args.natural:
        made = decode_natural(args.dump, args.set, args.out)
    else:
        missing = [n for n in ("timelag", "duration", "acoustic") if getattr(args, n) is None]
        if missing:
            raise DataError(f"--{missing[0]} is needed, or --natural")
        models = {n: getattr(args, n) for n in ("timelag", "duration", "acoustic")}
        models |= {"device": "cuda" if args.ngpu else "cpu", "seed": args.seed, "trust_code": args.trust_code}
        made = decode(args.dump, args.set, args.out, **models)
    print(f"{args.out} is {'decoded' if made else 'up to date'}")
