"""Stages 3 to 5: train a model."""

import argparse

HELP = "train a time-lag, duration, acoustic or vocoder model on a dump dir"
STAGE = True
OVERRIDES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", required=True, help="name of a model, such as acoustic/sinsy_tiny, or its YAML"
    )
    parser.add_argument("--dump", required=True, help="dump dir with schema.json and stats.json")
    parser.add_argument("--train-set", default="train", help="set to train on")
    parser.add_argument("--dev-set", default="dev", help="set that chooses the epoch to keep")
    parser.add_argument("--data", help="folder of the sets' data dirs; for vocoders, which hear recordings")
    parser.add_argument("--out", required=True, help="exp dir to write")
    parser.add_argument("--ngpu", type=int, default=0, help="GPUs on this machine; 0 trains on the CPU")
    parser.add_argument("--num-nodes", type=int, default=1, help="machines, under torchrun or Slurm")
    parser.add_argument("--seed", type=int, help="in place of training.seed")
    parser.add_argument(
        "--overwrite",
        choices=("true", "false"),
        default="false",
        help="replace a model that was trained otherwise; false refuses",
    )
    parser.epilog = "Any value of the YAML can be given: --model.NAME VALUE, --training.NAME VALUE."


def run(args: argparse.Namespace) -> int | None:
    from nnsvs_lite.io.settings import find_config
    from nnsvs_lite.models.config import FAMILIES
    from nnsvs_lite.training.run import train

    options = vars(args) | {"overwrite": args.overwrite == "true"}
    trained = train(find_config(FAMILIES, options.pop("config")), **options)
    print(f"{args.out} is {'trained' if trained else 'up to date'}")
