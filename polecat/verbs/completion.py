"""``polecat completion``: scripts for shells, made from the parser so that they cannot drift from it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from polecat.verbs.common import add_json, answer
from polecat.verbs.completion_scripts import Command, Option, bash, fish, zsh

EXAMPLE = """\
examples:
  bash: put this into ~/.bashrc     eval "$(polecat completion bash)"
  zsh:  put this into ~/.zshrc      eval "$(polecat completion zsh)"
  fish: once                        polecat completion fish > ~/.config/fish/completions/polecat.fish
"""

_KINDS = {"RIG": "rigs", "RIG/NAME": "polecats", "RIG/NAME|BEAD": "polecats", "A": "agents", "DIR": "dirs", "F": "files"}
"""What may stand for a word, by how the help calls it; whatever else is free text."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="which shell")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    write = {"bash": bash, "zsh": zsh, "fish": fish}[args.shell]
    script = write(tuple(commands_of(args.whole_parser())))
    return answer(args, "completion", {"shell": args.shell, "script": script}, script.removesuffix("\n"))


def commands_of(parser: argparse.ArgumentParser, words: tuple[str, ...] = (), what: str = "") -> Iterator[Command]:
    """Walk through a parser: itself, then the commands below it that its help shows."""
    options, places = [], []
    below: list[Command] = []
    for action in parser._actions:  # noqa: SLF001  argparse has no other way to ask
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            shown = {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001
            for name, text in shown.items():
                below += commands_of(action.choices[name], (*words, name), text)
        elif action.option_strings:
            options.append(Option(flags=tuple(action.option_strings), value=_value(action), help=action.help or ""))
        else:
            places.append(_value(action))
    yield Command(words=words, help=what, options=tuple(options), places=tuple(places))
    yield from below


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if action.choices is not None:
        return "one of " + " ".join(str(choice) for choice in action.choices)
    return _KINDS.get(str(action.metavar), "text")


VERBS = {"completion": (EXAMPLE, add_arguments, run)}
