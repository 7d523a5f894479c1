"""What a command is: a function of its options, in a table by name."""

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nnsvs_lite import BOXED_VOICE

Argument = tuple[list[str], dict[str, Any]]
"""What ``add_argument`` takes: names and settings."""


class Command(NamedTuple):
    """One command of ``nnsvs-lite``.

    Attributes:
        help: one line. run: does the work; a number that it returns is the exit status.
        arguments: what it takes; or, of a command of several tools, each tool's help and arguments.
        stage: of a step of a recipe, the option that names the folder to write, or ``option.parent``, or
            ``option|other`` where the first may be left out: one run at a time writes it, and its output
            begins with command, versions and host, ends with the time.
        overrides: what other options than these may follow, in words; they are ``args.overrides``.
        answers: whether what it prints is what it is asked for; other commands take ``--quiet``.
    """

    help: str
    run: Callable[[argparse.Namespace], int | None]
    arguments: tuple[Argument, ...] | Mapping[str, tuple[str, tuple[Argument, ...]]]
    stage: str = ""
    overrides: str = ""
    answers: bool = False

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Adds all arguments to a parser."""
        if not isinstance(self.arguments, Mapping) and not self.answers:
            parser.add_argument("--quiet", action="store_true", help="print nothing but warnings and errors")
        if isinstance(self.arguments, Mapping):
            tools = parser.add_subparsers(dest="tool", required=True, metavar="TOOL")
            for name, (text, arguments) in self.arguments.items():
                Command(text, self.run, arguments, answers=self.answers).declare(
                    tools.add_parser(name, help=text)
                )
            return
        for names, settings in self.arguments:
            parser.add_argument(*names, **settings)


COMMANDS: dict[str, Command] = {}
"""All commands by name."""


def command(
    text: str, *arguments: Any, stage: str = "", overrides: str = "", answers: bool = False
) -> Callable:
    """Enters a function under its own name, with hyphens, as a command of these arguments."""

    def enter(run: Callable) -> Callable:
        taken = arguments[0] if arguments and isinstance(arguments[0], Mapping) else arguments
        COMMANDS[run.__name__.replace("_", "-")] = Command(text, run, taken, stage, overrides, answers)
        return run

    return enter


BOUNDS = {"--seed": (0, 2**32 - 1), "--nj": (1, 1024), "--ngpu": (0, 1024), "--num-nodes": (1, 1024)}
"""Of the whole numbers that options of these names take, wherever they stand."""


def _within(name: str) -> Callable[[str], int]:
    low, high = BOUNDS[name]

    def read(word: str) -> int:
        if not (word.isdecimal() and low <= int(word[:20]) <= high):
            raise argparse.ArgumentTypeError(f"must be a whole number within {low}..{high}, not {word!r}")
        return int(word)

    return read


def arg(names: str, text: str, **settings: Any) -> Argument:
    """An argument, its names parted by spaces; of the type of its default where no ``type`` is given."""
    if names in BOUNDS:
        settings["type"] = _within(names)
    if isinstance(settings.get("default"), (int, float)):
        settings.setdefault("type", type(settings["default"]))
    return names.split(), {"help": text, **settings}


def flag(name: str, text: str) -> Argument:
    """An option without a value, off where it is not given."""
    return arg(name, text, action="store_true")


def many(name: str, text: str, **settings: Any) -> Argument:
    """An option that may be repeated."""
    return arg(name, text, action="append", **({} if "required" in settings else {"default": []}), **settings)


def keys(arguments: tuple[Argument, ...]) -> list[str]:
    """Under which names these options are found in what was parsed."""
    return [names[-1].lstrip("-").replace("-", "_") for names, _ in arguments]


DATA_DIRS = many("--data", "data dir; may be repeated", required=True, metavar="DIR")
DUMP = arg("--dump", "dump dir, such as dump/world_24k", required=True)
TRAIN_SET = arg("--train-set", "set to train on", default="train")
PROCESSES = arg("--nj", "processes", default=1)
GPUS = arg("--ngpu", "0 computes on the CPU", default=0)
DEVICE = arg("--device", "torch device, such as cuda", default="cpu")
RUNTIME = arg(
    "--runtime",
    "what computes: onnx, which is onnxruntime, sings packed voices with graphs on the CPU; auto takes it "
    "where it can sing",
    choices=("auto", "torch", "onnx"),
    default="auto",
)
VOICE = arg(
    "--model",
    "exp dir of a finished recipe's acoustic model, or a packed voice; the one in the box if not given",
    default=os.fspath(BOXED_VOICE),
)
VOCODER = arg(
    "--vocoder", "in place of the voice's own: exp dir of a trained one, or world, hn or griffin_lim by name"
)
NATURAL_DATA = arg("--data", "data dir of the set, for the natural recordings", type=Path)
EXPERIMENTS = many("--exp", "exp dir of a model, such as acoustic=DIR", metavar="KIND=DIR")
MEGABYTES = arg("--megabytes", "largest size of the page", default=30.0)
STRICT = flag("--strict", "refuse a score of which something would be left out, where a warning is usual")
TRUST_CODE = flag("--trust-code", "let a model be of a class outside this toolkit, whose code then runs")
