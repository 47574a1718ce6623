"""The orchestrator that the type checkers look at does what it says."""

from __future__ import annotations

import ast
from pathlib import Path

from polecat import World, clear_issue, list_polecats, stop_polecat
from polecat.testing import example_world
from tests.typing import orchestrator


def test_the_world_is_handed_through() -> None:
    """Each function gets the world of its caller: all that happens, happens in the pretend one, and is heard in one place."""
    rig, world = example_world()

    report = orchestrator.hand_out(rig, ["gt-1", "gt-2"], world=world)

    assert report.working == {"gt-1": "gastown/polecats/furiosa", "gt-2": "gastown/polecats/nux"}
    assert report.seen.count("polecat_nudged") == report.seen.count("polecat_spawned") == 2
    assert report.refused == {}


def test_places_are_taken_back_and_given_again() -> None:
    """Who has ended and lost nothing makes room for the next."""
    rig, world = example_world()
    orchestrator.hand_out(rig, ["gt-2"], world=world)
    clear_issue(rig, "furiosa", world=world)
    stop_polecat(rig, "furiosa", world=world)

    report = orchestrator.hand_out(rig, ["gt-3"], world=world)

    assert "polecat_removed" in report.seen
    assert [cat.issue for cat in list_polecats(rig, world=world)] == ["gt-3"]


def test_it_needs_no_any() -> None:
    """The text names neither `Any` nor a comment that silences a type checker, and hands the world on three times."""
    text = Path(orchestrator.__file__).read_text("utf-8")
    names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    takers = [node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.args.kwonlyargs]

    assert "Any" not in names
    assert "ignore" not in text
    assert len(takers) >= 3
    assert World.__module__ == "polecat"
