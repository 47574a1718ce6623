"""The page for newcomers: twelve questions, each answered by one file that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import polecat
from tests.docs.test_tutorial import ROOT

PACKAGE = Path(polecat.__file__).parent

ROWS = re.findall(
    r"^\| ([^|]+\?) \| `([^`]+)` \| `(\w+)` \|$", (ROOT / "docs/explanation/where-is-it.md").read_text("utf-8"), re.MULTILINE
)


def test_twelve_questions_have_an_answer_each() -> None:
    """No question is asked twice, and no row of the table is left out of the checks below."""
    assert len({question for question, _, _ in ROWS}) == len(ROWS) == 12


@pytest.mark.parametrize(("question", "file", "name"), ROWS)
def test_each_answer_is_there(question: str, file: str, name: str) -> None:
    """The file that answers exists, and defines what one should begin with."""
    assert re.search(rf"^(def|class) {name}\b", (PACKAGE.parent / file).read_text("utf-8"), re.MULTILINE), question


def test_what_the_page_on_the_world_names_is_there() -> None:
    """Each kind of surprise names where its rule is decided and which tests hold it; all of them exist."""
    page = (ROOT / "docs/explanation/what-the-world-does.md").read_text("utf-8")
    named = re.findall(r"`((?:tests|core|adapters|upkeep|town|verbs)/[\w./-]*)`", page)

    assert len(named) > 15
    assert [name for name in named if not (ROOT / name).exists() and not (PACKAGE / name).exists()] == []
