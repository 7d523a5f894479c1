"""Open a studio in the browser."""

import argparse

from nnsvs_lite.bin._options import add_trust_code

HELP = "open a small studio in the browser: write or open a score, sing it, hear it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", required=True, help="exp dir of a finished recipe's acoustic model, or a packed voice"
    )
    parser.add_argument("--port", type=int, default=8000, help="port of 127.0.0.1; 0 takes any that is free")
    parser.add_argument("--device", default="cpu", help="torch device, such as cuda")
    parser.add_argument("--open", action="store_true", help="open the page in your browser")
    add_trust_code(parser)


def run(args: argparse.Namespace) -> int | None:
    from nnsvs_lite.studio.server import serve

    serve(args.model, args.port, args.device, args.open, args.trust_code)
