"""What the project was made for: an orchestrator's test without git and tmux."""

from __future__ import annotations

from pathlib import Path

from polecat import reconcile_pool, reconcile_pool_with
from polecat.ports import World
from polecat.testing import FakeGit, FakeTmux, make_rig


def test_an_orphan_holds_no_name() -> None:
    """A session without a directory is an orphan, told from names alone."""
    assert reconcile_pool_with(sessions=["furiosa", "nux"], dirs=["nux"]).orphans == ("furiosa",)


def test_my_orchestrator_cleans_up(tmp_path: Path) -> None:
    """Orphan sessions in, killed sessions out."""
    tmux = FakeTmux(sessions=["gt-gas-furiosa", "gt-gas-witness"])
    reconcile_pool(make_rig(tmp_path, "gas"), world=World(git=FakeGit(), tmux=tmux))
    assert tmux.sessions() == ["gt-gas-witness"]
