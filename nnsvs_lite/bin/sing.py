"""Sing a score with a trained voice."""

import argparse

from nnsvs_lite.bin._options import add_trust_code

HELP = "sing a score file with a trained voice"
_STYLE = (
    *("part", "voice", "verse", "lang", "singer", "transpose", "tempo", "timing", "seed"),
    *("vibrato", "pitch_deviation", "breathiness", "gender"),
)
"""Options that ``Singer.sing`` has by the same name."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("score", help="score file: MusicXML, MIDI, UST and others; see docs/scores.md")
    parser.add_argument(
        "--model", required=True, help="exp dir of a finished recipe's acoustic model, or a packed voice"
    )
    parser.add_argument("-o", "--out", required=True, help="file to write, .wav or .flac")
    parser.add_argument("--part", help="name or number of the part to sing; the first with lyrics")
    parser.add_argument("--voice", help="voice of a part that has several; the one with lyrics")
    parser.add_argument("--verse", type=int, default=1, help="verse to sing")
    parser.add_argument("--lang", help="language of the lyrics; the voice's, or its first")
    parser.add_argument("--singer", help="name or number (from 0) of the singer; the first")
    parser.add_argument("--transpose", type=int, default=0, help="semitones")
    parser.add_argument("--tempo", type=float, default=1.0, help="factor; 2 is twice as fast")
    parser.add_argument(
        "--timing", type=float, default=1.0, help="strength of time lags, 0 to 2; 0 keeps to the beats"
    )
    parser.add_argument(
        "--vibrato", type=float, default=1.0, help="strength of the vibrato, 0 to 3; 0 removes it"
    )
    parser.add_argument(
        "--pitch-deviation",
        type=float,
        default=1.0,
        help="strength of all that sets the pitch off from the score, 0 to 2",
    )
    parser.add_argument("--breathiness", type=float, default=0.0, help="dB of more breath, -20 to 20")
    parser.add_argument(
        "--gender", type=float, default=1.0, help="factor of the formants, 0.7 (darker) to 1.4 (brighter)"
    )
    parser.add_argument(
        "--label", help="file with phone times to keep to: .lab (HTS or seconds), .ctm, .TextGrid"
    )
    parser.add_argument("--tables", metavar="DIR", help="also write phone times and features to this folder")
    parser.add_argument("--vocoder", help="exp dir of a trained vocoder, in place of the voice's own")
    parser.add_argument("--seed", type=int, default=0, help="of models that draw by chance")
    parser.add_argument("--device", default="cpu", help="torch device, such as cuda")
    add_trust_code(parser)


def run(args: argparse.Namespace) -> int | None:
    from nnsvs_lite.features.audio import container_of

    # Before anything slow is done.
    container_of(args.out)
    from nnsvs_lite.synthesis.singer import Singer

    song = Singer.load(args.model, args.device, args.vocoder, args.trust_code).sing(
        args.score, labels=args.label, **{name: getattr(args, name) for name in _STYLE}
    )
    if args.tables:
        song.write_tables(args.tables)
    song.write(args.out)
    print(f"{args.out}: {song.duration:.1f} s")
