"""What broke for others, tried from end to end with the real programs."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from polecat import PolecatState, list_polecats, reconcile_pool, remove_polecat, repair_polecat
from polecat.adapters import GitCli
from polecat.errors import PolecatError, RemoveFailedError, WorkAtRiskError
from polecat.ports import World
from tests.conftest import ProgramCounts
from tests.git_fixtures import commit, git, manifest, write
from tests.spawn_fixtures import HandTown, processes_of, shim_directory, with_path, write_json
from tests.tmux_fixtures import eventually

pytestmark = pytest.mark.real


def _world(town: HandTown) -> World:
    return World(tmux=town.server.cli(), git=GitCli())


def _rescues(town: HandTown) -> list[str]:
    return git("for-each-ref", "--format=%(refname)", "refs/polecat/rescue", cwd=town.repo_dir).split()


def test_unpushed_work_of_an_unreachable_remote(town: HandTown) -> None:
    """T-13: a commit nobody else has, and a remote that is away: not removed, not with force; nuclear leaves it in a rescue."""
    cat = town.spawn()
    tip = commit(cat.clone_path, {"only.txt": "here"})
    town.origin.rename(town.origin.with_name("away"))
    before = manifest(cat.clone_path)

    for force in (False, True):
        with pytest.raises(WorkAtRiskError) as refused:
            remove_polecat(town.rig, cat.polecat_name, force=force, world=_world(town))
        assert "unpushed" in refused.value.reasons
    assert manifest(cat.clone_path) == before
    assert town.sessions() == [cat.session_name]
    done = remove_polecat(town.rig, cat.polecat_name, nuclear=True, world=_world(town))

    assert _rescues(town) == [done.rescue]
    assert git("show", f"{done.rescue}:only.txt", cwd=town.repo_dir) == "here"
    assert git("merge-base", tip, done.rescue, cwd=town.repo_dir) == tip


def test_the_remote_keeps_its_branches(town: HandTown, program_counts: ProgramCounts) -> None:
    """T-14: removing and repairing push nothing, so a branch of the remote that waits to be merged stays."""
    cats = [town.spawn(), town.spawn()]
    for cat in cats:
        commit(cat.clone_path, {"work.txt": cat.polecat_name})
        git("push", "-q", "origin", "HEAD", cwd=cat.clone_path)
    before = git("for-each-ref", cwd=town.origin)
    program_counts.reset()

    remove_polecat(town.rig, cats[0].polecat_name, world=_world(town))
    repair_polecat(town.rig, cats[1].polecat_name, world=_world(town))

    assert program_counts.calls("git")
    assert [call for call in program_counts.calls("git") if "push" in call.split()] == []
    assert git("for-each-ref", cwd=town.origin) == before


def test_a_repair_whose_new_worktree_cannot_be_made(town: HandTown, tmp_path: Path) -> None:
    """T-16: the old tree stays byte for byte; the repair that works leaves git one worktree for it, in its place."""
    cat = town.spawn()
    write(cat.clone_path, {"new.txt": "only here", "README.md": "changed"})
    before, branch = manifest(cat.clone_path), git("symbolic-ref", "HEAD", cwd=cat.clone_path)
    real = shutil.which("git")
    broken = shim_directory(tmp_path / "bin", git=f'case " $* " in *" reset "*) exit 1 ;; esac; exec {real} "$@"')
    with pytest.raises(PolecatError, match="git reset failed"):
        repair_polecat(
            town.rig, cat.polecat_name, force=True, world=World(tmux=town.server.cli(), git=GitCli(environ=with_path(broken)))
        )
    assert (manifest(cat.clone_path), git("symbolic-ref", "HEAD", cwd=cat.clone_path)) == (before, branch)
    assert town.sessions() == [cat.session_name]

    done = repair_polecat(town.rig, cat.polecat_name, force=True, world=_world(town))

    listed = git("worktree", "list", "--porcelain", cwd=town.repo_dir).split("\n\n")
    assert [first for block in listed[1:] if "/.spare-" not in (first := block.splitlines()[0])] == [f"worktree {cat.clone_path}"]
    assert git("status", "--porcelain", cwd=cat.clone_path) == ""
    assert git("show", f"{done.rescue}:new.txt", cwd=town.repo_dir) == "only here"


def test_a_worktree_that_cannot_be_taken_away(town: HandTown) -> None:
    """T-19: the removal reports failure, the tree is as it was, and the name stays taken until the cause is mended."""
    cat = town.spawn()
    write(cat.clone_path, {"new.txt": "only here"})
    before = manifest(cat.clone_path)
    (town.rig_dir / "polecats" / ".trash").write_text("in the way")

    with pytest.raises(RemoveFailedError):
        remove_polecat(town.rig, cat.polecat_name, force=True, world=_world(town))

    assert manifest(cat.clone_path) == before
    assert [one.name for one in list_polecats(town.rig, world=_world(town))] == [cat.polecat_name]
    assert town.spawn().polecat_name != cat.polecat_name
    (town.rig_dir / "polecats" / ".trash").unlink()
    remove_polecat(town.rig, cat.polecat_name, force=True, world=_world(town))
    assert not cat.clone_path.exists()


def test_a_session_that_outlived_its_polecat(town: HandTown) -> None:
    """T-09: a name whose last session still runs is given with one session: the old one ends first, with what it started."""
    said = {"GT_ROOT": town.root, "GT_ROLE": "polecat", "GT_RIG": "gastown", "GT_POLECAT": "furiosa"}
    words = (
        *(word for key, value in said.items() for word in ("-e", f"{key}={value}")),
        "trap '' HUP; sleep 600 & exec sleep 600",
    )  # its child ignores the end of its terminal
    town.server.run("new-session", "-d", "-s", "gt-gastown-furiosa", *words)
    eventually(lambda: len(processes_of(town.root)) == 2, "the old agent runs, with a child")
    old = set(processes_of(town.root))

    cat = town.spawn()

    assert cat.polecat_name == "furiosa"
    assert town.sessions() == ["gt-gastown-furiosa"]
    assert not old & set(processes_of(town.root))
    assert cat.pid in processes_of(town.root)


def test_an_old_heartbeat_kills_nobody(town: HandTown) -> None:
    """T-26: whoever lives is alive, however long it has not said so."""
    cat = town.spawn(hook_bead="gt-1")
    beat = town.rig_dir / ".runtime" / "heartbeats" / f"{cat.session_name}.json"
    write_json(beat, {"timestamp": "2026-01-13T12:00:00Z", "state": "working"})
    hour_ago = time.time() - 3600
    os.utime(beat, (hour_ago, hour_ago))

    assert reconcile_pool(town.rig, world=_world(town)).is_quiet
    assert [one.state for one in list_polecats(town.rig, world=_world(town))] == [PolecatState.WORKING]
    assert cat.pid in processes_of(town.root)
