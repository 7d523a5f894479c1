"""``nnsvs-lite stats``: statistics of a training set's features."""

import argparse

HELP = "stage 2: statistics of the training set's features, stats.json"
STAGE = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dump", required=True, help="dump dir, dump/<feats>")
    parser.add_argument("--train-set", default="train", help="the set that statistics are taken from")


def run(args: argparse.Namespace) -> None:
    from nnsvs_lite.features.stats import compute_stats, stats_done

    done = stats_done(args.dump, args.train_set)
    if done.is_current():
        print(f"{args.dump}/stats.json is up to date")
        return
    stats = compute_stats(args.dump, args.train_set)
    done.clear()
    stats.write(args.dump)
    done.set([f"{args.dump}/stats.json"])
    frames = sum(phone.frames for phone in stats.phones.values())
    print(f"{args.dump}/stats.json: {frames} frames, {len(stats.phones)} phones")
