"""``polecat completion``: scripts for shells, made from the parser so that they cannot drift from it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from attrs import frozen

from polecat.verbs import completion_scripts
from polecat.verbs.common import add_json, print_json

EXAMPLE = """\
examples:
  bash: put this into ~/.bashrc     eval "$(polecat completion bash)"
  zsh:  put this into ~/.zshrc      eval "$(polecat completion zsh)"
  fish: once                        polecat completion fish > ~/.config/fish/completions/polecat.fish
"""

_KINDS = {"RIG": "rigs", "RIG/NAME": "polecats", "RIG/NAME|BEAD": "polecats", "A": "agents", "DIR": "dirs", "F": "files"}
"""What may stand for a word, by how the help calls it; whatever else is free text."""


@frozen(kw_only=True)
class Option:
    """One option of a command: its spellings, what its value is (empty: it has none; ``text``: anything), its help."""

    flags: tuple[str, ...]
    value: str
    help: str


@frozen(kw_only=True)
class Command:
    """One verb, or one action of a verb.

    Attributes:
        words: the words that lead to it.
        help: what it does.
        options: its options.
        places: what its positional words are.
    """

    words: tuple[str, ...]
    help: str
    options: tuple[Option, ...]
    places: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb understands."""
    parser.epilog = EXAMPLE
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="which shell")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    write = {"bash": completion_scripts.bash, "zsh": completion_scripts.zsh, "fish": completion_scripts.fish}[args.shell]
    script = write(tuple(commands_of(args.whole_parser())))
    if args.json:
        print_json("completion", {"shell": args.shell, "script": script})
    else:
        print(script, end="")
    return 0


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
