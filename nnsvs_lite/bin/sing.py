"""Sing a score with a trained voice."""

from __future__ import annotations

import argparse

HELP = "sing a score file with a trained voice"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("score", help="MusicXML file (.musicxml, .xml, .mxl)")
    parser.add_argument("--model", required=True, help="exp dir of a finished recipe's acoustic model")
    parser.add_argument("-o", "--out", required=True, help="wav file to write")
    parser.add_argument("--part", help="name or number of the part to sing; the first with lyrics")
    parser.add_argument("--verse", type=int, default=1, help="verse to sing")
    parser.add_argument("--transpose", type=int, default=0, help="semitones")
    parser.add_argument("--tempo", type=float, default=1.0, help="factor; 2 is twice as fast")
    parser.add_argument(
        "--timing", type=float, default=1.0, help="strength of time lags; 0 keeps to the beats"
    )
    parser.add_argument("--seed", type=int, default=0, help="of models that draw by chance")
    parser.add_argument("--device", default="cpu", help="torch device, such as cuda")


def run(args: argparse.Namespace) -> int | None:
    from nnsvs_lite.synthesis.singer import Singer

    song = Singer.load(args.model, args.device).sing(
        args.score,
        part=args.part,
        verse=args.verse,
        transpose=args.transpose,
        tempo=args.tempo,
        timing=args.timing,
        seed=args.seed,
    )
    song.write(args.out)
    print(f"{args.out}: {len(song.waveform) / song.sample_rate:.1f} s")
