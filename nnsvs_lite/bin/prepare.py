"""``nnsvs-lite prepare``: a corpus becomes data dirs."""

import argparse
from pathlib import Path

HELP = "stage 0: prepare a corpus as data dirs of phrases, split into train, dev and eval"
STAGE = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("corpus", help="name of the corpus, such as nit_song070")
    parser.add_argument("--db-root", required=True, help="where the corpus lies")
    parser.add_argument("--out", default="data", help="folder of the data dirs to write")
    parser.add_argument(
        "--eval-songs", nargs="+", metavar="SONG", help="songs for eval; the corpus' own if not given"
    )
    parser.add_argument(
        "--dev-songs",
        nargs="*",
        metavar="SONG",
        help="songs for dev; where there are none, the last phrases of training",
    )
    parser.add_argument("--dev-phrases", type=int, help="how many phrases that are; a tenth if not given")
    parser.add_argument("--min-rest", type=float, help="shortest silence to cut at, seconds (0.2)")
    parser.add_argument("--min-length", type=float, help="shortest phrase, seconds (2)")
    parser.add_argument("--max-length", type=float, help="longest phrase, seconds, where it can be cut (15)")
    parser.add_argument("--margin", type=float, help="silence kept at both ends of a phrase, seconds (0.3)")


def run(args: argparse.Namespace) -> None:
    from nnsvs_lite.corpora import prepare
    from nnsvs_lite.corpus.datadir import DataDir
    from nnsvs_lite.corpus.prepare import PARTS

    names = ("eval_songs", "dev_songs", "dev_phrases", "min_rest", "min_length", "max_length", "margin")
    options = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if not prepare(args.corpus, args.db_root, args.out, options):
        print(f"{args.out} is up to date")
        return
    report = Path(args.out) / "reconciled.txt"
    if report.exists():
        print(report.read_text(encoding="utf-8"), end="")
    for name in PARTS:
        part = DataDir.read(Path(args.out) / name)
        seconds = sum(part.duration(utt) for utt in part.utts)
        print(f"{part.path}: {len(part.utts)} phrases, {seconds:.1f} s, {len(part.wavs)} songs")
