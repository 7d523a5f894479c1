"""``nnsvs-lite data``: tools on data dirs. Each writes a new one."""

import argparse
from pathlib import Path

HELP = "tools on data dirs: subset, combine, sync, segment, fix"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    tools = parser.add_subparsers(dest="tool", required=True, metavar="TOOL")
    subset = tools.add_parser("subset", help="some utterances")
    segment = tools.add_parser("segment", help="songs into phrases, cut at rests")
    sync = tools.add_parser("sync", help="songs without labels: scores moved to where they are sung")
    fix = tools.add_parser("fix", help="sort, drop repeated ids and CRLF, rebuild spk2utt")
    for tool in (subset, sync, segment, fix):
        tool.add_argument("source", help="data dir to read")
        tool.add_argument("target", help="data dir to write")
    combine = tools.add_parser("combine", help="several data dirs as one")
    combine.add_argument("sources", nargs="+", help="data dirs to read")
    combine.add_argument("target", help="data dir to write")
    subset.add_argument("--utts", nargs="+", metavar="UTT", help="utterances to keep")
    subset.add_argument("--utt-list", type=Path, help="file with one of them a line")
    subset.add_argument("--first", type=int, metavar="N", help="the first N utterances")
    segment.add_argument("--min-rest", type=float, default=0.2, help="shortest silence to cut at, seconds")
    segment.add_argument("--min-length", type=float, default=2.0, help="shortest phrase, seconds")
    segment.add_argument("--max-length", type=float, default=15.0, help="longest phrase, where it can be cut")
    segment.add_argument("--margin", type=float, default=0.3, help="silence kept at both ends, seconds")
    sync.add_argument("--search", type=float, default=3.0, help="largest offset looked for, seconds")


def run(args: argparse.Namespace) -> None:
    from dataclasses import fields

    from nnsvs_lite.corpus.combine import combine
    from nnsvs_lite.corpus.datadir import DataDir
    from nnsvs_lite.corpus.fix import fix
    from nnsvs_lite.corpus.segment import Cutting, segment_at_rests
    from nnsvs_lite.io.atomic import read_text

    if args.tool == "fix":
        for remark in fix(args.source, args.target):
            print(remark)
        return
    if args.tool == "combine":
        made = combine(args.sources, args.target)
        print(f"{made.path}: {len(made.utts)} utterances of {', '.join(made.speakers)}")
        return
    data = DataDir.read(args.source)
    if args.tool == "sync":
        from nnsvs_lite.align.config import SyncConfig
        from nnsvs_lite.align.sync import move_scores

        data, found = move_scores(data, SyncConfig(search=args.search))
        for utt, sync in found.items():
            print(
                f"{utt}: {sync.offset:+.3f} s, tempo x{1 / sync.stretch:.4f}, "
                f"{sync.transposition:+.1f} semitones, agreement {sync.agreement:.0%}"
            )
    elif args.tool == "segment":
        data = segment_at_rests(data, **{f.name: getattr(args, f.name) for f in fields(Cutting)})
    else:
        utts = list(args.utts or []) + (read_text(args.utt_list).split() if args.utt_list else [])
        data = data.subset([*utts, *data.utts[: args.first or 0]])
    data.write(args.target)
    print(f"{args.target}: {len(data.utts)} utterances")
