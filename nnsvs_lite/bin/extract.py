"""``nnsvs-lite extract``: features of a data dir."""

import argparse
import os

HELP = "stage 2: WORLD or mel features, score context, lags and durations of a data dir"
STAGE = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", required=True, help="data dir with scores, labels and audio")
    parser.add_argument("--out", required=True, help="where to write, <dump>/<set>")
    parser.add_argument("--config", required=True, help="name of an analysis, such as world_24k, or its YAML")
    parser.add_argument("--nj", type=int, default=1, help="number of jobs")
    parser.add_argument("--job", type=int, help="do the share of this job (1..nj) only; then --collect")
    parser.add_argument("--collect", action="store_true", help="merge what all jobs did, and nothing else")


def run(args: argparse.Namespace) -> None:
    # Jobs are parallel already; set before numpy is loaded.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    from nnsvs_lite.features.config import FeatureConfig
    from nnsvs_lite.features.extract import Extraction
    from nnsvs_lite.io.settings import find_config

    stage = Extraction(args.data, args.out, FeatureConfig.read(find_config("features", args.config)))
    if stage.done().is_current():
        print(f"{args.out} is up to date")
        return
    if args.job is not None:
        stage.run_job(args.job, args.nj)
        return
    if not args.collect:
        stage.run_all(args.nj)
    spec = stage.collect()
    sizes = ", ".join(f"{name} {size}" for name, size in spec.streams.items())
    print(f"{args.out}: {len(stage.data.utts)} utterances, {sizes}")
