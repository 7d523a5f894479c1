"""Options that several commands share."""

import argparse


def add_trust_code(parser: argparse.ArgumentParser) -> None:
    """``--trust-code``, of every command that loads models."""
    parser.add_argument(
        "--trust-code",
        action="store_true",
        help="let a model be of a class outside this toolkit: its module is imported, so that its code runs",
    )
