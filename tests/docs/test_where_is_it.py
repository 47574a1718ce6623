"""The page for newcomers: twelve questions, each answered by one file that is there."""

from __future__ import annotations

import re

import pytest

from tests.docs.test_tutorial import ROOT

ROWS = re.findall(
    r"^\| ([^|]+\?) \| `([^`]+)` \| `(\w+)` \|$", (ROOT / "docs/explanation/where-is-it.md").read_text("utf-8"), re.MULTILINE
)


def test_twelve_questions_have_an_answer_each() -> None:
    """No question is asked twice, and no row of the table is left out of the checks below."""
    assert len({question for question, _, _ in ROWS}) == len(ROWS) == 12


@pytest.mark.parametrize(("question", "file", "name"), ROWS)
def test_each_answer_is_there(question: str, file: str, name: str) -> None:
    """The file that answers exists, and defines what one should begin with."""
    assert re.search(rf"^(def|class) {name}\b", (ROOT / file).read_text("utf-8"), re.MULTILINE), question
