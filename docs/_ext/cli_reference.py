"""Every verb of the command line, from the parser itself."""

from __future__ import annotations

import argparse
import os
import re
import textwrap
from collections.abc import Iterator

from docs._ext.markdown import code, fence, prose, table
from polecat.cli import VERBS, _parser

COMMON = frozenset(("--help", "--json", "--town", "--socket"))
"""Options that the page explains once for all verbs."""


def whole_parser() -> argparse.ArgumentParser:
    """The parser with all its verbs, laid out for a page."""
    os.environ["COLUMNS"] = "100"
    return _parser(VERBS)


def sub_parsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers one level below a parser."""
    for action in parser._actions:  # noqa: SLF001  argparse has no other door
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001  as above
            return dict(action.choices)
    return {}


def verbs() -> str:
    """A section for each verb that the help shows: what it does, usage, arguments and options, examples."""
    parsers = sub_parsers(whole_parser())
    return "\n\n".join(_verb(verb, parsers[verb]) for verb, (_, what) in VERBS.items() if what)


def _verb(verb: str, parser: argparse.ArgumentParser) -> str:
    parts = [f"## {verb}", prose(parser.description or "")]
    below = sub_parsers(parser)
    for action, sub in below.items():
        parts += [f"### {verb} {action}", _what(parser, action), *_shape(sub)]
    if not below:
        parts += _shape(parser)
    examples = [*_examples(parser), *(line for sub in below.values() for line in _examples(sub))]
    if examples:
        parts += ["For example:", fence(textwrap.dedent("\n".join(examples)))]
    return "\n\n".join(parts)


def _what(parser: argparse.ArgumentParser, action: str) -> str:
    for group in parser._actions:  # noqa: SLF001  argparse has no other door
        if isinstance(group, argparse._SubParsersAction):  # noqa: SLF001  as above
            for choice in group._choices_actions:  # noqa: SLF001  as above
                if choice.dest == action and choice.help:
                    return f"{choice.help[0].upper()}{choice.help[1:]}."
    return ""


def _shape(parser: argparse.ArgumentParser) -> list[str]:
    usage = re.sub(r"^(usage: |       )", "", parser.format_usage(), flags=re.MULTILINE)
    rows = list(_rows(parser))
    return [fence(usage), *([table(("Argument", "Meaning"), rows)] if rows else [])]


def _rows(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    for action in parser._actions:  # noqa: SLF001  argparse has no other door
        if COMMON & set(action.option_strings) or action.help == argparse.SUPPRESS:
            continue
        metavar = action.metavar if isinstance(action.metavar, str) else ""
        words = ", ".join(action.option_strings) or metavar or action.dest
        if action.option_strings and action.nargs != 0:
            words += f" [{metavar}]" if action.nargs == "?" else f" {metavar}"
        choices = f" One of {', '.join(map(str, action.choices))}." if action.choices and not metavar else ""
        yield code(words), prose(action.help or "") + choices


def _examples(parser: argparse.ArgumentParser) -> list[str]:
    lines = (parser.epilog or "").strip("\n").splitlines()
    return [line for line in lines if not re.match(r"examples?:$", line)]
