"""The program ``nnsvs-lite``: finds a command, reads its options, runs it.

A command is a module of this package. ``nnsvs-lite demo-corpus`` runs
``nnsvs_lite/bin/demo_corpus.py``, which has

- ``HELP``: one line, a plain string (it is read without importing the module);
- ``add_arguments(parser)``: declares the options (import nothing heavy here);
- ``run(args) -> int | None``: does the work; a number is the exit status;
- ``STAGE = True``, where the command is a step of a recipe: its output then
  begins with the command, versions and host and ends with the elapsed time;
- ``OVERRIDES = True``, where ``--any.key value`` may follow the known options:
  what is left over is then in ``args.overrides``, a list of words.
"""

import argparse
import ast
import errno
import importlib
import os
import signal
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from nnsvs_lite import __version__
from nnsvs_lite.io.errors import DataError, nearest

PROGRAM = "nnsvs-lite"
_INTERRUPTED = 130
_BROKEN_PIPE = 141
_USER_OS_ERRORS = {
    errno.ENOENT,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.ENAMETOOLONG,
}


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


def commands() -> dict[str, Path]:
    """All commands by name, sorted, with the file that holds each."""
    folder = Path(__file__).parent
    names = (path for path in folder.glob("*.py") if path.stem not in ("__init__", "__main__", "main"))
    return {path.stem.replace("_", "-"): path for path in sorted(names) if not path.stem.startswith("_")}


def help_line(path: Path) -> str:
    """The constant ``HELP`` of a command's module, read without importing it; empty if it has none."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == "HELP" for target in targets):
            return " ".join(str(ast.literal_eval(node.value)).split())
    return ""


def overview() -> str:
    """The text of ``nnsvs-lite --help``."""
    known = commands()
    width = max(map(len, known), default=0)
    lines = [
        f"usage: {PROGRAM} COMMAND [options]",
        "",
        "Singing voice synthesis: a score goes in, singing comes out.",
        "",
    ]
    lines += ["commands:"]
    lines += [f"  {name:<{width}}  {help_line(path)}" for name, path in known.items()]
    lines += [
        "",
        f"{PROGRAM} COMMAND --help   the options of one command",
        f"{PROGRAM} --version        the version",
    ]
    return "\n".join(lines)


def spell_options(argv: Sequence[str], known: set[str], overrides: bool) -> tuple[list[str], list[str]]:
    """Writes every long option as its parser knows it: hyphens and underscores are the same.

    Returns the command line so written and, if ``overrides``, the options that no parser knows with the word
    that follows each, as they stand.

    Raises:
        UsageError: for an option that no parser knows, naming the nearest, unless ``overrides``.
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


def parse(name: str, module: ModuleType, argv: Sequence[str]) -> argparse.Namespace:
    """Reads the options of one command.

    Raises:
        UsageError: for an unknown option, a missing one, or a value of the wrong type.
    """
    parser = Parser(prog=f"{PROGRAM} {name}", description=getattr(module, "HELP", None))
    module.add_arguments(parser)
    overrides = getattr(module, "OVERRIDES", False)
    spelt, unknown = spell_options(argv, parser.long_options(), overrides)
    args, rest = parser.parse_known_args(spelt)
    if rest:
        raise UsageError(f"unknown argument {rest[0]!r} (see: {parser.prog} --help)")
    if overrides:
        args.overrides = unknown
    return args


def _say(name: str, what: object) -> None:
    print(f"{PROGRAM}{' ' + name if name else ''}: error: {what}", file=sys.stderr)


def _terminate(number: int, frame: object) -> None:
    # An exception, unlike the signal's default action, lets temporary files be removed.
    raise SystemExit(128 + number)


def _run(name: str, argv: Sequence[str]) -> int:
    module = importlib.import_module(f"nnsvs_lite.bin.{name.replace('-', '_')}")
    args = parse(name, module, argv)
    if not getattr(module, "STAGE", False):
        return int(module.run(args) or 0)
    from nnsvs_lite.io.stagelog import run_logged

    return run_logged([PROGRAM, name, *argv], lambda: int(module.run(args) or 0))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status (1 for bad input, 130 if interrupted)."""
    argv = list(sys.argv[1:] if argv is None else argv)
    known = commands()
    name = argv[0].replace("_", "-") if argv else "--help"
    about = name in ("-h", "--help", "help", "--version")
    if not about and name not in known:
        kind = "option" if name.startswith("-") else "command"
        _say("", f"unknown {kind} {argv[0]!r}{nearest(name, known)}; {PROGRAM} --help lists the commands")
        return 1
    signal.signal(signal.SIGTERM, _terminate)
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


if __name__ == "__main__":
    sys.exit(main())
