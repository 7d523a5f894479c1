"""The command that prints what shells complete ``nnsvs-lite`` by; all of it is known when it is printed."""

import shlex
from argparse import Namespace
from collections.abc import Iterable, Mapping

from nnsvs_lite.bin.command import COMMANDS, Argument, Command, arg, command

_CONFIGS = {
    "align": ("align",),
    "extract": ("features",),
    "train": ("timelag", "duration", "acoustic", "vocoder"),
}
"""Kinds of configurations that ``--config`` of a command names."""
_SCRIPT = """\
_nnsvs_lite() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} known=
    local command=${{COMP_WORDS[1]:-}}
    [ "${{COMP_CWORD}}" -gt 1 ] || command=
    [[ ${{word}} != -* ]] || before=
    case "${{command}} ${{before}}" in
{values}
    *)
        case "${{command}}" in
        "") known={commands} ;;
{options}
        esac
        case "${{command}}${{word}}" in
        "${{word}}" | "${{command}}"-*) ;;
        *) known= ;;
        esac
        ;;
    esac
    COMPREPLY=($(compgen -W "${{known}}" -- "${{word}}"))
}}
complete -o default -F _nnsvs_lite nnsvs-lite
"""
_ZSH = "#compdef nnsvs-lite\nautoload -U +X bashcompinit && bashcompinit\n"


def _words(words: Iterable[str]) -> str:
    return shlex.quote(" ".join(words))


def _options(known: Command) -> list[str]:
    tools = known.arguments
    several = [own for _, own in tools.values()] if isinstance(tools, Mapping) else [tools]
    found = dict.fromkeys(
        name for own in several for names, _ in own for name in names if name.startswith("-")
    )
    quiet = () if known.answers else ("--quiet",)
    return sorted([*found, *quiet, "--help"])


def _values(name: str, known: Command) -> dict[str, list[str]]:
    """What may stand behind a word: a tool behind its command, a choice or a name behind an option."""
    tools = known.arguments
    found = {name: sorted(tools)} if isinstance(tools, Mapping) else {}
    arguments: list[Argument] = []
    for own in [own for _, own in tools.values()] if isinstance(tools, Mapping) else [tools]:
        arguments += own
    for names, settings in arguments:
        for option in names:
            place = option if option.startswith("-") else name
            if settings.get("choices"):
                found[place] = [str(choice) for choice in settings["choices"]]
    return found


def script(shell: str) -> str:
    """The script of a shell, ``bash`` or ``zsh``."""
    from nnsvs_lite.io.settings import config_names

    values = []
    for name, known in sorted(COMMANDS.items()):
        found = _values(name, known)
        if name in _CONFIGS:
            kinds = _CONFIGS[name]
            prefix = len(kinds) > 1
            found["--config"] = [f"{kind}/" * prefix + conf for kind in kinds for conf in config_names(kind)]
        values += [f'    "{name} {word}") known={_words(words)} ;;' for word, words in found.items()]
    options = [
        f"        {name}) known={_words(_options(known))} ;;" for name, known in sorted(COMMANDS.items())
    ]
    told = {"values": "\n".join(values), "options": "\n".join(options), "commands": _words(sorted(COMMANDS))}
    return _ZSH * (shell == "zsh") + _SCRIPT.format(**told)


@command(
    "print what makes a shell complete commands, options and names of configurations",
    arg("shell", "bash or zsh", choices=("bash", "zsh")),
    answers=True,
)
def completion(args: Namespace) -> None:
    print(script(args.shell), end="")
