"""The program ``nnsvs-lite``: finds a command in the table, reads its options, runs it."""

import argparse
import errno
import gc
import io
import os
import signal
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

from nnsvs_lite import __version__
from nnsvs_lite.bin import completion, pitch, research, stages, tools  # noqa: F401 - they fill the table
from nnsvs_lite.bin.command import COMMANDS, Command
from nnsvs_lite.io.errors import DataError, nearest
from nnsvs_lite.io.leftout import strictly
from nnsvs_lite.io.lock import locked
from nnsvs_lite.io.parent import end_with_parent

PROGRAM = "nnsvs-lite"
RECIPES = ("torch", "lightning_fabric", "sklearn", "tensorboard", "tqdm", "matplotlib", "PIL", "jinja2")
"""Modules of the extra ``recipes``: to sing, serve and read scores needs none of them."""
_INTERRUPTED = 130
_BROKEN_PIPE = 141
_USER_OS_ERRORS = (
    *(errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ENOTDIR, errno.EEXIST),
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENAMETOOLONG),
)


class UsageError(DataError):
    """The command line cannot be understood."""


class _Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults, except where there is none."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default is None else super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `UsageError` and never guesses an option from its beginning."""

    def __init__(self, *args: Any, **kwargs: Any):
        kwargs["allow_abbrev"] = False
        kwargs.setdefault("formatter_class", _Formatter)
        super().__init__(*args, **kwargs)

    def error(self, message: str) -> Any:
        raise UsageError(f"{message} (see: {self.prog} --help)")

    def long_options(self) -> set[str]:
        """All ``--options`` of this parser and of the parsers of its subcommands."""
        found: set[str] = set()
        for action in self._actions:
            found.update(option for option in action.option_strings if option.startswith("--"))
            if isinstance(action, argparse._SubParsersAction):
                for child in action.choices.values():
                    found |= child.long_options()
        return found


def overview() -> str:
    """The text of ``nnsvs-lite --help``."""
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:<{width}}  {COMMANDS[name].help}" for name in sorted(COMMANDS))
    return f"""\
usage: {PROGRAM} COMMAND [options]

Singing voice synthesis: a score goes in, singing comes out.

commands:
{listed}

{PROGRAM} COMMAND --help   the options of one command
{PROGRAM} --version        the version"""


def spell_options(argv: Sequence[str], known: set[str], overrides: bool) -> tuple[list[str], list[str]]:
    """Writes every long option as its parser knows it: hyphens and underscores are the same.

    Returns the command line so written and, if ``overrides``, the options that no parser knows with the word
    that follows each, as they stand. Without, raises UsageError for one of these, naming the nearest.
    """
    canonical = {option.replace("_", "-"): option for option in known}
    spelt: list[str] = []
    unknown: list[str] = []
    words = deque(argv)
    while words:
        word = words.popleft()
        if word == "--":
            return [*spelt, word, *words], unknown
        name, equals, value = word.partition("=")
        option = canonical.get(name.replace("_", "-"))
        if not word.startswith("--"):
            spelt.append(word)
        elif option is not None:
            spelt.append(option + equals + value)
        elif overrides:
            unknown.append(word)
            if not equals and words and not words[0].startswith("--"):
                unknown.append(words.popleft())
        else:
            raise UsageError(f"unknown option {name!r}{nearest(name, known)}")
    return spelt, unknown


def parser_of(name: str) -> Parser:
    """The parser of one command."""
    command = COMMANDS[name]
    parser = Parser(prog=f"{PROGRAM} {name}", description=command.help)
    parser.epilog = command.overrides
    command.declare(parser)
    return parser


def parse(name: str, argv: Sequence[str]) -> argparse.Namespace:
    """Reads the options of one command; UsageError for an unknown, missing or malformed one."""
    parser, overrides = parser_of(name), bool(COMMANDS[name].overrides)
    spelt, unknown = spell_options(argv, parser.long_options(), overrides)
    args, rest = parser.parse_known_args(spelt)
    if rest:
        raise UsageError(f"unknown argument {rest[0]!r} (see: {parser.prog} --help)")
    if overrides:
        args.overrides = unknown
    return args


def _say(name: str, what: object) -> None:
    print(f"{PROGRAM}{' ' + name if name else ''}: error: {what}", file=sys.stderr)


def _stop(number: int, frame: object) -> None:
    # An exception, unlike the signal's default action, lets temporary files be removed. That is not to be
    # broken off in turn, unless by a second Ctrl-C, at once: workers end with us.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if number == signal.SIGINT:
        signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def _stop_again(lost: Any) -> None:
    """Takes up an end that a library's callback (of a sound file) has swallowed."""
    if not issubclass(lost.exc_type, (SystemExit, KeyboardInterrupt)):
        sys.__unraisablehook__(lost)
        return
    number = signal.SIGINT if issubclass(lost.exc_type, KeyboardInterrupt) else signal.SIGTERM
    signal.signal(signal.SIGALRM, lambda _, frame: _stop(number, frame))
    signal.setitimer(signal.ITIMER_REAL, 0.05)


@contextmanager
def _hushed(args: argparse.Namespace) -> Iterator[None]:
    """Under ``--quiet`` nothing is printed but on standard error, and no bars; sound on ``-`` is no print."""
    if not getattr(args, "quiet", False):
        yield
        return
    os.environ["TQDM_DISABLE"] = "1"
    with nullcontext() if getattr(args, "out", None) == "-" else redirect_stdout(io.StringIO()):
        yield


def _run(name: str, argv: Sequence[str]) -> int:
    args, command = parse(name, argv), COMMANDS[name]
    with strictly(getattr(args, "strict", False)), _hushed(args):
        if not command.stage:
            return int(command.run(args) or 0)
        from nnsvs_lite.io.stagelog import run_logged

        words = [PROGRAM, name, *argv]
        return run_logged(words, lambda: _run_alone(command, args, words))


def _run_alone(command: Command, args: argparse.Namespace, words: Sequence[str]) -> int:
    """Runs a stage while no other run writes its folder; jobs share it, of several ranks the first writes."""
    option, _, parent = command.stage.partition(".")
    folder = Path(next(filter(None, (getattr(args, name) for name in option.split("|")))))
    is_first = all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
    lock = locked(folder.parent if parent else folder, words, shared=getattr(args, "job", None) is not None)
    with lock if is_first else nullcontext():
        return int(command.run(args) or 0)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status (1 for bad input, 130 if interrupted)."""
    is_program = argv is None
    argv = list(sys.argv[1:] if argv is None else argv)
    name = argv[0].replace("_", "-") if argv else "--help"
    about = name in ("-h", "--help", "help", "--version")
    if not about and name not in COMMANDS:
        kind = "option" if name.startswith("-") else "command"
        _say("", f"unknown {kind} {argv[0]!r}{nearest(name, COMMANDS)}; {PROGRAM} --help lists the commands")
        return 1
    signal.signal(signal.SIGTERM, _stop)
    if is_program and hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        # A terminal that is closed ends what runs in it as SIGTERM does; nohup has it ignored.
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    if is_program:
        sys.unraisablehook = _stop_again
        # Modules are made to stay: to look often among them for what may go takes a tenth of the start.
        gc.set_threshold(100_000, *gc.get_threshold()[1:])
    if is_program and signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)
    if is_program and "NNSVS_LITE_LOGGED" in os.environ:
        # A runner that is killed takes its job along.
        end_with_parent(signal.SIGTERM)
    # No process started from here takes modules from the working folder (from Python 3.11 on).
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        if about:
            print(f"{PROGRAM} {__version__}" if name == "--version" else overview())
            status = 0 if argv else 1
        else:
            status = _run(name, argv[1:])
        sys.stdout.flush()
        return status
    except DataError as error:
        _say(name, error)
        return 1
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if package not in RECIPES:
            raise
        _say(name, f"this needs {package}: pip install 'nnsvs_lite[recipes]'")
        return 1
    except BrokenPipeError:
        # The reader of our output has gone; keep Python from complaining once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except OSError as error:
        if error.errno not in _USER_OS_ERRORS:
            raise
        _say(name, DataError(error.strerror or str(error), error.filename))
        return 1
    except KeyboardInterrupt:
        _say(name, "interrupted")
        return _INTERRUPTED
    finally:
        if is_program:
            # What is left goes with the process: to take it apart takes as long as a quarter of the start.
            gc.freeze()
            # Ctrl-C would only break off what Python and libraries do at exit, with a traceback.
            signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
