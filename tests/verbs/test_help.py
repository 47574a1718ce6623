"""The help: every verb has an example that the parser itself accepts."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator

import pytest

from polecat.cli import VERBS, _parser

SHOWN = [verb for verb, (_, what) in VERBS.items() if what]


def _epilogs(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield parser.epilog or ""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _epilogs(below)


@pytest.mark.parametrize("verb", SHOWN)
def test_every_verb_has_examples_that_parse(verb: str) -> None:
    """``polecat VERB --help`` shows at least one command, and each command it shows is one that polecat understands."""
    whole = _parser(VERBS)
    [choices] = [action.choices for action in whole._actions if isinstance(action, argparse._SubParsersAction)]
    text = "\n".join(_epilogs(choices[verb]))

    examples = re.findall(rf"^.*?\bpolecat ({verb}\b[^\n]*)", text, re.MULTILINE)

    assert examples
    for example in examples:
        words = shlex.split(re.split(r"\s{2,}|\s[<>|]|\)", example)[0])
        assert whole.parse_args(words).verb == verb
