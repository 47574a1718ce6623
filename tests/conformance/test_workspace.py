"""Which town contains a place, and which prefix a rig has: the reference's answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from polecat.errors import TownNotFoundError
from polecat.town.find import find_town
from polecat.town.routes import parse_routes, rig_prefix
from tests.vectors import cases


def _lay_out(root: Path, case: dict[str, Any], content: str) -> None:
    for directory in case["dirs"]:
        (root / directory).mkdir(parents=True, exist_ok=True)
    for file in case["files"]:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(content)


@pytest.mark.parametrize("content", ["", "{}", '{"type": "town", "version": 2, "name": "t"}'])
@cases("workspace_find.json")
def test_workspace_find(case: dict[str, Any], content: str, tmp_path: Path) -> None:
    """The town of a place is the reference's, whatever its marker holds."""
    _lay_out(tmp_path, case, content)

    if case["town_root"]:
        assert find_town(tmp_path / case["from"]).root == tmp_path / case["town_root"]
    else:
        with pytest.raises(TownNotFoundError):
            find_town(tmp_path / case["from"])


@cases("rig_prefix.json")
def test_rig_prefix(case: dict[str, Any]) -> None:
    """The prefix of a rig comes from the first route that leads to it."""
    assert rig_prefix(parse_routes(case["routes_jsonl"]), case["rig"]) == case["prefix"]
