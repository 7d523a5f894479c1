"""Stage 6: waveforms of a decode dir."""

import argparse

from nnsvs_lite.bin._options import add_trust_code

HELP = "turn decoded features into waveforms"
STAGE = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--decode-dir", required=True, help="folder that decode wrote")
    parser.add_argument("--vocoder", help="exp dir of a trained vocoder; WORLD or Griffin-Lim if not given")
    parser.add_argument("--nj", type=int, default=1, help="processes")
    parser.add_argument("--ngpu", type=int, default=0, help="0 computes on the CPU")
    add_trust_code(parser)


def run(args: argparse.Namespace) -> int | None:
    from nnsvs_lite.synthesis.vocode import vocode

    device = "cuda" if args.ngpu else "cpu"
    made = vocode(args.decode_dir, args.nj, args.vocoder, device, args.trust_code)
    print(f"{args.decode_dir}: waveforms are {'made' if made else 'up to date'}")
