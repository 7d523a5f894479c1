"""The command of recipes that score F0 trackers; its tools call one function each."""

from argparse import Namespace

from nnsvs_lite.bin import command as options
from nnsvs_lite.bin.command import arg, command

_DATA = arg("--data", "folder that pitch prepare wrote", default="data")


@command(
    "score F0 trackers, and notes of what they find, on recordings whose pitch is known",
    {
        "prepare": (
            "stage 0: a corpus as tables of recordings, F0 and notes",
            (
                arg("corpus", "name of the corpus, such as vocadito"),
                arg("--db-root", "where the corpus lies", required=True),
                arg("--out", "folder to write", default="data"),
                arg(
                    "--bad-songs",
                    "what to do with recordings of no use",
                    choices=("stop", "leave-out"),
                ),
            ),
        ),
        "track": (
            "stage 1: F0 and notes of every recording by several trackers",
            (
                _DATA,
                arg("--out", "folder to write", default="exp"),
                arg(
                    "--trackers",
                    "harvest, dio, swift-f0, praat; what is not installed is skipped",
                    nargs="+",
                    default=["harvest", "dio", "swift-f0", "praat"],
                    metavar="NAME",
                ),
                arg("--floor", "lowest F0 that is searched, Hz", default=60.0),
                arg("--ceil", "highest F0 that is searched, Hz", default=1200.0),
                options.PROCESSES,
            ),
        ),
        "score": (
            "stage 2: results.json and RESULTS.md",
            (
                _DATA,
                arg("--exp", "folder that pitch track wrote", default="exp"),
                arg("--out", "folder to write results.json to", default="exp"),
                arg("--results-md", "RESULTS.md to write"),
                arg("--title", "heading of RESULTS.md", default="F0 trackers"),
                arg("--command", "command line to state in RESULTS.md", default=""),
            ),
        ),
    },
    stage="out",
)
def pitch(args: Namespace) -> None:
    from pathlib import Path

    if args.tool == "prepare":
        from nnsvs_lite.corpora.truths import prepare_truths

        print(prepare_truths(args.corpus, args.db_root, args.out, args.bad_songs))
    elif args.tool == "track":
        from nnsvs_lite.evaluation.pitch import track_recordings

        limits = {"floor": args.floor, "ceil": args.ceil}
        made, skipped = track_recordings(args.data, args.out, args.trackers, jobs=args.nj, **limits)
        print("\n".join([*skipped, f"{args.out}: F0 is {'tracked' if made else 'up to date'}"]))
    else:
        from nnsvs_lite.report.pitch import report_pitch

        out = Path(args.out) / "results.json"
        print("\n".join(report_pitch(args.data, args.exp, out, args.results_md, args.title, args.command)))
