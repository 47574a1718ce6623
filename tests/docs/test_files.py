"""The page of files names every file that polecat ever puts into a town."""

from __future__ import annotations

import fnmatch
import re
import shutil
from pathlib import Path

import pytest

import polecat
from polecat import Rig, SpawnOptions, init_town, reconcile_pool, remove_polecat, repair_polecat, spawn_for_sling, spawn_many
from polecat.adapters import GitCli
from polecat.errors import PolecatError
from polecat.ports import World
from tests.docs.test_tutorial import ROOT
from tests.git_fixtures import git
from tests.spawn_fixtures import SAY_ARGS, HandTown, hand_town, make_template

PAGE = ROOT / "docs" / "reference" / "town.md"


def documented() -> list[str]:
    """The paths of the page's tables, as patterns: what stands in ``<…>`` may be anything without a slash."""
    rows = re.findall(r"^\| `([^`]+)`[^|]*\|", PAGE.read_text("utf-8"), re.MULTILINE)
    return [re.sub(r"<[^>]+>", "*", row).rstrip("/") for row in rows]


def found(root: Path) -> set[str]:
    """Every file and empty directory of a town, without what is inside repositories and worktrees."""
    seen = set()
    for path in root.rglob("*"):
        name = str(path.relative_to(root))
        inside = re.match(r"(.*/\.repo\.git|.*/polecats/(?!\.trash)[^/]+/gastown)/", name)
        if not inside and (not path.is_dir() or not any(path.iterdir())):
            seen.add(re.sub(r"^gastown/", "<rig>/", name))
    return seen


def live(town: HandTown) -> None:
    """Let a town live through everything that leaves a file."""
    rig, tmux = town.rig, town.server.cli()
    town.agent("say", SAY_ARGS)
    town.agent("dies", "exit 1")
    town.settings(respawn_limit=2)
    (rig.runtime_dir / "overlay").mkdir(parents=True)
    (rig.runtime_dir / "overlay" / "local.env").write_text("A=1\n")
    (rig.runtime_dir / "setup-hooks").mkdir()
    (rig.runtime_dir / "setup-hooks" / "10-say").write_text("#!/bin/sh\necho hook\n")
    (rig.runtime_dir / "setup-hooks" / "10-say").chmod(0o755)
    one, *_ = spawn_many(rig, [SpawnOptions(hook_bead="gt-1"), SpawnOptions()], world=World(git=GitCli(), tmux=tmux))
    assert isinstance(one, polecat.SpawnedPolecat)
    with pytest.raises(PolecatError):
        spawn_for_sling(rig, SpawnOptions(hook_bead="gt-2", agent="dies"), world=World(git=GitCli(), tmux=tmux))
    polecat.nudge_polecat(rig, one.polecat_name, "hello", world=World(tmux=tmux))
    (one.clone_path / "draft").write_text("x")
    repair_polecat(rig, one.polecat_name, force=True, world=World(git=GitCli(), tmux=tmux))
    remove_polecat(rig, "nux", force=True, world=World(git=GitCli(), tmux=tmux))
    polecat.warm_spares(rig, 1, world=World(git=GitCli(), tmux=tmux))
    reconcile_pool(rig, world=World(git=GitCli(), tmux=tmux))


@pytest.mark.real
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_no_file_appears_that_the_page_does_not_name(tmp_path: Path) -> None:
    """Whatever a town's life leaves on its disk stands in the tables of files."""
    with hand_town(tmp_path, make_template(tmp_path / "template")) as town:
        live(town)
        seen = found(town.root)
    patterns = documented()

    assert not {name for name in seen if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)}


def test_a_new_town_and_a_new_rig_hold_what_the_page_says(tmp_path: Path) -> None:
    """`polecat init` and `polecat rig add` make nothing that the page does not name."""
    git("init", "-q", "-b", "main", tmp_path / "project", cwd=tmp_path)
    git("commit", "-q", "--allow-empty", "-m", "first", cwd=tmp_path / "project")
    town = init_town(tmp_path / "town")
    rig: Rig = polecat.add_rig(town, "gastown", str(tmp_path / "project"))
    patterns = documented()

    assert rig.path.is_dir()
    assert not {name for name in found(town.root) if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)}
