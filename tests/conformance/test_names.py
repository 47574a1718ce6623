"""Names, pools and themes are those of the reference, case by case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from polecat.core.pool import NamePool, allocate_name, reconcile_pool_with
from polecat.core.sessions import parse_session_name
from polecat.core.themes import PALETTE, THEMES, status_theme
from polecat.documents import NamePoolSettings, RigSettings
from polecat.errors import InvalidNameError
from polecat.model import Rig, WorkStatus
from polecat.names import agent_bead_id
from polecat.town import pool_state as pool_file
from tests.vectors import cases, document


class _Pool:
    """A pool with what the reference keeps in memory beside it: which names are in use."""

    def __init__(self, case: dict[str, Any], rig_path: Path) -> None:
        self.rig = Rig(name=case["rig"], path=rig_path)
        names = NamePoolSettings(
            style=case["theme"], names=tuple(case["custom_names"] or ()), max_before_numbering=case["max_size"]
        )
        self.settings = RigSettings(namepool=names)
        self.rig.runtime_dir.mkdir(parents=True)
        self.in_use: set[str] = set()
        self.pool: NamePool = pool_file.load_pool(self.rig, self.settings)

    def allocate(self, op: dict[str, Any]) -> None:
        name, self.pool = allocate_name(self.pool, self.in_use)
        assert name == op["result"]
        self.in_use.add(name)

    def release(self, op: dict[str, Any]) -> None:
        self.in_use.discard(op["name"])

    def reconcile(self, op: dict[str, Any]) -> None:
        self.in_use = set(reconcile_pool_with(sessions=(), dirs=op["existing"]).in_use)

    def save_load_reconcile(self, op: dict[str, Any]) -> None:
        pool_file.save_pool(self.rig, self.pool)
        self.pool = pool_file.load_pool(self.rig, self.settings)
        self.reconcile(op)

    def active_names(self, op: dict[str, Any]) -> None:
        assert sorted(name for name in self.in_use if name in self.pool.names) == op["result"]


@cases("name_pool.json")
def test_name_pool(case: dict[str, Any], tmp_path: Path) -> None:
    """A pool gives the reference's names in the reference's order, and leaves its state file byte for byte."""
    pool = _Pool(case, tmp_path / case["rig"])

    for op in case["ops"]:
        getattr(pool, op["op"])(op)

    pool_file.save_pool(pool.rig, pool.pool)
    assert (pool.rig.runtime_dir / "namepool-state.json").read_text("utf-8") == case["state_file"]


def test_name_themes() -> None:
    """The built-in lists are the reference's, in its order, reserved names still in."""
    assert {theme: list(names) for theme, names in THEMES.items()} == document("name_themes.json")


@cases("session_names.json")
def test_session_names(case: dict[str, Any]) -> None:
    """A session name says role, rig and name; those give the session name again."""
    if case["error"]:
        with pytest.raises(InvalidNameError):
            parse_session_name(case["session"])
        return

    who = parse_session_name(case["session"])

    assert (who.role, who.rig, who.name, who.address) == (case["role"], case["rig"], case["name"], case["address"])
    assert who.session == case["round_trip"]


@cases("agent_bead_ids.json")
def test_agent_bead_ids(case: dict[str, Any]) -> None:
    """Prefix, rig and name give the agent bead's id."""
    assert agent_bead_id(case["prefix"], case["rig"], case["name"]) == case["agent_bead_id"]


@cases("status_themes.json")
def test_status_themes(case: dict[str, Any]) -> None:
    """A rig always gets the same status bar, and the one the reference gives it."""
    theme = status_theme(case["rig"])

    assert (theme.name, theme.style) == (case["theme"], case["style"])


def test_status_palette() -> None:
    """The palette is the reference's, in its order."""
    assert [{"bg": t.bg, "fg": t.fg, "name": t.name} for t in PALETTE] == document("status_palette.json")


@cases("work_status.json")
def test_work_status(case: dict[str, Any]) -> None:
    """Counts of work are clean or not, and read, as in the reference."""
    counts = {key: case[key] for key in ("modified", "untracked", "stashes", "unpushed", "has_uncommitted")}

    work = WorkStatus(**counts)

    assert (work.is_clean, str(work)) == (case["clean"], case["text"])
